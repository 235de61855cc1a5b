"""Errors of plans."""

from __future__ import annotations

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


class StartError(PlanError):
    """A plan does not begin where the robot is. ``found`` is how far away it begins, ``limit`` how far it may."""


class RobotUnknown(PlanError):
    """It is not known where the robot is, so a plan's start cannot be compared with it. Later it may be known."""

    joints: tuple[str, ...] = ()  # those whose positions are not known
