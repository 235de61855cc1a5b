"""One more token for every frame, which knows in metres where the object was and where the action takes the tool."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from astra_ros.world_model.autoencoder import ResidualBlock
from astra_ros.world_model.config import AstraConfig
from astra_ros.world_model.layers import start_at_zero


class ObjectToken(nn.Module):
    """Finds the object in the last observed latent, and reads where each action takes the tool.

    A token of the image spans many pixels, so positions in it are coarse. What a push does is decided by centimetres.
    Here each cell of the latent votes for a place near its own, and the softmax of a map weighs the votes. What this
    map and some others look at, and where that is, is read, too (spatial softmax, Finn et al. 2016, arXiv 1509.06113).
    The tool's place follows from the action alone. Places, and the way from tool to object, enter the token as sines
    and cosines of several wavelengths.
    """

    MAPS, FEATURES = 8, 64
    VOTE_M = 0.1  # scale of what a cell adds to the place that its row and column stand for
    WAVELENGTHS_M = (2.0, 1.0, 0.5, 0.25, 0.125, 0.0625)

    def __init__(self, config: AstraConfig):
        super().__init__()
        width, read = config.hidden_dim, self.MAPS * (self.FEATURES + 2)
        self.features = nn.Sequential(
            nn.Conv2d(config.latent_channels, self.FEATURES, 3, padding=1),
            ResidualBlock(self.FEATURES),
            ResidualBlock(self.FEATURES),
            nn.GroupNorm(4, self.FEATURES),
            nn.SiLU(),
        )
        self.maps = nn.Conv2d(self.FEATURES, self.MAPS, 1)
        self.cell_place = nn.Sequential(nn.Linear(2, 64), nn.GELU(), nn.Linear(64, 3))
        self.vote = nn.Conv2d(self.FEATURES, 3, 1)
        self.tool = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, 3))
        self.seen = nn.Linear(read, width)
        self.embed_places = nn.Linear(9 * (1 + 2 * len(self.WAVELENGTHS_M)), width)
        self.own = nn.Parameter(torch.zeros(width))
        start_at_zero(self.seen)
        start_at_zero(self.embed_places)
        _, rows, cols = config.latent_shape
        y, x = ((2 * torch.arange(count) + 1) / count - 1 for count in (rows, cols))
        self.cells: Tensor
        self.waves: Tensor
        self.register_buffer("cells", torch.stack(torch.meshgrid(x, y, indexing="xy")).flatten(1), persistent=False)
        waves = 2 * math.pi / torch.tensor(self.WAVELENGTHS_M)
        self.register_buffer("waves", waves, persistent=False)

    def forward(self, observed: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """-> (tokens [B, N, F, 1, D], places [B, N, F, 1, 6]: the object's in `observed`, then the tool's, m).

        Args: `observed` [B, C, h, w], the last observed latent; `condition` [B, N, F, D] of the actions. At a stride,
        that is a mean over the steps of an interval, and so is the tool's place.
        """
        place, read = self.locate(observed)
        start, tool = place[:, None, None].expand(*condition.shape[:3], -1), self.tool_after(condition)
        with torch.autocast(observed.device.type, enabled=False):
            numbers = torch.cat([start, tool, tool - start], dim=-1)
            angles = (numbers[..., None] * self.waves).flatten(-2)
            coded = torch.cat([numbers, angles.sin(), angles.cos()], dim=-1)
        token = self.own + self.seen(read)[:, None, None] + self.embed_places(coded)
        return token.unsqueeze(3), torch.cat([start, tool], dim=-1).unsqueeze(3)

    def locate(self, latents: Tensor) -> tuple[Tensor, Tensor]:
        """Latents [B, C, h, w] -> (the object's place [B, 3] m, what the maps read [B, MAPS * (FEATURES + 2)])."""
        features = self.features(latents).float()
        with torch.autocast(latents.device.type, enabled=False):  # bfloat16 rounds places to millimetres
            share = self.maps(features).flatten(2).softmax(-1)
            votes = self.cell_place(self.cells.T) + self.VOTE_M * self.vote(features).flatten(2).transpose(1, 2)
            looked_at = share @ features.flatten(2).transpose(1, 2)
            return (share[:, :1] @ votes).squeeze(1), torch.cat([looked_at, share @ self.cells.T], dim=-1).flatten(1)

    def tool_after(self, condition: Tensor) -> Tensor:
        """The condition [..., D] of an action -> where the tool then is, [..., 3] m."""
        with torch.autocast(condition.device.type, enabled=False):
            return self.tool(condition.float())
