"""Jumps of a pose, which are not motion: a corrected localisation, a closed loop, a robot that was carried.

A step between two poses is a jump where it is longer than the robot could move in that time, judged by its speed before
and after. Fast motion is fast before or after too, and lasts for more than two steps.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from astra_ros.rotations import Transforms, conjugate, multiply, rotation_vector

# A jump exceeds the motion at the speed around it by more than this, m or rad.
LEAST_M, LEAST_RAD = 0.2, 0.35
# The largest acceleration of a robot: m/s^2, rad/s^2.
FASTEST_M, FASTEST_RAD = 10.0, 20.0
# Steps before and after that tell the speed. A jump there and back takes at most LONGEST steps.
AROUND, LONGEST = 3, 2


class Jump(NamedTuple):
    """A jump between two poses, at `begin_s` and `end_s`, by m and rad."""

    begin_s: float
    end_s: float
    moved_m: float
    turned_rad: float


def find_jumps(times_s: np.ndarray, poses: Transforms) -> list[Jump]:
    """The jumps among poses [N] at increasing times [N], s."""
    moved, turned = _steps(poses)
    return [
        Jump(*map(float, (times_s[k], times_s[k + 1], moved[k], turned[k])))
        for k in np.flatnonzero(are_jumps(times_s, poses))
    ]


def merged(jumps: Iterable[Jump]) -> list[Jump]:
    """Jumps in order of time, with those that overlap merged: edges see the same jump at different times."""
    found: list[Jump] = []
    for jump in sorted(jumps, key=lambda each: each.begin_s):
        if found and jump.begin_s < found[-1].end_s:
            last = found.pop()
            jump = Jump(last.begin_s, *map(max, last[1:], jump[1:]))
        found.append(jump)
    return found


def are_jumps(times_s: np.ndarray, poses: Transforms) -> np.ndarray:
    """bool [N - 1]: which steps between poses [N] are jumps."""
    took = np.diff(times_s)
    if len(took) < 2:
        return np.zeros(len(took), dtype=bool)
    # Stamps in bursts do not tell the speed.
    took = np.maximum(took, float(np.median(took)))
    moved, turned = _steps(poses)
    return _beyond(moved, took, np.maximum(LEAST_M, FASTEST_M * took**2)) | _beyond(
        turned, took, np.maximum(LEAST_RAD, FASTEST_RAD * took**2)
    )


def _steps(poses: Transforms) -> tuple[np.ndarray, np.ndarray]:
    """How far each step goes, m and rad."""
    positions, turns = poses
    return (
        np.linalg.norm(np.diff(positions, axis=0), axis=1),
        np.linalg.norm(rotation_vector(multiply(conjugate(turns[:-1]), turns[1:])), axis=1),
    )


def _beyond(steps: np.ndarray, took: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """bool [N]: the steps [N] that are longer than the speed around them explains."""
    speeds = steps / took
    around = _around(speeds)
    far = steps - np.nanmedian(around, axis=1) * took > allowed
    # Neighbouring jumps must not explain each other. Noise and an accelerating motion may.
    others = np.where(far, np.nan, speeds)
    fastest = np.nanmax(_around(np.where(np.isnan(others), 0.0, others)), axis=1)
    slowest = np.nanmin(_around(np.where(np.isnan(others), np.inf, others)), axis=1)
    far &= steps - (2 * fastest - np.minimum(slowest, fastest)) * took > allowed
    edges = np.flatnonzero(np.diff(np.concatenate([[0], far.astype(int), [0]])))
    for begin, end in zip(edges[::2], edges[1::2]):
        if end - begin > LONGEST:
            far[begin:end] = False
    return far


def _around(speeds: np.ndarray) -> np.ndarray:
    """[N, 2 AROUND]: the speeds before and after each; NaN beyond the ends."""
    padded = np.pad(speeds, AROUND, constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * AROUND + 1)
    return np.delete(windows, AROUND, axis=1)
