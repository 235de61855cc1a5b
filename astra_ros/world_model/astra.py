"""Astra: an autoregressive denoising world model (after arXiv 2512.08931), in one small class."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from astra_ros.world_model.action_encoder import ActionConditionEncoder
from astra_ros.world_model.autoencoder import FrameAutoencoder
from astra_ros.world_model.compositor import Compositor
from astra_ros.world_model.config import AstraConfig
from astra_ros.world_model.denoiser import Denoised, DenoisingTransformer, Memory, OutcomeHeads
from astra_ros.world_model.diffusion import make_process
from astra_ros.world_model.temporal import TemporalTransformer


class Prediction(NamedTuple):
    """One imagined frame of each of B x N plans."""

    latent: Tensor  # [B, N, C, h, w]
    log_error: Tensor  # [B, N, L] log expected squared latent error of each token
    outcomes: dict[str, Tensor]  # contacts as logits [B, N], positions [B, N, 3] in metres


class Astra(nn.Module):
    """Frame autoencoder, temporal encoder, action encoder, denoiser, outcome heads, compositor.

    All but the autoencoder and the compositor work on latents. One pass of `denoise` is one denoising step of one
    frame; `predict_next` runs a whole denoising loop; `imagine.py` strings frames together.
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
        """The observed history, worked on once for all plans of a request.

        `observed` [B, C, h, w] is its last latent before noise was put on it, if that was done.
        """
        return self.denoiser.project_memory(
            self.temporal_encoder(history_BTChw), history_BTChw[:, -1] if observed is None else observed
        )

    def denoise(
        self,
        noisy: Tensor,
        newest: Tensor,
        before: Tensor,
        time: Tensor,
        history_noise: Tensor,
        age: Tensor,
        condition: Tensor,
        memory: Memory,
        picture: Tensor | None = None,
        clean: Tensor | None = None,
        reprojected: Tensor | None = None,
    ) -> Denoised:
        """One denoising step; shapes as in `DenoisingTransformer.forward`."""
        return self.denoiser(
            noisy, newest, before, time, history_noise, age, condition, memory, picture, clean, reprojected
        )

    def picture(self, robot_renders: Tensor | None, known: Tensor | None = None) -> Tensor | None:
        """Renders of the robot [B, N, 3, h, w] as tokens; None where there are none or no use."""
        if robot_renders is None or self.denoiser.drawing is None:
            return None
        return self.denoiser.drawing(robot_renders, known)

    def pictures(self, latents: Tensor, seen: Tensor, known: Tensor, robot: Tensor | None = None) -> Tensor:
        """Imagined latents [B, C, h, w] as pictures [B, 3, h, w] in 0..1; the others as in
        `Compositor.forward`."""
        decoded = self.autoencoder.decode(latents)
        return decoded if self.compositor is None else self.compositor(decoded, seen, known, robot)

    def forward(self, noisy: Tensor, time: Tensor, actions: Tensor, history: Tensor, space: int = 0) -> Tensor:
        """Denoise the frame that follows `history` in one pass: the seed document's signature.

        Args: `noisy` [B, C, h, w]; `time` [B] 0 noise .. 1 clean; `actions` [B, A], what is done
        until that frame; `history` [B, T, C, h, w] clean latents, oldest first. Returns the
        prediction [B, C, h, w].
        """
        batch = noisy.shape[0]
        condition = self.action_encoder(actions[:, None], space)
        zero = torch.zeros(batch, 1, device=noisy.device)
        newest, before = history[:, -1:], history[:, -2:-1] if history.shape[1] > 1 else history
        denoised = self.denoise(
            noisy[:, None], newest, before, time[:, None], zero, zero + 1, condition, self.remember(history)
        )
        return denoised.prediction[:, 0]

    def predict_next(
        self,
        newest: Tensor,
        before: Tensor,
        condition: Tensor,
        memory: Memory,
        age: int,
        noise: Tensor,
        steps: int | None = None,
        history_noise: float | None = None,
        free: Tensor | None = None,
        guidance: float = 1.0,
        picture: Tensor | None = None,
        clean: Tensor | None = None,
        reprojected: Tensor | None = None,
    ) -> Prediction:
        """The next frame of every plan, by `steps` denoising steps from `noise`.

        Args: `newest`, `before`, `noise` [B, N, C, h, w]; `condition` [B, N, D]; `age` of the frame
        to make, 1 for the first imagined one. `newest` and `before` should carry the history noise
        already (see `DenoisingAutoregressiveStep`). Steps and level default to the config's. With
        `free` [B, N, D], the condition without the action, what the action changes in every
        prediction is taken `guidance` times (action-free guidance, as in the Astra paper). `picture`
        [B, N, L, D] is what `picture` made of the frame's robot renders; `clean` is `newest` without the noise;
        `reprojected` as in `DenoisingTransformer.forward`.
        """
        steps = self.config.denoising_steps if steps is None else steps
        if steps < 1:
            raise ValueError(f"denoising steps must be at least 1, got {steps}")
        level = self.config.history_noise if history_noise is None else history_noise
        batch, frames = newest.shape[:2]
        ones = torch.ones(batch, frames, device=newest.device)
        times = self.process.times(steps, newest.device)
        sample = noise
        for time, next_time in zip(times[:-1], times[1:]):
            denoised = self.denoise(
                sample,
                newest,
                before,
                ones * time,
                ones * level,
                ones * age,
                condition,
                memory,
                picture,
                clean,
                reprojected,
            )
            prediction = denoised.prediction
            if free is not None:
                without = self.denoise(
                    sample, newest, before, ones * time, ones * level, ones * age, free, memory, None, clean
                ).prediction
                prediction = without + guidance * (prediction - without)
            sample = self.process.advance(sample, prediction, time, next_time)
        outcomes = self.outcome_heads(denoised.features) if self.outcome_heads else {}
        return Prediction(sample, denoised.log_error, outcomes)
