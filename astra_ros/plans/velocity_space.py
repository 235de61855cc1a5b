"""What action spaces of velocity commands have in common, whatever frame they are in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from astra_ros.plans.action_space import ActionSpace, spread
from astra_ros.plans.velocity_plan import VelocityPlan

FLOOR = 0.02  # m/s or rad/s
RESTS = 0.01  # m/s or rad/s: what an odometry says of a base that stands


@dataclass(frozen=True)
class VelocitySpace(ActionSpace):
    """A row of a motion is the mean commanded velocity over the interval that ends at the frame.

    The action of a step is that velocity followed by its change since the step before, both scaled
    and neither centred: rest encodes as 0. A = 2 * D.

    Attributes:
        velocity_std: D values > 0, m/s or rad/s.
        change_std: D values > 0, m/s or rad/s, per model step.
    """

    velocity_std: tuple[float, ...]
    change_std: tuple[float, ...]

    plan: ClassVar[type] = VelocityPlan
    moves_camera: ClassVar[bool] = True

    @property
    def dim(self) -> int:
        return 2 * len(self.motion_names)

    def _numbers(self, motion: np.ndarray) -> np.ndarray:
        velocity = motion[..., 1:, :] / np.array(self.velocity_std)
        change = np.diff(motion, axis=-2) / np.array(self.change_std)
        return np.concatenate([velocity, change], axis=-1)

    def accelerations(self, motion: np.ndarray, dt_s: float) -> np.ndarray:
        """Differences of the mean velocities, the first one from the motion now."""
        return np.diff(motion, axis=-2) / dt_s

    def begun_from(self, other: np.ndarray, motion: np.ndarray) -> np.ndarray:
        """The same velocities, after the one that ``motion`` comes from."""
        return np.concatenate([motion[..., :1, :], other[..., 1:, :]], axis=-2)

    @staticmethod
    def rest(motion_names: Sequence[str], now: Mapping[str, float], seconds: float, name: str) -> VelocityPlan:
        """The base stops."""
        return VelocityPlan(tuple(motion_names), seconds, np.zeros((1, len(motion_names))), name)

    @staticmethod
    def distances(rows: np.ndarray, times_s: np.ndarray) -> np.ndarray:
        steps_s = np.diff(times_s, prepend=times_s[0])[:, None]
        return np.abs(np.cumsum(np.where(np.abs(rows) > RESTS, rows, 0.0) * steps_s, axis=0)).max(axis=1)

    @staticmethod
    def extents(rows: np.ndarray) -> np.ndarray:
        return np.abs(rows).max(axis=0)

    def poses(self, motion: np.ndarray, dt_s: float) -> np.ndarray:
        columns = [f"{kind}.{axis}" for kind in ("linear", "angular") for axis in "xyz"]
        step = np.zeros((*motion.shape[:-2], motion.shape[-2] - 1, 6))
        for index, name in enumerate(self.motion_names):
            step[..., columns.index(name)] = motion[..., 1:, index] * dt_s
        poses = _screw(step[..., :3], step[..., 3:])
        for row in range(1, poses.shape[-3]):
            poses[..., row, :, :] = poses[..., row - 1, :, :] @ poses[..., row, :, :]
        return poses

    @classmethod
    def fit(cls, name: str, motion_names: Sequence[str], motions: Sequence[np.ndarray]):
        # Root mean square, not deviation from the mean: rest must stay 0.
        rows = np.concatenate(motions)
        both_ways = np.concatenate([rows, -rows])
        changes = np.concatenate([np.diff(motion, axis=0) for motion in motions])
        return cls(name, tuple(motion_names), spread(both_ways, FLOOR), spread(changes, FLOOR))


def _screw(shift: np.ndarray, turn: np.ndarray) -> np.ndarray:
    """Constant velocities for a while: way [..., 3] m and rotation vector [..., 3] rad, both in the
    moving frame, -> the pose reached, [..., 4, 4] (the exponential of a twist)."""
    angle = np.linalg.norm(turn, axis=-1)[..., None, None]
    x, y, z = np.moveaxis(turn, -1, 0)
    zero = np.zeros_like(x)
    cross = np.stack([np.stack([zero, -z, y], -1), np.stack([z, zero, -x], -1), np.stack([-y, x, zero], -1)], axis=-2)
    small = angle < 1e-4  # where the series' first terms are exact to double precision
    safe = np.where(small, 1.0, angle)
    sine = np.where(small, 1 - angle**2 / 6, np.sin(safe) / safe)
    cosine = np.where(small, 0.5 - angle**2 / 24, (1 - np.cos(safe)) / safe**2)
    rest = np.where(small, 1 / 6 - angle**2 / 120, (safe - np.sin(safe)) / safe**3)
    square = cross @ cross
    pose = np.zeros((*angle.shape[:-2], 4, 4))
    pose[..., 3, 3] = 1.0
    pose[..., :3, :3] = np.eye(3) + sine * cross + cosine * square
    pose[..., :3, 3] = ((np.eye(3) + cosine * cross + rest * square) @ shift[..., None])[..., 0]
    return pose
