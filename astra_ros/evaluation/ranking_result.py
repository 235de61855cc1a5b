"""How well scores rank plans: the figures of a robot over scenes, and of all robots. Fields are the keys in JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from astra_ros.critics.scoring import VERDICTS, VETOED
from astra_ros.evaluation.contact_calibration import MISS_RATE, ContactFigures
from astra_ros.evaluation.metrics import Interval, interval, kendall, mean_over_worlds, mean_rank_violation, spearman
from astra_ros.evaluation.ranking_losses import LossFigures
from astra_ros.evaluation.results import FLAT
from astra_ros.evaluation.scene import Scene


@dataclass(frozen=True)
class VerdictFigures:
    """Share of the plans that have a verdict, their mean outcome, and the share of them that collide."""

    share: float
    outcome: float
    collisions: float

    @classmethod
    def by_verdict(cls, verdicts: np.ndarray, outcomes: np.ndarray, collided: np.ndarray) -> dict[str, VerdictFigures]:
        """Verdict -> its figures, over N plans."""
        return {
            name: cls(*(float(values.mean()) for values in (those, outcomes[those], collided[those])))
            for name in VERDICTS
            if (those := verdicts == name).any()
        }


@dataclass(frozen=True)
class RobotRanking:
    """The figures of one robot.

    Attributes:
        vetoed_of_colliding, vetoed_of_harmless: vetoed share of the plans that collide, and of the others.
        top1_regret: share of the range between a scene's best and worst plan that the choice gives away.
        outcome, outcome_95, collisions: by who chooses: score, random, oracle.
        verdicts: of all plans.
        chosen_verdicts: of the chosen plans; standing still counts as vetoed.
        losses: where ranking is lost.
        contact: None where the model gives no probability of contact.
    """

    world: str
    left_out: int
    scenes: int
    vetoed_of_colliding: float | None
    vetoed_of_harmless: float | None
    spearman: float
    spearman_95: Interval
    kendall: float
    mmrv: float
    top1_regret: float
    none_accepted: float
    outcome: dict[str, float]
    outcome_95: dict[str, Interval]
    collisions: dict[str, float]
    verdicts: dict[str, VerdictFigures]
    chosen_verdicts: dict[str, VerdictFigures]
    losses: LossFigures = field(metadata=FLAT)
    contact: ContactFigures | None = None

    @classmethod
    def of(cls, world: str, scenes: Sequence[Scene], left_out: int = 0, miss_rate: float = MISS_RATE) -> RobotRanking:
        outcomes = [np.array(scene.outcomes) for scene in scenes]
        best = np.array([outcome.max() for outcome in outcomes])
        chosen_verdicts, chosen, chosen_collided = map(np.array, zip(*(scene.choice for scene in scenes)))
        choices = {"score": chosen, "random": np.array([outcome.mean() for outcome in outcomes]), "oracle": best}
        collisions = {
            "score": chosen_collided,
            "random": np.array([np.mean(scene.collision) for scene in scenes]),
            "oracle": np.array([scene.collision[int(np.argmax(scene.outcomes))] for scene in scenes]),
        }
        orders = [np.array(scene.order) for scene in scenes]
        rho, tau, mmrv = (
            np.array([figure(order, outcome) for order, outcome in zip(orders, outcomes)])
            for figure in (spearman, kendall, mean_rank_violation)
        )
        verdicts = np.concatenate([scene.verdicts for scene in scenes])
        collided = np.concatenate([np.array(scene.collision, bool) for scene in scenes])
        vetoed = verdicts == VETOED
        return cls(
            world=world,
            left_out=left_out,
            scenes=len(scenes),
            vetoed_of_colliding=float(vetoed[collided].mean()) if collided.any() else None,
            vetoed_of_harmless=float(vetoed[~collided].mean()) if (~collided).any() else None,
            spearman=float(rho.mean()),
            spearman_95=interval(rho),
            kendall=float(tau.mean()),
            mmrv=float(mmrv.mean()),
            top1_regret=float(np.mean([scene.regret(scene.chosen) for scene in scenes])),
            none_accepted=float(np.mean([scene.chosen is None for scene in scenes])),
            outcome={name: float(values.mean()) for name, values in choices.items()},
            outcome_95={name: interval(values) for name, values in choices.items()},
            collisions={name: float(values.mean()) for name, values in collisions.items()},
            verdicts=VerdictFigures.by_verdict(verdicts, np.concatenate(outcomes), collided),
            chosen_verdicts=VerdictFigures.by_verdict(chosen_verdicts, chosen, chosen_collided),
            losses=LossFigures.of(scenes),
            contact=ContactFigures.of_scenes(scenes, miss_rate),
        )

    def table(self, robot: str) -> str:
        low, high = self.spearman_95
        lines = [
            f"{robot}: {self.scenes} scenes, Spearman {self.spearman:.3f} [{low:.3f}, {high:.3f}], "
            f"Kendall {self.kendall:.3f}, top-1 regret {self.top1_regret:.1%}",
            f"  {'chosen by':10} {'mean outcome':>13} {'95 % interval':>18} {'collisions':>11}",
        ]
        for name, value in self.outcome.items():
            low, high = self.outcome_95[name]
            lines.append(f"  {name:10} {value:13.3f} {f'[{low:.3f}, {high:.3f}]':>18} {self.collisions[name]:11.1%}")
        for name, each in self.verdicts.items():
            told = f"mean outcome {each.outcome:.2f}, {each.collisions:.0%} of them collide"
            lines.append(f"  {name + ':':10} {each.share:.0%} of all plans, {told}")
        for name, each in self.chosen_verdicts.items():
            what = ("none" if name == VETOED else name) + " chosen:"
            told = f"in {each.share:.0%} of the scenes, mean outcome {each.outcome:.2f}, {each.collisions:.0%} collide"
            lines.append(f"  {what:16} {told}")
        lines += self.losses.lines()
        if self.contact:
            lines.append(self.contact.line())
        return "\n".join(lines)


@dataclass(frozen=True)
class OverallRanking:
    """Means over worlds, each the mean of its robots."""

    worlds: list[str]
    spearman: float
    top1_regret: float

    @classmethod
    def of(cls, robots: Mapping[str, RobotRanking]) -> OverallRanking:
        means = (
            mean_over_worlds((each.world, getattr(each, name)) for each in robots.values())
            for name in ("spearman", "top1_regret")
        )
        return cls(sorted({each.world for each in robots.values()}), *means)


@dataclass(frozen=True)
class RankingResult:
    """The result file of `astra rank`."""

    model: str
    sha256: str
    plans: int
    overall: OverallRanking
    robots: dict[str, RobotRanking]
