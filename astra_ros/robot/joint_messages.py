"""Which joints a message names and where it says they are, whatever its type and version.

Messages are read by their attributes, so those of rclpy and of rosbags are the same here.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from astra_ros.errors import UserError
from astra_ros.texts import listed

# Fields of JointTrajectoryControllerState. Older versions fill `desired` and `actual`, newer ones `reference`
# and `feedback`; some versions have all four. `output` may be a velocity or an effort, so it is not read.
COMMANDED = ("reference", "desired")
MEASURED = ("feedback", "actual")


class JointMessageError(UserError, ValueError):
    """A joint message holds no usable position. ``cure`` says what its publisher has to do.

    Attributes:
        positions: what the message holds where none of its positions is finite; else None.
    """

    def __init__(self, problem: str, cure: str, positions: JointPositions | None = None):
        super().__init__(problem, cure=cure)
        self.positions = positions


@dataclass(frozen=True)
class JointPositions:
    """What one message says.

    Attributes:
        names: J joints, each once.
        values: J positions, rad (m for sliding joints); NaN or infinite where the driver cannot tell, at least one
            is finite.
        field: the field of the message that they come from.
    """

    names: tuple[str, ...]
    values: tuple[float, ...]
    field: str = "position"

    @property
    def measured(self) -> bool:
        """Whether the joints were there; otherwise they were told to go there."""
        return self.field not in COMMANDED

    @property
    def finite(self) -> dict[str, float]:
        """Joint name -> position, without those that are not finite."""
        return {name: value for name, value in zip(self.names, self.values) if math.isfinite(value)}


def joint_state(msg) -> JointPositions:
    """A `sensor_msgs/JointState`. One without positions says nothing of them, and is no error: by the message's
    definition each of its arrays may be empty, as for wheels of which only velocities are known.

    Raises:
        JointMessageError: names and positions do not match, a joint is named twice, or no position is finite.
    """
    values = _numbers(msg.position)
    names = _names(msg.name if values else ())
    if len(values) != len(names):
        raise _lengths(names, {"position": values})
    if names and not _says_something(values):
        raise JointMessageError(
            f"the position of {listed(names)} is not finite",
            "look at the driver that measures them",
            JointPositions(names, values),
        )
    return JointPositions(names, values)


def controller_state(msg) -> JointPositions:
    """A `control_msgs/JointTrajectoryControllerState`: the field that is filled.

    Commanded positions come first (`reference`, else `desired`); measured ones (`feedback`, else `actual`) where
    neither is filled. A field is filled when it has a position for each name, one of them finite.

    Raises:
        JointMessageError: no field is filled.
    """
    names = _names(msg.joint_names)
    found = {
        field: _numbers(getattr(msg, field).positions)
        for field in (*COMMANDED, *MEASURED)
        if getattr(msg, field, None) is not None
    }
    for field, values in found.items():
        if len(values) == len(names) and _says_something(values):
            return JointPositions(names, values, field)
    if not names:
        return JointPositions((), (), "reference")
    for field, values in found.items():
        if len(values) == len(names):
            raise JointMessageError(
                f"the position of {listed(names)} is not finite in {field}",
                "look at the controller's command interface",
                JointPositions(names, values, field),
            )
    raise _lengths(names, found)


def _names(names: Sequence[str]) -> tuple[str, ...]:
    names = tuple(names)
    if len(set(names)) != len(names):
        twice = sorted(name for name, count in Counter(names).items() if count > 1)
        raise JointMessageError(f"a joint is named twice: {listed(twice)}", "publish one position per joint")
    return names


def _numbers(values) -> tuple[float, ...]:
    return tuple(float(value) for value in values)


def _says_something(values: Sequence[float]) -> bool:
    return any(math.isfinite(value) for value in values)


def _lengths(names: Sequence[str], found: dict[str, tuple[float, ...]]) -> JointMessageError:
    filled = {field: len(values) for field, values in found.items() if values}
    what = (
        ", ".join(f"{count} in {field}" for field, count in filled.items())
        if len(found) > 1 and filled
        else (f"{max(filled.values(), default=0)} positions" + f" ({', '.join(found)} empty)" * (len(found) > 1))
    )
    return JointMessageError(f"{len(names)} names but {what}", "publish one position per name")
