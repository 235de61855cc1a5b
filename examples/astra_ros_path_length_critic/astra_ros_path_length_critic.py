"""How far does the plan make the joints travel?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from astra_ros.critics import Critic, CriticInput, CriticResult, CriticSettings, setting


@dataclass(frozen=True)
class PathLengthSettings(CriticSettings):
    weight: float = setting(0.1, "factor of this critic's cost in the total, no unit", 0.0, 100.0)
    scale: float = setting(
        3.0, "distance that costs 1, summed over joints, in rad (m where a joint slides)", 0.001, 1000.0
    )


class PathLengthCritic(Critic):
    """Distance that all joints travel at the model's times, summed over joints.

    Of plans that do the same, the shortest wins. A detour that ends where it began is not free.
    """

    name = "path_length"
    settings_class = PathLengthSettings
    unit = "rad or m"

    def missing(self, inp: CriticInput) -> str | None:
        return None if inp.space.modality == "joints" else "these plans are not of joints"

    def score(self, inp: CriticInput) -> CriticResult:
        length = np.abs(np.diff(inp.motion, axis=1)).sum(axis=(1, 2))
        return CriticResult(length, length / self.settings.scale, tuple(f"joints travel {x:.2f} rad" for x in length))
