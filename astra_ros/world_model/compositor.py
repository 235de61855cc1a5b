"""What people look at: the decoded frame, drawn sharp, with what is known of it laid over."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from astra_ros.world_model.autoencoder import ResidualBlock
from astra_ros.world_model.config import RENDER_CHANNELS
from astra_ros.world_model.layers import start_at_zero


class Compositor(nn.Module):
    """Draws the picture of an imagined latent: what still holds of the observed image, and the rest anew.

    The imagined latent is about the mean of all futures, so the decoded frame is blurred, also where nothing has
    changed. The observed image is sharp. This network estimates for every pixel how much of the observed image still
    holds, and draws the rest: what moved has the look that it had in the observed image, and the robot's place, then
    and now, is known from its description (kinematic conditioning). It is a U-Net whose coarsest cells are those of
    the latents, so a pixel may depend on all of an image of 128 x 128. Untrained, it changes almost nothing.
    """

    WIDTHS = (32, 64, 96)  # channels at 1/2, 1/4 and 1/8 of the image's size

    def __init__(self):
        super().__init__()
        fine, middle, coarse = self.WIDTHS
        self.stem = nn.Sequential(
            nn.PixelUnshuffle(2), nn.Conv2d(4 * (10 + 2 * RENDER_CHANNELS), fine, 3, padding=1), ResidualBlock(fine)
        )
        self.to_middle = nn.Sequential(nn.Conv2d(fine, middle, 4, stride=2, padding=1), ResidualBlock(middle))
        self.to_coarse = nn.Sequential(
            nn.Conv2d(middle, coarse, 4, stride=2, padding=1), *[ResidualBlock(coarse) for _ in range(3)]
        )
        self.up_to_middle = nn.Sequential(nn.Conv2d(coarse, 4 * middle, 1), nn.PixelShuffle(2))
        self.middle = ResidualBlock(middle)
        self.up_to_fine = nn.Sequential(nn.Conv2d(middle, 4 * fine, 1), nn.PixelShuffle(2))
        self.fine = ResidualBlock(fine)
        # For each of 2 x 2 pixels: the logit of the observed share, then what is added to the decoded colours.
        self.out = nn.Conv2d(fine, 4 * 4, 3, padding=1)
        start_at_zero(self.out)
        nn.init.constant_(self.get_parameter("out.bias")[:4], -4.0)

    def forward(self, decoded: Tensor, seen: Tensor, known: Tensor, robot: Tensor | None = None) -> Tensor:
        """-> [B, 3, h, w] in 0..1.

        Args: `decoded` [B, 3, h, w] in 0..1; `seen` [B, 3, h, w], the last observed image as it looks from the camera's
        later place; `known` [B, 1, h, w], 1 where that was observed, else 0; `robot` [B, 6, h, w] in 0..1, the robot's
        render at that time and, behind it, that of the observed image; zeros or None where it is not rendered.
        """
        return self.raw(decoded, seen, known, robot).clamp(0, 1)

    def raw(self, decoded: Tensor, seen: Tensor, known: Tensor, robot: Tensor | None = None) -> Tensor:
        """As `forward`, without clipping, so that training has a gradient everywhere."""
        if robot is None:
            robot = decoded.new_zeros(len(decoded), 2 * RENDER_CHANNELS, *decoded.shape[-2:])
        fine = self.stem(torch.cat([decoded, seen, known, decoded - seen, robot], dim=1))
        middle = self.to_middle(fine)
        middle = self.middle(middle + self.up_to_middle(self.to_coarse(middle)))
        fine = self.fine(fine + self.up_to_fine(middle))
        share, added = F.pixel_shuffle(self.out(F.silu(fine)), 2).split([1, 3], dim=1)
        share = share.sigmoid() * known
        return share * seen + (1 - share) * (decoded + added)
