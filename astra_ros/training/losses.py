"""The losses of the dynamics: one step ahead, and on rollouts of the model itself."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from astra_ros.outcomes import EVENTS
from astra_ros.training.clips import Clip
from astra_ros.training.outcome_loss import LossWeights, outcome_loss, places_loss
from astra_ros.world_model.astra import Astra
from astra_ros.world_model.denoiser import Memory
from astra_ros.world_model.diffusion import FlowMatching, snr_weighted_mse
from astra_ros.world_model.reprojection import not_moved
from astra_ros.world_model.rollout import (
    Denoised,
    FrameContext,
    Noise,
    PlanConditions,
    Sampling,
    Start,
    coarse_frames,
    rollout,
)


class Prepared(NamedTuple):
    """Clips as the model gets them: with a noisy history and encoded conditions."""

    history: Tensor  # [B, T, C, h, w] noisy
    target: Tensor  # [B, H, C, h, w]
    newest: Tensor  # [B, H, C, h, w] clean, the frame before each target
    before: Tensor  # [B, H, C, h, w] clean, the frame before that
    condition: Tensor  # [B, H, D]
    robot_tokens: Tensor | None  # [B, H, L, D] the robot rendered along the plan
    reprojected: Tensor | None  # [B, H, C + 1, h, w] the newest frame, seen from each future camera pose
    age: Tensor  # [H] steps since the newest observed frame
    every_condition: Tensor  # [B, H, D] `condition` of every step, also where the frames are at a stride

    def remember(self, model: Astra) -> Memory:
        """The memory: attention sees the noisy history, but the latents that are moved are clean."""
        return model.remember(self.history, self.newest[:, 0])

    def plan(self, frames: int) -> PlanConditions:
        """The conditions of the first `frames` frames, one plan for each clip: [B, 1, frames, ...]."""
        tokens, seen = self.robot_tokens, self.reprojected
        return PlanConditions(
            self.age[:frames],
            self.condition[:, None, :frames],
            None if tokens is None else tokens[:, None, :frames],
            None if seen is None else seen[:, None, :frames],
        )

    @property
    def moved(self) -> Tensor:
        """How far cells differ from the last observed image, seen from where the camera will be: [B, H, h, w], 0 to 1.

        1 is a change by `MOVED`.
        """
        known = self.newest[:, :1] if self.reprojected is None else self.reprojected[:, :, :-1]
        return ((self.target - known).square().mean(2) / MOVED**2).clamp(max=1)

    def context(self, chunk: int, newest: Tensor, before: Tensor, corruption: Tensor, level: Tensor) -> FrameContext:
        """All chunks of every clip side by side; `newest` and `before` [B, H / F, C, h, w] precede each."""

        def chunks(x: Tensor | None) -> Tensor | None:
            return None if x is None else x.unflatten(1, (-1, chunk))

        return FrameContext(
            newest + corruption,
            before + corruption,
            newest,
            level,
            self.age.unflatten(0, (-1, chunk)).expand(len(newest), -1, -1),
            self.condition.unflatten(1, (-1, chunk)),
            chunks(self.robot_tokens),
            chunks(self.reprojected),
        )


class Pass(NamedTuple):
    """A denoising pass over all frames of clips, [B, H / F, F, ...], and its inputs."""

    denoised: Denoised
    noisy: Tensor
    noise: Tensor
    time: Tensor


MAX_HISTORY_NOISE = 0.5  # strongest noise on the newest latents, in standard deviations
MEMORY_NOISE = 0.1  # strongest noise on the observed history, likewise
# Shares of the clips that are trained without the action, and without robot renders and reprojection.
ACTION_DROPPED, RENDERS_DROPPED = 0.05, 0.1
MOVED = 0.5  # RMS change of a cell's latent, in standard deviations, that counts as a new content


def prepare(
    model: Astra, clip: Clip, generator: torch.Generator, memory_noise: float = MEMORY_NOISE, stride: int = 1
) -> Prepared:
    """Put noise on the history of the clips, and encode their conditions.

    At a stride, H are the frames that `coarse_frames` keeps.
    """
    batch, horizon = clip.actions.shape[:2]
    window = clip.latents.shape[1] - horizon
    device = clip.latents.device

    def chance(probability):
        return (torch.rand(batch, generator=generator) < probability).to(device)

    kept = coarse_frames(horizon, stride)
    rows = torch.tensor(kept, device=device) - 1
    seen, target = clip.latents[:, :window], clip.latents[:, window:][:, rows]
    newest = torch.cat([seen[:, -1:], target[:, :-1]], dim=1)
    before = torch.cat([seen[:, -2:], target], dim=1)[:, : len(kept)]

    actions = model.action_encoder.of_many(clip.actions, clip.spaces)
    dropped = chance(ACTION_DROPPED)[:, None, None]
    actions = torch.where(dropped, model.action_encoder.unconditional(batch, horizon), actions)
    # Robot renders show where the action leads, so without the action they are dropped too.
    plan_shown = ~(chance(RENDERS_DROPPED) | dropped[:, 0, 0])
    robot_tokens = None
    if clip.robot_renders is not None:
        robot_tokens = model.render_tokens(clip.robot_renders[:, rows], clip.rendered & plan_shown)
    reprojected = None
    if clip.reprojected is not None:
        reprojected = torch.where(
            (clip.poses_known & plan_shown)[:, None, None, None, None],
            clip.reprojected[:, rows],
            not_moved(seen[:, -1:]),
        )

    level = memory_noise * torch.rand(batch, 1, 1, 1, 1, generator=generator).to(device)
    history = seen + level * _noise_like(seen, generator)
    age = torch.arange(1, horizon + 1, device=device).float()
    plan = PlanConditions(age, actions[:, None]).at(kept)
    return Prepared(history, target, newest, before, plan.condition[:, 0], robot_tokens, reprojected, plan.age, actions)


def coarse_labels(clip: Clip, stride: int) -> Clip:
    """What is known of the frames at a stride: an event counts in the whole interval that ends at a frame."""
    kept = coarse_frames(clip.actions.shape[1], stride)
    rows = torch.tensor(kept, device=clip.latents.device) - 1
    outcomes = {}
    for name, label in clip.outcomes.items():
        if name in EVENTS:
            unknown = torch.where(label.isfinite(), label, -1)
            parts = [unknown[:, first:after].amax(1) for first, after in zip([0, *kept], kept)]
            coarse = torch.stack(parts, 1)
            outcomes[name] = torch.where(coarse < 0, torch.nan, coarse)
        else:
            outcomes[name] = label[:, rows]
    cells = None if clip.object_cells is None else clip.object_cells[:, rows]
    return replace(clip, outcomes=outcomes, object_cells=cells)


def one_step_loss(
    model: Astra,
    clip: Clip,
    generator: torch.Generator,
    max_noise: float = MAX_HISTORY_NOISE,
    weights: LossWeights = LossWeights(),
    stride: int = 1,
) -> tuple[Tensor, dict[str, Tensor]]:
    """Predict every frame from the two recorded frames before it, with noise on them whose level the model is told.

    In flow matching half of the frames start at pure noise: there a one-step sampler works.

    With time attention all frames of a clip are one chunk, predicted from the last observed frames. A network that
    starts from zeros is trained as it imagines: from zeros alone, and on half of the clips without noise on the
    newest frames. Only such a network is trained at a stride.
    """
    ready = prepare(model, clip, generator, MEMORY_NOISE if max_noise else 0.0, stride)
    config = model.config
    chunk = ready.target.shape[1] if config.time_attention else config.chunk
    target = ready.target.unflatten(1, (-1, chunk))
    newest, before = ready.newest[:, ::chunk], ready.before[:, ::chunk]

    def uniform(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator).to(target.device)

    level = max_noise * uniform(*newest.shape[:2]).square()
    if not config.initial_noise:
        level = level * (uniform(*newest.shape[:2]) < 0.5)
    corruption = level[..., None, None, None] * _noise_like(newest, generator)
    time = uniform(*target.shape[:3])
    if model.process.predicts == "x":
        time = time * (uniform(*target.shape[:3]) < 0.5)
    if not config.initial_noise:
        time = torch.zeros_like(time)
    noise = config.initial_noise * _noise_like(target, generator)
    noisy = model.process.add_noise(target, noise, time)
    frame = ready.context(chunk, newest, before, corruption, level)
    denoised = model.denoise(noisy, time, frame, ready.remember(model))
    own = places_loss(model, ready.every_condition, clip, weights)
    clip = clip if stride == 1 else coarse_labels(clip, stride)
    done = Pass(denoised, noisy, noise, time)
    loss, parts = _loss(model, done, target, clip, _cell_weights(ready, clip, weights), weights)
    return loss + sum(own.values()), parts | {name: part.detach() for name, part in own.items()}


def rollout_loss(
    model: Astra, clip: Clip, generator: torch.Generator, weights: LossWeights = LossWeights()
) -> tuple[Tensor, dict[str, Tensor]]:
    """Predict every frame from the two frames before it *as the model imagines them*.

    The rollout comes first, without gradients: the model learns to be right given its own past mistakes. All frames
    then go through one pass, as in `one_step_loss`. For flow matching only: a one-step DDPM sample is not an image.
    """
    ready = prepare(model, clip, generator)
    memory, chunk = ready.remember(model), model.config.chunk
    target = ready.target.unflatten(1, (-1, chunk))
    newest, before = ready.newest[:, :1], ready.before[:, :1]

    def draw(chunks: int) -> Noise:
        like = target[:, :chunks]
        return Noise(_noise_like(like[:, :, 0], generator), _noise_like(like, generator))

    # A rollout of one plan for each clip, of all chunks but the last.
    alone = [draw(1) for _ in range(target.shape[1] - 1)]
    made = [before, newest]
    if alone:
        noise = Noise(*(torch.cat(parts, dim=1) for parts in zip(*alone)))
        start, plan = Start(torch.cat([before, newest], dim=1), memory), ready.plan(chunk * len(alone))
        with torch.no_grad():
            sampling = Sampling.of(model.config, steps=1)
            made += [each.prediction[:, 0] for each in rollout(model, start, plan, noise, sampling)]
    run = torch.cat(made, dim=1)
    noise = draw(target.shape[1])
    level = torch.full(target.shape[:2], model.config.history_noise, device=target.device)
    corruption = model.config.history_noise * noise.history
    frame = ready.context(chunk, run[:, 1::chunk], run[:, :-1:chunk], corruption, level)
    time = torch.zeros(target.shape[:3], device=target.device)
    denoised = model.denoise(noise.samples, time, frame, memory)
    done = Pass(denoised, noise.samples, noise.samples, time)
    return _loss(model, done, target, clip, _cell_weights(ready, clip, weights), weights)


def _cell_weights(ready: Prepared, clip: Clip, weights: LossWeights) -> Tensor:
    """The weight of each cell of each frame in the denoising loss, [B, H, h, w] or []."""
    made = ready.target.new_ones(())
    if clip.object_cells is not None:
        made = made + weights.object_cells * clip.object_cells
    return made + weights.moved * ready.moved if weights.moved else made


def _noise_like(x: Tensor, generator: torch.Generator) -> Tensor:
    """Standard normal numbers of the shape of `x`, drawn on its device from a seed of `generator`."""
    if x.device.type == "cpu":
        return torch.randn(x.shape, generator=generator)
    seed = int(torch.randint(2**62, (), generator=generator))
    there = torch.Generator(x.device).manual_seed(seed)
    return torch.randn(x.shape, generator=there, device=x.device)


def _loss(
    model: Astra, made: Pass, target: Tensor, clip: Clip, cell_weights: Tensor, weights: LossWeights
) -> tuple[Tensor, dict[str, Tensor]]:
    """The denoising loss and those of the heads. `log_error` is trained to the logarithm of the mean error."""
    noisy, noise, time, target = (x.flatten(1, 2) for x in (made.noisy, made.noise, made.time, target))
    denoised = Denoised(*(x.flatten(1, 2) for x in made.denoised))
    process = model.process
    seen = torch.ones_like(clip.spaces, dtype=torch.bool) if clip.seen is None else clip.seen
    if isinstance(process, FlowMatching):
        error = (denoised.prediction - target).square()
        weighted = error * (cell_weights[:, :, None] if cell_weights.ndim else cell_weights)
        by_clip = weighted.flatten(1).mean(1)
        denoising = balanced(by_clip[seen], clip.spaces[seen]) if seen.any() else 0 * by_clip.sum()
    else:
        error = (process.to_x(noisy, denoised.prediction, time) - target).square()
        denoising = snr_weighted_mse(denoised.prediction, noise, process.snr(time), model.config.snr_gamma)
    token_error = model.denoiser.patchify(error.detach()).mean(-1)
    expected = token_error * (-denoised.log_error).exp() + denoised.log_error
    if isinstance(process, FlowMatching):
        expected = (expected.flatten(1).mean(1) * seen).sum() / seen.sum().clamp_min(1)
    else:  # near pure noise, a noise prediction does not say what the latent is
        clear = (process.snr(time) > 1).float()[..., None]
        expected = (expected * clear).sum() / (clear.sum() * expected.shape[-1]).clamp_min(1)
    parts = {"latent": denoising, "error": weights.error * expected}
    if model.outcome_heads is not None:
        for name, value in model.outcome_heads(denoised.features).items():
            parts[name] = outcome_loss(name, value, clip.outcomes[name], weights, model.config.object_token)
    return sum(parts.values()), {name: part.detach() for name, part in parts.items()}


def balanced(error_B: Tensor, spaces_B: Tensor) -> Tensor:
    """The mean error of clips [B], with a gradient in which every action space `spaces_B` has the same weight.

    A moving camera's frames are much harder to predict than those of an arm at a table, so the hard robots would
    dominate a plain mean's gradient. Here the error of a space counts relative to its present value, as in a mean of
    decibels.
    """
    own = error_B.new_zeros(int(spaces_B.max()) + 1)
    count = own.index_add(0, spaces_B, torch.ones_like(error_B.detach()))
    own = own.index_add(0, spaces_B, error_B.detach()) / count.clamp_min(1)
    weight = error_B.detach().mean() / own[spaces_B].clamp_min(1e-6)
    return (weight * error_B).mean()
