"""Astra: an autoregressive denoising world model (after arXiv 2512.08931), in one small class."""

from __future__ import annotations

from torch import Tensor, nn

from astra_ros.world_model.action_encoder import ActionConditionEncoder
from astra_ros.world_model.autoencoder import FrameAutoencoder
from astra_ros.world_model.compositor import Compositor
from astra_ros.world_model.config import AstraConfig
from astra_ros.world_model.denoiser import DenoisingTransformer, Memory, OutcomeHeads
from astra_ros.world_model.diffusion import make_process
from astra_ros.world_model.rollout import Denoised, FrameContext
from astra_ros.world_model.temporal import TemporalTransformer


class Astra(nn.Module):
    """Frame autoencoder, temporal encoder, action encoder, denoiser, outcome heads, compositor.

    All but the autoencoder and the compositor work on latents. One `denoise` is one denoising pass of one chunk;
    `rollout.py` strings passes and chunks together.
    """

    def __init__(self, config: AstraConfig):
        super().__init__()
        self.config = config
        self.process = make_process(config)
        self.autoencoder = FrameAutoencoder(config)
        self.temporal_encoder = TemporalTransformer(config)
        self.action_encoder = ActionConditionEncoder(config)
        self.denoiser = DenoisingTransformer(config)
        self.outcome_heads = OutcomeHeads(config) if config.outcomes else None
        self.compositor = Compositor() if config.compositing else None

    def remember(self, history_BTChw: Tensor, observed: Tensor | None = None) -> Memory:
        """The observed history, encoded once for all plans of a request.

        `observed` [B, C, h, w] is its last latent without noise, where the history carries some.
        """
        return self.denoiser.project_memory(
            self.temporal_encoder(history_BTChw), history_BTChw[:, -1] if observed is None else observed
        )

    def denoise(self, noisy: Tensor, time: Tensor, frame: FrameContext, memory: Memory) -> Denoised:
        """One denoising pass, as in `DenoisingTransformer.forward`: what the rollout asks for."""
        return self.denoiser(noisy, time, frame, memory)

    def render_tokens(self, robot_renders: Tensor | None, known: Tensor | None = None) -> Tensor | None:
        """Renders of the robot [B, N, 3, h, w] in 0..1, or as bytes, as tokens; None where the network has none."""
        if robot_renders is None or self.denoiser.robot_tokens is None:
            return None
        return self.denoiser.robot_tokens(robot_renders, known)

    def composite(self, latents: Tensor, seen: Tensor, known: Tensor, robot: Tensor | None = None) -> Tensor:
        """Imagined latents [B, C, h, w] as images [B, 3, h, w] in 0..1; the others as in `Compositor.forward`."""
        decoded = self.autoencoder.decode(latents)
        return decoded if self.compositor is None else self.compositor(decoded, seen, known, robot)
