"""The part of the next latent that is in earlier ones already, moved."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from astra_ros.world_model.config import AstraConfig
from astra_ros.world_model.layers import start_at_zero
from astra_ros.world_model.temporal import Patchify


class MovedLatent(nn.Module):
    """Moves earlier latents cell by cell, as the tokens of the next frame say.

    Every cell samples a few places of the newest latent (`displacements`, real numbers of cells away) and
    of the last observed one (`observed_displacements`). Where the camera's way is known, geometry has moved
    the observed latent beforehand. The newest latent is closer in time, but it may be imagined, and it
    blurs each time that it is moved; the observed one does not blur.

    The samples are mixed, and a gate weighs the mixture. The denoiser adds the rest. So a turning camera
    costs a few numbers per cell instead of a new image. Compositing shifted frames, the first one among
    them, is from Finn et al. 2016 (arXiv 1605.07157); here with latents, and displacements for kernels.
    """

    OPEN = 3.0  # logit of the gate at the start: 95 % stay
    FAR = 3.0  # places beyond this are sampled at the edge, which is at 1

    def __init__(self, config: AstraConfig, patchify: Patchify):
        super().__init__()
        self.patchify = patchify
        self.places = (config.displacements, config.observed_displacements)
        places = sum(self.places)
        cells, width = config.patch**2, config.hidden_dim
        self.displacement = nn.Linear(width, 2 * places * cells)
        self.mix = nn.Linear(width, places * cells)
        self.gate = nn.Linear(width, cells)
        nn.init.normal_(self.displacement.weight, std=0.02)
        start_at_zero(self.mix)
        start_at_zero(self.gate)
        nn.init.constant_(self.gate.bias, self.OPEN)
        start = torch.cat([_spread(count) for count in self.places])
        with torch.no_grad():
            self.displacement.bias.copy_(start.reshape(-1, 1).expand(-1, cells).reshape(-1))
        _, rows, cols = config.latent_shape
        y = (2 * torch.arange(rows) + 1) / rows - 1
        x = (2 * torch.arange(cols) + 1) / cols - 1
        self.register_buffer("here", torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1), persistent=False)
        self.register_buffer("cell", torch.tensor([2 / cols, 2 / rows]), persistent=False)

    def forward(self, tokens: Tensor, newest: Tensor, observed: Tensor) -> Tensor:
        """The share of `newest` and `observed` in the latents of `tokens` [B, N, F, L, D], [B, N, F, C, h, w] each.

        The latents may have size 1 in place of N or F: many frames then look into one.
        """
        with torch.autocast(newest.device.type, enabled=False):  # places are fractions of cells
            lead = tokens.shape[:3]
            # Without the leading axes: with them, in this graph, OpenVINO 2026.4.1 read what was never written.
            x_RLD = tokens.float().flatten(0, 2)
            shift = self.patchify.inverse(self.displacement(x_RLD)).unflatten(1, (-1, 2)).movedim(2, -1)
            share = self.patchify.inverse(self.mix(x_RLD)).softmax(dim=1)
            stays = self.patchify.inverse(self.gate(x_RLD)).sigmoid()
            at = self.here + shift * self.cell
            # NaN would read outside memory in the backward pass (torch 2.13, CPU).
            at = at.nan_to_num(0.0, self.FAR, -self.FAR).clamp(-self.FAR, self.FAR)
            found = [
                _sample(latent.expand(-1, lead[1], -1, -1, -1, -1) if latent.shape[2] > 1 else latent, places)
                for latent, places in zip((newest, observed), at.split(self.places, dim=1))
                if places.shape[1]
            ]
            return (stays * (share.unsqueeze(2) * torch.cat(found, dim=1)).sum(dim=1)).unflatten(0, lead)


def _sample(latents: Tensor, at_RPhw2: Tensor) -> Tensor:
    """Sample latents [B, n, f, C, h, w] at P grids of places of each of R = B * N * F frames -> [R, P, C, h, w].

    All frames that look into one latent (f, or n and f, of 1) are rows of one grid.
    """
    images = latents.flatten(0, 2)
    grids = at_RPhw2.reshape(images.shape[0], -1, *at_RPhw2.shape[-2:])
    found = F.grid_sample(images.float(), grids, mode="bilinear", padding_mode="border", align_corners=False)
    rows = found.unflatten(2, (-1, at_RPhw2.shape[2])).movedim(2, 1)  # [images, frames of each * P, C, h, w]
    return rows.reshape(*at_RPhw2.shape[:2], *rows.shape[2:])


def _spread(places: int) -> Tensor:
    """Initial displacements, [places, 2] cells in x and y.

    The first is the cell itself. The others lie around it; equal ones would learn the same.
    """
    angles = 2 * math.pi * torch.arange(max(0, places - 1)) / max(1, places - 1)
    around = 0.5 * torch.stack([angles.cos(), angles.sin()], dim=1)
    return torch.cat([torch.zeros(1, 2), around])[:places]
