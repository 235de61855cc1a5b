"""Errors of motion planning, one class for each cause."""

from __future__ import annotations

from astra_ros.errors import UserError


class PlanningError(UserError, ValueError):
    """No motion can be planned. ``thing`` is what cannot be used: "start", "goal" or the robot description."""

    def __init__(self, problem: str, *, thing: str = "", cure: str = "", **facts: object) -> None:
        super().__init__(problem, thing=thing, cure=cure)
        vars(self).update(facts)


class PlanningNotInstalled(PlanningError):
    """A package of the extra ``planning`` is missing. ``package`` is its name."""

    package: str = ""


class NoMovableJoints(PlanningError):
    """Nothing of the robot can be moved to reach the goal."""


class NoJointLimit(PlanningError):
    """A joint has no position limits, although its type has them. ``joint`` is its name."""

    joint: str = ""


class UnusableState(PlanningError):
    """A start or goal is not a state of the robot: joints are missing or unknown, or a number is not finite.

    ``joint`` is the first such joint; '' where it is about a tool pose.
    """

    joint: str = ""


class OutsideLimits(PlanningError):
    """A start or goal lies outside a joint's limits: ``joint``, ``found``, ``lower``, ``upper``, rad or m."""

    joint: str = ""
    found: float = 0.0
    lower: float = 0.0
    upper: float = 0.0


class InCollision(PlanningError):
    """The robot touches itself or the floor in a start or goal. ``links`` are the two that touch."""

    links: tuple[str, str] = ("", "")


class Unreachable(PlanningError):
    """The tool cannot be brought to a pose. ``nearest_m`` is how near it came."""

    nearest_m: float = 0.0


class AtGoal(PlanningError):
    """The robot is at the goal already."""


class NoPath(PlanningError):
    """No way to the goal was found in ``seconds``."""

    seconds: float = 0.0


class PlanningTimeout(PlanningError):
    """The planner did not answer within ``seconds`` and was ended."""

    seconds: float = 0.0


class PlanningProcessLost(PlanningError):
    """The planner's process ended by itself. ``exit_code`` is that of the process, or minus a signal."""

    exit_code: int | None = None


def not_installed(package: str, error: ImportError) -> PlanningNotInstalled:
    """The error of a package that cannot be imported."""
    problem = f"the package {package} cannot be imported ({error})"
    return PlanningNotInstalled(problem, cure="run: pip install 'astra_ros[planning]'", package=package)
