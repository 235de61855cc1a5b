"""Does the imagined last frame look like the goal image, where the goal asks for a change?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from astra_ros.critics.base import Critic, CriticInput, CriticResult, CriticSettings
from astra_ros.settings import setting


@dataclass(frozen=True)
class GoalSettings(CriticSettings):
    min_change: float = setting(
        0.3,
        "change of the most changed latent cell (RMS over channels, in standard deviations of the latents) below "
        "which the goal image counts as reached, and any change costs",
        0.0,
        10.0,
    )


class GoalCritic(Critic):
    """Weighted distance in latent space from the imagined last frame to the goal image.

    A cell of the latent counts by how much the goal asks it to change: with w the squared goal-to-current difference
    of a cell (summed over channels) and e its squared goal-to-imagined difference, cost = sum(w * e) / sum(w * w).
    So 1 means that nothing changed, 0 that the goal is reached, more than 1 that things moved away from it.

    Where the camera already shows the goal, that ratio means nothing. Then cost = mean squared difference to the goal
    image, in variances of the latents, so that staying is better than leaving.
    """

    name = "goal"
    settings_class = GoalSettings
    role = "goal"
    unit = "share of the wanted change that is missing"

    def missing(self, inp: CriticInput) -> str | None:
        if inp.goal_latent is None:
            return "no goal image"
        if not np.isfinite(inp.goal_latent - inp.current_latent).all():
            return "the latent of the goal image or of the camera image is not finite"
        return None

    def score(self, inp: CriticInput) -> CriticResult:
        assert inp.goal_latent is not None
        wanted = _cells(inp.goal_latent - inp.current_latent)
        left = _cells(inp.goal_latent - inp.imagination.latents[:, -1])
        channels = len(inp.goal_latent)
        if np.sqrt(wanted.max() / channels) <= self.settings.min_change:
            cost = left.mean(axis=(-2, -1)) / channels
            reasons = tuple(f"the goal is reached; this plan changes it by {c:.2f}" for c in cost)
            return CriticResult(cost, cost, reasons)
        cost = (wanted * left).sum(axis=(-2, -1)) / (wanted * wanted).sum()
        return CriticResult(cost, cost, tuple(map(_words, cost)))


def _cells(difference: np.ndarray) -> np.ndarray:
    """Squared length over channels: [..., C, h, w] -> float64 [..., h, w]."""
    return np.square(difference, dtype=np.float64).sum(axis=-3)


def _words(cost: float) -> str:
    if not np.isfinite(cost):
        return "the distance to the goal image is not finite"
    if cost > 1.05:
        return f"{100 * (cost - 1):.0f} % further from the goal image than now"
    return f"{100 * min(1.0, max(0.0, 1.0 - cost)):.0f} % of the way to the goal image"
