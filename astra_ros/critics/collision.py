"""Does the model expect the robot or the object to touch the obstacle?"""

from __future__ import annotations

from dataclasses import dataclass

from astra_ros.critics.base import CriticSettings
from astra_ros.critics.events import EventCritic
from astra_ros.outcomes import OBSTACLE_CONTACT
from astra_ros.settings import setting


@dataclass(frozen=True)
class CollisionSettings(CriticSettings):
    veto_above: float = setting(
        0.5, "probability of touching the obstacle above which a plan is vetoed; 1 never vetoes", 0.0, 1.0
    )
    risky_above: float = setting(
        0.2, "probability of touching the obstacle above which a plan is marked risky", 0.0, 1.0
    )


class CollisionCritic(EventCritic):
    """Vetoes plans that are expected to touch the obstacle."""

    name = "collision"
    settings_class = CollisionSettings
    must_score = True
    outcome = OBSTACLE_CONTACT
    words = "touch the obstacle"
