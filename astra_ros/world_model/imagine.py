"""Rollouts of the torch network from latents: what training, validation and the seed document's functions use."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from astra_ros.outcomes import EVENTS
from astra_ros.world_model.astra import Astra
from astra_ros.world_model.noise import draw_noise
from astra_ros.world_model.rollout import Noise, PlanConditions, Sampling, Start, rollout


class PlanBatch(NamedTuple):
    """N plans of B requests, of one action space."""

    actions: Tensor  # [B, N, H, A]
    space: int = 0  # its number
    robot_renders: Tensor | None = None  # [B, N, H, 3, h, w] in 0..1, the robot along each plan
    reprojected: Tensor | None = None  # [B, N, H, C + 1, h, w] from `reprojected_latents`


class ImaginedLatents(NamedTuple):
    """A rollout of B requests, N plans each, H frames."""

    latents: Tensor  # [B, N, H, C, h, w]
    uncertainty: Tensor  # [B, N, H] expected RMS latent error
    outcomes: dict[str, Tensor]  # contact probabilities [B, N, H], positions [B, N, H, 3] m


def conditions_of(model: Astra, plans: PlanBatch) -> PlanConditions:
    """What the network makes of plans, before anything is imagined."""
    batch, count, horizon, _ = plans.actions.shape
    tokens, tokenizer = None, model.denoiser.robot_tokens
    if plans.robot_renders is not None and tokenizer is not None:
        tokens = torch.stack([tokenizer(plans.robot_renders[:, :, step]) for step in range(horizon)], dim=2)
    return PlanConditions(
        torch.arange(1, horizon + 1, device=plans.actions.device),
        model.action_encoder(plans.actions, plans.space),
        tokens,
        plans.reprojected,
        model.action_encoder.unconditional(batch, count, 1),
    )


@torch.no_grad()
def imagine_latents(
    model: Astra, history: Tensor, plans: PlanBatch, seed: int = 0, steps: int | None = None, guidance: float = 1.0
) -> ImaginedLatents:
    """Imagine every plan of every request at once.

    Args: `history` [B, T, C, h, w] latents, oldest first; `seed` of the noise; `steps` denoising passes a chunk, the
    network's own number if None; `guidance` as in `Sampling`.
    """
    sampling = Sampling.of(model.config, steps, guidance)
    noise = draw_noise(seed, plans.actions.shape[2], model.config.latent_shape, sampling.chunk, len(history))
    noise = Noise(*(torch.from_numpy(part).to(history.device) for part in noise))
    start = Start(history, model.remember(history))
    made = list(rollout(model, start, conditions_of(model, plans), noise, sampling))
    outcomes = [{} if model.outcome_heads is None else model.outcome_heads(chunk.features) for chunk in made]
    joined = {name: torch.cat([chunk[name] for chunk in outcomes], dim=2) for name in outcomes[0]}
    return ImaginedLatents(
        torch.cat([chunk.prediction for chunk in made], dim=2),
        torch.cat([chunk.log_error.exp().mean(-1).sqrt() for chunk in made], dim=2),
        {name: values.sigmoid() if name in EVENTS else values for name, values in joined.items()},
    )
