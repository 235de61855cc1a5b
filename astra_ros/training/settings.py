"""How to train: every number, its default, its limits and its help text, in one place."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from typing import Any

from astra_ros.datasets.episode import LEAST_FRAMES
from astra_ros.settings import MOST_SEED
from astra_ros.training.errors import TrainingError

RATE = "peak learning rate of AdamW"
BATCH = "frames of a step, over all processes"


def _number(default: float, text: str, low: float = 0, high: float = math.inf) -> Any:
    return field(default=default, metadata={"description": text, "range": (low, high)})


def check_limits(settings: OptimiserSettings) -> None:
    """Raises TrainingError that names the first setting outside its limits."""
    for item in fields(settings):
        value, (low, high) = getattr(settings, item.name), item.metadata["range"]
        if not low <= value <= high or not math.isfinite(value):
            most = f"to {high:g}" if math.isfinite(high) else "or more"
            raise TrainingError(f"is {value:g}; expected {low:g} {most}", thing=item.name)


@dataclass(frozen=True)
class OptimiserSettings:
    """What every training has."""

    warmup_steps: int = _number(200, "steps of the linear warm-up, at most a tenth of all; a cosine decay follows")
    weight_decay: float = _number(0.01, "weight decay of AdamW", 0, 1.0)
    clip_norm: float = _number(1.0, "gradients are clipped to this norm", 1e-6)
    average_decay: float = _number(
        0.998, "decay of the moving average of the weights; the average becomes the model", 0, 0.999999
    )
    seed: int = _number(0, "seed of the first weights, the batches and the noise", 0, MOST_SEED)
    checkpoint_every: int = _number(200, "steps between checkpoints", 1)

    def __post_init__(self) -> None:
        check_limits(self)


@dataclass(frozen=True)
class TrainSettings(OptimiserSettings):
    """Settings of `astra train`. The seed document's figures are those of the preset `paper`."""

    autoencoder_steps: int = _number(8000, "optimiser steps of the autoencoder; 0 leaves it unchanged")
    autoencoder_batch: int = _number(32, BATCH, 1)
    autoencoder_rate: float = _number(1e-3, RATE, 1e-8, 1.0)
    places_steps: int = _number(
        600,
        "optimiser steps of a new object token by itself, before the dynamics, where episodes label object and tool",
    )
    places_batch: int = _number(256, BATCH, 1)
    places_rate: float = _number(2e-3, RATE, 1e-8, 1.0)
    dynamics_steps: int = _number(10000, "optimiser steps of the dynamics")
    dynamics_batch: int = _number(16, "clips of a step, over all processes", 1)
    dynamics_rate: float = _number(5e-4, RATE, 1e-8, 1.0)
    compositor_steps: int = _number(3000, "optimiser steps of the compositor, in networks that have one")
    compositor_batch: int = _number(16, BATCH, 1)
    compositor_rate: float = _number(1e-3, RATE, 1e-8, 1.0)
    rollout_from: float = _number(
        0.3, "share of the steps after which every other batch is a rollout of the model; 1: never", 0, 1.0
    )
    max_history_noise: float = _number(
        0.5, "strongest noise on the newest latents, in standard deviations; 0: none", 0, 10.0
    )
    object_weight: float = _number(
        4.0,
        "extra weight of errors where the object is seen, or was: of latents (flow matching only), and of the "
        "compositor's images; 0: none",
    )
    moved_weight: float = _number(
        0.0, "extra weight of the latent error where the scene changes; 0: none; flow matching only"
    )
    outcome_weight: float = _number(
        1.0,
        "weight of the errors of outcomes (contacts, leaving the road, positions) beside that of the latents, as a "
        "multiple of the usual one: more for scores, less for pictures",
        0,
        1000.0,
    )
    starts_every: int = _number(
        1,
        "clips start at every n-th frame of an episode. From 2 on, the newest frame of a moving camera, reprojected to "
        "its future poses, is kept in memory for the next use of the clip: steps are faster, clips are fewer",
        1,
    )
    branch_share: float = _number(
        0.5,
        "share of a step's clips that are branches (`--branches`), more than 0 and less than 1: more for scores, less "
        "for pictures",
        0,
        1.0,
    )
    minutes: float = _number(
        0.0,
        "train for so long, in all runs of the command together, in place of numbers of steps: the stages with steps "
        "share the time, loading included, and their learning rates follow it. What follows the last step (validation, "
        "writing the model) comes on top. 0: numbers of steps",
    )
    horizon: int = _number(LEAST_FRAMES - 1, "frames of a clip that are predicted", 1)


@dataclass(frozen=True)
class StyleSettings(OptimiserSettings):
    """Settings of `astra style`."""

    style_steps: int = _number(6000, "optimiser steps")
    style_batch: int = _number(32, "frames of a step", 1)
    style_rate: float = _number(1e-3, RATE, 1e-8, 1.0)
    warmup_steps: int = _number(100, "steps of the linear warm-up, at most a tenth of all; a cosine decay follows")
    weight_decay: float = _number(0.05, "weight decay of AdamW", 0, 1.0)
    seed: int = _number(0, "seed of the first weights, the batches and the recoloured frames", 0, MOST_SEED)


# The seed document gives no numbers of steps.
PAPER_SETTINGS = TrainSettings(
    autoencoder_steps=100_000,
    autoencoder_rate=1e-4,
    dynamics_steps=100_000,
    dynamics_rate=1e-4,
    dynamics_batch=16,
    warmup_steps=5000,
    rollout_from=1.0,
)


def settings_for(preset: str) -> TrainSettings:
    return PAPER_SETTINGS if preset == "paper" else TrainSettings()
