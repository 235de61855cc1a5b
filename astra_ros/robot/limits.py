"""Joint positions beside the limits that a robot description gives: far beyond them, one of the two is wrong.

Nothing is refused or clipped here: this tells which of two sources contradict each other, and what may explain it.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from astra_ros.plans.turns import TURN
from astra_ros.robot.described_joints import described_joints
from astra_ros.texts import short

# Beyond a limit by so much of the joint's range, and by so much, is more than a stop that gives way or a rough
# calibration.
FAR = 0.1
LEAST = {"rad": 0.05, "m": 0.005}
UNIT_OF = {"revolute": "rad", "prismatic": "m"}
# Other units that drivers use: what they are in rad or m, and how many times as far from 0 as the description allows
# positions must be before they are asked about.
OTHER_UNITS = {"rad": {"degrees": (math.pi / 180, 2.0)}, "m": {"millimetres": (1e-3, 10.0)}}


@dataclass(frozen=True)
class Limits:
    """Where a joint may be, rad or m.

    Attributes:
        lower, upper: both are allowed.
        unit: "rad", or "m" for sliding joints.
    """

    lower: float
    upper: float
    unit: str = "rad"

    def holds(self, positions: np.ndarray) -> bool:
        """Whether all positions lie within, or not far beyond."""
        slack = max(FAR * (self.upper - self.lower), LEAST[self.unit])
        return bool((positions >= self.lower - slack).all() and (positions <= self.upper + slack).all())

    def farthest(self, positions: np.ndarray) -> float:
        """The position that lies farthest beyond."""
        return float(positions[np.argmax(np.maximum(self.lower - positions, positions - self.upper))])


@dataclass(frozen=True)
class Beyond:
    """A joint whose positions lie far beyond its limits.

    Attributes:
        joint: its name.
        reached: its position farthest beyond.
        limits: what the description allows.
        perhaps: what would explain it: "degrees", "millimetres", "one turn off", or "".
    """

    joint: str
    reached: float
    limits: Limits
    perhaps: str = ""

    def __str__(self) -> str:
        low, high = self.limits.lower, self.limits.upper
        question = f" ({self.perhaps}?)" if self.perhaps else ""
        return (
            f"{short(self.joint)} reaches {self.reached:.4g}, the description allows {low:.4g} to {high:.4g} "
            f"{self.limits.unit}{question}"
        )

    @property
    def cure(self) -> str:
        """What to do where a driver measured it, in the imperative."""
        return self.cure_of("driver")

    def cure_of(self, sender: str) -> str:
        """What to do where a "driver" measured it or a "planner" planned it, in the imperative."""
        if self.perhaps in OTHER_UNITS[self.limits.unit]:
            right = {"rad": "radians", "m": "metres"}[self.limits.unit]
            return f"have the {sender} publish {right}, as ROS has it (REP 103)"
        if self.perhaps:
            return f"have the {sender} and the description count the joint's turns alike"
        where = "the driver that measures the joint" if sender == "driver" else "the planner that goes beyond them"
        return f"correct the limits in the description, or look at {where}"


def position_limits(urdf: str | bytes) -> dict[str, Limits]:
    """Joint name -> its limits, of the joints of a URDF that have any.

    Joints that turn without end have none. Neither have those whose `<limit>` lacks both ends, has no number there, or
    leaves no room (exporters write 0 and 0 where they know nothing).

    Raises:
        DescriptionError: the text is not a URDF.
    """
    found = {}
    for joint in described_joints(urdf):
        unit, limit = UNIT_OF.get(joint.get("type", "")), joint.find("limit")
        if unit is None or limit is None:
            continue
        try:
            lower, upper = float(limit.get("lower", 0)), float(limit.get("upper", 0))
        except ValueError:
            continue
        if math.isfinite(lower) and math.isfinite(upper) and lower < upper:
            found[joint.get("name", "")] = Limits(lower, upper, unit)
    return found


def beyond(limits: Mapping[str, Limits], positions: Mapping[str, Iterable[float]]) -> list[Beyond]:
    """The joints whose positions lie far beyond their limits, in the order of `positions`.

    Args:
        limits: joint -> where it may be; joints without are passed over.
        positions: joint -> any number of positions, rad or m; those that are not finite do not count.
    """
    values = {joint: np.asarray(list(given), dtype=np.float64) for joint, given in positions.items() if joint in limits}
    values = {joint: given[np.isfinite(given)] for joint, given in values.items()}
    far = {joint: given for joint, given in values.items() if len(given) and not limits[joint].holds(given)}
    # One driver has one unit: what a joint says plainly explains those that could be explained otherwise.
    units = {unit for joint, given in far.items() if (unit := _other_unit(limits[joint], given, plainly=True))}
    return [
        Beyond(joint, limits[joint].farthest(given), limits[joint], _perhaps(limits[joint], given, units))
        for joint, given in far.items()
    ]


def in_words(found: Sequence[Beyond], sender: str = "driver", shown: int = 4) -> str:
    """One text of all, the cure of the first behind them; '' of none. The `sender`: a "driver" or a "planner"."""
    if not found:
        return ""
    more = f"; {len(found) - shown} more joints likewise" if len(found) > shown else ""
    return f"{'; '.join(map(str, found[:shown]))}{more}; {found[0].cure_of(sender)}"


def _other_unit(limits: Limits, values: np.ndarray, plainly: bool) -> str:
    """The unit in which all values lie within the limits, or ''; `plainly`: only where they are far too large."""
    size = np.abs(values).max() / max(abs(limits.lower), abs(limits.upper))
    return next(
        (
            name
            for name, (factor, times) in OTHER_UNITS[limits.unit].items()
            if limits.holds(values * factor) and (size >= times or not plainly)
        ),
        "",
    )


def _perhaps(limits: Limits, values: np.ndarray, units: Collection[str]) -> str:
    """What would bring all values within the limits, or ''; `units` are those that some joint of the robot has."""
    unit = _other_unit(limits, values, plainly=False)
    if unit in units:
        return unit
    if limits.unit == "rad" and np.abs(values).max() <= TURN + LEAST["rad"]:
        shifted = values + TURN * np.arange(-1, 2)[:, None]
        if all(any(limits.holds(each) for each in one.reshape(-1, 1)) for one in shifted.T):
            return "one turn off"
    return ""
