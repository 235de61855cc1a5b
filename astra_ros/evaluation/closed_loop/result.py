"""Figures of whole tasks: of each policy, and what imagination adds to every other one in the same scenes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from astra_ros.evaluation.closed_loop.records import Records, RobotRecords
from astra_ros.evaluation.closed_loop.request import IMAGINATION, ROBOTS
from astra_ros.evaluation.metrics import Interval, interval, mcnemar, sign_flip, wilson

SIGNIFICANT = 0.05


@dataclass(frozen=True)
class Estimate:
    """A share with its Wilson interval, or a mean with its bootstrap interval."""

    mean: float
    interval_95: Interval

    @classmethod
    def of(cls, values: Sequence[bool | float]) -> Estimate:
        if _is_share(values):
            return cls(float(np.mean(values)), wilson(int(sum(values)), len(values)))
        return cls(float(np.mean(values)), interval(np.array(values, float)))


@dataclass(frozen=True)
class Difference:
    """What imagination adds over another policy in the same scenes.

    Attributes:
        mean: of the differences, with its bootstrap interval over scenes.
        more, less: scenes in which imagination has the larger and the smaller value.
        p: for shares of McNemar's exact test, for numbers of a paired permutation test.
        significant: p is below 0.05.
    """

    mean: float
    interval_95: Interval
    more: int
    less: int
    p: float
    significant: bool

    @classmethod
    def of(cls, own: Sequence[bool | float], other: Sequence[bool | float]) -> Difference:
        gaps = np.subtract(np.array(own, float), np.array(other, float))
        more, less = int((gaps > 0).sum()), int((gaps < 0).sum())
        p = mcnemar(more, less) if _is_share(own) else sign_flip(gaps)
        return cls(float(gaps.mean()), interval(gaps), more, less, p, p < SIGNIFICANT)


@dataclass(frozen=True)
class ClosedLoopResult:
    """One robot's figures.

    Attributes:
        settings: that decide what comes of an episode.
        episodes: of each policy, in the same scenes.
        policies: policy -> figure -> its estimate.
        imagination_over: policy -> figure -> what imagination adds to it; empty where it was not measured.
    """

    robot: str
    world: str
    settings: Mapping[str, Any]
    episodes: int
    policies: dict[str, dict[str, Estimate]]
    imagination_over: dict[str, dict[str, Difference]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        robot: str,
        records: Records | RobotRecords,
        settings: Mapping[str, Any],
        policies: Sequence[str],
        seeds: Sequence[int],
    ) -> ClosedLoopResult | None:
        """Of the scenes that every policy has played; None without any."""
        played = [seed for seed in seeds if all((policy, seed) in records for policy in policies)]
        if not played:
            return None
        values = {
            policy: {
                name: [records[policy, seed].figures[name] for seed in played]
                for name in records[policy, played[0]].figures
            }
            for policy in policies
        }
        estimates = {
            policy: {name: Estimate.of(each) for name, each in figures.items()} for policy, figures in values.items()
        }
        own = values.get(IMAGINATION, {})
        over = {
            policy: {name: Difference.of(own[name], figures[name]) for name in own}
            for policy, figures in values.items()
            if own and policy != IMAGINATION
        }
        return cls(robot, ROBOTS[robot], settings, len(played), estimates, over)

    def table(self) -> str:
        """The figures as text."""
        lines = [f"{self.robot}: mean and 95 % interval over {self.episodes} episodes of each policy"]
        for policy, figures in self.policies.items():
            told = (f"{name} {each.mean:.2f} ({each.interval_95[0]:.2f} to {each.interval_95[1]:.2f})"
                    for name, each in figures.items())  # fmt: skip
            lines.append(f"  {policy:12} {'   '.join(told)}")
        return "\n".join(lines)


def _is_share(values: Sequence[bool | float]) -> bool:
    return all(isinstance(value, bool) for value in values)
