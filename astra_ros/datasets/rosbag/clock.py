"""The clock of an import: header stamps where all sources share one clock, else the recorder's times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from astra_ros.camera.frame_order import JUMP_BACK_S
from astra_ros.datasets.rosbag.errors import ClockError
from astra_ros.datasets.rosbag.resample import Clock

# Two topics have different clocks if their delays until recording differ by more.
SAME_CLOCK_S = 1.0
# A clock is ahead if its stamps are later than the recording by more, while others are not.
AHEAD_S = 0.1
# Two clocks drift apart if the delays of their topics diverge by more over a bag, along a straight line.
DRIFT_S = 0.1
EVENLY = 0.15  # largest distance from that line, as a share of the drift
# So many messages, of which a few may be late, tell how far their clock is ahead.
FEW = 5
# A jump of one topic is looked for in another one this long before and after it.
AROUND_NS = 2 * 10**9
# The usual delay of an image is that of USUALLY of the images recorded this long before and after it.
USUAL_NS = 5 * 10**9
USUALLY = 0.9
PARTS = 10
# Of a clock that jumps more often, the first jumps are enough.
MOST_JUMPS = 50


def choose_clock(sources: Mapping[str, Sequence], unstamped: str, wanted: str, first) -> Clock:
    """The clock that all `sources` (topic -> its series, of those with headers) have in common.

    `unstamped`: topic whose messages have no header, or ''. `wanted`: 'header', 'receive', or 'auto': header stamps
    where they exist and agree. `first`: the camera's series.

    Raises ClockError where header stamps are wanted, but missing, or those of one topic jump alone.
    """
    empty = [topic for topic, group in sources.items() if _share_unstamped(group) > 0.5]
    if wanted == "header" and empty:
        raise ClockError(f"the header stamps of {', '.join(empty)} are 0", thing="clock", cure="take receive")
    name, why = "header", "stamps of the message headers"
    jumps: Mapping[int, float] = {}
    future: frozenset[int] = frozenset()
    if wanted == "receive":
        name, why = "receive", "times of the recorder, as asked for"
    elif empty:
        name, why = "receive", f"times of the recorder: the headers of {', '.join(empty)} have no stamps"
    else:
        timed = {topic: [_Stamps.of(series) for series in group] for topic, group in sources.items()}
        images = next(
            stamps for topic, group in sources.items() for series, stamps in zip(group, timed[topic]) if series is first
        )
        alone = _jump_alone(timed, unstamped, images)
        if alone and wanted == "header":
            jumps_s = ", ".join(f"{jump:.2f}" for jump in alone.by_s)
            problem = f"the header stamps of {alone.who} jump by {jumps_s} s, and {alone.other}"
            raise ClockError(problem, thing="clock", cure="take auto")
        trouble = f"the stamps of {alone.who} jump, and {alone.other}" if alone else ""
        trouble = trouble or _apart(timed, unstamped, images) or _drifting(timed, unstamped)
        if trouble and wanted == "auto":
            # The recorder's times do not jump with the stamps.
            name, why = "receive", f"times of the recorder: {trouble}"
            jumps = {after_ns: by_s for _, after_ns, by_s in images.jumps()} if alone else {}
        else:
            why += f"; {unstamped} has no stamps, so the recorder's times are used for it" if unstamped else ""
            future = _future(timed, unstamped, images) if not trouble else future
            why += f"; as asked for, though {trouble}" if trouble else ""
    stamps = first.received_ns if name == "receive" else [ns for ns in first.stamps_ns if ns]
    return Clock(name, why, stamps[0], first.received_ns[0], jumps, future)


@dataclass(frozen=True)
class _Stamps:
    """Stamps of one series, in order of recording."""

    received_ns: np.ndarray  # int64 [N], of the recorder
    ahead_s: np.ndarray  # [N], by how much the stamp is later

    @staticmethod
    def of(series) -> _Stamps:
        whole = [
            (stamp, received)
            for stamp, received, value in zip(series.stamps_ns, series.received_ns, series.values)
            if stamp and value is not None
        ]
        stamps, received = np.array(whole, dtype=np.int64).reshape(-1, 2).T
        return _Stamps(received, (stamps - received) / 1e9)

    def levels(self) -> list[tuple[int, int, float]]:
        """(first index, index after the last, least delay below zero) of the stretches between jumps.

        Late messages, and a recorder that falls behind and catches up, are not jumps: the least delay of the messages
        that follow is as it was.
        """
        parts = np.split(np.arange(len(self.ahead_s)), np.flatnonzero(np.abs(np.diff(self.ahead_s)) > JUMP_BACK_S) + 1)
        return [(part[0], part[-1] + 1, float(self.ahead_s[part].max())) for part in parts if len(part) >= FEW]

    def jumps(self) -> list[tuple[int, int, float]]:
        """(ns when the last before it was received, ns when the first after it was, by how many s) of each jump."""
        levels = self.levels()
        return [
            (int(self.received_ns[end - 1]), int(self.received_ns[begin]), now - before)
            for (_, end, before), (begin, _, now) in zip(levels, levels[1:])
            if abs(now - before) > JUMP_BACK_S
        ]

    def change_s(self, before_ns: int, after_ns: int) -> float | None:
        """By how much the stamps are further ahead after one time than before another; None without near stamps."""
        until = self.ahead_s[(self.received_ns > before_ns - AROUND_NS) & (self.received_ns <= before_ns)]
        since = self.ahead_s[(self.received_ns < after_ns + AROUND_NS) & (self.received_ns >= after_ns)]
        return float(since.max() - until.max()) if len(until) and len(since) else None

    def least_ahead(self, at_ns: np.ndarray) -> np.ndarray:
        """[len(at_ns)]: how far the stamps of punctual messages around these times are ahead; inf without any."""
        begin = np.searchsorted(self.received_ns, at_ns - AROUND_NS)
        end = np.searchsorted(self.received_ns, at_ns + AROUND_NS)
        return np.array([self.ahead_s[i:j].max(initial=-np.inf) if i < j else np.inf for i, j in zip(begin, end)])

    def least_delays(self, edges: np.ndarray) -> np.ndarray:
        """[len(edges) - 1]; NaN where there are few messages."""
        found = np.full(len(edges) - 1, np.nan)
        for index, (begin, end) in enumerate(zip(edges, edges[1:])):
            inside = self.ahead_s[(self.received_ns >= begin) & (self.received_ns <= end)]
            if len(inside) >= FEW:
                found[index] = -inside.max()
        return found


class _JumpAlone(NamedTuple):
    """Stamps of one topic that jump, by `by_s`, where those of another do not."""

    who: str
    by_s: list[float]
    other: str  # about the other topic


def _jump_alone(timed: Mapping[str, list[_Stamps]], unstamped: str, images: _Stamps) -> _JumpAlone | None:
    if unstamped:
        if by_s := [by for _, _, by in images.jumps()]:
            return _JumpAlone("the images", by_s, f"{unstamped} has no stamps")
        return None
    for topic, group in timed.items():
        for other, others in timed.items():
            for one in group if topic != other else ():
                for each in others:
                    if by_s := _not_shared(one, each):
                        return _JumpAlone(topic, by_s, f"those of {other} do not")
    return None


def _not_shared(one: _Stamps, other: _Stamps) -> list[float]:
    """The jumps of one, s, that the other does not make."""
    changes = [(by_s, one.change_s(*at), other.change_s(*at)) for *at, by_s in one.jumps()[:MOST_JUMPS]]
    return [
        by_s
        for by_s, here, there in changes
        if here is not None and there is not None and abs(here - there) > JUMP_BACK_S
    ]


def _ahead_at(images: _Stamps, group: list[_Stamps]) -> np.ndarray:
    """By how much a topic's stamps are ahead when images are recorded. A simulation's clock may be slower."""
    received, ahead = (np.concatenate(parts) for parts in zip(*((each.received_ns, each.ahead_s) for each in group)))
    order = np.argsort(received, kind="stable")
    return np.interp(images.received_ns, received[order], ahead[order]) if len(images.received_ns) else ahead


def _apart(timed: Mapping[str, list[_Stamps]], unstamped: str, images: _Stamps) -> str:
    """The problem where clocks are apart, or one is too far ahead; else ''."""
    delays = {
        topic: -float(np.median(_ahead_at(images, group)))
        for topic, group in timed.items()
        if any(len(each.ahead_s) for each in group)
    }
    if unstamped:
        delays[unstamped] = 0.0
    low, high = min(delays, key=delays.__getitem__), max(delays, key=delays.__getitem__)
    apart = delays[high] - delays[low]
    if apart > SAME_CLOCK_S:
        return (
            f"{'the recording' if low == unstamped else low} and "
            f"{'the recording' if high == unstamped else high} have clocks that are {apart:.4g} s apart"
        )
    # A topic is not ahead if only a part of it is, such as a transform that is made for the future.
    ahead = {
        topic: float(min(np.median(each.ahead_s) for each in group if len(each.ahead_s)))
        for topic, group in timed.items()
        if topic in delays
    }
    first = max(ahead, key=ahead.__getitem__)
    if ahead[first] > AHEAD_S and apart > AHEAD_S and delays[high] > -AHEAD_S / 2:
        return (
            f"{first} is stamped {ahead[first]:.2f} s later than it was recorded, and "
            f"{'the recording' if high == unstamped else high} is not, so their clocks differ"
        )
    return ""


def _future(timed: Mapping[str, list[_Stamps]], unstamped: str, images: _Stamps) -> frozenset[int]:
    """See `Clock.future`."""
    if unstamped:
        later = images.ahead_s
    else:
        others = [each for group in timed.values() for each in group if each is not images]
        level = np.max([each.least_ahead(images.received_ns) for each in others], axis=0)
        later = images.ahead_s - level
        # Late motion makes all images look as if they came from the future, by the same time. Where even the
        # motion is ahead, the recorder's clock is behind and cannot tell how late the motion is.
        late = np.where(level > AHEAD_S / 2, np.inf, np.maximum(-level, 0.0))
        later = later - np.clip(_usual(images.received_ns, later), 0.0, late)
    return frozenset(images.received_ns[later > AHEAD_S].tolist())


def _usual(received_ns: np.ndarray, values: np.ndarray) -> np.ndarray:
    """[N]: the USUALLY quantile of the values around each."""
    index = np.arange(len(values))
    begin = np.minimum(np.searchsorted(received_ns, received_ns - USUAL_NS), np.maximum(index - FEW // 2, 0))
    end = np.maximum(np.searchsorted(received_ns, received_ns + USUAL_NS), index + FEW // 2 + 1)
    return np.array([np.quantile(values[i:j], USUALLY, method="lower") for i, j in zip(begin, end)])


def _drifting(timed: Mapping[str, list[_Stamps]], unstamped: str) -> str:
    """The problem where two clocks drift apart; else ''."""
    topics = list(timed)
    for index, topic in enumerate(topics):
        for one in timed[topic]:
            if unstamped and (by := _drift(one, None)):
                return f"the clock of {topic} drifts against that of the recorder, by {by}"
            for other in topics[:index]:
                for each in timed[other]:
                    if by := _drift(one, each):
                        return f"the clocks of {other} and {topic} drift apart, by {by}"
    return ""


def _drift(one: _Stamps, other: _Stamps | None) -> str:
    """How far a clock drifts from another one, or from the recorder's (None): '0.77 s in 27 s', or ''."""
    both = [each.received_ns for each in (one, other) if each is not None]
    if not all(map(len, both)):
        return ""
    begin, end = max(each.min() for each in both), min(each.max() for each in both)
    edges = np.linspace(begin, max(begin, end), PARTS + 1)
    delays = one.least_delays(edges) - (0.0 if other is None else other.least_delays(edges))
    known = np.isfinite(delays)
    if known.sum() <= PARTS / 2:
        return ""
    at = ((edges[1:] + edges[:-1])[known] / 2 - begin) / 1e9
    slope, level = np.polyfit(at, delays[known], 1)
    drift = slope * np.ptp(at)
    if abs(drift) <= DRIFT_S or np.abs(delays[known] - slope * at - level).max() > EVENLY * abs(drift):
        return ""
    return f"{abs(drift):.2f} s in {np.ptp(at):.0f} s"


def _share_unstamped(group: Sequence) -> float:
    stamps = np.concatenate([np.array(series.stamps_ns, dtype=np.int64) for series in group])
    return float((stamps == 0).mean())
