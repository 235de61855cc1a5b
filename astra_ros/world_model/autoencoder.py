"""Frames to latents and back, by convolutions: each level halves both sides; every preset has three."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from astra_ros.world_model.config import AstraConfig


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions around a shortcut, normalised in groups."""

    def __init__(self, width: int):
        super().__init__()
        groups = max(1, width // 16)
        self.norm1 = nn.GroupNorm(groups, width)
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.norm2 = nn.GroupNorm(groups, width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(F.silu(self.norm1(x)))
        return x + self.conv2(F.silu(self.norm2(y)))


class FrameAutoencoder(nn.Module):
    """Encodes frames to latents with zero mean and unit variance per channel, and decodes them.

    The first halving is a lossless pixel-unshuffle, which saves the costly convolutions at full
    resolution. Noise on the latents in training (the caller adds it) regularises it instead of a KL
    term: it is simpler, and the dynamics will make such noise too.
    """

    latent_mean: Tensor
    latent_std: Tensor
    FOLLOW = 0.01  # how fast the stored latent statistics follow the batches in training

    def __init__(self, config: AstraConfig):
        super().__init__()
        channels = config.latent_channels
        layers: list[nn.Module] = [nn.PixelUnshuffle(2)]
        before = 12
        for level, (width, depth) in enumerate(zip(config.encoder_widths, config.encoder_depths)):
            layers.append(
                nn.Conv2d(before, width, 4, stride=2, padding=1) if level else nn.Conv2d(before, width, 3, padding=1)
            )
            layers += [ResidualBlock(width) for _ in range(depth)]
            before = width
        self.encoder = nn.Sequential(
            *layers, nn.GroupNorm(max(1, before // 16), before), nn.SiLU(), nn.Conv2d(before, channels, 3, padding=1)
        )
        widths, depths = config.decoder_widths[::-1], config.decoder_depths[::-1]
        layers = [nn.Conv2d(channels, widths[0], 3, padding=1)]
        for level, (width, depth) in enumerate(zip(widths, depths)):
            if level:
                layers += [nn.Conv2d(widths[level - 1], width * 4, 1), nn.PixelShuffle(2)]
            layers += [ResidualBlock(width) for _ in range(depth)]
        self.decoder = nn.Sequential(*layers, nn.Conv2d(widths[-1], 12, 3, padding=1), nn.PixelShuffle(2))
        self.register_buffer("latent_mean", torch.zeros(channels))
        self.register_buffer("latent_std", torch.ones(channels))

    def encode(self, frames: Tensor) -> Tensor:
        """[N, 3, h, w] in 0..1 -> normalised latents [N, C, h/r, w/r], r the reduction.

        In training mode the statistics of the batch normalise, and the stored ones follow them.
        """
        z = self.encoder(frames * 2 - 1)
        if self.training:
            mean, std = z.mean((0, 2, 3)), z.std((0, 2, 3)).clamp_min(1e-4)
            self.latent_mean.lerp_(mean.detach().float(), self.FOLLOW)
            self.latent_std.lerp_(std.detach().float(), self.FOLLOW)
        else:
            mean, std = self.latent_mean, self.latent_std
        return (z - mean[:, None, None]) / std[:, None, None]

    def decode(self, latents: Tensor) -> Tensor:
        """Normalised latents [N, C, h/r, w/r] -> frames [N, 3, h, w], clipped to 0..1."""
        return self.decode_raw(latents).clamp(0, 1)

    def decode_raw(self, latents: Tensor) -> Tensor:
        """As `decode`, without clipping, so that training has a gradient everywhere."""
        return (self.decoder(latents) + 1) / 2
