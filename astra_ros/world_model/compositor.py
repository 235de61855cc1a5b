"""What was really seen, laid over what was imagined."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Compositor(nn.Module):
    """Says of each pixel how much of it to take from the observed picture instead of the decoded one.

    A decoded latent is soft, also where nothing has changed. The observed picture is sharp; where it
    still holds is for this small network to say, from how the two differ. It works on blocks of 2 x 2
    pixels. New, it hardly changes anything.
    """

    WIDTH = 32

    def __init__(self):
        super().__init__()
        width = self.WIDTH
        self.body = nn.ModuleList([nn.Conv2d(4 * 10, width, 3, padding=1),
                                   nn.Conv2d(width, width, 3, padding=2, dilation=2),
                                   nn.Conv2d(width, width, 3, padding=1)])
        self.out = nn.Conv2d(width, 4, 3, padding=1)    # a logit for each of 2 x 2 pixels
        nn.init.zeros_(self.out.weight)
        nn.init.constant_(self.out.bias, -4.0)

    def forward(self, decoded: Tensor, seen: Tensor, known: Tensor) -> Tensor:
        """-> [B, 3, h, w] in 0..1.

        Args: `decoded` [B, 3, h, w] in 0..1; `seen` [B, 3, h, w], the last observed picture as it would
        look from where the camera then is; `known` [B, 1, h, w], 1 where that was really seen, else 0.
        """
        both = torch.cat([decoded, seen, known, decoded - seen], dim=1)
        features = F.pixel_unshuffle(both, 2)
        for number, layer in enumerate(self.body):
            added = F.silu(layer(features))
            features = added if number == 0 else features + added
        share = F.pixel_shuffle(self.out(features), 2).sigmoid() * known
        return decoded + share * (seen - decoded)
