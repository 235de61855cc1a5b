"""Does the imagined object end near the goal pose?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from astra_ros.critics.base import CriticInput, CriticResult, CriticSettings, setting

OUTCOME = "object_position"


@dataclass(frozen=True)
class GoalPoseSettings(CriticSettings):
    """Settings of the goal pose critic."""

    min_distance: float = setting(
        0.05,
        "m from the object to the goal that costs 1 where the object is even nearer at the start; about "
        "what the model errs by",
        0.001,
        10.0,
    )


class GoalPoseCritic:
    """Horizontal distance that is left from the imagined object to the goal at the last frame.

    cost = left / at the start, so 1 means no progress, 0 the goal is reached, more than 1 that the
    object went away from it. Where the object is at the start is read from the first imagined frame,
    the median over plans, since no plan has moved it by then. Height and orientation have no say.
    Where nobody gives a goal pose, the model looks for the object in the goal image.
    """

    name = "goal_pose"
    role = "goal"
    must_score = False
    unit = "m"

    def __init__(self, settings: GoalPoseSettings = GoalPoseSettings()) -> None:
        self.settings = settings

    def missing(self, inp: CriticInput) -> str | None:
        if inp.goal_position is None:
            return "no goal pose, and no object known in a goal image"
        if OUTCOME not in inp.imagination.outcomes:
            return f"the model has no '{OUTCOME}' outcome"
        if not np.isfinite(inp.goal_position).all():
            return "where the object should end is not finite"
        if np.isinf(start := self._start(inp)):
            return "the goal is too far away to reckon with"
        if np.isnan(start):
            return "the imagined object's position is not finite"
        return None

    def evaluate(self, inp: CriticInput) -> CriticResult | None:
        if self.missing(inp):
            return None
        left = _distance(inp.imagination.outcomes[OUTCOME][:, -1], inp.goal_position)
        start = max(self._start(inp), self.settings.min_distance)
        goal = "where the goal image shows it" if inp.goal_is_seen else "the goal pose"
        reasons = tuple(f"the object ends {_metres(distance)} m from {goal}" for distance in left)
        return CriticResult(left, left / start, np.zeros(len(left), bool), reasons)

    @staticmethod
    def _start(inp: CriticInput) -> float:
        """m, object to goal before any plan moved it."""
        first = inp.imagination.outcomes[OUTCOME][:, 0].astype(np.float64)
        first = first[np.isfinite(first).all(axis=-1)]  # the others are vetoed anyway
        if not len(first):
            return float("nan")
        return float(_distance(np.median(first, axis=0), inp.goal_position))


def _distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Horizontal distance of positions [..., 3], m; infinite, without a warning, where no number holds it."""
    with np.errstate(over="ignore"):
        x, y = np.moveaxis(np.asarray(a, np.float64)[..., :2] - b[:2], -1, 0)
        return np.hypot(x, y)


def _metres(distance: float) -> str:
    return f"{distance:.3f}" if distance < 1e6 else f"{distance:.3g}"
