"""Score the plans of a scene with a part of what was imagined replaced by the truth, or without imagination.

The difference to the score says how much ranking that part costs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from astra_ros.critics.base import Critic, CriticInput, CriticResult, CriticSettings
from astra_ros.critics.scoring import score_plans
from astra_ros.evaluation.scene import Ordering
from astra_ros.ranking.imaginer import Imaginer
from astra_ros.simulation.worlds import Verdict

ALL = "all"  # every part at once: what the scoring itself loses


class TrueCritic(Critic):
    """The cost that really arose, in the place of all critics of a role.

    Args: `value_K` of the plans, of a part of their outcome.
    """

    reads_imagination = False

    def __init__(self, settings: CriticSettings, value_K: np.ndarray) -> None:
        super().__init__(settings)
        self._value_K = value_K

    def score(self, inp: CriticInput) -> CriticResult:
        return CriticResult(self._value_K, self._value_K, ("",) * len(self._value_K))


class TrueCollision(TrueCritic):
    name = "collision"

    def score(self, inp: CriticInput) -> CriticResult:
        return replace(super().score(inp), veto=self._value_K > 0)


class TrueGoal(TrueCritic):
    name = "goal"

    def score(self, inp: CriticInput) -> CriticResult:
        return replace(super().score(inp), cost=1.0 - self._value_K)


class TrueOffRoad(TrueCritic):
    name = "off_road"


# Part of what is imagined -> the critic that knows the truth. `gain` is what an explorer will see, `progress` of an arm
# is where the object ends.
TRUE: dict[str, type[TrueCritic]] = {
    "contact": TrueCollision,
    "progress": TrueGoal,
    "gain": TrueGoal,
    "off_road": TrueOffRoad,
}


def true_critics(critics: Sequence[Critic], truth: Sequence[Verdict]) -> dict[str, Critic]:
    """Part -> the critic that knows what became of it. It has the weight of the first enabled critic of its role.

    A contact costs 1 and vetoes the plan; leaving the road costs 1; progress and gain cost what is missing to 1.
    """
    enabled = [critic for critic in critics if critic.settings.enabled]
    found: dict[str, Critic] = {}
    for part in ("contact", *truth[0].parts):
        if true := TRUE.get(part):
            values = [verdict.collision if part == "contact" else verdict.parts[part] for verdict in truth]
            settings = next((each.settings for each in enabled if each.role == true.name), None)
            if settings is not None:
                found[part] = true(settings, np.array(values, float))
    return found


def with_truth(imaginer: Imaginer, inp: CriticInput, truth: Sequence[Verdict]) -> dict[str, Ordering]:
    """Part -> the order of K plans if the truth stood in its place; `all` replaces every part."""
    known = true_critics(imaginer.critics, truth)
    replaced: Mapping[str, list[Critic]] = {
        **{part: [critic] for part, critic in known.items()},
        ALL: [*known.values()],
    }
    orders = {}
    for part, true in replaced.items():
        roles = {critic.role for critic in true}
        orders[part] = _order(imaginer, inp, [*true, *(each for each in imaginer.critics if each.role not in roles)])
    return orders


def plan_alone(imaginer: Imaginer, inp: CriticInput) -> Ordering | None:
    """The order by the loaded critics that read nothing imagined, also those that the task has not enabled."""
    critics = [
        type(each)(replace(each.settings, enabled=True)) for each in imaginer.critics if not each.reads_imagination
    ]
    critics = [each for each in critics if not each.missing(inp)]
    return _order(imaginer, inp, critics) if critics else None


def _order(imaginer: Imaginer, inp: CriticInput, critics: Sequence[Critic]) -> Ordering:
    names = [str(k) for k in range(inp.imagination.plans)]
    return Ordering.of(score_plans(names, inp, critics, imaginer.scoring).scores)
