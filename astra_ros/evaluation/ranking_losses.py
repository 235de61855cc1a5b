"""Where ranking is lost: critics one by one, orders with a part replaced by the truth, and generators of plans."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from astra_ros.evaluation.metrics import Interval, interval, mean_rank_violation, pearson, spearman
from astra_ros.evaluation.scene import Ordering, Scene


@dataclass(frozen=True)
class Agreement:
    """Mean over scenes of the Spearman correlation with the outcome, and its 95 % interval."""

    spearman: float
    spearman_95: Interval


@dataclass(frozen=True)
class OrderFigures(Agreement):
    """How well an order chooses; `outcome` and `collisions` are means of the chosen plans."""

    top1_regret: float
    outcome: float
    collisions: float

    @classmethod
    def of(cls, scenes: Sequence[Scene], orderings: Sequence[Ordering]) -> OrderFigures:
        pairs = list(zip(scenes, orderings, strict=True))
        rho = np.array([spearman(np.array(each.order), np.array(scene.outcomes)) for scene, each in pairs])
        outcomes, collided = zip(*(scene.outcome_of(each.chosen) for scene, each in pairs))
        regret = np.mean([scene.regret(each.chosen) for scene, each in pairs])
        means = (float(np.mean(values)) for values in (regret, outcomes, collided))
        return cls(float(rho.mean()), interval(rho), *means)


def critics_alone(scenes: Sequence[Scene]) -> dict[str, Agreement]:
    """Critic -> how its cost alone orders the plans; of critics that scored in every scene."""
    figures = {}
    for name in scenes[0].costs:
        if all(name in scene.costs for scene in scenes):
            rho = np.array([spearman(-np.array(scene.costs[name]), np.array(scene.outcomes)) for scene in scenes])
            figures[name] = Agreement(float(rho.mean()), interval(rho))
    return figures


def orders_with_truth(scenes: Sequence[Scene]) -> dict[str, OrderFigures]:
    """Part -> the figures of the order that has the truth in its place."""
    return {
        part: OrderFigures.of(scenes, [scene.with_truth[part] for scene in scenes]) for part in scenes[0].with_truth
    }


def order_without_imagination(scenes: Sequence[Scene]) -> OrderFigures | None:
    found = [scene.plan_alone for scene in scenes if scene.plan_alone is not None]
    return OrderFigures.of(scenes, found) if len(found) == len(scenes) else None


@dataclass(frozen=True)
class Generator:
    """The plans of one generator over all scenes: how many, their mean score and their mean outcome."""

    plans: int
    score: float
    outcome: float


@dataclass(frozen=True)
class GeneratorFigures:
    """Do scores rank the generators of candidate plans as the simulator does? A generator is here what a policy is in
    published evaluations by world models (SIMPLER, Li et al. 2024).

    Attributes:
        pearson: of the generators' mean scores and mean outcomes; None where one of both is constant.
        mmrv: mean maximum rank violation over the generators, in units of the outcome.
        by_kind: kind -> its means, the best outcome first.
    """

    pearson: float | None
    mmrv: float
    by_kind: dict[str, Generator]

    @classmethod
    def of(cls, scenes: Sequence[Scene]) -> GeneratorFigures | None:
        """None where the plans are of fewer than two generators."""
        found: dict[str, list[tuple[float, float]]] = {}
        for scene in scenes:
            for kind, score, outcome in zip(scene.kinds, scene.scores, scene.outcomes):
                found.setdefault(kind, []).append((score, outcome))
        if len(found) < 2:
            return None
        means = {kind: Generator(len(pairs), *np.mean(pairs, axis=0).tolist()) for kind, pairs in found.items()}
        by_kind = dict(sorted(means.items(), key=lambda item: -item[1].outcome))
        scores = np.array([each.score for each in by_kind.values()])
        outcomes = np.array([each.outcome for each in by_kind.values()])
        return cls(pearson(scores, outcomes), mean_rank_violation(scores, outcomes), by_kind)


@dataclass(frozen=True)
class LossFigures:
    """All of a robot.

    Attributes:
        critics_alone: see `critics_alone`.
        with_truth: see `orders_with_truth`.
        without_imagination: by the critics that read only the plans; None if no such critic is loaded.
        generators: None where the plans are of fewer than two.
    """

    critics_alone: dict[str, Agreement]
    with_truth: dict[str, OrderFigures]
    without_imagination: OrderFigures | None
    generators: GeneratorFigures | None

    @classmethod
    def of(cls, scenes: Sequence[Scene]) -> LossFigures:
        return cls(
            critics_alone(scenes),
            orders_with_truth(scenes),
            order_without_imagination(scenes),
            GeneratorFigures.of(scenes),
        )

    def lines(self) -> list[str]:
        lines = []
        if self.critics_alone:
            alone = ", ".join(f"{name} {each.spearman:.2f}" for name, each in self.critics_alone.items())
            lines.append(f"  Spearman of each critic alone: {alone}")
        rows = {f"true {part}": each for part, each in self.with_truth.items()}
        if self.without_imagination:
            rows["without imagination"] = self.without_imagination
        for title, each in rows.items():
            chosen = f"mean outcome {each.outcome:.3f}, collisions {each.collisions:.1%}"
            lines.append(
                f"  {title + ':':20} Spearman {each.spearman:.3f}, top-1 regret {each.top1_regret:.1%}, {chosen}"
            )
        if (generators := self.generators) is not None:
            r = "-" if generators.pearson is None else f"{generators.pearson:.2f}"
            what = f"{len(generators.by_kind)} generators, mean score against mean outcome"
            lines.append(f"  {what}: Pearson {r}, MMRV {generators.mmrv:.3f}")
        return lines
