"""Events that the model's heads give a probability of, frame by frame."""

from __future__ import annotations

import numpy as np

from astra_ros.planning.critics.base import CriticInput

_ROUNDING = 1e-3  # a probability may miss 0..1 by this and is then clipped


def most_likely_moment(inp: CriticInput, outcome: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """When an event is most likely, for each of K plans.

    Returns:
        Its probability [K], NaN where the model gave one that is none; the time [K] in seconds; and
        bool [K], where it gave one that is none.
    """
    given = inp.imagination.outcomes[outcome].astype(np.float64)
    valid = (given >= -_ROUNDING) & (given <= 1.0 + _ROUNDING)  # False for NaN
    each = np.where(valid, np.clip(given, 0.0, 1.0), np.nan)
    chance = each.max(axis=1)  # NaN stays NaN
    worst_s = (np.where(valid, each, -1.0).argmax(axis=1) + 1) * inp.dt_s
    return chance, worst_s, ~np.isfinite(chance)
