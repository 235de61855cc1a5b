"""How gently does the plan move the robot?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from astra_ros.critics.base import Critic, CriticInput, CriticResult, CriticSettings
from astra_ros.settings import setting


@dataclass(frozen=True)
class SmoothnessSettings(CriticSettings):
    weight: float = setting(0.05, "factor of this critic's cost in the total, no unit", 0.0, 100.0)
    scale: float = setting(
        2.0, "RMS acceleration that costs 1, in rad/s^2 (m/s^2 where a column of the plan is in metres)", 0.001, 1000.0
    )


class SmoothnessCritic(Critic):
    """RMS acceleration of the plan at the model's times, over columns and time.

    It does not see what happens between two of the model's frames. An arm's plan of one step has no acceleration.
    """

    name = "smoothness"
    settings_class = SmoothnessSettings
    reads_imagination = False
    unit = "rad/s^2 or m/s^2"

    def missing(self, inp: CriticInput) -> str | None:
        if not inp.space.accelerations(inp.motion, inp.dt_s).size:
            return "a horizon of one step has no acceleration"
        return None

    def score(self, inp: CriticInput) -> CriticResult:
        rms = np.sqrt(np.square(inp.space.accelerations(inp.motion, inp.dt_s)).mean(axis=(1, 2)))
        unit = f" {inp.space.acceleration_unit}".rstrip()
        reasons = tuple(f"acceleration {value:.2f}{unit} RMS" for value in rms)
        return CriticResult(rms, rms / self.settings.scale, reasons)
