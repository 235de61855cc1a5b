"""Joint positions far beyond the limits of a robot description: one of the two is wrong.

Positions are not refused or clipped here. The result names the joints that contradict their limits and a possible
explanation.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from astra_ros.plans.limits import JointLimits
from astra_ros.plans.turns import TURN
from astra_ros.robot.described_joints import described_joints
from astra_ros.texts import short

# Far beyond a limit: by this share of the joint's range, and by at least this much. A compliant stop or a rough
# calibration stays below.
FAR = 0.1
LEAST = {"rad": 0.05, "m": 0.005}
UNIT_OF = {"revolute": "rad", "continuous": "rad", "prismatic": "m"}
RATES = ("velocity", "acceleration")  # attributes of a <limit>
# Other units that drivers use: their size in rad or m, and how many times larger than the limits positions must be
# before the unit is suspected.
OTHER_UNITS = {"rad": {"degrees": (math.pi / 180, 2.0)}, "m": {"millimetres": (1e-3, 10.0)}}


@dataclass(frozen=True)
class Limits:
    """The limits of a joint, both included, in ``unit``: "rad", or "m" for sliding joints."""

    lower: float
    upper: float
    unit: str = "rad"

    def holds(self, positions: np.ndarray) -> bool:
        """Whether no position lies far beyond the limits."""
        slack = max(FAR * (self.upper - self.lower), LEAST[self.unit])
        return bool((positions >= self.lower - slack).all() and (positions <= self.upper + slack).all())

    def farthest(self, positions: np.ndarray) -> float:
        """The position farthest beyond the limits."""
        return float(positions[np.argmax(np.maximum(self.lower - positions, positions - self.upper))])


@dataclass(frozen=True)
class Beyond:
    """A joint whose positions lie far beyond its limits.

    Attributes:
        reached: its position farthest beyond.
        perhaps: a possible explanation: "degrees", "millimetres", "one turn off", or "".
    """

    joint: str
    reached: float
    limits: Limits
    perhaps: str = ""

    def __str__(self) -> str:
        low, high = self.limits.lower, self.limits.upper
        question = f" ({self.perhaps}?)" if self.perhaps else ""
        allowed = f"the description allows {low:.4g} to {high:.4g} {self.limits.unit}"
        return f"{short(self.joint)} reaches {self.reached:.4g}, {allowed}{question}"

    def cure(self, sender: str = "driver") -> str:
        """The cure where a "driver" measured it or a "planner" planned it."""
        if self.perhaps in OTHER_UNITS[self.limits.unit]:
            right = {"rad": "radians", "m": "metres"}[self.limits.unit]
            return f"have the {sender} publish {right}, as ROS has it (REP 103)"
        if self.perhaps:
            return f"have the {sender} and the description count the joint's turns alike"
        where = "the driver that measures the joint" if sender == "driver" else "the planner that goes beyond them"
        return f"correct the limits in the description, or look at {where}"


def joint_limits(urdf: str | bytes) -> dict[str, JointLimits]:
    """Joint name -> its limits, of the joints of a URDF that have any. Raises DescriptionError.

    Continuous joints have no position limits. Where `<limit>` lacks both ends, holds no number or is empty, neither has
    any: exporters write 0 and 0 for unknown limits, and 0 for an unknown velocity. Accelerations come with URDF 1.2.
    """
    found = {}
    for joint in described_joints(urdf):
        unit, limit = UNIT_OF.get(joint.get("type", "")), joint.find("limit")
        if unit is None or limit is None:
            continue
        lower, upper, *rates = (_number(limit.get(name, "0")) for name in ("lower", "upper", *RATES))
        if joint.get("type") == "continuous" or not -math.inf < lower < upper < math.inf:
            lower, upper = -math.inf, math.inf
        velocity, acceleration = (rate if rate > 0 else math.inf for rate in rates)
        made = JointLimits(lower, upper, velocity, acceleration, unit)
        if made != JointLimits(unit=unit):
            found[joint.get("name", "")] = made
    return found


def position_limits(urdf: str | bytes) -> dict[str, Limits]:
    """Joint name -> the range of its positions, of the joints of a URDF that have one. Raises DescriptionError."""
    ranges = joint_limits(urdf).items()
    return {name: Limits(each.lower, each.upper, each.unit) for name, each in ranges if each.lower > -math.inf}


def _number(text: str) -> float:
    """NaN where a text is not a number."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def beyond(limits: Mapping[str, Limits], positions: Mapping[str, Iterable[float]]) -> list[Beyond]:
    """The joints whose positions (rad or m) lie far beyond their limits, in the order of `positions`.

    Joints without limits are skipped, and so are positions that are not finite.
    """
    values = {joint: np.asarray(list(given), dtype=np.float64) for joint, given in positions.items() if joint in limits}
    values = {joint: given[np.isfinite(given)] for joint, given in values.items()}
    far = {joint: given for joint, given in values.items() if len(given) and not limits[joint].holds(given)}
    # A driver has one unit, so a joint with a clear one explains the joints that are ambiguous.
    units = {unit for joint, given in far.items() if (unit := _other_unit(limits[joint], given, plainly=True))}
    return [
        Beyond(joint, limits[joint].farthest(given), limits[joint], _perhaps(limits[joint], given, units))
        for joint, given in far.items()
    ]


def in_words(found: Sequence[Beyond], sender: str = "driver", shown: int = 4) -> str:
    """All joints in one text, with the cure of the first; '' for none. ``sender`` is "driver" or "planner"."""
    if not found:
        return ""
    more = f"; {len(found) - shown} more joints likewise" if len(found) > shown else ""
    return f"{'; '.join(map(str, found[:shown]))}{more}; {found[0].cure(sender)}"


def _other_unit(limits: Limits, values: np.ndarray, plainly: bool) -> str:
    """The unit in which all values lie within the limits, or ''; ``plainly`` asks for values that are far too large."""
    size = np.abs(values).max() / max(abs(limits.lower), abs(limits.upper))
    for name, (factor, times) in OTHER_UNITS[limits.unit].items():
        if limits.holds(values * factor) and (size >= times or not plainly):
            return name
    return ""


def _perhaps(limits: Limits, values: np.ndarray, units: Collection[str]) -> str:
    """The change that brings all values within the limits, or ''; ``units`` were found at some joint of the robot."""
    unit = _other_unit(limits, values, plainly=False)
    if unit in units:
        return unit
    if limits.unit == "rad" and np.abs(values).max() <= TURN + LEAST["rad"]:
        shifted = values + TURN * np.arange(-1, 2)[:, None]
        if all(any(limits.holds(each) for each in one.reshape(-1, 1)) for one in shifted.T):
            return "one turn off"
    return ""
