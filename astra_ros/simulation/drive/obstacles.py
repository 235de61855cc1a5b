"""Obstacles and vehicles of the drive world, and their outlines.

All lengths in m, world frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Length, width and height of each kind of obstacle and vehicle.
SIZES = {
    "car": (4.2, 1.8, 1.45),
    "van": (4.9, 2.0, 2.2),
    "truck": (6.4, 2.3, 2.9),
    "cone": (0.5, 0.5, 0.85),
    "barrel": (0.75, 0.75, 1.1),
    "crate": (1.2, 1.2, 1.2),
    "barrier": (0.45, 2.2, 1.0),
    "tree": (0.5, 0.5, 6.0),
    "conifer": (0.5, 0.5, 7.0),
    "lamp": (0.25, 0.25, 5.5),
    "building": (12.0, 10.0, 9.0),
}
ROUND = {"cone", "barrel", "tree", "conifer", "lamp"}
PAINTS = 9  # colours of a vehicle
FACADES = 3  # kinds of house front


@dataclass(frozen=True)
class Obstacle:
    """A solid object that stands still.

    Attributes:
        kind: key of ``SIZES``.
        x, y, yaw: its middle on the ground, m and rad, world frame.
        size: length (along yaw), width and height, m.
        variant: number of the kind's paint or house front.
        tint: RGB 0..1, multiplied with its colours.
    """

    kind: str
    x: float
    y: float
    yaw: float
    size: tuple[float, float, float]
    variant: int = 0
    tint: tuple[float, float, float] = (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class Vehicle:
    """A road user that follows a lane of the main road.

    Attributes:
        kind: 'car', 'van' or 'truck'.
        size: length, width and height, m.
        variant: number of its paint.
        lane: index into the road's lanes.
        s: m, of its middle at the start.
        cruise: m/s, on a free lane.
        polite: whether it brakes for an oncoming robot's car; every vehicle brakes behind it.
    """

    kind: str
    size: tuple[float, float, float]
    variant: int
    lane: int
    s: float
    cruise: float
    polite: bool


def footprint(obstacle: Obstacle, margin: float = 0.0) -> np.ndarray:
    """Outline on the ground, counter-clockwise: [N, 2] m, world frame.

    Round kinds become a polygon of 12 corners. ``margin`` (m) is added on every side.
    """
    if obstacle.kind in ROUND:
        angles = np.arange(12) * (np.pi / 6)
        radius = obstacle.size[0] / 2 + margin
        outline = radius * np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    else:
        half = np.array(obstacle.size[:2]) / 2 + margin
        outline = half * np.array([(1.0, 1.0), (-1.0, 1.0), (-1.0, -1.0), (1.0, -1.0)])
    c, s = np.cos(obstacle.yaw), np.sin(obstacle.yaw)
    return outline @ np.array([[c, s], [-s, c]]) + [obstacle.x, obstacle.y]


def overlap(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two convex outlines [N, 2] share a point: no edge of either has them on two sides."""
    for outline in (one, other):
        edges = np.roll(outline, -1, axis=0) - outline
        normals = np.stack([edges[:, 1], -edges[:, 0]], axis=-1)
        a, b = one @ normals.T, other @ normals.T
        if ((a.max(axis=0) < b.min(axis=0)) | (b.max(axis=0) < a.min(axis=0))).any():
            return False
    return True
