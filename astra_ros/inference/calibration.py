"""How the probability that a model gives becomes the share of plans in which it happens."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np


def logit(probability: np.ndarray) -> np.ndarray:
    """log(p / (1 - p)); -inf at 0, inf at 1."""
    with np.errstate(divide="ignore"):
        return np.log(probability) - np.log1p(-probability)


@dataclass(frozen=True)
class Calibration:
    """Platt scaling: sigmoid(slope * logit(p) + offset). The slope is positive, so plans keep their order.

    It was fitted on `plans` plans of `horizon` frames, of which the event happened in `happened`; 0 where that is not
    known. A plan's probability is the largest of its frames, which grows with their number. So the calibration holds
    for that horizon, at the model's `dt_s`.
    """

    slope: float
    offset: float
    plans: int = 0
    happened: int = 0
    horizon: int = 0

    def __post_init__(self) -> None:
        if not (np.isfinite([self.slope, self.offset]).all() and self.slope > 0):
            raise ValueError(f"a calibration has slope {self.slope} and offset {self.offset}; expected slope > 0")

    def __call__(self, probability: np.ndarray) -> np.ndarray:
        """Float64 of the same shape; 0 stays 0, 1 stays 1, and NaN stays NaN."""
        score = self.slope * logit(np.asarray(probability, np.float64)) + self.offset
        with np.errstate(invalid="ignore"):  # of NaN
            return np.exp(-np.logaddexp(0.0, -score))

    def to_dict(self) -> dict[str, float]:
        return asdict(self)
