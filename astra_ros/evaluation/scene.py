"""A scene of `astra rank`: what was imagined of its plans, and what became of them. Fields are the keys in JSON."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from astra_ros.critics.scoring import VETOED, PlanScore


@dataclass(frozen=True)
class Ordering:
    """An order of K plans.

    Attributes:
        order: minus the rank of each plan: higher is better, vetoed plans last.
        chosen: the plan with rank 0; None where all are vetoed, and the robot stands still.
    """

    order: list[int]
    chosen: int | None

    @classmethod
    def of(cls, scores: list[PlanScore]) -> Ordering:
        best = min(range(len(scores)), key=lambda k: scores[k].rank)
        return cls([-score.rank for score in scores], None if scores[best].verdict == VETOED else best)


@dataclass(frozen=True)
class Scene:
    """One scene of K plans: scores from imagination, outcomes from the simulator.

    Attributes:
        kinds: the generator of each plan, which is what the plan was meant to be.
        order, chosen: see `Ordering`.
        raw, costs: critic -> its raw value and its cost for each plan.
        parts: part of the outcome -> its value for each plan.
        still, still_collision: outcome of standing still, and whether that collides.
        contact: the plans' probabilities of contact as the model gave them; empty where it gives none.
        with_truth: part of what was imagined -> the order if the truth stood in its place.
        plan_alone: the order by the critics that read only the plans; None if no such critic is loaded.
    """

    seed: int
    kinds: list[str]
    scores: list[float]
    order: list[int]
    verdicts: list[str]
    raw: dict[str, list[float | None]]
    chosen: int | None
    parts: dict[str, list[float]]
    collision: list[bool]
    outcomes: list[float]
    still: float
    still_collision: bool
    costs: dict[str, list[float]] = field(default_factory=dict)
    contact: list[float] = field(default_factory=list)
    with_truth: dict[str, Ordering] = field(default_factory=dict)
    plan_alone: Ordering | None = None

    @property
    def ordering(self) -> Ordering:
        return Ordering(self.order, self.chosen)

    @property
    def choice(self) -> tuple[str, float, bool]:
        """Verdict, outcome and collision of what was chosen; standing still counts as vetoed."""
        return VETOED if self.chosen is None else self.verdicts[self.chosen], *self.outcome_of(self.chosen)

    def outcome_of(self, chosen: int | None) -> tuple[float, bool]:
        """Outcome and collision of a plan, or of standing still."""
        if chosen is None:
            return self.still, self.still_collision
        return self.outcomes[chosen], self.collision[chosen]

    def regret(self, chosen: int | None) -> float:
        """Share of the range between the best and the worst plan that a choice gives away."""
        outcome, best, worst = self.outcome_of(chosen)[0], max(self.outcomes), min(self.outcomes)
        return float(np.clip((best - outcome) / (best - worst), 0, 1))
