"""Vetoes by numbers: plans that break a hard limit are judged without being imagined."""

from __future__ import annotations

from collections.abc import Mapping

from astra_ros.critics.scoring import VETOED, PlanScore
from astra_ros.plans.errors import BrokenLimit, PlanError


def vetoed_by_numbers(refused: Mapping[str, PlanError], imagined: int) -> list[PlanScore]:
    """Scores of the refused plans that break a hard limit, ranked behind those that were imagined."""
    broken = [(name, error) for name, error in refused.items() if isinstance(error, BrokenLimit)]
    return [
        PlanScore(
            name, imagined + index, 0.0, VETOED, critics={}, reasons=(f"numbers: {_said(error)}",), breach=error.breach
        )
        for index, (name, error) in enumerate(broken)
    ]


def _said(error: BrokenLimit) -> str:
    return f"{error.problem}; {error.cure}" if error.cure else error.problem
