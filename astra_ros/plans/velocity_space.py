"""What action spaces of velocity commands have in common, whatever frame they are in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from astra_ros.plans.action_space import ActionSpace, spread
from astra_ros.plans.limits import LimitSettings, check_velocity_plan
from astra_ros.plans.start import RobotNow, StartRules
from astra_ros.plans.velocity_plan import VelocityPlan
from astra_ros.rotations import exponential

FLOOR = 0.02  # m/s or rad/s
RESTS = 0.01  # m/s or rad/s: what an odometry says of a base that stands


@dataclass(frozen=True)
class VelocitySpace(ActionSpace):
    """A row of a motion is the mean commanded velocity over the interval that ends at the frame.

    The action of a step is that velocity followed by its change since the step before, both scaled and neither
    centred: rest encodes as 0. A = 2 * D.
    """

    velocity_std: tuple[float, ...]  # > 0, m/s or rad/s
    change_std: tuple[float, ...]  # > 0, m/s or rad/s, per model step

    plan: ClassVar[type] = VelocityPlan

    def _numbers(self, motion: np.ndarray) -> np.ndarray:
        velocity = motion[..., 1:, :] / np.array(self.velocity_std)
        change = np.diff(motion, axis=-2) / np.array(self.change_std)
        return np.concatenate([velocity, change], axis=-1)

    def accelerations(self, motion: np.ndarray, dt_s: float) -> np.ndarray:
        return np.diff(motion, axis=-2) / dt_s

    def check_limits(
        self, plan: VelocityPlan, robot: RobotNow | None, rules: StartRules, limits: LimitSettings
    ) -> None:
        check_velocity_plan(plan, limits, None if robot is None else robot.ordered(plan.motion_names))

    def begun_from(self, other: np.ndarray, motion: np.ndarray) -> np.ndarray:
        return np.concatenate([motion[..., :1, :], other[..., 1:, :]], axis=-2)

    @staticmethod
    def rest(motion_names: Sequence[str], now: Mapping[str, float], seconds: float, name: str) -> VelocityPlan:
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
        poses = exponential(step)
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
