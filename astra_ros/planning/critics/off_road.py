"""Does the model expect a wheel to leave the lanes?"""

from __future__ import annotations

from dataclasses import dataclass

from astra_ros.planning.critics.base import CriticInput, CriticResult, CriticSettings, setting
from astra_ros.planning.critics.events import most_likely_moment

OUTCOME = "off_road"


@dataclass(frozen=True)
class OffRoadSettings(CriticSettings):
    """Settings of the off-road critic."""

    enabled: bool = setting(False, "whether this critic scores plans: for cars on roads")
    risky_above: float = setting(
        0.5, "probability of leaving the lanes above which a plan is marked risky", 0.0, 1.0
    )


class OffRoadCritic:
    """Probability that a wheel is off the lanes at the end of some step: max_k p_k.

    p_k is what the model's head reads from imagined frame k; for the maximum see the collision
    critic. It never vetoes by itself: the verge is often the better choice.
    """

    name = "off_road"
    role = "off_road"
    must_score = False
    unit = "probability"

    def __init__(self, settings: OffRoadSettings = OffRoadSettings()) -> None:
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
            "the model gave an off-road probability outside 0 to 1" if broken
            else f"{100 * p:.0f} % chance to leave the lanes, worst at {when:.2f} s"
            for p, when, broken in zip(chance, worst_s, bad)
        )
        risky = chance > self.settings.risky_above
        return CriticResult(chance, chance, bad, reasons, risky)
