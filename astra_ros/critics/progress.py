"""How far does the plan drive a base ahead?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from astra_ros.critics.base import Critic, CriticInput, CriticResult, CriticSettings
from astra_ros.settings import setting


@dataclass(frozen=True)
class ProgressSettings(CriticSettings):
    enabled: bool = setting(False, "whether this critic scores plans: for bases that should drive on")
    speed: float = setting(1.0, "m/s, the speed at which a base makes full progress", 0.01, 100.0)


class ProgressCritic(Critic):
    """Distance that the plan drives ahead, against that of a base at full speed.

    cost = 1 - distance / (speed * time), at least 0: standing still costs 1, reversing costs more. The critic reads
    the plan and not the imagined frames; other critics tell whether something is in the way.
    """

    name = "progress"
    settings_class = ProgressSettings
    reads_imagination = False
    role = "goal"
    unit = "m"

    def missing(self, inp: CriticInput) -> str | None:
        if inp.space.forward_column not in inp.space.motion_names:
            return "these plans are not of a base that drives ahead"
        return None

    def score(self, inp: CriticInput) -> CriticResult:
        ahead = inp.motion[:, 1:, inp.space.motion_names.index(inp.space.forward_column)]
        distance = ahead.sum(axis=1) * inp.dt_s
        cost = np.maximum(1.0 - distance / (self.settings.speed * ahead.shape[1] * inp.dt_s), 0.0)
        return CriticResult(distance, cost, tuple(f"{value:.1f} m ahead" for value in distance))
