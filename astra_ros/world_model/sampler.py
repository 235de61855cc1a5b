"""How a sample goes from noise to a clean latent, one denoising pass after the other, on arrays of any kind.

Time runs from 0, pure noise, to 1, the clean latent. How training adds noise is in `diffusion.py`.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from astra_ros.world_model.config import AstraConfig


class Sampler(Protocol):
    def advance(self, sample: Any, prediction: Any, time: float, next_time: float) -> Any:
        """The sample at `next_time`, from that at `time` and what the network predicts there."""


class FlowSampler:
    """Euler steps along the straight line to the predicted latent (Lipman et al. 2023)."""

    def advance(self, sample: Any, prediction: Any, time: float, next_time: float) -> Any:
        if next_time >= 1:
            return prediction
        return sample + (prediction - sample) * ((next_time - time) / (1 - time))


class DdimSampler:
    """Deterministic DDIM steps (Song et al. 2021, eta = 0) of a network that predicts the noise."""

    def __init__(self, num_timesteps: int = 1000, beta_start: float = 1e-4, beta_end: float = 2e-2):
        self.alphas_cumprod = (1 - np.linspace(beta_start, beta_end, num_timesteps)).cumprod()

    def alpha_bar(self, time: float) -> float:
        """Share of the signal's power left at `time`; exactly 1 at time 1."""
        step = round((1 - time) * len(self.alphas_cumprod)) - 1
        return 1.0 if step < 0 else float(self.alphas_cumprod[step])

    def advance(self, sample: Any, prediction: Any, time: float, next_time: float) -> Any:
        now, then = self.alpha_bar(time), self.alpha_bar(next_time)
        clean = (sample - (1 - now) ** 0.5 * prediction) * now**-0.5
        return then**0.5 * clean + (1 - then) ** 0.5 * prediction


def make_sampler(config: AstraConfig) -> Sampler:
    if config.process == "flow":
        return FlowSampler()
    return DdimSampler(config.num_timesteps, config.beta_start, config.beta_end)
