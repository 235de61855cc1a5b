"""Read joint names and positions of a message, whatever its type and version.

Messages are read by their attributes, so messages of rclpy and of rosbags are treated alike.
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
    """The joint positions of one message.

    Attributes:
        names: J joints, each once.
        values: J positions, rad (m for sliding joints). At least one is finite; the driver does not know the others.
        field: of the message, that holds them.
    """

    names: tuple[str, ...]
    values: tuple[float, ...]
    field: str = "position"

    @property
    def measured(self) -> bool:
        """Whether the positions were measured; otherwise they were commanded."""
        return self.field not in COMMANDED

    @property
    def finite(self) -> dict[str, float]:
        """Joint name -> position, finite ones only."""
        return {name: value for name, value in zip(self.names, self.values) if math.isfinite(value)}


def joint_state(msg) -> JointPositions:
    """The positions of a `sensor_msgs/JointState`.

    A message without positions is valid: by its definition each array may be empty, as for wheels of which only
    velocities are known.

    Raises:
        JointMessageError: names and positions do not match, a joint is named twice, or no position is finite.
    """
    values = _numbers(msg.position)
    names = _names(msg.name if values else ())
    if len(values) != len(names):
        raise _lengths(names, {"position": values})
    found = JointPositions(names, values)
    if names and not found.finite:
        problem = f"the position of {listed(names)} is not finite"
        raise JointMessageError(problem, "look at the driver that measures them", found)
    return found


def controller_state(msg) -> JointPositions:
    """The positions of a `control_msgs/JointTrajectoryControllerState`.

    The commanded field (`reference`, else `desired`) is read, and the measured one (`feedback`, else `actual`) where
    that is empty. A field counts when it has a position for each name, at least one of them finite.

    Raises:
        JointMessageError: no field is filled.
    """
    names = _names(msg.joint_names)
    fields = [field for field in (*COMMANDED, *MEASURED) if getattr(msg, field, None) is not None]
    found = {field: _numbers(getattr(msg, field).positions) for field in fields}
    if not names:
        return JointPositions((), (), "reference")
    complete = [JointPositions(names, values, field) for field, values in found.items() if len(values) == len(names)]
    for positions in complete:
        if positions.finite:
            return positions
    if not complete:
        raise _lengths(names, found)
    problem = f"the position of {listed(names)} is not finite in {complete[0].field}"
    raise JointMessageError(problem, "look at the controller's command interface", complete[0])


def _names(names: Sequence[str]) -> tuple[str, ...]:
    names = tuple(names)
    if len(set(names)) != len(names):
        twice = sorted(name for name, count in Counter(names).items() if count > 1)
        raise JointMessageError(f"a joint is named twice: {listed(twice)}", "publish one position per joint")
    return names


def _numbers(values) -> tuple[float, ...]:
    return tuple(float(value) for value in values)


def _lengths(names: Sequence[str], found: dict[str, tuple[float, ...]]) -> JointMessageError:
    filled = {field: len(values) for field, values in found.items() if values}
    what = f"{max(filled.values(), default=0)} positions"
    if len(found) > 1:
        counts = ", ".join(f"{count} in {field}" for field, count in filled.items())
        what = counts or f"{what} ({', '.join(found)} empty)"
    return JointMessageError(f"{len(names)} names but {what}", "publish one position per name")
