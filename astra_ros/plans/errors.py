"""Errors of plans."""

from __future__ import annotations

import math
from dataclasses import dataclass

from astra_ros.errors import UserError


class PlanError(UserError, ValueError):
    """A plan cannot be used. ``thing`` names the plan; the other facts are given where they are known."""

    column: str = ""  # the joint, or another column
    index: int | None = None  # of the point or row
    found: float | None = None
    limit: float | None = None  # the greatest or smallest value that would be taken

    def __init__(self, problem: str, *, thing: str = "", cure: str = "", **facts: object) -> None:
        super().__init__(problem, thing=thing, cure=cure)
        vars(self).update(facts)


class NotTimed(PlanError):
    """A plan has positions without times."""


class DoubledPoint(PlanError):
    """Two points of a plan are the same, as where two plans are joined. ``index`` is that of the second."""


@dataclass(frozen=True)
class Breach:
    """Where a plan breaks a hard limit.

    Attributes:
        kind: "position", "velocity" or "acceleration" of a joint; "speed", "turn_rate", "acceleration" or
            "turn_acceleration" of a base; "start" where the plan begins too far from the robot.
        column: the joint, or the columns of a base that count together.
        time_s: from the plan's start.
        value: what the plan asks for; limit: the greatest or smallest value that would be taken; both in ``unit``.
    """

    kind: str
    column: str
    time_s: float
    value: float
    limit: float
    unit: str = ""


class BrokenLimit(PlanError):
    """A plan breaks a hard limit: it is vetoed by its numbers, and not imagined."""

    kind: str = ""
    time_s: float = 0.0
    unit: str = ""

    @property
    def breach(self) -> Breach:
        found, limit = (math.nan if value is None else value for value in (self.found, self.limit))
        return Breach(self.kind, self.column, self.time_s, found, limit, self.unit)


class StartError(BrokenLimit):
    """A plan does not begin where the robot is. ``found`` is how far away it begins, ``limit`` how far it may."""

    kind = "start"


class RobotUnknown(PlanError):
    """It is not known where the robot is, so a plan's start cannot be compared with it. Later it may be known."""

    joints: tuple[str, ...] = ()  # those whose positions are not known
