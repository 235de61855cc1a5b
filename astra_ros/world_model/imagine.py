"""Stringing frames together: the autoregressive step, roll-outs of many plans, styled video."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from astra_ros.outcomes import EVENTS
from astra_ros.world_model.astra import Astra, Prediction
from astra_ros.world_model.denoiser import Memory
from astra_ros.world_model.style import StyleTransfer


class DenoisingAutoregressiveStep:
    """One step of the roll-out: re-noise what was just made a little, then denoise the next frame.

    The light noise is the autoregressive signal: the model was trained on histories corrupted by a
    known amount, so it treats its own small mistakes as noise instead of believing them.
    All frames of a request start from one noise draw, so that plans differ by their actions only.
    """

    def __init__(
        self,
        model: Astra,
        steps: int | None = None,
        history_noise: float | None = None,
        generator: torch.Generator | None = None,
        guidance: float = 1.0,
    ):
        self.model = model
        self.guidance = guidance
        self.steps = steps
        self.level = model.config.history_noise if history_noise is None else history_noise
        self.generator = generator

    def draw(self, like: Tensor) -> Tensor:
        """Standard normal noise, one draw a request, shared by its plans: [B, 1, C, h, w]."""
        shape = (like.shape[0], 1, *like.shape[2:])
        noise = torch.randn(
            shape, generator=self.generator, device=self.generator.device if self.generator else like.device
        )
        return noise.to(like.device)

    def __call__(
        self,
        newest: Tensor,
        before: Tensor,
        condition: Tensor,
        memory: Memory,
        age: int,
        free: Tensor | None = None,
        picture: Tensor | None = None,
        reprojected: Tensor | None = None,
    ) -> Prediction:
        """Arguments as in `Astra.predict_next`; `newest` and `before` come in clean."""
        corruption = self.level * self.draw(newest)
        noise = self.draw(newest).expand_as(newest)
        return self.model.predict_next(
            newest + corruption,
            before + corruption,
            condition,
            memory,
            age,
            noise,
            self.steps,
            self.level,
            free,
            self.guidance,
            picture,
            newest,
            reprojected,
        )


@dataclass(frozen=True)
class ImaginedLatents:
    """A roll-out of B requests, N plans each, H frames."""

    latents: Tensor  # [B, N, H, C, h, w]
    uncertainty: Tensor  # [B, N, H] expected RMS latent error
    outcomes: dict[str, Tensor]  # contact probabilities [B, N, H], positions [B, N, H, 3] m


@torch.no_grad()
def imagine_latents(
    model: Astra,
    history: Tensor,
    actions: Tensor,
    space: int = 0,
    steps: int | None = None,
    generator: torch.Generator | None = None,
    guidance: float = 1.0,
    robot_renders: Tensor | None = None,
    reprojected: Tensor | None = None,
) -> ImaginedLatents:
    """Imagine every plan of every request at once.

    Args: `history` [B, T, C, h, w] latents, oldest first; `actions` [B, N, H, A]; `guidance` above 1
    exaggerates what the actions change, at twice the cost; `robot_renders` [B, N, H, 3, h, w] in 0..1, the
    robot drawn along each plan, and `reprojected` [B, N, H, C + 1, h, w] from `reprojected_latents`, the
    last picture from where each plan takes the camera: kinematic conditioning, for models that were trained
    with it.
    """
    batch, plans, horizon, _ = actions.shape
    memory = model.remember(history)
    condition = model.action_encoder(actions, space)
    free = model.action_encoder.unconditional(batch, plans) if guidance != 1.0 else None
    step = DenoisingAutoregressiveStep(model, steps, generator=generator, guidance=guidance)

    newest = history[:, None, -1].expand(-1, plans, -1, -1, -1)
    before = history[:, None, max(-2, -history.shape[1])].expand(-1, plans, -1, -1, -1)
    made: list[Prediction] = []
    for index in range(horizon):
        picture = None if robot_renders is None else model.picture(robot_renders[:, :, index])
        moved = None if reprojected is None else reprojected[:, :, index]
        made.append(step(newest, before, condition[:, :, index], memory, index + 1, free, picture, moved))
        newest, before = made[-1].latent, newest
    outcomes = {name: torch.stack([p.outcomes[name] for p in made], dim=2) for name in made[0].outcomes}
    return ImaginedLatents(
        torch.stack([p.latent for p in made], dim=2),
        torch.stack([p.log_error.exp().mean(-1).sqrt() for p in made], dim=2),
        {name: values.sigmoid() if name in EVENTS else values for name, values in outcomes.items()},
    )


def multi_step_prediction(
    model: Astra,
    initial_frames: Tensor,
    action_sequence: Tensor,
    prediction_horizon: int | None = None,
    space: int = 0,
    steps: int | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Frames in, actions in, frames out: the plain use of the model.

    Args: `initial_frames` [B, T, 3, h, w] in 0..1, oldest first; `action_sequence` [B, H, A];
    `prediction_horizon` frames to make, at most and by default H.
    Returns [B, H, 3, h, w] in 0..1.
    """
    return conditional_video_generation(
        model, initial_frames, action_sequence, None, prediction_horizon, space, steps, generator
    )


@torch.no_grad()
def conditional_video_generation(
    model: Astra,
    initial_frames: Tensor,
    action_trajectory: Tensor,
    style: Tensor | None = None,
    horizon: int | None = None,
    space: int = 0,
    steps: int | None = None,
    generator: torch.Generator | None = None,
    transfer: StyleTransfer | None = None,
) -> Tensor:
    """As `multi_step_prediction`, in the look of the picture `style` [B, 3, h, w] if one is given.

    The observed frames get that look by `transfer`, trained on this model's latents, and what follows is
    imagined from them.
    `initial_frames` may also be a single frame each, [B, 3, h, w]. Frames are as decoded: nothing that was
    seen is laid over them.
    Raises ValueError where the horizon asks for more frames than there are actions, or `style` is given
    without `transfer`.
    """
    if initial_frames.ndim == 4:
        initial_frames = initial_frames[:, None]
    horizon = action_trajectory.shape[1] if horizon is None else horizon
    if not 1 <= horizon <= action_trajectory.shape[1]:
        raise ValueError(f"{horizon} frames asked for, {action_trajectory.shape[1]} actions given")
    batch, frames = initial_frames.shape[:2]
    observed = model.autoencoder.encode(initial_frames.flatten(0, 1))
    if style is not None:
        if transfer is None:
            raise ValueError("style is given without transfer, which is what takes on its look")
        observed = transfer(observed, model.autoencoder.encode(style).repeat_interleave(frames, 0))
    history = observed.unflatten(0, (batch, frames))
    made = imagine_latents(model, history, action_trajectory[:, None, :horizon], space, steps, generator)
    return model.autoencoder.decode(made.latents[:, 0].flatten(0, 1)).unflatten(0, (batch, horizon))
