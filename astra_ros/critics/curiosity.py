"""How much of what it will see can the model not foretell?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from astra_ros.critics.base import CriticInput, CriticResult, CriticSettings, setting


@dataclass(frozen=True)
class CuriositySettings(CriticSettings):
    """Settings of the curiosity critic."""

    enabled: bool = setting(False, "whether this critic scores plans: for robots that explore")
    scale: float = setting(
        1.0,
        "mean expected RMS latent error that costs nothing, in standard deviations of the latents; at "
        "1 the model expects to be as wrong as pictures differ",
        0.001,
        100.0,
    )


class CuriosityCritic:
    """The model's own expected RMS latent error, averaged over the imagined frames, as a good sign.

    What can be foretold has been seen; where the model expects to be wrong, something new comes into
    view (curiosity as in Pathak et al., arXiv 1705.05363, but with the error expected beforehand
    instead of made). cost = 1 - error / scale, at least 0. The `uncertainty` critic says the opposite,
    with a tenth of the weight.
    """

    name = "curiosity"
    role = "goal"
    must_score = False
    unit = "latent RMS error"

    def __init__(self, settings: CuriositySettings = CuriositySettings()) -> None:
        self.settings = settings

    def missing(self, inp: CriticInput) -> str | None:
        return None

    def evaluate(self, inp: CriticInput) -> CriticResult | None:
        unknown = inp.imagination.uncertainty.astype(np.float64).mean(axis=1)
        cost = np.maximum(1.0 - unknown / self.settings.scale, 0.0)
        reasons = tuple(f"expects to see what it cannot foretell: {value:.2f}" for value in unknown)
        return CriticResult(unknown, cost, np.zeros(len(cost), bool), reasons)
