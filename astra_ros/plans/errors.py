"""Errors of plans."""

from __future__ import annotations

from collections.abc import Sequence

from astra_ros.errors import UserError


class PlanError(UserError, ValueError):
    """A plan cannot be used. ``thing`` names the plan.

    Attributes:
        column: the joint, or another column, that it is about; '' for the plan as a whole.
        index: of the point or row that it is about, or None.
        found: the value that cannot be, or None.
        limit: what would be taken at most or at least, or None.
    """

    def __init__(
        self,
        problem: str,
        *,
        thing: str = "",
        cure: str = "",
        column: str = "",
        index: int | None = None,
        found: float | None = None,
        limit: float | None = None,
    ) -> None:
        super().__init__(problem, thing=thing, cure=cure)
        self.column, self.index, self.found, self.limit = column, index, found, limit


class NotTimed(PlanError):
    """A plan has positions without times."""


class DoubledPoint(PlanError):
    """Two points of a plan are the same, as where two plans are joined. ``index`` is that of the second."""


class StartError(PlanError):
    """A plan does not begin where the robot is. ``found`` is how far away it begins, ``limit`` how far it may."""


class RobotUnknown(PlanError):
    """It is not known where the robot is, so a plan's start cannot be compared with it. Later it may be known.

    Attributes:
        joints: the joints whose positions are not known.
    """

    def __init__(self, problem: str, *, thing: str, cure: str, joints: Sequence[str]) -> None:
        super().__init__(problem, thing=thing, cure=cure)
        self.joints = tuple(joints)
