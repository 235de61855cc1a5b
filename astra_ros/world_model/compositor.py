"""Known parts of a frame, laid over the imagined one: the last image and the robot."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from astra_ros.world_model.config import RENDER_CHANNELS
from astra_ros.world_model.layers import start_at_zero


class Compositor(nn.Module):
    """Lays the observed image over the decoded one, and the robot over both.

    A decoded frame is blurred, also where nothing has changed. The observed image is sharp. This small
    network estimates for every pixel how much of it still holds, from the difference of the two. The
    robot's place, then and now, is known from its description (kinematic conditioning). The network learns
    the robot's look and the background that it uncovers: it paints on both renders, and up to `REACH`
    pixels around them. It works on blocks of 2 x 2 pixels. Untrained, it changes almost nothing.
    """

    WIDTH = 48
    REACH = 2

    def __init__(self):
        super().__init__()
        width = self.WIDTH
        self.body = nn.ModuleList(
            [
                nn.Conv2d(4 * (10 + 2 * RENDER_CHANNELS), width, 3, padding=1),
                nn.Conv2d(width, width, 3, padding=2, dilation=2),
                nn.Conv2d(width, width, 3, padding=4, dilation=4),
                nn.Conv2d(width, width, 3, padding=1),
            ]
        )
        # For each of 2 x 2 pixels: logits of the observed and the painted share, then the paint.
        self.out = nn.Conv2d(width, 4 * 5, 3, padding=1)
        start_at_zero(self.out)
        nn.init.constant_(self.get_parameter("out.bias")[:8], -4.0)

    def forward(self, decoded: Tensor, seen: Tensor, known: Tensor, robot: Tensor | None = None) -> Tensor:
        """-> [B, 3, h, w] in 0..1.

        Args: `decoded` [B, 3, h, w] in 0..1; `seen` [B, 3, h, w], the last observed image as it looks from the camera's
        later place; `known` [B, 1, h, w], 1 where that was observed, else 0; `robot` [B, 6, h, w] in 0..1, the robot's
        render at that time and, behind it, that of the observed image; zeros or None where it is not rendered.
        """
        if robot is None:
            robot = decoded.new_zeros(len(decoded), 2 * RENDER_CHANNELS, *decoded.shape[-2:])
        features = F.pixel_unshuffle(torch.cat([decoded, seen, known, decoded - seen, robot], dim=1), 2)
        for number, layer in enumerate(self.body):
            added = F.silu(layer(features))
            features = added if number == 0 else features + added
        share, cover, paint = F.pixel_shuffle(self.out(features), 2).sigmoid().split([1, 1, 3], dim=1)
        picture = decoded + share * known * (seen - decoded)
        covered = torch.maximum(robot[:, :1], robot[:, RENDER_CHANNELS : RENDER_CHANNELS + 1])
        near = F.max_pool2d(covered, 2 * self.REACH + 1, 1, self.REACH)
        return picture + cover * near * (paint - picture)
