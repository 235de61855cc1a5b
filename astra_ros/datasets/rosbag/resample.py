"""Timed series at other times: runs between clock jumps, interpolation, means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from astra_ros.camera.frame_order import JUMP_BACK_S, SAME_S
from astra_ros.plans.turns import unwrapped


@dataclass(frozen=True)
class Clock:
    """The clock of an import."""

    name: str  # 'header' or 'receive'
    why: str  # for the report
    origin_ns: int  # second 0, the first image
    received_origin_ns: int  # receive time of the first image
    # Receive time of the first image after a jump of the header clock, ns -> the jump, s. Only where the recorder's
    # clock was chosen because of these jumps.
    jumps: Mapping[int, float] = field(default_factory=dict)
    future: frozenset[int] = frozenset()  # receive times of images that are stamped too far in the future, ns

    def times_s(self, series, stamped: bool = True) -> np.ndarray:
        """float64 [N]; NaN where a header has no stamp. Receive times without headers."""
        if self.name == "receive" or not stamped:
            return (np.array(series.received_ns, dtype=np.int64) - self.origin_ns) / 1e9
        stamps = np.array(series.stamps_ns, dtype=np.int64)
        return np.where(stamps == 0, np.nan, (stamps - self.origin_ns) / 1e9)

    def span_ns(self, times_s: np.ndarray) -> tuple[int, int]:
        """The first and the last of times [N], ns since 1970."""
        return self.origin_ns + round(times_s[0] * 1e9), self.origin_ns + round(times_s[-1] * 1e9)

    def received_s(self, series) -> np.ndarray:
        """float64 [N], receive times since the first image."""
        return (np.array(series.received_ns, dtype=np.int64) - self.received_origin_ns) / 1e9


class Track:
    """Values [N, D] over time, in runs within which the clock goes forward.

    Messages are in order of recording; rows whose time is NaN are left out. `turning`: whether the values are angles of
    joints without limits, which are unwrapped within a run.
    """

    def __init__(self, times_s: np.ndarray, received_s: np.ndarray, values: np.ndarray, turning: bool = False):
        good = np.isfinite(times_s)
        times_s, received_s, values = times_s[good], received_s[good], values[good]
        starts = [0, *(np.flatnonzero(np.diff(times_s) < -JUMP_BACK_S) + 1), len(times_s)]
        self.runs: list[tuple[np.ndarray, np.ndarray]] = []  # (times [M] increasing, values [M, D]), as recorded
        self.beginnings: list[float] = []  # receive time of the first sample of each run, s
        for begin, end in zip(starts, starts[1:]):
            if begin == end:
                continue
            # Overtaken messages are put in order. Of equal stamps the last one is used.
            order = begin + np.argsort(times_s[begin:end], kind="stable")
            last = np.append(np.diff(times_s[order]) > 0, True)
            kept = values[order][last]
            self.runs.append((times_s[order][last], unwrapped(kept) if turning else kept))
            self.beginnings.append(received_s[begin])
        self._columns = values.shape[1:]

    def run(self, received_s: float) -> tuple[np.ndarray, np.ndarray]:
        """(times [M] increasing, values [M, D]) of the run that was recorded at that time."""
        if not self.runs:
            return np.empty(0), np.empty((0, *self._columns))
        return self.runs[max(0, int(np.searchsorted(self.beginnings, received_s, side="right")) - 1)]


BEFORE, AFTER, SILENT = ("before the motion starts", "after the motion ends", "while the motion is silent")


def problems(times: np.ndarray, at: np.ndarray, gap_s: float) -> np.ndarray:
    """Why values at `at` [M] between samples at `times` [N] are missing; '' where they are not."""
    found = np.full(len(at), "", dtype=object)
    if not len(times):
        found[:] = BEFORE
        return found
    right = np.clip(np.searchsorted(times, at - SAME_S), 0, len(times) - 1)
    left = np.maximum(right - 1, 0)
    on_sample = np.abs(times[right] - at) <= SAME_S
    found[~on_sample & (times[right] - times[left] > gap_s + SAME_S)] = SILENT
    found[at < times[0] - SAME_S] = BEFORE
    found[at > times[-1] + SAME_S] = AFTER
    return found


def linear(times: np.ndarray, values: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Values [N, D] at `times` interpolated at `at` [M]: [M, D]."""
    return np.stack([np.interp(at, times, column) for column in values.T], axis=1)


