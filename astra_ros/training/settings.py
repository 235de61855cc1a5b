"""How to train: every number, its default and what it means, in one place."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

from astra_ros.datasets.episode import LEAST_FRAMES

# Of numbers that are no counts; others are not negative.
LIMITS = {
    "rate": (1e-8, 1.0),
    "weight_decay": (0.0, 1.0),
    "clip_norm": (1e-6, math.inf),
    "average_decay": (0.0, 0.999999),
    "rollout_from": (0.0, 1.0),
    "max_history_noise": (0.0, 10.0),
}


def _check(settings) -> None:
    """Raises ValueError that names the setting where a number cannot work."""
    for name, value in asdict(settings).items():
        low, high = LIMITS.get("rate" if name.endswith("_rate") else name, (0, math.inf))
        if not low <= value <= high or not math.isfinite(value):
            raise ValueError(
                f"--{name.replace('_', '-')} {value:g}: expected {low:g}"
                + (f" to {high:g}" if math.isfinite(high) else " or more")
            )


@dataclass(frozen=True)
class TrainSettings:
    """Of `astra train`; the seed document's figures are those of `--preset paper`."""

    autoencoder_steps: int = 8000
    autoencoder_batch: int = 32
    autoencoder_rate: float = 1e-3
    dynamics_steps: int = 10000
    dynamics_batch: int = 16
    dynamics_rate: float = 5e-4
    compositor_steps: int = 3000
    compositor_batch: int = 32
    compositor_rate: float = 2e-3
    warmup_steps: int = 200
    weight_decay: float = 0.01
    clip_norm: float = 1.0
    average_decay: float = 0.998
    rollout_from: float = 0.3
    max_history_noise: float = 0.5
    object_weight: float = 4.0
    starts_every: int = 1
    horizon: int = LEAST_FRAMES - 1
    checkpoint_every: int = 200
    seed: int = 0

    def __post_init__(self) -> None:
        _check(self)


SETTINGS_HELP = {
    "autoencoder_steps": "optimiser steps of the autoencoder; 0 leaves it as it is, see --from",
    "autoencoder_batch": "frames a step, over all processes",
    "autoencoder_rate": "peak learning rate of AdamW",
    "dynamics_steps": "optimiser steps of the dynamics",
    "dynamics_batch": "clips a step, over all processes",
    "dynamics_rate": "peak learning rate of AdamW",
    "compositor_steps": "optimiser steps of the compositor; only of networks that have one",
    "compositor_batch": "frames a step, over all processes",
    "compositor_rate": "peak learning rate of AdamW",
    "warmup_steps": "steps in which the rate rises to its peak, at most a tenth of all; then a cosine lets it fall",
    "weight_decay": "of AdamW",
    "clip_norm": "largest norm of the gradient",
    "average_decay": "of the moving average of the weights, which is the model that is written",
    "rollout_from": "share of the steps after which every other batch is the model's own roll-out; 1 is never",
    "max_history_noise": "strongest noise on the newest latents, in standard deviations; 0: none",
    "object_weight": "how much more the latent error counts where the object is seen, and "
    "was; 0: as much; flow matching only",
    "starts_every": "a clip begins at every so manieth frame of an episode. From 2 on what a camera that moves "
    "has seen, from where it goes, is kept in memory for the next use of the clip: steps "
    "are quicker, clips fewer",
    "horizon": "frames of a clip that are predicted",
    "checkpoint_every": "steps between checkpoints",
    "seed": "of the first weights, the batches and the noise",
}


@dataclass(frozen=True)
class StyleSettings:
    """Of `astra style`."""

    style_steps: int = 6000
    style_batch: int = 32
    style_rate: float = 1e-3
    warmup_steps: int = 100
    weight_decay: float = 0.05
    clip_norm: float = 1.0
    average_decay: float = 0.998
    checkpoint_every: int = 200
    seed: int = 0

    def __post_init__(self) -> None:
        _check(self)


STYLE_SETTINGS_HELP = {
    "style_steps": "optimiser steps",
    "style_batch": "frames a step",
    "style_rate": "peak learning rate of AdamW",
    **{
        name: SETTINGS_HELP[name]
        for name in ("warmup_steps", "weight_decay", "clip_norm", "average_decay", "checkpoint_every")
    },
    "seed": "of the first weights, the batches and the recoloured pictures",
}

# Steps are ours: the seed document gives none.
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
