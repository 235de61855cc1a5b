"""Does the plan get a base on?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from astra_ros.critics.base import CriticInput, CriticResult, CriticSettings, setting

COLUMN = "linear.x"


@dataclass(frozen=True)
class ProgressSettings(CriticSettings):
    """Settings of the progress critic."""

    enabled: bool = setting(False, "whether this critic scores plans: for bases that should get on")
    speed: float = setting(1.0, "m/s, the speed at which a base makes full progress", 0.01, 100.0)


class ProgressCritic:
    """Way that the plan drives ahead, against that of a base at full speed.

    cost = 1 - way / (speed * time), 0 for who is faster: rest costs 1, backing off more. It reads the
    plan and not the pictures: what may end the way is for other critics to see.
    """

    name = "progress"
    role = "goal"
    must_score = False
    unit = "m"

    def __init__(self, settings: ProgressSettings = ProgressSettings()) -> None:
        self.settings = settings

    def missing(self, inp: CriticInput) -> str | None:
        if inp.space.modality != "twist" or COLUMN not in inp.space.motion_names:
            return "these plans are not of a base that drives ahead"
        return None

    def evaluate(self, inp: CriticInput) -> CriticResult | None:
        if self.missing(inp):
            return None
        ahead = inp.motion[:, 1:, inp.space.motion_names.index(COLUMN)]
        way = ahead.sum(axis=1) * inp.dt_s
        cost = np.maximum(1.0 - way / (self.settings.speed * ahead.shape[1] * inp.dt_s), 0.0)
        reasons = tuple(f"{value:.1f} m ahead" for value in way)
        return CriticResult(way, cost, np.zeros(len(way), bool), reasons)
