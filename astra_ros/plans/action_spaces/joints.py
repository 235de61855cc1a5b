"""Joint deltas: an arm's joint positions, and how far each moves in a step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from astra_ros.plans import joint_start
from astra_ros.plans.action_space import ActionSpace, spread
from astra_ros.plans.joint_plan import JointPlan
from astra_ros.plans.limits import LimitSettings, check_joint_plan
from astra_ros.plans.start import RobotNow, StartRules
from astra_ros.plans.turns import short_way

FLOOR_RAD = 0.02
# A joint that no model knows stands still along a plan if it moves by less, rad (m for sliding joints): a gripper's
# fingers come with some noise.
STILL = 1e-3


@dataclass(frozen=True)
class JointSpace(ActionSpace):
    """A row of a motion is the commanded joint positions at the time of the frame, rad (m for sliding joints).

    The action of a step is the normalised position at its end, followed by the normalised change over it. A = 2 * D.
    """

    position_mean: tuple[float, ...]
    position_std: tuple[float, ...]  # > 0
    step_std: tuple[float, ...]  # > 0, per model step; steps are not centred, so rest encodes as 0

    modality: ClassVar[str] = "joints"
    units: ClassVar[str] = "rad (m for sliding joints)"
    plan: ClassVar[type] = JointPlan
    column_noun: ClassVar[str] = "joints"
    columns_are_joints: ClassVar[bool] = True
    acceleration_unit: ClassVar[str] = "rad/s^2"
    # Measured joints, since a controller's state is rarely recorded.
    bag_types: ClassVar[tuple[tuple[str, ...], ...]] = (
        ("sensor_msgs/msg/JointState",),
        ("control_msgs/msg/JointTrajectoryControllerState",),
    )
    bag_motion: ClassVar[str] = "astra_ros.datasets.rosbag.joint_motion:JointMotion"

    def _numbers(self, motion: np.ndarray) -> np.ndarray:
        place = (motion[..., 1:, :] - np.array(self.position_mean)) / np.array(self.position_std)
        step = np.diff(motion, axis=-2) / np.array(self.step_std)
        return np.concatenate([place, step], axis=-1)

    def moving(self, plan: JointPlan, columns: Sequence[str]) -> list[str]:
        paths = zip(plan.joint_names, plan.positions.T)
        return [name for name, path in paths if name in columns and np.ptp(path) > STILL]

    def check_start(self, plan: JointPlan, robot: RobotNow | None, rules: StartRules) -> None:
        if robot is None or not rules.start_tolerance:
            return
        joint_start.check_start(plan.only(self.motion_names), robot, rules)
        extra = [name for name in plan.joint_names if name not in self.motion_names]
        joint_start.check_extras(plan, extra, robot, rules)

    def check_limits(self, plan: JointPlan, robot: RobotNow | None, rules: StartRules, limits: LimitSettings) -> None:
        check_joint_plan(plan, {} if robot is None else robot.limits, limits, rules.turning(robot))

    def begin(self, plan: JointPlan, robot: RobotNow | None, rules: StartRules) -> tuple[JointPlan, np.ndarray | None]:
        """Whole turns of joints that turn without end are those that the model was trained on."""
        turning, known = rules.turning(robot), plan.only(self.motion_names)
        joint_start.check_seams(known, turning)
        self.check_start(plan, robot, rules)
        now = None if robot is None else robot.ordered(self.motion_names)
        return joint_start.in_the_turn_of(known, now, turning, np.array(self.position_mean))

    @staticmethod
    def rest(motion_names: Sequence[str], now: Mapping[str, float], seconds: float, name: str) -> JointPlan:
        return JointPlan(tuple(motion_names), np.zeros(1), np.array([[now[joint] for joint in motion_names]]), name)

    @staticmethod
    def distances(rows: np.ndarray, times_s: np.ndarray) -> np.ndarray:
        return np.abs(short_way(rows - rows[0])).max(axis=1)  # a whole turn may be a wrapped angle

    @classmethod
    def fit(cls, name: str, motion_names: Sequence[str], motions: Sequence[np.ndarray]):
        positions = np.concatenate(motions)
        steps = np.concatenate([np.diff(motion, axis=0) for motion in motions])
        mean = tuple(positions.mean(axis=0).round(6).tolist())
        return cls(name, tuple(motion_names), mean, spread(positions, FLOOR_RAD), spread(steps, FLOOR_RAD))
