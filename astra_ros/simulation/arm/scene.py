"""The layout and look of an arm scene, chosen by a seed."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

import numpy as np

from astra_ros.simulation.arm.robots import RobotSpec
from astra_ros.simulation.worlds import SceneError

CUBE_SIDE_M = 0.07
CUBE_HALF_DIAGONAL_M = CUBE_SIDE_M / np.sqrt(2.0)
OBSTACLE_RADIUS_M = 0.04
GOAL_RADIUS_M = 0.055
# Objects keep at least this gap at the start.
GAP_M = 0.025

TABLE_TONES = ((0.78, 0.74, 0.68), (0.70, 0.70, 0.72), (0.60, 0.57, 0.53), (0.84, 0.83, 0.81))


@dataclass(frozen=True)
class SceneSettings:
    """The region of the objects on the table (m, world frame) and how scenes vary.

    Attributes:
        x_range, y_range: the region of cube, goal and obstacle.
        distance_range: cube to goal.
        blocked_share: share of scenes whose obstacle stands beside the straight push.
        blocked_offset_m: how far beside, at most, the obstacle's centre is from the straight line.
        push_room_m: room behind the cube for the hand.
    """

    x_range: tuple[float, float] = (0.38, 0.68)
    y_range: tuple[float, float] = (-0.24, 0.24)
    distance_range: tuple[float, float] = (0.12, 0.28)
    blocked_share: float = 0.3
    blocked_offset_m: float = 0.16
    push_room_m: float = 0.09


@dataclass(frozen=True)
class TableLayout:
    """Start of an episode: [2] m in the table plane, world frame; yaw in rad."""

    object_xy: np.ndarray
    object_yaw: float
    goal_xy: np.ndarray
    obstacle_xy: np.ndarray


@dataclass(frozen=True)
class Style:
    """The look of a scene: RGB 0..1 and the direction to the light."""

    object_rgb: tuple[float, float, float]
    table_rgb: tuple[float, float, float]
    light: tuple[float, float, float]


def sample_layout(spec: RobotSpec, seed: int, settings: SceneSettings | None = None) -> TableLayout:
    """The layout that belongs to a seed: within reach, nothing overlapping.

    Raises:
        SceneError: no layout fits the settings.
    """
    settings = settings or SceneSettings()
    rng = np.random.default_rng([seed, 1])
    for _ in range(2000):
        cube = _point(rng, settings)
        angle = rng.uniform(-np.pi, np.pi)
        direction = np.array([np.cos(angle), np.sin(angle)])
        distance = rng.uniform(*settings.distance_range)
        goal = cube + distance * direction
        behind = cube - (CUBE_SIDE_M / 2 + settings.push_room_m) * direction
        if not (_inside(goal, settings) and _reachable(spec, cube, goal, behind)):
            continue
        if rng.random() < settings.blocked_share:
            side = np.array([-direction[1], direction[0]])
            along = rng.uniform(0.25, 0.9) * distance
            offset = rng.uniform(-1.0, 1.0) * settings.blocked_offset_m
            obstacle = cube + along * direction + offset * side
        else:
            obstacle = _point(rng, settings)
        if not _inside(obstacle, settings):
            continue
        if np.linalg.norm(obstacle - cube) < OBSTACLE_RADIUS_M + CUBE_HALF_DIAGONAL_M + GAP_M:
            continue
        if np.linalg.norm(obstacle - goal) < OBSTACLE_RADIUS_M + CUBE_HALF_DIAGONAL_M + GAP_M:
            continue
        # The cube lies roughly along the push.
        yaw = _wrapped(angle + rng.uniform(-0.35, 0.35), np.pi / 2)
        return TableLayout(cube, yaw, goal, obstacle)
    raise SceneError(
        f"no scene for robot '{spec.name}' and seed {seed} fits it",
        thing=settings,
        cure="widen x_range and y_range, or shorten distance_range",
    )


def sample_style(seed: int) -> Style:
    """The look that belongs to a seed: a warm cube, a neutral table, light from above."""
    rng = np.random.default_rng([seed, 2])
    cube = colorsys.hsv_to_rgb(rng.uniform(0.0, 0.14), rng.uniform(0.8, 1.0), rng.uniform(0.8, 1.0))
    tone = np.array(TABLE_TONES[rng.integers(len(TABLE_TONES))]) + rng.uniform(-0.03, 0.03)
    azimuth, height = rng.uniform(-1.6, 0.4), rng.uniform(1.0, 1.6)  # from the camera's side
    light = (float(0.8 * np.cos(azimuth)), float(0.8 * np.sin(azimuth)), height)
    return Style(cube, tuple(tone.tolist()), light)


def _point(rng: np.random.Generator, settings: SceneSettings) -> np.ndarray:
    return np.array([rng.uniform(*settings.x_range), rng.uniform(*settings.y_range)])


def _inside(point: np.ndarray, settings: SceneSettings) -> bool:
    (x0, x1), (y0, y1) = settings.x_range, settings.y_range
    return bool(x0 <= point[0] <= x1 and y0 <= point[1] <= y1)


def _reachable(spec: RobotSpec, *points: np.ndarray) -> bool:
    nearest, farthest = spec.reach_m
    return all(nearest <= float(np.linalg.norm(point)) <= farthest for point in points)


def _wrapped(angle: float, period: float) -> float:
    """The angle within half a period of zero."""
    return float((angle + period / 2) % period - period / 2)
