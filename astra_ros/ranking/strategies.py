"""Which plans of a request are imagined how far: by name, from this package and from any installed one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from astra_ros.critics.scoring import VETOED, Scores
from astra_ros.errors import UserError
from astra_ros.inference.conditioning import Conditioning
from astra_ros.inference.imagination import Imagination
from astra_ros.ranking.doubtful_plans import least_costs
from astra_ros.registry import Registry
from astra_ros.settings import setting

AT_A_TIME = 4  # plans that are refined before it is asked which others may be better
LEAST_SCORE = 1e-6  # lower ones count as this


@dataclass(frozen=True)
class StrategySettings:
    """What strategies read."""

    coarse_stride: int = setting(
        8,
        "strategy 'coarse_to_fine': steps from one frame to the next in the coarse view of all plans; a model knows "
        "the strides that it was trained for",
        2,
        16,
        "steps",
    )
    doubt: float = setting(
        2.0,
        "strategy 'coarse_to_fine': a plan is imagined frame by frame if it may be the best, should it cost so many "
        "standard deviations less than expected from its coarse view; larger finds the best plan more often and takes "
        "longer",
        0.0,
        10.0,
    )
    refined_plans: int = setting(
        0,
        "strategy 'coarse_to_fine': at most how many plans are imagined frame by frame after the coarse view",
        1,
        1024,
        "plans",
        off="as many as may be the best",
    )


class StrategyError(UserError, ValueError):
    """A strategy cannot work with a model."""


class PlanRollouts:
    """Imagines any plans of a request, as far and as finely as a strategy asks for. The last time counts.

    Args:
        conditioning: of all K plans and H steps.
        imagine: (conditioning of some plans and steps, denoising steps, stride) -> what the model imagines.
        steps: denoising steps a frame where a strategy does not say; None: the model's own number.
        preliminary: told of what is imagined so far, where a strategy shows it.
    """

    def __init__(
        self,
        conditioning: Conditioning,
        imagine: Callable[[Conditioning, int | None, int], Imagination],
        score: Callable[[Imagination], Scores],
        steps: int | None = None,
        preliminary: Callable[[Imagination, Scores], None] | None = None,
    ) -> None:
        self._conditioning, self._imagine, self._score, self._steps = conditioning, imagine, score, steps
        self._preliminary = preliminary
        self._parts: dict[str, np.ndarray] = {}  # name -> [K, H, ...]
        self._imagined_steps, self._strides = np.zeros(self.plans, int), np.ones(self.plans, int)

    @property
    def plans(self) -> int:
        """K, the number of plans."""
        return self._conditioning.plans

    @property
    def actions(self) -> np.ndarray:
        """[K, H, A], in units of their spread in training."""
        return self._conditioning.actions

    @property
    def horizon(self) -> int:
        """H, as far as plans are imagined at most."""
        return self._conditioning.horizon

    def imagine(
        self, plans: Sequence[int] | None = None, horizon: int | None = None, steps: int | None = None, stride: int = 1
    ) -> None:
        """Imagine plans (their indices; None: all) for ``horizon`` model steps (None: all H).

        ``steps`` are denoising steps a frame; None: as many as the settings say. At a ``stride``, only every so many-th
        frame is imagined, and the last.
        """
        chosen = np.arange(self.plans) if plans is None else np.asarray(plans, int)
        conditioning = self._conditioning if plans is None else self._conditioning.subset(chosen)
        if horizon is not None:
            conditioning = conditioning.cut(horizon)
        made = self._imagine(conditioning, steps or self._steps, stride)
        self._imagined_steps[chosen], self._strides[chosen] = made.horizon, stride
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
        return Imagination(latents, uncertainty, outcomes, self._imagined_steps.copy(), self._strides.copy())

    def score(self) -> Scores:
        """The scores of what was imagined so far of all plans."""
        return self._score(self.imagination)

    def show(self) -> Scores:
        """`score`, and show the result to who waits for it, as a preliminary one."""
        imagination = self.imagination
        scores = self._score(imagination)
        if self._preliminary is not None:
            self._preliminary(imagination, scores)
        return scores


class Strategy(ABC):
    """Decides what is imagined of one request.

    Args:
        settings: what the user chose.
        strides: those that the model was trained for.
    """

    def __init__(self, settings: StrategySettings, strides: Sequence[int]) -> None:
        self.settings = settings

    @abstractmethod
    def __call__(self, rollouts: PlanRollouts) -> None:
        """Call ``rollouts.imagine`` until every plan has been imagined at least once."""


class AllAtOnce(Strategy):
    """Every plan to the whole horizon, in one batch."""

    def __call__(self, rollouts: PlanRollouts) -> None:
        rollouts.imagine()


class CoarseToFine(Strategy):
    """All plans at a stride, then frame by frame those that may win, a few at a time.

    The first are the two best by their coarse scores, whatever their verdicts, and two from further down. What a closer
    look changed at these tells how far others may be from their coarse scores (`least_costs`). It ends when no other
    plan may cost less than the best accepted or risky one does, or after ``refined_plans``. Whatever wins in the end
    has been refined.

    Raises StrategyError for a model that was not trained for the stride.
    """

    def __init__(self, settings: StrategySettings, strides: Sequence[int]) -> None:
        super().__init__(settings, strides)
        coarse = [stride for stride in strides if stride > 1]
        if settings.coarse_stride not in coarse:
            known = f"it was trained for the strides {', '.join(map(str, coarse))}" if coarse else "it knows no stride"
            cure = (
                "take one of these as `coarse_stride`" if coarse else f"take strategy '{ALL_AT_ONCE}', or another model"
            )
            raise StrategyError(
                f"the model cannot imagine every frame of {settings.coarse_stride} alone: {known}",
                thing=f"strategy '{COARSE_TO_FINE}'",
                cure=cure,
            )

    def __call__(self, rollouts: PlanRollouts) -> None:
        if rollouts.plans <= AT_A_TIME:
            rollouts.imagine()
            return
        rollouts.imagine(stride=self.settings.coarse_stride)
        scores = rollouts.show()
        coarse = _costs(scores)
        most, refined = self.settings.refined_plans or rollouts.plans, list[int]()
        order = np.argsort(coarse, kind="stable")
        # Of good plans alone, the closer look tells too little of those that the coarse view is wrong about.
        chosen = order[[0, 1, max(2, rollouts.plans // 4), max(3, rollouts.plans // 2)]]
        while (chosen := chosen[: min(AT_A_TIME, most - len(refined))]).size:
            rollouts.imagine(sorted(chosen))
            refined += chosen.tolist()
            scores = rollouts.score()
            full = _costs(scores)[refined]
            least = least_costs(rollouts.actions, coarse, refined, full, self.settings.doubt)
            usable = [cost for plan, cost in zip(refined, full) if scores.scores[plan].verdict != VETOED]
            least[refined] = np.inf
            chosen = np.argsort(least, kind="stable")
            chosen = chosen[least[chosen] < min(usable, default=np.inf)]
        while (best := min(range(rollouts.plans), key=lambda plan: scores.scores[plan].rank)) not in refined:
            rollouts.imagine([best])
            refined.append(best)
            scores = rollouts.score()


def _costs(scores: Scores) -> np.ndarray:
    """[K] what the plans cost: the sum of penalties that a score stands for."""
    return -np.log(np.maximum([each.score for each in scores.scores], LEAST_SCORE))


ALL_AT_ONCE, COARSE_TO_FINE = "all_at_once", "coarse_to_fine"
STRATEGIES: Registry[type[Strategy]] = Registry(
    "strategy",
    "astra_ros.strategies",
    {
        ALL_AT_ONCE: "astra_ros.ranking.strategies:AllAtOnce",
        COARSE_TO_FINE: "astra_ros.ranking.strategies:CoarseToFine",
    },
)
