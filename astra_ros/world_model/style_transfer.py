"""Observed frames in the look (light, colours, textures) of a reference image.

The look is changed in the observed frames, before anything is imagined. So nothing here depends on actions or
time, and the dynamics go on from the changed history as from any other.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from astra_ros.world_model.layers import Attention, feed_forward, start_at_zero


@dataclass(frozen=True)
class StyleConfig:
    """The shape of a `StyleTransfer`; kept with its weights."""

    latent_channels: int
    width: int = 128
    blocks: int = 4
    kinds: int = 32  # of surface, P
    heads: int = 4


class StyleEncoder(nn.Module):
    """The latent of an image [B, C, h, w] -> its palette [B, P, D]: the look of each of P kinds of surface.

    Attention over the whole image finds the cells of a kind, and only their mean passes. So a palette has the
    look of things and not their places.
    """

    def __init__(self, config: StyleConfig):
        super().__init__()
        self.features = _features(config)
        self.kinds = nn.Conv2d(config.width, config.kinds, 1)
        self.norm = nn.LayerNorm(config.width)

    def forward(self, latents: Tensor) -> Tensor:
        features = self.features(latents)
        share = self.kinds(features).flatten(2).softmax(-1)
        return self.norm(share @ features.flatten(2).transpose(1, 2))


class StyleTransfer(nn.Module):
    """Changes latents to the look of a reference image; things stay where they are.

    Each cell reads two palettes by attention: that of its own image (which kind of surface is this?) and that of
    the reference (how does the kind look there?). The output layer starts at zero, so an untrained transfer
    changes nothing.

    The arrangement is our own. Summing up a set by attention of learned queries is from Lee et al. 2019 (Set
    Transformer).
    """

    def __init__(self, config: StyleConfig):
        super().__init__()
        self.config = config
        self.encoder = StyleEncoder(config)
        self.features = _features(config)
        self.own = nn.Parameter(torch.zeros(config.kinds, config.width))
        self.wanted = nn.Parameter(torch.randn(config.kinds, config.width))
        self.blocks = nn.ModuleList(_Block(config) for _ in range(config.blocks))
        self.norm = nn.GroupNorm(1, config.width)
        self.out = nn.Conv2d(config.width, config.latent_channels, 1)
        start_at_zero(self.out)

    def forward(self, latents: Tensor, reference: Tensor) -> Tensor:
        """`latents` [B, C, h, w] in the look of `reference` [B, C, h', w'], or of one for all, [1, C, h', w']."""
        wanted = self.encoder(reference).expand(len(latents), -1, -1)
        palettes = torch.cat([self.encoder(latents) + self.own, wanted + self.wanted], dim=1)
        x = self.features(latents)
        for block in self.blocks:
            x = block(x, palettes)
        return latents + self.out(F.silu(self.norm(x)))


class _Block(nn.Module):
    """A convolution over neighbouring cells, attention to the palettes, a feed-forward layer."""

    def __init__(self, config: StyleConfig):
        super().__init__()
        self.norm1 = nn.GroupNorm(config.heads, config.width)  # a group for each head's share of the width
        self.around = _convolution(config.width, config.width)
        self.norm2, self.norm3 = nn.LayerNorm(config.width), nn.LayerNorm(config.width)
        self.attention = Attention(config.width, config.heads)
        self.mlp = feed_forward(config.width)

    def forward(self, x_BDhw: Tensor, palettes_BPD: Tensor) -> Tensor:
        x_BDhw = x_BDhw + self.around(F.silu(self.norm1(x_BDhw)))
        cells = x_BDhw.flatten(2).transpose(1, 2)
        cells = cells + self.attention(self.norm2(cells), self.attention.project(palettes_BPD))
        cells = cells + self.mlp(self.norm3(cells))
        return cells.transpose(1, 2).reshape(x_BDhw.shape)


def _features(config: StyleConfig) -> nn.Sequential:
    return nn.Sequential(
        _convolution(config.latent_channels, config.width), nn.SiLU(), _convolution(config.width, config.width)
    )


def _convolution(before: int, after: int) -> nn.Conv2d:
    # Zeros beyond the border would give away a cell's place.
    return nn.Conv2d(before, after, 3, padding=1, padding_mode="replicate")
