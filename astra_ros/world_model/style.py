"""How a reference picture looks (light, colour), as one vector."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from astra_ros.world_model.config import AstraConfig


class StyleEncoder(nn.Module):
    """A reference frame's latent [B, C, h, w] -> style vector [B, D]; None -> "as observed".

    Only pooled statistics (mean and spread of features over the picture) pass, so it can carry how
    a scene looks but not where things are.
    """

    def __init__(self, config: AstraConfig):
        super().__init__()
        width = config.hidden_dim
        self.features = nn.Sequential(
            nn.Conv2d(config.latent_channels, width, 1), nn.SiLU(), nn.Conv2d(width, width, 1))
        self.out = nn.Linear(2 * width, width)
        self.as_observed = nn.Parameter(torch.zeros(width))

    def forward(self, reference_BChw: Tensor | None, batch: int) -> Tensor:
        if reference_BChw is None:
            return self.as_observed.expand(batch, -1)
        features = self.features(reference_BChw).flatten(2)
        return self.out(torch.cat([features.mean(-1), features.std(-1)], dim=-1))
