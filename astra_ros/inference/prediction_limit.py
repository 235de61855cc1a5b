"""How far real frames may be from imagined ones before the model does not fit what the camera sees.

The error of a frame is the RMS difference of its latent to the imagined one, as a ratio to the error that the model
itself expects there: 1 is as expected. A plan's figure is the largest ratio over some frames in a row. The limit is a
split conformal quantile of that figure over plans that were executed in scenes of the training's kind (Vovk, Gammerman
and Shafer 2005): a further plan of that kind stays below it with at least the stated probability.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

WINDOW = 4  # frames in a row; at 0.25 s a frame, a fault of 1 s fills it
LEAST_EXPECTED = 0.02  # of the RMS errors, so that a frame that the model is sure of does not decide


@dataclass(frozen=True)
class PredictionLimit:
    """The figure of a plan above which the model does not fit what the camera sees.

    Attributes:
        limit: no unit.
        false_alarms: largest share of fitting plans that reach it, by the conformal quantile.
        plans: of which it was computed.
    """

    limit: float
    false_alarms: float
    plans: int

    def __post_init__(self) -> None:
        if not (np.isfinite(self.limit) and self.limit > 0 and 0 < self.false_alarms < 1):
            raise ValueError(f"a prediction limit is {self.limit} with false alarms {self.false_alarms}")

    def to_dict(self) -> dict[str, float]:
        return asdict(self)


def conformal_quantile(scores: Sequence[float], false_alarms: float) -> float:
    """The ceil((n + 1) (1 - false_alarms))-th smallest of n scores; inf where n is too small for that."""
    rank = math.ceil((len(scores) + 1) * (1.0 - false_alarms) - 1e-9)
    return float(np.sort(scores)[rank - 1]) if rank <= len(scores) else math.inf


def least_plans(false_alarms: float) -> int:
    """The fewest plans of which a limit with this share of false alarms follows."""
    return math.ceil(1.0 / false_alarms - 1e-9) - 1


def fit_limit(figures: Sequence[float], false_alarms: float) -> PredictionLimit:
    """Raises ValueError where there are too few plans for that share of false alarms."""
    limit = conformal_quantile(figures, false_alarms)
    if not math.isfinite(limit):
        raise ValueError(f"{len(figures)} plans are too few; {least_plans(false_alarms)} are needed")
    return PredictionLimit(limit, false_alarms, len(figures))


def frame_error(latent: np.ndarray, imagined: np.ndarray, expected: np.ndarray, step: float) -> tuple[float, float]:
    """(RMS error, expected RMS error) of a frame at a time in steps of the model, 0 being the plan's start.

    The nearest step and its neighbours are tried, and the one with the smallest ratio counts: controllers start plans
    a little late.

    Args:
        latent: float32 [C, h, w].
        imagined: float32 [N, C, h, w], step 0 being what was seen; expected: [N], 0 there.
    """
    nearest = round(step)
    steps = np.arange(max(0, nearest - 1), min(len(imagined), nearest + 2))
    error = np.sqrt(np.square(imagined[steps] - latent).mean(axis=(1, 2, 3), dtype=np.float64))
    limited = np.maximum(expected[steps], LEAST_EXPECTED)
    best = int(np.argmin(error / limited))
    return float(error[best]), float(limited[best])


def ratio(errors: Sequence[tuple[float, float]]) -> float:
    """Root mean square error of frames over their expected one, of pairs from `frame_error`."""
    found, expected = np.square(np.array(errors, np.float64)).sum(axis=0)
    return float(np.sqrt(found / expected))


def plan_figure(errors: Sequence[tuple[float, float]], window: int = WINDOW) -> float:
    """The largest `ratio` of frames in a row."""
    return max(ratio(errors[first : first + window]) for first in range(max(1, len(errors) - window + 1)))
