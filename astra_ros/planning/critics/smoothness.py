"""How gently does the plan move the joints?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from astra_ros.planning.critics.base import CriticInput, CriticResult, CriticSettings, setting


@dataclass(frozen=True)
class SmoothnessSettings(CriticSettings):
    """Settings of the smoothness critic."""

    weight: float = setting(0.05, "factor of this critic's cost in the total, no unit", 0.0, 100.0)
    scale: float = setting(
        2.0, "RMS joint acceleration that costs 1, in rad/s^2", 0.001, 1000.0
    )


class SmoothnessCritic:
    """RMS joint acceleration of the plan at the model's times, over joints and time.

    Accelerations are second differences of the positions, so what happens between two of the
    model's frames is not seen, and a plan of one step has none.
    """

    name = "smoothness"
    role = "smoothness"
    must_score = False
    unit = "rad/s^2"

    def __init__(self, settings: SmoothnessSettings = SmoothnessSettings()) -> None:
        self.settings = settings

    def missing(self, inp: CriticInput) -> str | None:
        if inp.positions.shape[1] < 3:
            return "a horizon of one step has no acceleration"
        return None

    def evaluate(self, inp: CriticInput) -> CriticResult | None:
        if self.missing(inp):
            return None
        acceleration = np.diff(inp.positions, n=2, axis=1) / inp.dt_s**2
        rms = np.sqrt(np.square(acceleration).mean(axis=(1, 2)))
        reasons = tuple(f"joint acceleration {value:.2f} rad/s^2 RMS" for value in rms)
        return CriticResult(rms, rms / self.settings.scale, np.zeros(len(rms), bool), reasons)
