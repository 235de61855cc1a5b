"""Joints that turn without end: their angles count modulo 2 pi.

Drivers bring such an angle into [-pi, pi) or [0, 2 pi), so it jumps by a whole turn where the joint moves evenly on.
"""

from __future__ import annotations

import math

import numpy as np

TURN = 2 * math.pi
# A difference this near to whole turns is taken for them: further than any two joints are by chance, as near as a
# robot stands to where a plan begins.
NEAR_A_TURN = 0.35
# Angles that are written modulo 2 pi lie in one of these, perhaps rounded.
WRITTEN = ((-math.pi, math.pi), (0.0, TURN))
SLACK = 0.01


def short_way(difference):
    """Angles in rad, of any shape, without their whole turns: in [-pi, pi)."""
    return (difference + math.pi) % TURN - math.pi


def nearest_turn(angles, near):
    """The same angles, rad, in the turn that is nearest to `near`; shapes as numpy broadcasts them."""
    return near + short_way(np.asarray(angles) - near)


def unwrapped(angles: np.ndarray) -> np.ndarray:
    """Angles [N] or [N, J], rad, one after the other in time, without jumps: each step is taken the short way.

    The first stays as it is. An angle that is not finite stays so, and is passed over.
    """
    angles = np.array(angles, dtype=np.float64)
    if angles.ndim == 2:
        return np.stack([unwrapped(column) for column in angles.T], axis=1) if angles.size else angles
    good = np.flatnonzero(np.isfinite(angles))
    if len(good):
        steps = np.diff(angles[good])
        # Only steps of more than half a turn are changed, so that all others stay exact.
        whole = np.where(np.abs(steps) > math.pi, np.round(steps / TURN), 0.0)
        angles[good[1:]] -= TURN * np.cumsum(whole)
    return angles


def first_turn(angles: np.ndarray) -> np.ndarray:
    """Angles [N] or [N, J], rad, all moved by the whole turns that bring the first into [-pi, pi)."""
    angles = np.asarray(angles, dtype=np.float64)
    return angles - TURN * np.floor((angles[:1] + math.pi) / TURN)


def turns_in(difference: float, tolerance: float = NEAR_A_TURN) -> int:
    """How many whole turns a difference, rad, is about: 0 where it is about none."""
    if not math.isfinite(difference):
        return 0
    turns = round(difference / TURN)
    return turns if abs(difference - turns * TURN) <= tolerance else 0


def written_in_one_turn(angles: np.ndarray) -> bool:
    """Whether angles [N], rad, may be written modulo 2 pi: all lie in [-pi, pi] or in [0, 2 pi]."""
    return any(angles.min() >= low - SLACK and angles.max() <= high + SLACK for low, high in WRITTEN)


def looks_wrapped(angles: np.ndarray) -> int:
    """How often angles [N], rad, one after the other in time, jump as a driver makes a joint that turns without end.

    That is: all lie in [-pi, pi] or in [0, 2 pi], and across the seam the joint moves on about as fast as beside it.
    0 where it looks like a joint with limits, which may also be put from one end to the other.
    """
    angles = np.asarray(angles, dtype=np.float64)
    angles = angles[np.isfinite(angles)]
    steps = np.diff(angles)
    jumps = np.flatnonzero(np.abs(steps) > math.pi)
    if not len(jumps) or not written_in_one_turn(angles):
        return 0
    speeds = np.abs(short_way(steps))
    beside = [np.delete(speeds[max(0, k - 3) : k + 4], min(k, 3)).max(initial=0.0) for k in jumps]
    explained = int((speeds[jumps] <= np.maximum(0.1, 3 * np.array(beside))).sum())
    return explained if 2 * explained > len(jumps) else 0
