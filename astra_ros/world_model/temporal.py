"""The observed history as memory tokens, which every imagined frame reads."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from astra_ros.world_model.config import AstraConfig
from astra_ros.world_model.layers import TransformerBlock


class Patchify(nn.Module):
    """Latents [..., C, h, w] -> tokens [..., L, C * patch * patch], and back."""

    def __init__(self, config: AstraConfig):
        super().__init__()
        self.patch = config.patch
        self.rows = config.latent_shape[1] // config.patch
        self.cols = config.latent_shape[2] // config.patch

    def forward(self, latents: Tensor) -> Tensor:
        p, lead, channels = self.patch, latents.shape[:-3], latents.shape[-3]
        x = latents.reshape(-1, channels, self.rows, p, self.cols, p)
        return x.permute(0, 2, 4, 1, 3, 5).reshape(*lead, self.rows * self.cols, channels * p * p)

    def inverse(self, tokens: Tensor) -> Tensor:
        p, lead = self.patch, tokens.shape[:-2]
        channels = tokens.shape[-1] // (p * p)
        x = tokens.reshape(-1, self.rows, self.cols, channels, p, p).permute(0, 3, 1, 4, 2, 5)
        return x.reshape(*lead, channels, self.rows * p, self.cols * p)


class TemporalTransformer(nn.Module):
    """History latents [B, T, C, h, w] -> memory [B, M, D], M = T * tokens per frame.

    Computed once per request, for any number of plans and imagined frames. It holds what was observed, so
    a long rollout keeps true frames to attend to.
    """

    def __init__(self, config: AstraConfig):
        super().__init__()
        width = config.hidden_dim
        self.window = config.temporal_window
        self.patchify = Patchify(config)
        self.embed = nn.Linear(config.latent_channels * config.patch**2, width)
        self.position = nn.Parameter(0.02 * torch.randn(config.tokens_per_frame, width))
        self.time = nn.Parameter(0.02 * torch.randn(self.window, 1, width))
        self.blocks = nn.ModuleList(TransformerBlock(width, config.num_heads) for _ in range(config.context_layers))
        self.norm = nn.LayerNorm(width)

    def forward(self, history_BTChw: Tensor) -> Tensor:
        frames = history_BTChw.shape[1]
        if not 1 <= frames <= self.window:
            raise ValueError(f"history of {frames} frames; the model takes 1 to {self.window}")
        x = self.embed(self.patchify(history_BTChw)) + self.position + self.time[-frames:]
        x = x.flatten(1, 2)
        for block in self.blocks:
            x = block(x)
        return self.norm(x)
