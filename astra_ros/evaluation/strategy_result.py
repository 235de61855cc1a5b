"""What a strategy costs and what it loses against imagining everything. Fields are the keys in JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from astra_ros.critics.scoring import VETOED, PlanScore
from astra_ros.evaluation.bench_result import Ratio
from astra_ros.evaluation.metrics import Interval, interval, kendall, wilson
from astra_ros.evaluation.scene import Ordering


@dataclass(frozen=True)
class Timed:
    """What is kept of a request: its scores, how many plans were imagined in full, and the seconds that it took.

    Attributes:
        wall_s, processor_s: by the clock, and of the processor.
    """

    scores: list[PlanScore]
    refined: int
    wall_s: float
    processor_s: float

    @property
    def ordering(self) -> Ordering:
        return Ordering.of(self.scores)


@dataclass(frozen=True)
class StrategyScene:
    """One scene: its plans imagined in full, by the strategy, and the first few in full.

    Attributes:
        first: the order by the strategy's preliminary result.
    """

    full: Timed
    strategy: Timed
    few: Timed
    first: Ordering | None = None

    @property
    def kept(self) -> bool:
        """Whether the strategy chooses what the full ranking chooses."""
        return self.strategy.ordering.chosen == self.full.ordering.chosen

    @property
    def regret(self) -> float:
        """How much lower the full score of the strategy's choice is; a vetoed plan, or none, is worth nothing."""

        def worth(chosen: int | None) -> float:
            score = None if chosen is None else self.full.scores[chosen]
            return 0.0 if score is None or score.verdict == VETOED else score.score

        return worth(self.full.ordering.chosen) - worth(self.strategy.ordering.chosen)

    def tau(self, ordering: Ordering) -> float:
        """Kendall's correlation of an order with the full one."""
        return kendall(np.array(ordering.order), np.array(self.full.ordering.order))


@dataclass(frozen=True)
class Times:
    """Of one kind of clock: the strategy's time as a multiple of the full and of the small request's; medians, s."""

    of_full: Ratio
    of_few: Ratio
    full_s: float
    strategy_s: float
    few_s: float

    @classmethod
    def of(cls, scenes: Sequence[StrategyScene], clock: str) -> Times:
        full, strategy, few = (
            [getattr(getattr(scene, which), clock) for scene in scenes] for which in ("full", "strategy", "few")
        )
        medians = (float(np.median(times)) for times in (full, strategy, few))
        return cls(Ratio.of(strategy, full), Ratio.of(strategy, few), *medians)


@dataclass(frozen=True)
class StrategyFigures:
    """The figures of one robot's scenes, or of all.

    Attributes:
        none_accepted: share of the scenes in which the full ranking vetoes every plan.
        kept, regret, kendall: see ``astra strategies --help``.
        kept_first, kendall_first: of the preliminary result; None where the strategy has none.
        refined: plans imagined in full, mean.
        wall, processor: times by the clock, and of the processor.
    """

    scenes: int
    none_accepted: float
    kept: float
    kept_95: Interval
    regret: float
    regret_95: Interval
    regret_most: float
    kendall: float
    kept_first: float | None
    kendall_first: float | None
    refined: float
    wall: Times
    processor: Times

    @classmethod
    def of(cls, scenes: Sequence[StrategyScene]) -> StrategyFigures:
        kept = [scene.kept for scene in scenes]
        regret = np.array([scene.regret for scene in scenes])
        first = [(scene, scene.first) for scene in scenes if scene.first is not None]
        return cls(
            scenes=len(scenes),
            none_accepted=float(np.mean([scene.full.ordering.chosen is None for scene in scenes])),
            kept=float(np.mean(kept)),
            kept_95=wilson(sum(kept), len(kept)),
            regret=float(regret.mean()),
            regret_95=interval(regret),
            regret_most=float(regret.max()),
            kendall=float(np.mean([scene.tau(scene.strategy.ordering) for scene in scenes])),
            kept_first=float(np.mean([early.chosen == scene.full.ordering.chosen for scene, early in first]))
            if first
            else None,
            kendall_first=float(np.mean([scene.tau(early) for scene, early in first])) if first else None,
            refined=float(np.mean([scene.strategy.refined for scene in scenes])),
            wall=Times.of(scenes, "wall_s"),
            processor=Times.of(scenes, "processor_s"),
        )

    def line(self, who: str) -> str:
        low, high = self.kept_95
        first = "-" if self.kept_first is None else f"{self.kept_first:.0%} {self.kendall_first:.2f}"
        return (
            f"{who:8} {self.scenes:6} {self.kept:5.0%} [{low:.0%}, {high:.0%}] {self.regret:7.3f} {self.kendall:5.2f} "
            f"{first:>10} {self.refined:8.1f} {self.wall.of_full.median:10.2f} {self.wall.of_few.median:10.2f} "
            f"{self.processor.of_full.median:12.2f} {self.processor.of_few.median:10.2f}"
        )


HEAD = (
    f"{'':8} {'scenes':>6} {'kept, 95 % interval':>19} {'regret':>6} {'tau':>5} {'first':>10} {'refined':>8} "
    f"{'time/full':>10} {'time/few':>10} {'processor/full':>14} {'/few':>8}"
)


@dataclass(frozen=True)
class StrategyResult:
    """The result file of `astra strategies`.

    Attributes:
        settings: those that the strategy reads.
        few: plans of the small request.
        load_before: processes that wanted a core when the measurement began.
    """

    model: str
    sha256: str
    runs_on: str
    strategy: str
    settings: dict[str, float]
    plans: int
    few: int
    load_before: float
    overall: StrategyFigures
    robots: dict[str, StrategyFigures]
