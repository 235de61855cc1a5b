"""Ways of choosing among candidates that no robot would use, as ``Choose`` of the loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from astra_ros.agents.loop import Choice, Moment
from astra_ros.plans.errors import PlanError
from astra_ros.simulation.rollout import Executor, execute


def usable(plans: Sequence[Any], check: Callable[[Any], object]) -> list[int]:
    """The indices of plans for which ``check`` raises no PlanError."""
    found = []
    for index, plan in enumerate(plans):
        try:
            check(plan)
        except PlanError:
            continue
        found.append(index)
    return found


@dataclass
class AtRandom:
    """Takes any candidate that can be executed, by the seed and the moment.

    Attributes:
        check: raises PlanError for a candidate that cannot be executed.
    """

    seed: int
    check: Callable[[Any], object] = lambda plan: None

    def __call__(self, moment: Moment, plans: Sequence[Any]) -> Choice:
        found = usable(plans, self.check)
        if not found:
            return Choice(None, reason="no plan can be executed")
        return Choice(int(np.random.default_rng([self.seed, moment.index, 22]).choice(found)))


@dataclass
class First:
    """Takes the first candidate that can be executed: what the planner itself would do."""

    check: Callable[[Any], object] = lambda plan: None

    def __call__(self, moment: Moment, plans: Sequence[Any]) -> Choice:
        found = usable(plans, self.check)
        return Choice(found[0]) if found else Choice(None, reason="no plan can be executed")


class Repeatable(Executor, Protocol):
    """A world that goes back to a moment."""

    def snapshot(self) -> Any:
        """This moment."""

    def restore(self, snapshot: Any) -> None:
        """Go back to a moment."""


@dataclass
class ByTruth:
    """Executes every candidate in the simulator, goes back, and takes the one with the best true outcome.

    It rests where resting is better than every candidate. That is the best choice for the next ``horizon`` steps, and
    need not be the best one for the whole task.

    Attributes:
        rest: the plan that stops the robot, or holds it where it is.
        executor: what executes a candidate from now on; by default the world itself.
        outcomes: the true ones of the last candidates, and that of resting; -inf where one cannot be executed.
    """

    world: Repeatable
    horizon: int
    dt_s: float
    rest: Callable[[], Any]
    executor: Callable[[], Executor] | None = None
    outcomes: Sequence[float] = ()

    def __call__(self, moment: Moment, plans: Sequence[Any]) -> Choice:
        start = self.world.snapshot()
        self.outcomes = [self._outcome(start, plan) for plan in (*plans, self.rest())]
        self.world.restore(start)
        *of_plans, still = self.outcomes
        best = int(np.argmax(of_plans))
        return Choice(best) if of_plans[best] >= still else Choice(None, reason="resting is better than every plan")

    def _outcome(self, start: Any, plan: Any) -> float:
        self.world.restore(start)
        executor: Executor = self.world if self.executor is None else self.executor()
        try:
            return execute(executor, plan, self.horizon, self.dt_s, render=False).verdict.outcome
        except PlanError:
            return -np.inf
