"""How a reference picture looks (light, colours, textures), and observed frames given that look.

Nothing here knows of actions or time: the look is changed before anything is imagined, in what was observed,
and the dynamics then go on from there as from any other history.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from astra_ros.world_model.layers import Attention, feed_forward, start_at_zero


@dataclass(frozen=True)
class StyleConfig:
    """What fixes the shape of a `StyleTransfer`; travels with its weights."""

    latent_channels: int
    width: int = 128
    blocks: int = 4
    kinds: int = 32  # of surface that a picture is summed up in
    heads: int = 4

    def to_dict(self) -> dict:
        return asdict(self)


class StyleEncoder(nn.Module):
    """A picture's latent [B, C, h, w] -> its palette [B, P, D]: how each of P kinds of surface looks in it.

    Which cells show a kind is attention over the whole picture, and only the mean of what they show passes. So
    a palette says how things look and not where they are.
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
    """Latents in the look of a reference picture: what is where stays, how it looks changes.

    Each cell reads two palettes by attention, that of its own picture (what kind of surface am I?) and the
    reference's (how does that kind look there?). The output layer is zero at first, so that an untrained one
    changes nothing.

    Our own arrangement; that a set is summed up by attention of learned queries is Lee et al. 2019 (Set Transformer).
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
    """A cell looks around, then at the palettes, then thinks."""

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
    # Zeros beyond the border would tell a cell where it is.
    return nn.Conv2d(before, after, 3, padding=1, padding_mode="replicate")
