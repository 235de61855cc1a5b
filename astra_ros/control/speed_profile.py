"""Speed over time with bounded acceleration and jerk: the change that ends soonest, as a ramp with rounded ends."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

SAMPLE_S = 0.01


@dataclass(frozen=True)
class SpeedChange:
    """How fast a speed may change.

    Attributes:
        acceleration, braking: largest change of a speed >= 0, up and down, m/s^2.
        jerk: largest change of that, m/s^3.
    """

    acceleration: float
    braking: float
    jerk: float


def ways(
    speed: float, acceleration: float, wish: float, change: SpeedChange, times_s: np.ndarray, limit: float = math.inf
) -> np.ndarray:
    """How far a vehicle has come at times, that goes over from one speed to another and keeps it.

    Its acceleration goes over time from the present one to the largest, or less for a small change, stays there, and
    goes to 0, along straight lines.

    Args:
        speed: now, m/s, >= 0; acceleration: now, m/s^2, taken for at most what ``change`` allows.
        wish: m/s, >= 0.
        times_s: [N] from now on, increasing.
        limit: m/s; the present acceleration is taken for less where it would lead beyond it before it could end.

    Returns:
        float64 [N] m.
    """
    begin = min(max(acceleration, -change.braking), change.acceleration)
    begin = min(begin, math.sqrt(2 * change.jerk * max(0.0, limit - speed)))
    if speed <= 0.0:
        begin = max(0.0, begin)
    jerk = change.jerk
    # The speed that it would have if its acceleration went to 0 at once.
    side = math.copysign(1.0, wish - (speed + begin * abs(begin) / (2 * jerk)))
    begin *= side
    most = change.acceleration if side > 0.0 else change.braking
    peak = min(math.sqrt(max(0.0, jerk * side * (wish - speed) + begin**2 / 2)), most)
    first_s, last_s = max(0.0, peak - begin) / jerk, peak / jerk
    ramps = (begin + peak) / 2 * first_s + peak / 2 * last_s
    constant_s = max(0.0, side * (wish - speed) - ramps) / peak if peak > 0.0 else 0.0
    ends = np.cumsum([0.0, first_s, constant_s, last_s])
    fine = np.arange(0.0, float(times_s[-1]) + 2 * SAMPLE_S, SAMPLE_S)
    speeds = np.maximum(speed + _integral(side * np.interp(fine, ends, [begin, peak, peak, 0.0])), 0.0)
    return np.interp(times_s, fine, _integral(speeds))


def _integral(values: np.ndarray) -> np.ndarray:
    return np.concatenate([[0.0], np.cumsum((values[1:] + values[:-1]) / 2)]) * SAMPLE_S
