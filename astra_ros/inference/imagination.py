"""What a world model imagined for the candidate plans of one request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from astra_ros.outcomes import EVENTS, POSITIONS

# Outcome -> numbers per frame behind [K, H]. Other names are allowed and only checked for [K, H].
OUTCOME_SHAPES: dict[str, tuple[int, ...]] = dict.fromkeys(EVENTS, ()) | dict.fromkeys(POSITIONS, (3,))


@dataclass(frozen=True, eq=False)
class Imagination:
    """K plans imagined for H steps, in latent space. Frame k is at (k+1)*dt after the newest image.

    Values are kept as the model gave them, finite or not: the critics veto what is not finite. Of a plan that was
    imagined less far than H, the last imagined frame stands in all later ones.

    `outcomes` are what the model's heads read from each frame; a model without a head lacks the key. `obstacle_contact`
    [K, H]: probability that robot or object touches the obstacle in the interval that ends at the frame;
    `object_contact` [K, H]: the same for robot and object; `off_road` [K, H]: that a wheel is off the lanes;
    `object_position` and `tool_position` [K, H, 3], m in the world frame; `nearest_obstacle` [K, H, 3], m in a mobile
    robot's frame.

    Raises ValueError for shapes that do not fit each other.
    """

    latents: np.ndarray = field(repr=False)  # float32 [K, H, C, h, w]
    uncertainty: np.ndarray = field(repr=False)  # float32 [K, H], >= 0: the expected RMS error of each latent
    outcomes: dict[str, np.ndarray] = field(default_factory=dict, repr=False)
    # int [K], 1 to H, how far each plan was imagined; H where not given
    imagined_steps: np.ndarray = field(default_factory=lambda: np.zeros(0, int))
    # int [K], steps from one imagined frame to the next; 1 where not given
    strides: np.ndarray = field(default_factory=lambda: np.zeros(0, int))

    def __post_init__(self) -> None:
        latents = np.asarray(self.latents, dtype=np.float32)
        if latents.ndim != 5 or 0 in latents.shape:
            raise ValueError(f"imagined latents have shape {latents.shape}; expected [K, H, C, h, w], none of them 0")
        plans_steps = latents.shape[:2]
        uncertainty = np.asarray(self.uncertainty, dtype=np.float32)
        if uncertainty.shape != plans_steps:
            raise ValueError(
                f"imagined uncertainty has shape {uncertainty.shape}; expected [K, H] = {plans_steps}, as the latents"
            )
        outcomes = {}
        for name, values in self.outcomes.items():
            array = np.asarray(values, dtype=np.float32)
            tail = OUTCOME_SHAPES.get(name, array.shape[2:])
            if array.shape != plans_steps + tail:
                raise ValueError(f"imagined outcome '{name}' has shape {array.shape}; expected {plans_steps + tail}")
            outcomes[name] = array
        plans, horizon = plans_steps
        steps = np.asarray(self.imagined_steps, dtype=int) if len(self.imagined_steps) else np.full(plans, horizon)
        assert steps.shape == (plans,) and steps.min() >= 1 and steps.max() <= horizon, steps
        object.__setattr__(self, "imagined_steps", steps)
        strides = np.asarray(self.strides, dtype=int) if len(self.strides) else np.ones(plans, int)
        assert strides.shape == (plans,) and strides.min() >= 1, strides
        object.__setattr__(self, "strides", strides)
        object.__setattr__(self, "latents", latents)
        object.__setattr__(self, "uncertainty", uncertainty)
        object.__setattr__(self, "outcomes", outcomes)

    def spread(self, frames: Sequence[int], stride: int) -> Imagination:
        """H frames, of which only `frames` (1 to H, a `stride` apart, the last H) were imagined: these are given.

        An imagined frame stands for those between it and the one before it, too. An event's probability is that of
        the whole interval.
        """
        of = np.searchsorted(frames, np.arange(1, frames[-1] + 1))
        outcomes = {name: values[:, of] for name, values in self.outcomes.items()}
        strides = np.full(self.plans, stride)
        return Imagination(self.latents[:, of], self.uncertainty[:, of], outcomes, strides=strides)

    def mean(self, values_KH: np.ndarray) -> np.ndarray:
        """Mean of each plan's values over the frames that were imagined, float64 [K]."""
        imagined_KH = np.arange(self.horizon) < self.imagined_steps[:, None]
        return values_KH.astype(np.float64).mean(axis=1, where=imagined_KH)

    @property
    def plans(self) -> int:
        """K, the number of candidate plans."""
        return self.latents.shape[0]

    @property
    def horizon(self) -> int:
        """H, the number of imagined frames per plan."""
        return self.latents.shape[1]
