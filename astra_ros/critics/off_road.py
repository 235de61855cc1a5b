"""Does the model expect a wheel to leave the lanes?"""

from __future__ import annotations

from dataclasses import dataclass

from astra_ros.critics.base import CriticSettings
from astra_ros.critics.events import EventCritic
from astra_ros.outcomes import OFF_ROAD
from astra_ros.settings import setting


@dataclass(frozen=True)
class OffRoadSettings(CriticSettings):
    enabled: bool = setting(False, "whether this critic scores plans: for cars on roads")
    risky_above: float = setting(0.5, "probability of leaving the lanes above which a plan is marked risky", 0.0, 1.0)


class OffRoadCritic(EventCritic):
    """Probability that a wheel leaves the lanes.

    It vetoes only values that are not probabilities: leaving the road is often better than a collision.
    """

    name = "off_road"
    settings_class = OffRoadSettings
    outcome = OFF_ROAD
    words = "leave the lanes"
