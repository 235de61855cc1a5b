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
        here_L2p = patchify(torch.stack(torch.meshgrid(x, y, indexing="xy")))
        cell_2p = torch.tensor([2 / cols, 2 / rows]).repeat_interleave(cells)
        # As the displacements come: of each place the x of the p cells of a token, then their y.
        self.register_buffer("here", here_L2p.repeat(1, places), persistent=False)
        self.register_buffer("cell", cell_2p.repeat(places), persistent=False)

    def forward(self, tokens: Tensor, newest: Tensor, observed: Tensor) -> Tensor:
        """The share of `newest` and `observed` in the latents of `tokens` [B, N, F, L, D], [B, N, F, C, h, w] each.

        The latents may have size 1 in place of N or F: many frames then look into one. The result is as tokens, too:
        [B, N, F, L, C * p], of the p cells of each token.
        """
        with torch.autocast(newest.device.type, enabled=False):  # places are fractions of cells
            lead, cells = tokens.shape[:3], self.patchify.patch**2
            # Without the leading axes: with them, in this graph, OpenVINO 2026.4.1 read what was never written.
            x_RLD = tokens.float().flatten(0, 2)
            share_RLPp = self.mix(x_RLD).unflatten(2, (-1, cells)).softmax(dim=2)
            stays_RL1p = self.gate(x_RLD).sigmoid().unsqueeze(2)
            at = self.here + self.displacement(x_RLD) * self.cell
            # NaN would read outside memory in the backward pass (torch 2.13, CPU).
            at = at.masked_fill(at.isnan(), 0.0).clamp(-self.FAR, self.FAR)
            at_RLPp2 = at.unflatten(2, (-1, 2, cells)).transpose(3, 4)
            found = [
                _sample(latent.expand(-1, lead[1], -1, -1, -1, -1) if latent.shape[2] > 1 else latent, places, share)
                for latent, places, share in zip(
                    (newest, observed), at_RLPp2.split(self.places, dim=2), share_RLPp.split(self.places, dim=2)
                )
                if places.shape[2]
            ]
            return (stays_RL1p * sum(found)).flatten(2).unflatten(0, lead)


def _sample(latents: Tensor, at_RLPp2: Tensor, share_RLPp: Tensor) -> Tensor:
    """Sample latents [B, n, f, C, h, w] at P places for each cell of R = B * N * F frames, and mix -> [R, L, C, p].

    All frames that look into one latent (f, or n and f, of 1) are rows of one grid.
    """
    images, (tokens, places, cells) = latents.flatten(0, 2), share_RLPp.shape[1:]
    grids = at_RLPp2.reshape(images.shape[0], -1, places * cells, 2)
    found = F.grid_sample(images.float(), grids, mode="bilinear", padding_mode="border", align_corners=False)
    found = found.unflatten(3, (places, cells)) * share_RLPp.reshape(images.shape[0], 1, -1, places, cells)
    mixed = found.sum(3)  # [images, C, frames of each * L, p]
    return mixed.transpose(1, 2).reshape(-1, tokens, images.shape[1], cells)


def _spread(places: int) -> Tensor:
    """Initial displacements, [places, 2] cells in x and y.

    The first is the cell itself. The others lie around it; equal ones would learn the same.
    """
    angles = 2 * math.pi * torch.arange(max(0, places - 1)) / max(1, places - 1)
    around = 0.5 * torch.stack([angles.cos(), angles.sin()], dim=1)
    return torch.cat([torch.zeros(1, 2), around])[:places]
