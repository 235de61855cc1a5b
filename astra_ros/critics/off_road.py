"""Does the model expect a wheel to leave the lanes?"""

from __future__ import annotations

from dataclasses import dataclass

from astra_ros.critics.base import CriticSettings, setting
from astra_ros.critics.events import EventCritic


@dataclass(frozen=True)
class OffRoadSettings(CriticSettings):
    """Settings of the off-road critic."""

    enabled: bool = setting(False, "whether this critic scores plans: for cars on roads")
    risky_above: float = setting(0.5, "probability of leaving the lanes above which a plan is marked risky", 0.0, 1.0)


class OffRoadCritic(EventCritic):
    """Counts a wheel off the lanes. It never vetoes a sound number: the verge is often the better choice."""

    name = "off_road"
    role = "off_road"
    must_score = False
    outcome = "off_road"
    words = "leave the lanes"

    def __init__(self, settings: OffRoadSettings = OffRoadSettings()) -> None:
        super().__init__(settings)
