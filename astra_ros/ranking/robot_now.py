"""Where a robot is as a plan begins, and the plan in the turn in which it is: angles count modulo 2 pi where joints
turn without end."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from astra_ros.plans.joint_plan import JointPlan
from astra_ros.plans.turns import TURN, nearest_turn, short_way, turns_in, unwrapped, written_in_one_turn

# No joint of an arm turns faster, rad/s.
FASTEST_JOINT = TURN
# A step across the seam of angles that are written modulo 2 pi is a short one, rad. A longer one may go either way
# round: a joint_trajectory_controller goes straight from number to number.
ACROSS_THE_SEAM = math.pi / 2


@dataclass(frozen=True)
class RobotNow:
    """What is known of the robot at this moment.

    Attributes:
        values: joint -> where it is (rad, m: sliding joints), or column -> how a base moved in the last step (m/s,
            rad/s).
        doubted: joint -> why its position is not believed; such a joint is not in ``values``.
        continuous: joints that turn without end, as the robot's description says.
        limited: joints that have an end, as it says.
    """

    values: Mapping[str, float]
    doubted: Mapping[str, str] = field(default_factory=dict)
    continuous: frozenset[str] = frozenset()
    limited: frozenset[str] = frozenset()

    @classmethod
    def of(cls, values: Mapping[str, float] | RobotNow | None) -> RobotNow | None:
        """The same, or bare values."""
        return values if values is None or isinstance(values, cls) else cls(values)

    def ordered(self, names: Sequence[str]) -> np.ndarray | None:
        """[D] in the order of names, or None when any of them is unknown."""
        if any(name not in self.values for name in names):
            return None
        return np.array([self.values[name] for name in names], dtype=np.float64)

    def unknown(self, names: Sequence[str]) -> list[str]:
        """Those of the joints of which it is not known where they are."""
        return [name for name in names if name not in self.values]

    def why_unknown(self, names: Sequence[str]) -> str:
        """Why it is not known where some of the joints are: what contradicts itself, or ''."""
        return "; ".join(dict.fromkeys(self.doubted[name] for name in names if name in self.doubted))


def way_from(plan: JointPlan, start: np.ndarray, continuous: Collection[str]) -> np.ndarray:
    """How far each joint of a plan's first point is from the robot, [J] rad (m: sliding joints), signed.

    Args:
        start: [J], where the robot is.
        continuous: joints of which whole turns do not count.
    """
    away = plan.positions[0] - start
    turning = np.array([name in continuous for name in plan.joint_names])
    return np.where(turning, short_way(away), away)


def in_the_turn_of(
    plan: JointPlan, start: np.ndarray | None, continuous: Collection[str], middle: np.ndarray
) -> tuple[JointPlan, np.ndarray | None]:
    """A plan and the robot's joints in the same turn of all joints that turn without end.

    Angles that are written modulo 2 pi (all of a joint's lie within one turn around 0, or above 0) are unwrapped: each
    step goes the short way. Others go on counting, and are taken as they are.

    Args:
        start: [J], where the robot is, or None.
        continuous: joints of which whole turns do not count.
        middle: [J], in whose turn they are given back: what the model was trained on.
    """
    if not any(name in continuous for name in plan.joint_names):
        return plan, start
    positions = plan.positions.copy()
    start = None if start is None else start.copy()
    for column, name in enumerate(plan.joint_names):
        if name not in continuous:
            continue
        way = positions[:, column]
        if written_in_one_turn(way):
            way = unwrapped(way)
        begin = way[0] if start is None else start[column]
        begin = nearest_turn(begin, middle[column])
        if start is not None:
            start[column] = begin
        positions[:, column] = way + (nearest_turn(way[0], begin) - way[0])
    return replace(plan, positions=positions), start


def seam(plan: JointPlan, continuous: Collection[str]) -> tuple[str, int] | None:
    """A joint that is not known to turn without end, and the point to which it jumps by about whole turns, faster than
    any joint turns; None where there is none."""
    seconds = np.diff(plan.times_s)
    for name, way in zip(plan.joint_names, plan.positions.T):
        if name not in continuous:
            for index, (step, took_s) in enumerate(zip(np.diff(way), seconds), start=1):
                if abs(step) > FASTEST_JOINT * took_s and turns_in(float(step)):
                    return name, index
    return None


def either_way(plan: JointPlan, continuous: Collection[str]) -> tuple[str, int] | None:
    """A joint that turns without end, and the point to which it goes nobody knows which way round; None where there
    is none. Its angles may be written modulo 2 pi, and the step is a great one either way."""
    for name, way in zip(plan.joint_names, plan.positions.T):
        if name in continuous and written_in_one_turn(way):
            steps = np.diff(way)
            unclear = (np.abs(steps) > math.pi) & (np.abs(short_way(steps)) > ACROSS_THE_SEAM)
            if unclear.any():
                return name, int(np.argmax(unclear)) + 1
    return None


def whole_turns(plan: JointPlan, start: np.ndarray, continuous: Collection[str], tolerance: float) -> list[str]:
    """Joints that are not known to turn without end, and begin about whole turns from where the robot is."""
    return [
        name
        for name, away in zip(plan.joint_names, plan.positions[0] - start)
        if name not in continuous and abs(away) > tolerance and turns_in(float(away))
    ]
