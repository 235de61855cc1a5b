"""The functions that the seed document prints, by its names and with its arguments.

Nothing in the package calls them; they are kept for readers of that document, and tested. The package imagines by
`astra_ros.inference`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from astra_ros.world_model.astra import Astra
from astra_ros.world_model.imagine import PlanBatch, imagine_latents
from astra_ros.world_model.rollout import FrameContext
from astra_ros.world_model.style_transfer import StyleTransfer


@dataclass(frozen=True)
class SeedOptions:
    """What the seed document leaves open: number of the action space, denoising steps, seed of the noise."""

    space: int = 0
    steps: int | None = None
    seed: int = 0


def denoise(model: Astra, noisy: Tensor, time: Tensor, actions: Tensor, history: Tensor, space: int = 0) -> Tensor:
    """Denoise the frame that follows `history` in one pass: `Astra.forward` of the seed document.

    Args: `noisy` [B, C, h, w]; `time` [B] 0 noise .. 1 clean; `actions` [B, A], what is done until that frame;
    `history` [B, T, C, h, w] clean latents, oldest first. Returns the prediction [B, C, h, w].
    """
    newest, before = history[:, -1:], history[:, max(-2, -history.shape[1]), None]
    zero = torch.zeros(len(noisy), 1, device=noisy.device)
    condition = model.action_encoder(actions[:, None], space)[:, :, None]
    frame = FrameContext(newest, before, newest, zero, zero[..., None] + 1, condition)
    made = model.denoise(noisy[:, None, None], time[:, None, None], frame, model.remember(history))
    return made.prediction[:, 0, 0]


def multi_step_prediction(
    model: Astra,
    initial_frames: Tensor,
    action_sequence: Tensor,
    prediction_horizon: int | None = None,
    options: SeedOptions = SeedOptions(),
) -> Tensor:
    """Frames in, actions in, frames out: the plain use of the model.

    Args: `initial_frames` [B, T, 3, h, w] in 0..1, oldest first; `action_sequence` [B, H, A]; `prediction_horizon`
    frames to make, at most and by default H. Returns [B, H, 3, h, w] in 0..1.
    """
    return conditional_video_generation(
        model, initial_frames, action_sequence, horizon=prediction_horizon, options=options
    )


@torch.no_grad()
def conditional_video_generation(
    model: Astra,
    initial_frames: Tensor,
    action_trajectory: Tensor,
    style: Tensor | None = None,
    horizon: int | None = None,
    transfer: StyleTransfer | None = None,
    options: SeedOptions = SeedOptions(),
) -> Tensor:
    """As `multi_step_prediction`, in the look of the image `style` [B, 3, h, w] if one is given.

    The observed frames get that look by `transfer`, trained on this model's latents, and what follows is
    imagined from them. `initial_frames` may also be a single frame each, [B, 3, h, w]. Frames are as decoded:
    nothing that was seen is laid over them.

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
    plans = PlanBatch(action_trajectory[:, None, :horizon], options.space)
    made = imagine_latents(model, history, plans, options.seed, options.steps)
    return model.autoencoder.decode(made.latents[:, 0].flatten(0, 1)).unflatten(0, (batch, horizon))
