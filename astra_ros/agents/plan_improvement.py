"""Better plans than the candidates: the cross-entropy method around the best of them, for as long as there is time.

Rubinstein 1999, as in PETS (Chua et al. 2018) and PlaNet (Hafner et al. 2019): sample plans around the elites, imagine
and score them, take the best as elites, fit the spread to them, and again. The best candidate stays among the elites,
so what comes out has no worse score. A score is what the model believes: see docs/planning.md for what becomes of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from astra_ros.agents.loop import ByImagination, Choice, Moment
from astra_ros.critics.scoring import VETOED
from astra_ros.plans.joint_plan import JointPlan
from astra_ros.ranking.imaginer import Result
from astra_ros.settings import CheckedSettings, setting

TRIES = 4  # samples drawn for each that is wanted, because some leave the limits
LEAST_SPREAD = 0.1  # of the first one


@dataclass(frozen=True)
class ImprovementSettings(CheckedSettings):
    """How plans of arms are improved."""

    seconds: float = setting(
        0.0,
        "seconds for a choice, behind the first imagination; a round begins only if it should end in time",
        0.01,
        600.0,
        "s",
        "plans are not improved",
    )
    samples: int = setting(8, "plans that are imagined in a round", 1, 1024, "plans")
    elites: int = setting(3, "best plans that the samples of the next round lie around", 1, 1024, "plans")
    spread: float = setting(
        0.08, "rad, standard deviation of the joints' changes in the first round", 0.0001, 3.0, "rad"
    )
    bends: int = setting(3, "places of the way that are moved, the last of them its end", 1, 32)
    most_rounds: int = setting(50, "rounds after which it ends anyway", 1, 10_000)


Vary = Callable[[JointPlan, np.ndarray, str], JointPlan | None]


@dataclass(frozen=True)
class _Scored:
    """A plan that was imagined and not vetoed, and the change [B, J] to the plan that it was made of."""

    score: float
    plan: JointPlan
    result: Result
    change: np.ndarray | None = None


@dataclass
class ByImprovement:
    """Chooses as imagination does, and then looks for better plans around the best ones.

    Attributes:
        imagination: scores plans.
        vary: (plan, change [B, J] rad, name) -> the changed plan; None where that cannot be executed.
        seed: of the samples; with the same number of rounds, the same plans come out.
        clock: seconds, for tests.
        rounds: of the last choice.
        gain: by which the score of the last choice rose.
    """

    imagination: ByImagination
    vary: Vary
    settings: ImprovementSettings
    seed: int = 0
    clock: Callable[[], float] = time.monotonic
    rounds: int = field(init=False, default=0)
    gain: float = field(init=False, default=0.0)

    def __call__(self, moment: Moment, plans: Sequence[JointPlan]) -> Choice:
        began = self.clock()
        choice = self.imagination(moment, plans)
        self.rounds, self.gain = 0, 0.0
        elites = _usable(choice.result, {plan.name: (plan, None) for plan in plans})[: self.settings.elites]
        if choice.index is None or not elites:
            return choice
        first, now = elites[0], self.clock()
        ends, longest = now + self.settings.seconds, now - began
        random = np.random.default_rng([self.seed, moment.index, 21])
        spread = np.full((self.settings.bends, len(first.plan.joint_names)), self.settings.spread)
        while now + longest <= ends and self.rounds < self.settings.most_rounds:
            samples = self._samples(elites, spread, random)
            if samples:
                made = self.imagination(moment, [plan for plan, _ in samples.values()]).result
                # Equal scores keep their order: the older plan stays the better one.
                scored = sorted([*elites, *_usable(made, samples)], key=lambda each: -each.score)
                elites = scored[: self.settings.elites]
            spread = self._fitted(spread, elites)
            self.rounds += 1
            longest, now = max(longest, self.clock() - now), self.clock()
        best = elites[0]
        self.gain = best.score - first.score
        if best is first:
            return choice
        return Choice(len(plans), best.result, made=(best.plan,))

    def _samples(
        self, elites: Sequence[_Scored], spread: np.ndarray, random: np.random.Generator
    ) -> dict[str, tuple[JointPlan, np.ndarray]]:
        """Name -> a plan around one of the elites, in turns, and its change."""
        samples: dict[str, tuple[JointPlan, np.ndarray]] = {}
        for attempt in range(TRIES * self.settings.samples):
            if len(samples) == self.settings.samples:
                break
            around, change = elites[attempt % len(elites)].plan, random.normal(0.0, spread)
            name = f"{around.name.partition('~')[0]}~{self.rounds}.{len(samples)}"
            plan = self.vary(around, change, name)
            if plan is not None:
                samples[name] = plan, change
        return samples

    def _fitted(self, spread: np.ndarray, elites: Sequence[_Scored]) -> np.ndarray:
        """The spread of the next round: halfway to the changes that the elites came from."""
        changes = [each.change for each in elites if each.change is not None]
        if not changes:
            return np.maximum(spread / 2, LEAST_SPREAD * self.settings.spread)
        size = np.sqrt(np.mean(np.square(changes), axis=0))
        return np.maximum((spread + size) / 2, LEAST_SPREAD * self.settings.spread)


def _usable(result: Result | None, plans: Mapping[str, tuple[JointPlan, np.ndarray | None]]) -> list[_Scored]:
    """The plans of a result that are not vetoed, the best first, as they were proposed."""
    if result is None:
        return []
    scores = sorted((each for each in result.scores if each.verdict != VETOED), key=lambda each: each.rank)
    return [_Scored(each.score, plans[each.name][0], result, plans[each.name][1]) for each in scores]
