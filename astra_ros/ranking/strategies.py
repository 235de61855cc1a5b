"""Which plans of a request are imagined how far: by name, from this package and from any installed one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from astra_ros.critics.scoring import Scores
from astra_ros.inference.conditioning import Conditioning
from astra_ros.inference.imagination import Imagination
from astra_ros.registry import Registry


class PlanRollouts:
    """Imagines any plans of a request, as far and as finely as a strategy asks for. The last time counts.

    Args:
        conditioning: of all K plans and H steps.
        imagine: (conditioning of some plans and steps, denoising steps) -> what the model imagines.
        steps: denoising steps a frame where a strategy does not say; None: the model's own number.
    """

    def __init__(
        self,
        conditioning: Conditioning,
        imagine: Callable[[Conditioning, int | None], Imagination],
        score: Callable[[Imagination], Scores],
        steps: int | None = None,
    ) -> None:
        self._conditioning, self._imagine, self._score, self._steps = conditioning, imagine, score, steps
        self._parts: dict[str, np.ndarray] = {}  # name -> [K, H, ...]
        self._imagined_steps = np.zeros(self.plans, int)

    @property
    def plans(self) -> int:
        """K, the number of plans."""
        return self._conditioning.plans

    @property
    def horizon(self) -> int:
        """H, as far as plans are imagined at most."""
        return self._conditioning.horizon

    def imagine(self, plans: Sequence[int] | None = None, horizon: int | None = None, steps: int | None = None) -> None:
        """Imagine plans (their indices; None: all) for ``horizon`` model steps (None: all H).

        ``steps`` are denoising steps a frame; None: as many as the settings say.
        """
        chosen = np.arange(self.plans) if plans is None else np.asarray(plans, int)
        conditioning = self._conditioning if plans is None else self._conditioning.subset(chosen)
        if horizon is not None:
            conditioning = conditioning.cut(horizon)
        made = self._imagine(conditioning, steps or self._steps)
        self._imagined_steps[chosen] = made.horizon
        for name, values in {"latents": made.latents, "uncertainty": made.uncertainty, **made.outcomes}.items():
            missing = [(0, 0), (0, self.horizon - made.horizon), *[(0, 0)] * (values.ndim - 2)]
            values = np.pad(values, missing, mode="edge") if made.horizon < self.horizon else values
            if plans is None:
                self._parts[name] = values
            else:
                held = self._parts.setdefault(name, np.zeros((self.plans, *values.shape[1:]), values.dtype))
                held[chosen] = values

    @property
    def imagination(self) -> Imagination:
        """What was imagined of all plans. Raises ValueError where the strategy left one out."""
        if not self._imagined_steps.all():
            raise ValueError(f"plans {np.flatnonzero(self._imagined_steps == 0).tolist()} were not imagined")
        outcomes = dict(self._parts)
        latents, uncertainty = outcomes.pop("latents"), outcomes.pop("uncertainty")
        return Imagination(latents, uncertainty, outcomes, self._imagined_steps.copy())

    def score(self) -> Scores:
        """The scores of what was imagined so far of all plans."""
        return self._score(self.imagination)


class Strategy(Protocol):
    """Decides what is imagined of one request."""

    def __call__(self, rollouts: PlanRollouts) -> None:
        """Call ``rollouts.imagine`` until every plan has been imagined at least once."""


class AllAtOnce:
    """Every plan to the whole horizon, in one batch."""

    def __call__(self, rollouts: PlanRollouts) -> None:
        rollouts.imagine()


ALL_AT_ONCE = "all_at_once"
STRATEGIES: Registry[type[Strategy]] = Registry(
    "strategy", "astra_ros.strategies", {ALL_AT_ONCE: "astra_ros.ranking.strategies:AllAtOnce"}
)
