"""How far does the model trust its own frames?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from astra_ros.critics.base import Critic, CriticInput, CriticResult, CriticSettings
from astra_ros.settings import setting


@dataclass(frozen=True)
class UncertaintySettings(CriticSettings):
    weight: float = setting(0.1, "factor of this critic's cost in the total, no unit", 0.0, 100.0)
    scale: float = setting(
        1.0, "expected RMS latent error that costs 1, in standard deviations of the latents", 0.001, 100.0
    )
    risky_above: float = setting(
        1.0,
        "mean expected RMS latent error above which a plan is marked risky, in standard deviations of the latents; at "
        "1 the model expects to be as wrong as images differ",
        0.0,
        100.0,
    )


class UncertaintyCritic(Critic):
    """The model's own expected RMS latent error, averaged over the imagined frames. It is multiplied by how much larger
    the errors were of what was executed so far."""

    name = "uncertainty"
    settings_class = UncertaintySettings
    unit = "latent RMS error"

    def score(self, inp: CriticInput) -> CriticResult:
        each = inp.imagination.uncertainty.astype(np.float64) * inp.uncertainty_factor
        error = inp.imagination.mean(each)
        worst_s = (np.nan_to_num(each, nan=np.inf).argmax(axis=1) + 1) * inp.dt_s
        bad = ~np.isfinite(error) | (each < 0.0).any(axis=1)
        reasons = tuple(
            "the model gave an expected error that is negative or not finite"
            if broken
            else f"expected latent error {value:.2f}, worst at {when:.2f} s"
            for value, when, broken in zip(error, worst_s, bad)
        )
        cost = np.maximum(error, 0.0) / self.settings.scale
        return CriticResult(error, cost, reasons, veto=bad, risky=error > self.settings.risky_above)
