"""Frames in other colours, to train on."""

from __future__ import annotations

import torch
from torch import Tensor


def recoloured(frames: Tensor, generator: torch.Generator) -> Tensor:
    """Frames [N, 3, h, w] in 0..1 with random light and colours, the same for all N.

    A gain of each colour and a gamma change the light. A hue rotation of up to 60 degrees, around the grey axis,
    changes the colours of surfaces.
    """
    gain = 0.6 + 0.6 * torch.rand(1, 3, 1, 1, generator=generator)
    gamma = 0.7 + 0.8 * torch.rand(1, generator=generator)
    angle = (2 * torch.rand(1, generator=generator) - 1) * torch.pi / 3
    cosine, side = angle.cos(), angle.sin() / 3**0.5
    third = (1 - cosine) / 3
    turn = torch.stack(
        [
            torch.cat([cosine + third, third - side, third + side]),
            torch.cat([third + side, cosine + third, third - side]),
            torch.cat([third - side, third + side, cosine + third]),
        ]
    )
    turned = torch.einsum("ij,njhw->nihw", turn, frames).clamp(0, 1)
    return (turned.pow(gamma) * gain).clamp(0, 1)
