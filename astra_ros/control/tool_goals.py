"""From a pose of the tool to joint positions: damped least squares from several starts (Buss, 2004)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from astra_ros.control.arm_model import ArmModel
from astra_ros.control.planning_errors import InCollision, Unreachable, UnusableState
from astra_ros.rotations import rotation_matrix

NEAR_M, NEAR_RAD = 1e-3, 1e-2
LEVER_M = 0.1  # weighs a turn (rad) against a distance (m)
DAMPING = 1e-3
STEPS = 80
STARTS = 24
LARGEST_STEP = 0.4  # rad
APART = 0.3  # rad, of joint positions that count as two answers


@dataclass(frozen=True)
class ToolPose:
    """Where a link should be.

    Attributes:
        link: whose origin and axes are placed.
        position: [3] m, in the robot's base link.
        quaternion: x y z w of any length above 0; None: any orientation.
    """

    link: str
    position: tuple[float, float, float]
    quaternion: tuple[float, float, float, float] | None = None

    def checked(self) -> tuple[np.ndarray, np.ndarray | None]:
        """Position [3] and rotation [3, 3]. Raises UnusableState for numbers that are no pose."""
        position = np.asarray(self.position, np.float64)
        cure = "give a position in m and a quaternion of length 1"
        if position.shape != (3,) or not np.isfinite(position).all():
            raise UnusableState(f"its position is {self.position}", thing="goal", cure=cure)
        if self.quaternion is None:
            return position, None
        quaternion = np.asarray(self.quaternion, np.float64)
        if quaternion.shape != (4,) or not np.isfinite(quaternion).all() or np.linalg.norm(quaternion) < 1e-6:
            raise UnusableState(f"its orientation is {self.quaternion}", thing="goal", cure=cure)
        return position, rotation_matrix(quaternion)


@dataclass(frozen=True)
class ToolRegion:
    """A box of places for a link, which keeps its orientation: goals where the place itself is not known.

    Attributes:
        low, high: [3] m, opposite corners, in the robot's base link.
    """

    link: str
    low: tuple[float, float, float]
    high: tuple[float, float, float]

    def checked(self) -> tuple[np.ndarray, np.ndarray]:
        """The corners, [3] each. Raises UnusableState for numbers that are no box."""
        low, high = (np.asarray(corner, np.float64) for corner in (self.low, self.high))
        if low.shape != (3,) or high.shape != (3,) or not np.isfinite([low, high]).all() or (low > high).any():
            cure = "give x, y and z of the lower and the upper corner, in m"
            raise UnusableState(f"its corners are {self.low} and {self.high}", thing="goal", cure=cure)
        return low, high


def joints_in(arm: ArmModel, region: ToolRegion, start: np.ndarray, count: int, seed: int = 0) -> list[np.ndarray]:
    """Joint positions [J] for up to ``count`` random places of a region, free of collisions.

    Raises:
        UnusableState: the region is not a box.
        Unreachable: no place that was tried can be reached.
    """
    low, high = region.checked()
    frame, random = arm.frame(region.link), np.random.default_rng([seed, 13])
    rotation = arm.pose(start, frame)[:3, :3].copy()
    found: list[np.ndarray] = []
    nearest = np.inf
    for _ in range(3 * count):
        joints, distance = solve_pose(arm, frame, random.uniform(low, high), rotation, start)
        nearest = min(nearest, distance)
        if joints is not None and not arm.collides(joints):
            found.append(joints)
            if len(found) == count:
                break
    if not found:
        problem = f"the link '{region.link}' cannot be brought to any of {3 * count} places between its corners"
        cure = "name a region within the arm's reach"
        raise Unreachable(problem, thing="goal", cure=cure, nearest_m=float(nearest))
    return found


def joints_at(
    arm: ArmModel, goal: ToolPose, start: np.ndarray, most: int, seed: int = 0, late: Callable[[], bool] = lambda: False
) -> list[np.ndarray]:
    """Joint positions [J] that put the tool there: up to ``most``, the one nearest to ``start`` first.

    Once ``late()``, no more are looked for than the first one.

    Raises:
        UnusableState: the goal is not a pose.
        Unreachable: no search came near it.
        InCollision: the robot touches itself or the floor in all answers.
    """
    position, rotation = goal.checked()
    frame = arm.frame(goal.link)
    random = np.random.default_rng([seed, 11])
    low, high = np.maximum(arm.lower, start - np.pi), np.minimum(arm.upper, start + np.pi)
    found: list[np.ndarray] = []
    nearest, links = np.inf, None
    for attempt in range(STARTS):
        begin = start if attempt == 0 else _near(start, low, high, random, attempt)
        if found and late():
            break
        joints, distance = solve_pose(arm, frame, position, rotation, begin)
        nearest = min(nearest, distance)
        if joints is None or any(np.abs(joints - other).max() < APART for other in found):
            continue
        if touching := arm.touching(joints):
            links = touching
            continue
        found.append(joints)
        if len(found) == most or late():
            break
    if found:
        return sorted(found, key=lambda joints: float(np.abs(joints - start).max()))
    if links is not None:
        problem = f"'{links[0]}' touches '{links[1]}' wherever the tool is there"
        raise InCollision(problem, thing="goal", cure="name another pose", links=links)
    raise Unreachable(
        f"the link '{goal.link}' cannot be brought to {_shown(position)} m in that orientation; it came as near as "
        f"{nearest:.3g} m",
        thing="goal",
        cure="name a pose within the arm's reach",
        nearest_m=float(nearest),
    )


def _near(start: np.ndarray, low: np.ndarray, high: np.ndarray, random: np.random.Generator, attempt: int):
    """A place to begin: near the start at first, later anywhere."""
    anywhere = random.uniform(low, high)
    share = min(1.0, attempt / (STARTS / 2))
    return np.clip(start + share * (anywhere - start), low, high)


def solve_pose(
    arm: ArmModel, frame: int, position: np.ndarray, rotation: np.ndarray | None, begin: np.ndarray
) -> tuple[np.ndarray | None, float]:
    """Joints within the limits, or None; and how near the tool came, m."""
    joints, nearest = begin.copy(), np.inf
    for _ in range(STEPS):
        pose = arm.pose(joints, frame)
        offset = position - pose[:3, 3]
        distance = float(np.linalg.norm(offset))
        turn = np.zeros(3) if rotation is None else arm.turn(pose[:3, :3], rotation)
        if distance < NEAR_M and np.linalg.norm(turn) < NEAR_RAD:
            return joints, distance
        nearest = min(nearest, distance + LEVER_M * float(np.linalg.norm(turn)))
        jacobian = arm.jacobian(joints, frame)
        error = np.concatenate([offset, LEVER_M * turn])
        rows = np.concatenate([jacobian[:3], LEVER_M * jacobian[3:]])
        if rotation is None:
            rows, error = rows[:3], error[:3]
        square = rows @ rows.T + DAMPING**2 * np.eye(len(rows))
        step = rows.T @ np.linalg.solve(square, error)
        step *= min(1.0, LARGEST_STEP / max(float(np.abs(step).max()), 1e-12))
        joints = np.clip(joints + step, arm.lower, arm.upper)
    return None, nearest


def _shown(values: np.ndarray) -> str:
    return "[" + ", ".join(f"{value:.3g}" for value in values) + "]"