def travelled(times: np.ndarray, rates: np.ndarray) -> np.ndarray:
    """[N, D]: the integral of the linear interpolation of rates [N, D], from the first time on."""
    steps = np.diff(times)[:, None] * (rates[1:] + rates[:-1]) / 2
    return np.concatenate([np.zeros((1, rates.shape[1])), np.cumsum(steps, axis=0)])


def mean_of_line(times: np.ndarray, values: np.ndarray, begin: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Mean over [begin, end] ([M] each) of the linear interpolation of values [N, D]: [M, D]."""
    way = travelled(times, values)

    def until(at: np.ndarray) -> np.ndarray:
        left = np.clip(np.searchsorted(times, at, side="right") - 1, 0, len(times) - 1)
        here = linear(times, values, at)
        return way[left] + (at - times[left])[:, None] * (values[left] + here) / 2

    return (until(end) - until(begin)) / (end - begin)[:, None]


def mean_of_commands(
    times: np.ndarray, values: np.ndarray, timeout_s: float, begin: np.ndarray, end: np.ndarray
) -> np.ndarray:
    """Mean over [begin, end] ([M] each) of commands [N, D] that hold until the next or a timeout.

    Before the first command, and from `timeout_s` after a command without a successor, the robot rests.
    """
    if not len(times):
        return np.zeros((len(begin), values.shape[1]))
    held = np.minimum(np.append(np.diff(times), np.inf), timeout_s)
    # Two knots a command: where it begins, and where it stops to hold.
    knots = np.stack([times, times + held], axis=1).ravel()
    travelled = np.repeat(np.cumsum(values * held[:, None], axis=0), 2, axis=0)
    travelled[0::2] -= values * held[:, None]
    return (linear(knots, travelled, end) - linear(knots, travelled, begin)) / (end - begin)[:, None]


def divide(times: np.ndarray, dt_s: float, most: int, least: int) -> list[tuple[np.ndarray, int, bool]]:
    """Select frames `dt_s` apart, out of those at `times` [N], as segments of even length.

    A segment begins at a frame and takes the nearest frame for each step, at most half a step away. Without such
    a frame it ends, and the next one begins. 130 steps with most = 120 become two segments of 65, so that no short rest
    is lost.

    Returns:
        (indices of the segment's frames, index after the last frame within its time, whether it ended because a frame
        was missing), each beginning where the one before ended. Such segments, or an only one, may be shorter than
        `least`.
    """
    segments, start = [], 0
    while start < len(times):
        total = int((times[-1] - times[start]) / dt_s + 0.5) + 1
        parts = max(1, min(-(-total // most), total // least))
        grid = times[start] + dt_s * np.arange(-(-total // parts))
        right = np.clip(np.searchsorted(times, grid), 1, max(1, len(times) - 1))
        nearest = np.clip(right, 0, len(times) - 1)
        nearest = np.where(grid - times[right - 1] <= times[nearest] - grid, right - 1, nearest)
        good = np.abs(times[nearest] - grid) <= dt_s / 2 + SAME_S
        good[1:] &= np.diff(nearest) > 0
        length = len(grid) if good.all() else int(np.argmin(good))
        end = max(int(np.searchsorted(times, grid[length - 1] + dt_s / 2, side="right")), int(nearest[length - 1]) + 1)
        segments.append((nearest[:length], end, length < len(grid)))
        start = end
    return segments
