"""How much of what the robot will see can the model not predict?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from astra_ros.critics.base import Critic, CriticInput, CriticResult, CriticSettings
from astra_ros.settings import setting


@dataclass(frozen=True)
class CuriositySettings(CriticSettings):
    enabled: bool = setting(False, "whether this critic scores plans: for robots that explore")
    scale: float = setting(
        1.0,
        "mean expected RMS latent error that costs nothing, in standard deviations of the latents; at 1 the model "
        "expects to be as wrong as images differ",
        0.001,
        100.0,
    )


class CuriosityCritic(Critic):
    """Rewards a large expected RMS latent error, averaged over the imagined frames.

    The model predicts well what it has seen before; a large expected error means that something new comes into view
    (curiosity as in Pathak et al., arXiv 1705.05363, but with the expected error instead of the measured one).
    cost = 1 - error / scale, at least 0. The `uncertainty` critic says the opposite, with a tenth of the weight.
    """

    name = "curiosity"
    settings_class = CuriositySettings
    role = "goal"
    unit = "latent RMS error"

    def score(self, inp: CriticInput) -> CriticResult:
        error = inp.imagination.mean(inp.imagination.uncertainty)
        cost = np.maximum(1.0 - error / self.settings.scale, 0.0)
        reasons = tuple(f"expects something new: latent error {value:.2f}" for value in error)
        return CriticResult(error, cost, reasons)
