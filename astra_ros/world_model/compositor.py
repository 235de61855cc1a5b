"""What was really seen, laid over what was imagined."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Compositor(nn.Module):
    """Takes each pixel from the decoded picture or from one that was observed, and mends a little.

    A decoded latent is soft, also where nothing has changed. The observed picture is sharp; where it
    still holds is for this small network to say, from how the two differ. It works on blocks of 2 x 2
    pixels. New, it hardly changes anything.
    """

    WIDTH = 32
    MENDING = 0.1       # of the range of values, what may be added at most for a logit of 1

    def __init__(self):
        super().__init__()
        width = self.WIDTH
        self.body = nn.ModuleList([nn.Conv2d(4 * 10, width, 3, padding=1),
                                   nn.Conv2d(width, width, 3, padding=2, dilation=2),
                                   nn.Conv2d(width, width, 3, padding=1)])
        self.out = nn.Conv2d(width, 4 * 4, 3, padding=1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)
        with torch.no_grad():
            self.out.bias[:4] = -4.0    # of the share of the observed picture, at each of 2 x 2 pixels

    def forward(self, decoded: Tensor, seen: Tensor, known: Tensor) -> Tensor:
        """-> [B, 3, h, w], not clamped.

        Args: `decoded` [B, 3, h, w] in 0..1; `seen` [B, 3, h, w], the last observed picture as it would
        look from where the camera then is; `known` [B, 1, h, w], 1 where that was really seen, else 0.
        """
        both = torch.cat([decoded, seen, known, decoded - seen], dim=1)
        features = F.pixel_unshuffle(both, 2)
        for number, layer in enumerate(self.body):
            added = F.silu(layer(features))
            features = added if number == 0 else features + added
        out = F.pixel_shuffle(self.out(features), 2)
        share = out[:, :1].sigmoid() * known
        return decoded + share * (seen - decoded) + self.MENDING * out[:, 1:]
