"""Which plans of a request are imagined how far: by name, from this package and from any installed one."""

from __future__ import annotations

from typing import Protocol

from astra_ros.ranking.plan_rollouts import PlanRollouts
from astra_ros.registry import Registry


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
