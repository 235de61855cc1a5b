"""Does the imagined object end near the goal pose?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from astra_ros.critics.base import Critic, CriticInput, CriticResult, CriticSettings
from astra_ros.outcomes import OBJECT_POSITION
from astra_ros.settings import setting


@dataclass(frozen=True)
class GoalPoseSettings(CriticSettings):
    min_distance: float = setting(
        0.05,
        "m from the object to the goal that costs 1 where the object is even nearer at the start; about what the model "
        "errs by",
        0.001,
        10.0,
    )


class GoalPoseCritic(Critic):
    """Horizontal distance from the imagined object to the goal at the last frame.

    cost = distance at the end / distance at the start: 1 means no progress, 0 that the goal is reached, more than 1
    that the object moved away from it. The start is the median over plans of the object's position in the first
    imagined frame, since no plan has moved the object by then. Height and orientation do not count.
    """

    name = "goal_pose"
    settings_class = GoalPoseSettings
    role = "goal"
    unit = "m"

    def missing(self, inp: CriticInput) -> str | None:
        if inp.goal_position is None:
            return "no goal pose, and no object known in a goal image"
        if OBJECT_POSITION not in inp.imagination.outcomes:
            return f"the model has no '{OBJECT_POSITION}' outcome"
        if not np.isfinite(inp.goal_position).all():
            return "where the object should end is not finite"
        if np.isinf(start := self._start(inp)):
            return "the goal is too far away to be compared"
        if np.isnan(start):
            return "the imagined object's position is not finite"
        return None

    def score(self, inp: CriticInput) -> CriticResult:
        assert inp.goal_position is not None
        left = _distance(inp.imagination.outcomes[OBJECT_POSITION][:, -1], inp.goal_position)
        start = max(self._start(inp), self.settings.min_distance)
        goal = "where the goal image shows it" if inp.goal_is_seen else "the goal pose"
        numbers = (f"{distance:.3f}" if distance < 1e6 else f"{distance:.3g}" for distance in left)
        reasons = tuple(f"the object ends {number} m from {goal}" for number in numbers)
        return CriticResult(left, left / start, reasons)

    @staticmethod
    def _start(inp: CriticInput) -> float:
        """m, object to goal before any plan moved it."""
        assert inp.goal_position is not None
        first = inp.imagination.outcomes[OBJECT_POSITION][:, 0].astype(np.float64)
        first = first[np.isfinite(first).all(axis=-1)]  # the others are vetoed anyway
        return float(_distance(np.median(first, axis=0), inp.goal_position)) if len(first) else float("nan")


def _distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Horizontal distance of positions [..., 3], m; infinite, without a warning, where no number holds it."""
    with np.errstate(over="ignore"):
        x, y = np.moveaxis(np.asarray(a, np.float64)[..., :2] - b[:2], -1, 0)
        return np.hypot(x, y)
