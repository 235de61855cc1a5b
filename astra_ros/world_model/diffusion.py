"""How training puts noise on latents: flow matching and DDPM. Sampling is in `sampler.py`.

Time runs from 0, pure noise, to 1, the clean latent.
"""

from __future__ import annotations

import torch
from torch import Tensor

from astra_ros.world_model.config import AstraConfig


def _like(values: Tensor, x: Tensor) -> Tensor:
    """Append axes to `values` until it broadcasts over `x`."""
    return values.reshape(values.shape + (1,) * (x.ndim - values.ndim))


class FlowMatching:
    """Straight lines from noise to data (Lipman et al. 2023); the network predicts the data.

    x_time = time * x + (1 - time) * noise. A prediction of x, with the loss on x, keeps an
    autoregressive rollout stable: its error does not grow with 1 / (1 - time).
    """

    predicts = "x"

    def add_noise(self, x: Tensor, noise: Tensor, time: Tensor) -> Tensor:
        time = _like(time, x)
        return time * x + (1 - time) * noise


class Ddpm:
    """Denoising diffusion (Ho et al. 2020): linear betas; the network predicts the noise.

    Step t = 0 is the least noisy of `num_timesteps`. Time here is 1 - (t + 1) / num_timesteps.
    """

    predicts = "epsilon"

    def __init__(self, num_timesteps: int = 1000, beta_start: float = 1e-4, beta_end: float = 2e-2):
        self.num_timesteps = num_timesteps
        betas = torch.linspace(beta_start, beta_end, num_timesteps, dtype=torch.float64)
        self.alphas_cumprod = (1 - betas).cumprod(0).float()

    def alpha_bar(self, time: Tensor) -> Tensor:
        """Share of the signal's power left at `time`; exactly 1 at time 1."""
        step = ((1 - time) * self.num_timesteps).round().long() - 1
        table = self.alphas_cumprod.to(time.device)
        return torch.where(
            step < 0, torch.ones_like(time, dtype=torch.float32), table[step.clamp(0, self.num_timesteps - 1)]
        )

    def snr(self, time: Tensor) -> Tensor:
        """Signal-to-noise ratio alpha_bar / (1 - alpha_bar)."""
        alpha_bar = self.alpha_bar(time)
        return alpha_bar / (1 - alpha_bar)

    def add_noise(self, x: Tensor, noise: Tensor, time: Tensor) -> Tensor:
        alpha_bar = _like(self.alpha_bar(time), x)
        return alpha_bar.sqrt() * x + (1 - alpha_bar).sqrt() * noise

    def to_x(self, noisy: Tensor, epsilon: Tensor, time: Tensor) -> Tensor:
        """The clean latent that `epsilon` implies."""
        alpha_bar = _like(self.alpha_bar(time), noisy)
        return (noisy - (1 - alpha_bar).sqrt() * epsilon) / alpha_bar.sqrt()


def make_process(config: AstraConfig) -> FlowMatching | Ddpm:
    if config.process == "flow":
        return FlowMatching()
    return Ddpm(config.num_timesteps, config.beta_start, config.beta_end)


def snr_weighted_mse(predicted: Tensor, noise: Tensor, snr: Tensor, gamma: float = 0.5) -> Tensor:
    """Mean squared error of a noise prediction, min-SNR weighted (Hang et al. 2023).

    Args: `predicted`, `noise` [B, ...]; `snr` [B] (or any leading axes), the signal-to-noise ratio of each sample;
    `gamma` the ratio above which samples count less: weight min(snr, gamma) / snr. Returns a scalar.
    """
    weight = snr.clamp(max=gamma) / snr.clamp_min(1e-8)
    error = (predicted - noise).square().flatten(snr.ndim).mean(-1)
    return (weight * error).mean()
