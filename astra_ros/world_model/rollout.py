"""The one rollout, which every engine, the training and the evaluation share: chunk by chunk, each from the last.

It works on arrays of any kind (numpy, torch with and without gradients, an engine's own) by their operators and
indexing alone; the network is a `Denoiser`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from astra_ros.world_model.config import AstraConfig
from astra_ros.world_model.sampler import Sampler, make_sampler

Array = Any  # numpy, torch or an engine's own: with operators and indexing


class FrameContext(NamedTuple):
    """What the F frames of a chunk are denoised from, for N chunks of each of B requests.

    Where all chunks share a value, its size may be 1 in place of N (of all but `condition`).
    """

    newest: Array  # [B, N, C, h, w] the latent before the chunk, noise of level `history_noise` on it
    before: Array  # [B, N, C, h, w] the latent before that, with the same noise
    clean: Array  # [B, N, C, h, w] `newest` without the noise: what is moved, so that no noise is handed on
    history_noise: Array  # [B, N] standard deviations
    age: Array  # [B, N, F] frames since the last observed one, 1 for the first imagined
    condition: Array  # [B, N, F, D] action
    robot_tokens: Array | None = None  # [B, N, F, L, D] the robot's renders; None: not rendered
    reprojected: Array | None = None  # [B, N, F, C + 1, h, w] the last observed image from where the camera will be


class Denoised(NamedTuple):
    """What one pass of the denoiser gives, for B requests of N chunks of F frames."""

    prediction: Array  # [B, N, F, C, h, w] clean latent (flow) or noise (ddpm)
    log_error: Array  # [B, N, F, L] log of the squared error expected at each token
    features: Array  # [B, N, F, L, D] last hidden tokens, read by the outcome heads; two more with an object token


class Denoiser(Protocol):
    """What the rollout asks of a network."""

    def denoise(self, noisy: Array, time: Array, frame: FrameContext, memory: Any) -> Denoised:
        """One pass from `noisy` [B, N, F, C, h, w] at `time` [B, N, F], 0 noise .. 1 clean; `memory` of the history.

        `noisy` and `time` may have size 1 in place of N, as the parts of `frame`.
        """

    def remember(self, history: Array) -> Any:
        """The memory of a history [B, T, C, h, w]."""


class Start(NamedTuple):
    """Where a rollout starts."""

    history: Array  # [B, T, C, h, w] the observed latents, oldest first
    memory: Any  # of that history


class PlanConditions(NamedTuple):
    """What H frames of N plans are imagined by; fields as in `FrameContext`."""

    age: Array  # [H] 1 to H
    condition: Array  # [B, N, H, D]
    robot_tokens: Array | None = None  # [B, N, H, L, D]
    reprojected: Array | None = None  # [B, N, H, C + 1, h, w]
    free: Array | None = None  # [B, N, 1, D] the condition without an action, for guidance

    def frames(self, first: int, after: int) -> PlanConditions:
        """Those of some frames."""
        tokens, seen = self.robot_tokens, self.reprojected
        return PlanConditions(
            self.age[first:after],
            self.condition[:, :, first:after],
            None if tokens is None else tokens[:, :, first:after],
            None if seen is None else seen[:, :, first:after],
            self.free,
        )

    def at(self, kept: Sequence[int]) -> PlanConditions:
        """Frames at a stride: `condition` becomes the mean over the steps from one of the frames to the next.

        Args: `kept`, the frames' numbers, 1 to H, from `coarse_frames`. `robot_tokens` and `reprojected` are those of
        these frames already: so the others are not made.
        """
        if len(kept) == self.condition.shape[2]:
            return self
        age = concatenated([self.age[number - 1 : number] for number in kept], 0)
        intervals = zip([0, *kept], kept)
        means = [self.condition[:, :, first:after].mean(2)[:, :, None] for first, after in intervals]
        return self._replace(age=age, condition=concatenated(means, 2))


def coarse_frames(horizon: int, stride: int) -> list[int]:
    """The frames, 1 to `horizon`, that are imagined at a stride: every `stride`-th and the last."""
    return [*range(stride, horizon, stride), horizon]


class Noise(NamedTuple):
    """Standard normal numbers for S chunks of F frames; the plans of a request share them."""

    history: Array  # [B, S, C, h, w]
    samples: Array  # [B, S, F, C, h, w]


@dataclass(frozen=True)
class Sampling:
    """How frames are sampled.

    Action-free guidance is as in the Astra paper; other than 1, a pass costs twice as much.
    """

    sampler: Sampler
    steps: int = 1  # denoising passes a chunk
    history_noise: float = 0.0  # level put on the newest latents, standard deviations
    chunk: int = 1  # F, frames made together
    guidance: float = 1.0  # how many times what an action changes is taken
    initial_noise: float = 1.0  # standard deviation of what a chunk starts from
    renew_memory: bool = False  # after a chunk, remember what each plan has come to

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ValueError(f"denoising steps must be at least 1, got {self.steps}")

    @classmethod
    def of(cls, config: AstraConfig, steps: int | None = None, guidance: float = 1.0, stride: int = 1) -> Sampling:
        """As a network is meant to be sampled; `steps` None takes its own number.

        At a stride, a chunk covers as many steps of the plan in fewer frames. Raises ValueError for a stride that the
        network was not trained for.
        """
        if stride not in config.strides:
            raise ValueError(f"stride {stride}: the network was trained for {', '.join(map(str, config.strides))}")
        steps = config.denoising_steps if steps is None else steps
        return cls(
            make_sampler(config),
            steps,
            config.history_noise,
            max(1, config.chunk // stride),
            guidance,
            config.initial_noise,
            config.time_attention,
        )


class DenoisingAutoregressiveStep:
    """One step of the rollout: put a little noise on the newest latents, then denoise the next chunk.

    The network was trained on histories with noise of a known level. So it takes its own small errors for
    noise, instead of trusting them.
    """

    def __init__(self, network: Denoiser, memory: Any, sampling: Sampling):
        self.network, self.memory, self.sampling = network, memory, sampling

    def __call__(self, newest: Array, before: Array, plans: PlanConditions, noise: Noise) -> Denoised:
        """The chunk of `plans` that follows `newest` and `before`; `noise` is of one chunk, its S left out.

        In what it returns, `prediction` is the clean latent.
        """
        level, guidance = self.sampling.history_noise, self.sampling.guidance
        corruption = level * noise.history[:, None]
        frames = plans.condition.shape[2]
        sample = self.sampling.initial_noise * noise.samples[:, None, :frames]
        age = plans.age[None, None]
        frame = FrameContext(
            newest + corruption,
            before + corruption,
            newest,
            0 * age[..., 0] + level,
            age,
            plans.condition,
            plans.robot_tokens,
            plans.reprojected,
        )
        steps = self.sampling.steps
        for step in range(steps):
            time = step / steps
            denoised = self.network.denoise(sample, 0 * age + time, frame, self.memory)
            prediction = denoised.prediction
            if guidance != 1.0:
                assert plans.free is not None
                free = repeated(plans.free, frames, 2)
                bare = frame._replace(condition=free, robot_tokens=None, reprojected=None)
                without = self.network.denoise(sample, 0 * age + time, bare, self.memory).prediction
                prediction = without + guidance * (prediction - without)
            sample = self.sampling.sampler.advance(sample, prediction, time, (step + 1) / steps)
        return denoised._replace(prediction=sample)


def rollout(
    network: Denoiser, start: Start, plans: PlanConditions, noise: Noise, sampling: Sampling
) -> Iterator[Denoised]:
    """Imagine every plan of every request at once; yields one chunk after the other, the last perhaps shorter.

    With `renew_memory`, the history of a chunk after the first is what its plan has come to, imagined frames and all,
    and it is as old as an observed one: each chunk is what the network was trained on.
    """
    step = DenoisingAutoregressiveStep(network, start.memory, sampling)
    history = start.history[:, None]  # [B, 1 or N, T, C, h, w]
    batch, count, horizon = plans.condition.shape[:3]
    kept = start.history.shape[1] if sampling.renew_memory else 2
    for number, first in enumerate(range(0, horizon, sampling.chunk)):
        now = plans.frames(first, min(first + sampling.chunk, horizon))
        drawn = Noise(noise.history[:, number], noise.samples[:, number])
        newest, before = (history[:, :, max(at, -history.shape[2])] for at in (-1, -2))
        if sampling.renew_memory and number:
            # Each plan is a request of its own: it has its own memory.
            step.memory = network.remember(_merged(history)[:, 0])
            now = PlanConditions(plans.age[: now.age.shape[0]], *(_merged(part) for part in now[1:]))
            drawn = Noise(*(_merged(repeated(part[:, None], count, 1))[:, 0] for part in drawn))
            newest, before = _merged(newest), _merged(before)
        made = step(newest, before, now, drawn)
        made = Denoised(*(part.reshape(batch, count, *part.shape[2:]) for part in made))
        yield made
        known = repeated(history, count, 1) if history.shape[1] < count else history
        history = concatenated([known, made.prediction], 2)[:, :, -kept:]


def _merged(x: Array) -> Array:
    """[B, N, ...] -> [B * N, 1, ...]; None stays None."""
    return None if x is None else x.reshape(-1, 1, *x.shape[2:])


def repeated(x: Array, count: int, axis: int) -> Array:
    """An array of size 1 on an axis, `count` times. By a list as index, a GPU would have to be waited for."""
    return concatenated([x] * count, axis)


def concatenated(arrays: Sequence[Array], axis: int) -> Array:
    """Arrays of one kind, joined on an axis by the library that they come from."""
    if len(arrays) == 1:
        return arrays[0]
    return sys.modules[type(arrays[0]).__module__].concatenate(tuple(arrays), axis)
