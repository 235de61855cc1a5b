"""Variations of an arm's plan: the same motion, bent a little on its way and at its end, within all limits."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from astra_ros.control.arm_model import ArmModel
from astra_ros.control.motion_candidates import MotionSettings, model_of, motion_limits
from astra_ros.control.time_parameterisation import MARGIN, TimedMotion
from astra_ros.plans.errors import BrokenLimit
from astra_ros.plans.joint_plan import JointPlan
from astra_ros.plans.limits import JointLimits, LimitSettings, check_joint_plan


class PlanVariations:
    """Bends plans of one arm.

    Args:
        arm: its joints are those of the plans, in any order.
        max_velocity, max_acceleration: [J] rad/s and rad/s^2 (m where a joint slides), above 0.
    """

    def __init__(self, arm: ArmModel, max_velocity: np.ndarray, max_acceleration: np.ndarray) -> None:
        self._arm, self._limits = arm, (max_velocity, max_acceleration)
        bounds = zip(arm.joint_names, arm.lower, arm.upper, max_velocity, max_acceleration)
        self._known = {
            name: JointLimits(float(low), float(high), float(fast), float(hard))
            for name, low, high, fast, hard in bounds
        }

    @classmethod
    def of(
        cls, joint_names: tuple[str, ...], initial: Mapping[str, float], urdf: str, settings: MotionSettings
    ) -> PlanVariations:
        """Of a described arm whose other joints stay where they are; with the limits that its motions are planned with.

        Raises:
            KinematicsError, PlanningError: the description cannot be used, or pin is not installed.
        """
        arm = model_of(initial, {name: float(initial[name]) for name in joint_names}, urdf, settings)
        return cls(arm, *motion_limits(arm, settings))

    def __call__(self, plan: JointPlan, bends: np.ndarray, name: str) -> JointPlan | None:
        """The plan with its way moved, slowed as far as its limits need; None where it leaves its range or collides.

        Args:
            bends: [B, J] rad, how far each joint of the plan is moved at B equally spaced times, the last at the end.
                In between, the change is a minimum-jerk curve. The start stays as it is.
        """
        columns = [self._arm.joint_names.index(joint) for joint in plan.joint_names]
        times, moved = plan.times_s - plan.times_s[0], _bent(plan.times_s - plan.times_s[0], bends)
        velocities = _stated(plan.velocities, plan.positions, times) + moved[1]
        accelerations = _stated(plan.accelerations, velocities - moved[1], times) + moved[2]
        motion = TimedMotion(times, plan.positions + moved[0], velocities, accelerations)
        motion = motion.slowed(_stretch(motion, *(limit[columns] for limit in self._limits)))
        made = motion.plan(plan.joint_names, name)
        try:
            check_joint_plan(made, self._known, LimitSettings())
        except BrokenLimit:
            return None
        ordered = made.reordered(self._arm.joint_names).positions
        return made if self._arm.inside(ordered) and not any(map(self._arm.collides, ordered)) else None


def _bent(times: np.ndarray, bends: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Change of positions, velocities and accelerations [N, J] at times from 0."""
    count, duration = len(bends), float(times[-1])
    at = np.clip(times / duration * count, 0.0, count)
    part = np.minimum(at.astype(int), count - 1)
    u = (at - part)[:, None]
    ends = np.concatenate([np.zeros_like(bends[:1]), bends])
    begin, change, rate = ends[part], ends[part + 1] - ends[part], count / duration
    return (
        begin + change * (10 * u**3 - 15 * u**4 + 6 * u**5),
        change * rate * (30 * u**2 - 60 * u**3 + 30 * u**4),
        change * rate**2 * (60 * u - 180 * u**2 + 120 * u**3),
    )


def _stated(stated: np.ndarray | None, values: np.ndarray, times: np.ndarray) -> np.ndarray:
    """What the plan states, or else the derivative of its values."""
    return np.gradient(values, times, axis=0) if stated is None else stated


def _stretch(motion: TimedMotion, max_velocity: np.ndarray, max_acceleration: np.ndarray) -> float:
    """In how many times its time a motion keeps its limits, by what it states and by differences."""
    steps = np.diff(motion.times_s)[:, None]
    fast = (motion.velocities, np.diff(motion.positions, axis=0) / steps)
    hard = (motion.accelerations, np.diff(motion.velocities, axis=0) / steps)
    fastest = max(float((np.abs(values) / max_velocity).max()) for values in fast)
    hardest = max(float((np.abs(values) / max_acceleration).max()) for values in hard)
    return max(1.0, MARGIN * fastest, MARGIN * np.sqrt(hardest))
