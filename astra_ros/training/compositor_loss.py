"""How a compositor learns: to be right where the future is known, and sharp everywhere."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from astra_ros.training.lpips import Lpips
from astra_ros.training.trainer import Losses
from astra_ros.world_model.compositor import Compositor
from astra_ros.world_model.config import RENDER_CHANNELS

ENOUGH_DB = 30.0  # an image of this PSNR counts half as much as its share of decibels
# Weights of the losses beside that in decibels.
ADVERSARIAL, FEATURE_MATCHING, PERCEPTUAL = 0.1, 4.0, 4.0


class Discriminator(nn.Module):
    """Tells camera images from drawn ones, patch by patch (Isola et al. 2017).

    Its layers have spectral norms (Miyato et al. 2018), so it cannot grow too sure. Beside the image it sees what is
    known of it: the observed image, and the robot's render.
    """

    WIDTHS = (10, 48, 96, 128)  # 3 colours, 3 observed ones, whether they are, and the render; then each halving

    def __init__(self):
        super().__init__()
        self.halvings = nn.ModuleList(
            [
                spectral_norm(nn.Conv2d(before, after, 4, stride=2, padding=1))
                for before, after in zip(self.WIDTHS, self.WIDTHS[1:])
            ]
        )
        self.out = spectral_norm(nn.Conv2d(self.WIDTHS[-1], 1, 3, padding=1))

    def forward(self, image: Tensor, seen: Tensor, known: Tensor, robot: Tensor) -> tuple[list[Tensor], Tensor]:
        """-> (features of each level [B, c, ...], logits [B, 1, h / 8, w / 8], above 0 for camera images).

        Args: `image`, `seen` [B, 3, h, w] and `known` [B, 1, h, w] as in `Compositor.forward`; `robot` [B, 3, h, w],
        the render at that time.
        """
        x, levels = torch.cat([image * 2 - 1, seen * known, known, robot], dim=1), []
        for layer in self.halvings:
            x = F.leaky_relu(layer(x), 0.2)
            levels.append(x)
        return levels, self.out(x)


class CompositorGan(nn.Module):
    """A compositor, and the discriminator that it learns from; only the compositor is kept."""

    def __init__(self, compositor: Compositor):
        super().__init__()
        self.compositor = compositor
        self.discriminator = Discriminator()


class CompositorLoss(Losses[CompositorGan]):
    """Squared error of each image relative to its present value, nearly the mean in decibels; an adversarial loss; and
    feature matching: the discriminator's features of the drawn image shall be those of the truth (Wang et al. 2018).

    Squared error alone has an image fade to the mean wherever the future is not certain. The discriminator learns in
    the same step, by the hinge loss. With `lpips`, that distance to the truth counts, too. Squared errors where the
    object is, or was, count `object_weight` times more: it has few pixels, and would be left out.
    """

    def __init__(self, model: CompositorGan, lpips: Lpips | None, object_weight: float):
        super().__init__(model)
        self.lpips, self.object_weight = lpips, object_weight

    def forward(
        self, decoded: Tensor, seen: Tensor, known: Tensor, robot: Tensor, truth: Tensor, thing: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Args: as `Compositor.forward`; `truth` [B, 3, h, w], and `thing` [B, 1, h, w], 1 where the object is."""

        def error(images, weight=1.0):
            return ((images.float() - truth).square() * weight).mean((1, 2, 3))

        given = seen, known, robot[:, :RENDER_CHANNELS]
        made = self.model.compositor.raw(decoded, seen, known, robot)
        own = error(made)
        weighted = error(made, 1 + self.object_weight * thing)
        decibels = (weighted / (own.detach() + 10 ** (-ENOUGH_DB / 10))).mean()

        discriminator = self.model.discriminator.requires_grad_(False)
        features, logits = discriminator(made, *given)
        with torch.no_grad():
            wanted, _ = discriminator(truth, *given)
        matching = sum((a - b).abs().mean() for a, b in zip(features, wanted))

        discriminator.requires_grad_(True)
        real, drawn = discriminator(truth, *given)[1].float(), discriminator(made.detach(), *given)[1].float()
        hinge = F.relu(1 - real).mean() + F.relu(1 + drawn).mean()

        loss = decibels + FEATURE_MATCHING * matching - ADVERSARIAL * logits.float().mean() + hinge
        parts = {"feature_matching": matching, "discriminator": hinge}
        if self.lpips is not None:
            parts["lpips"] = self.lpips.distance(made, truth).mean()
            loss = loss + PERCEPTUAL * parts["lpips"]
        gain = 10 * (error(decoded) / own.detach().clamp_min(1e-8)).clamp_min(1e-8).log10()
        parts = {"psnr_db": -10 * own.clamp_min(1e-8).log10().mean(), "gain_db": gain.mean(), **parts}
        return loss, {name: part.detach() for name, part in parts.items()}
