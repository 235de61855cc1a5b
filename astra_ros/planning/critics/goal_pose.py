"""Does the imagined object end near the goal pose?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from astra_ros.planning.critics.base import CriticInput, CriticResult, CriticSettings, setting

OUTCOME = "object_position"


@dataclass(frozen=True)
class GoalPoseSettings(CriticSettings):
    """Settings of the goal pose critic."""

    min_distance: float = setting(
        0.02, "m from the object to the goal below which the goal counts as already reached", 0.0, 10.0
    )


class GoalPoseCritic:
    """Distance that is left from the imagined object to the goal position at the last frame.

    cost = left / at the start, so 1 means no progress, 0 the goal is reached, more than 1 that the
    object went away from it. Where the object is at the start is read from the first imagined frame,
    the mean over plans, since no plan has moved it by then. Orientation has no say.
    """

    name = "goal_pose"
    role = "goal"
    unit = "m"

    def __init__(self, settings: GoalPoseSettings = GoalPoseSettings()) -> None:
        self.settings = settings

    def missing(self, inp: CriticInput) -> str | None:
        if inp.goal_position is None:
            return "no goal pose"
        if OUTCOME not in inp.imagination.outcomes:
            return f"the model has no '{OUTCOME}' outcome"
        start = self._start(inp)
        if not np.isfinite(start):
            return "the imagined object's position is not finite"
        if start <= self.settings.min_distance:
            return (
                f"the object is already {start:.3f} m from the goal pose (goal_pose.min_distance is "
                f"{self.settings.min_distance:g})"
            )
        return None

    def evaluate(self, inp: CriticInput) -> CriticResult | None:
        if self.missing(inp):
            return None
        left = np.linalg.norm(
            inp.imagination.outcomes[OUTCOME][:, -1].astype(np.float64) - inp.goal_position, axis=-1
        )
        reasons = tuple(f"the object ends {distance:.3f} m from the goal pose" for distance in left)
        return CriticResult(left, left / self._start(inp), np.zeros(len(left), bool), reasons)

    @staticmethod
    def _start(inp: CriticInput) -> float:
        """m, object to goal before any plan moved it."""
        first = inp.imagination.outcomes[OUTCOME][:, 0].astype(np.float64).mean(axis=0)
        return float(np.linalg.norm(first - inp.goal_position))
