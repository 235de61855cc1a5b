"""Most of the next frame has been seen already: where each cell of it comes from."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from astra_ros.world_model.config import AstraConfig
from astra_ros.world_model.layers import start_at_zero
from astra_ros.world_model.temporal import Patchify


class MovedLatent(nn.Module):
    """What was seen already as the next frame's tokens say that it moves, cell by cell.

    Every cell looks at a few places of the newest latent at once (`displacements`, real numbers of
    cells away), and at a few of the last observed one (`observed_displacements`), which geometry has
    moved already where the camera's way is known: the newest is nearer in time, but may be imagined,
    and each time that it is moved it blurs; the observed one never does.
    What is found is mixed, and a gate says how much of it stays. What is then missing is what the
    denoiser has to make up. So a turning camera costs the network a few numbers a cell and not the
    whole picture again. The composition of shifted frames is that of Finn et al. 2016 (arXiv
    1605.07157), and that the first frame is one of them; in latents, with displacements instead of
    kernels.
    """

    OPEN = 3.0  # logit of the gate at the start: 95 % stay
    FAR = 3.0  # places beyond this are at the picture's edge anyway, which is at 1

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

    def forward(self, tokens_BNLD: Tensor, newest: Tensor, observed: Tensor) -> Tensor:
        """What of `newest` and `observed` is in the next latent; all are [B, N, C, h, w]."""
        with torch.autocast(newest.device.type, enabled=False):  # places are fractions of cells
            x = tokens_BNLD.float()
            shift = self.patchify.inverse(self.displacement(x)).unflatten(2, (-1, 2)).movedim(3, -1)
            share = self.patchify.inverse(self.mix(x)).softmax(dim=2)
            stays = self.patchify.inverse(self.gate(x)).sigmoid()
            at = self.here + shift * self.cell
            # Not a number would be a place outside memory in the backward pass (torch 2.13, CPU).
            at = at.nan_to_num(0.0, self.FAR, -self.FAR).clamp(-self.FAR, self.FAR)
            found = [
                _look(latent, places)
                for latent, places in zip((newest, observed), at.split(self.places, dim=2))
                if places.shape[2]
            ]
            return stays * (share.unsqueeze(3) * torch.cat(found, dim=2)).sum(dim=2)


def _look(latents: Tensor, at: Tensor) -> Tensor:
    """What is in latents [B, N, C, h, w] at P grids of places [B, N, P, h, w, 2]: [B, N, P, C, h, w]."""
    places = at.flatten(0, 1)
    found = F.grid_sample(
        latents.float().flatten(0, 1), places.flatten(1, 2), mode="bilinear", padding_mode="border", align_corners=False
    )
    return found.unflatten(2, (places.shape[1], -1)).movedim(2, 1).unflatten(0, at.shape[:2])


def _spread(places: int) -> Tensor:
    """Where to look at first, [places, 2] cells in x and y.

    The first place is the cell itself, the others lie around it, or they would learn the same.
    """
    angles = 2 * math.pi * torch.arange(max(0, places - 1)) / max(1, places - 1)
    around = 0.5 * torch.stack([angles.cos(), angles.sin()], dim=1)
    return torch.cat([torch.zeros(1, 2), around])[:places]
