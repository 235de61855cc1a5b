"""How much does the camera expect to see that it has not seen?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from astra_ros.planning.critics.base import CriticInput, CriticResult, CriticSettings, setting


@dataclass(frozen=True)
class NoveltySettings(CriticSettings):
    """Settings of the novelty critic."""

    enabled: bool = setting(False, "whether this critic scores plans: for robots that explore")
    scale: float = setting(
        1.2,
        "mean distance of a frame to the nearest one before it (RMS, in standard deviations of the "
        "latents) that costs nothing; frames that have nothing in common are 1.4 apart",
        0.001,
        100.0,
    )


class NoveltyCritic:
    """Mean distance of each imagined frame to the nearest of all frames before it.

    Before it are the newest observed frame and what the same plan has already been imagined to see.
    So a plan that looks back and forth gains nothing the second time, and standing still gains
    nothing at all. cost = 1 - novelty / scale, at least 0.
    """

    name = "novelty"
    role = "goal"
    must_score = False
    unit = "latent RMS distance"

    def __init__(self, settings: NoveltySettings = NoveltySettings()) -> None:
        self.settings = settings

    def missing(self, inp: CriticInput) -> str | None:
        return None

    def evaluate(self, inp: CriticInput) -> CriticResult | None:
        novelty = np.array([_novelty(inp.current_latent, run) for run in inp.imagination.latents])
        cost = np.maximum(1.0 - novelty / self.settings.scale, 0.0)
        reasons = tuple(f"new views: {value:.2f}" for value in novelty)
        return CriticResult(novelty, cost, np.zeros(len(cost), bool), reasons)


def _novelty(now: np.ndarray, run: np.ndarray) -> float:
    """Of one plan's latents [H, C, h, w], after `now` [C, h, w]."""
    frames = np.concatenate([now[None], run]).reshape(len(run) + 1, -1).astype(np.float64)
    squares = np.square(frames).sum(-1)
    apart = np.maximum(squares[:, None] + squares[None] - 2.0 * frames @ frames.T, 0.0)
    apart = np.sqrt(apart / frames.shape[1])
    return float(np.mean([apart[k, :k].min() for k in range(1, len(frames))]))
