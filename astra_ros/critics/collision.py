"""Does the model expect robot or object to touch the obstacle?"""

from __future__ import annotations

from dataclasses import dataclass

from astra_ros.critics.base import CriticSettings, setting
from astra_ros.critics.events import EventCritic


@dataclass(frozen=True)
class CollisionSettings(CriticSettings):
    """Settings of the collision critic."""

    weight: float = setting(1.0, "factor of this critic's cost in the total, no unit", 0.0, 100.0)
    veto_above: float = setting(
        0.5, "probability of touching the obstacle above which a plan is vetoed; 1 never vetoes", 0.0, 1.0
    )
    risky_above: float = setting(
        0.2, "probability of touching the obstacle above which a plan is marked risky", 0.0, 1.0
    )


class CollisionCritic(EventCritic):
    """Vetoes what the model expects to touch the obstacle."""

    name = "collision"
    role = "collision"
    must_score = True
    outcome = "obstacle_contact"
    words = "touch the obstacle"

    def __init__(self, settings: CollisionSettings = CollisionSettings()) -> None:
        super().__init__(settings)
