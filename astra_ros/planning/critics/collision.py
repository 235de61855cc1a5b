"""Does the model expect robot or object to touch the obstacle?"""

from __future__ import annotations

from dataclasses import dataclass


from astra_ros.planning.critics.base import CriticInput, CriticResult, CriticSettings, setting
from astra_ros.planning.critics.events import most_likely_moment

OUTCOME = "obstacle_contact"


@dataclass(frozen=True)
class CollisionSettings(CriticSettings):
    """Settings of the collision critic."""

    weight: float = setting(2.0, "factor of this critic's cost in the total, no unit", 0.0, 100.0)
    veto_above: float = setting(
        0.5, "probability of touching the obstacle above which a plan is vetoed; 1 never vetoes",
        0.0, 1.0,
    )
    risky_above: float = setting(
        0.2, "probability of touching the obstacle above which a plan is marked risky", 0.0, 1.0
    )


class CollisionCritic:
    """Probability that the plan touches the obstacle in its most dangerous interval: max_k p_k.

    p_k is what the model's contact head reads from imagined frame k for the interval that ends
    there. The largest is taken, not 1 - prod_k (1 - p_k): a contact lasts for several intervals,
    so they are far from independent, and a product would turn sixteen harmless 5 % into a veto.
    """

    name = "collision"
    role = "collision"
    must_score = True
    unit = "probability"

    def __init__(self, settings: CollisionSettings = CollisionSettings()) -> None:
        self.settings = settings

    def missing(self, inp: CriticInput) -> str | None:
        if OUTCOME not in inp.imagination.outcomes:
            return f"the model has no '{OUTCOME}' outcome for this robot"
        return None

    def evaluate(self, inp: CriticInput) -> CriticResult | None:
        if self.missing(inp):
            return None
        chance, worst_s, bad = most_likely_moment(inp, OUTCOME)
        reasons = tuple(
            "the model gave a contact probability outside 0 to 1" if broken
            else f"{100 * p:.0f} % chance to touch the obstacle, worst at {when:.2f} s"
            for p, when, broken in zip(chance, worst_s, bad)
        )
        return CriticResult(
            raw=chance,
            cost=chance,
            veto=bad | (chance > self.settings.veto_above),
            reasons=reasons,
            risky=chance > self.settings.risky_above,
        )
