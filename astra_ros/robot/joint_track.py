"""Where joints were at the time of an image: joint states of the last seconds, interpolated."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import deque
from collections.abc import Mapping

KEPT_NS = 3_000_000_000
# Joint states of one kind nearer to each other than this are thinned out: arms publish up to 1000 a second.
APART_NS = 20_000_000
# Between joint states further apart than this, positions are not known.
MOST_GAP_NS = 500_000_000
MOST_KINDS = 16  # of messages, by the joints that they name

_Stamped = tuple[int, dict[str, float]]


class JointTrack:
    """Joint states by their stamps, on the clock of the images. Arm and gripper may come in messages of their own. Not
    thread-safe."""

    def __init__(self) -> None:
        self._kinds: dict[frozenset[str], deque[_Stamped]] = {}

    @property
    def has_joints(self) -> bool:
        """Whether a joint state was added yet."""
        return bool(self._kinds)

    def add(self, stamp_ns: int, positions: Mapping[str, float]) -> None:
        """Add a joint state, rad or m. One that is older than the last of its kind begins the track anew if it is much
        older, as where a simulation starts again, and is left out if not."""
        kind = frozenset(positions)
        if kind not in self._kinds and len(self._kinds) >= MOST_KINDS:
            del self._kinds[next(iter(self._kinds))]
        track = self._kinds.setdefault(kind, deque())
        if track and stamp_ns < track[-1][0]:
            if track[-1][0] - stamp_ns < KEPT_NS:
                return
            track.clear()
        if len(track) > 1 and stamp_ns - track[-2][0] < APART_NS:
            track.pop()
        track.append((stamp_ns, dict(positions)))
        while track[-1][0] - track[0][0] > KEPT_NS:
            track.popleft()

    def at(self, stamp_ns: int) -> dict[str, float]:
        """The positions of the joints that are known at a time: between two joint states, or at one."""
        found: dict[str, float] = {}
        for track in self._kinds.values():
            index = bisect_left(track, stamp_ns, key=lambda each: each[0])
            if index < len(track) and track[index][0] == stamp_ns:
                found |= track[index][1]
            elif 0 < index < len(track) and track[index][0] - track[index - 1][0] <= MOST_GAP_NS:
                found |= _between(track[index - 1], track[index], stamp_ns)
        return found


def _between(before: _Stamped, after: _Stamped, stamp_ns: int) -> dict[str, float]:
    share = (stamp_ns - before[0]) / (after[0] - before[0])
    values = {}
    for name, first in before[1].items():
        last = after[1][name]
        if abs(last - first) > math.pi:  # an angle that wrapped: no joint moves as far between two joint states
            values[name] = last if share > 0.5 else first
        else:
            values[name] = first + share * (last - first)
    return values
