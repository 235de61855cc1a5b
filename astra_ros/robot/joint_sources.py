"""Detect two publishers of the same joint, tf edge or velocity in one stream.

A message does not name its sender, so the stream is judged by its content: the same joint in messages with another
order or set of names, values that jump there and back, and stamps that do so. Which publisher is right is unknown.

The following are not taken for a second source: glitches, a robot that is moved elsewhere and stays there, a noisy
encoder, a fast motion, a whole turn of an angle, and messages without a common joint (an arm's and its gripper's).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from astra_ros.robot.conflict import Conflict, Kind, Value
from astra_ros.robot.relays import FLOOR, LAG_S, Way, difference
from astra_ros.rotations import rotation_matrix

# Largest plausible motion of a joint or frame between two messages, per second. A velocity gets less, since commands
# are smooth or keep their new value.
SPEEDS = {Kind.JOINT: 2.0, Kind.FRAME: 2.0, Kind.VELOCITY: 0.5}
# A step of so many times the usual distance from the earlier values is not noise.
NOISE = 8.0
# A second source is reported after so many jumps there and back within so many seconds.
LEAST, WINDOW_S = 3, 10.0
MOST_VISITS = 2 * LEAST + 1
# More messages in a row at the other place mean a robot that was moved, not a slower second publisher.
LONGEST_VISIT = 3
# A conflict that was not seen for so long is over, s.
OVER_S = 5.0
# Fastest wheel of a robot, rad/s.
FASTEST_WHEEL = 60.0
# Joints or edges watched at once: an endless stream of new names must not fill the memory.
MOST_KEYS = 1024
# Orders of names of one key that are distinguished.
MOST_ORDERS = 4


@dataclass
class _Track:
    """The last message of one source."""

    value: Value
    at_s: float
    rate: Value
    names: tuple[str, ...]
    way: Way
    messages: int = 1  # in a row


class _Said(NamedTuple):
    """The value of one message."""

    names: tuple[str, ...]
    value: Value
    at_s: float


@dataclass
class _Events:
    """Times of an event within the window, and its total count."""

    times: deque = field(default_factory=lambda: deque(maxlen=256))
    total: int = 0

    def add(self, now_s: float) -> None:
        self.times.append(now_s)
        self.total += 1

    def recent(self, now_s: float) -> int:
        while self.times and not -OVER_S <= now_s - self.times[0] <= WINDOW_S:
            self.times.popleft()
        return len(self.times)


class SourceWatch:
    """Watches one stream, message by message, with bounded memory. Not thread-safe.

    Args:
        kind: of the keys. Whole turns of joints do not count. The `names` of a frame are its one parent.
    """

    def __init__(self, kind: Kind = Kind.JOINT):
        self._kind = kind
        self._keys: dict[str, _Key] = {}

    def add(
        self, names: Sequence[str], values: Sequence[float], received_s: float, stamp_s: float | None = None
    ) -> None:
        """Add a message of joints.

        Args:
            names, values: J, in the message's order, rad or m; values that are not finite are skipped.
            received_s: time of arrival, s; a step back starts anew.
            stamp_s: of the header, s; None where it is empty.
        """
        names = tuple(names)
        for name, value in zip(names, values):
            if math.isfinite(value):
                self.add_one(name, (float(value),), received_s, stamp_s, names)

    def add_one(
        self, key: str, value: Value, received_s: float, stamp_s: float | None = None, names: tuple[str, ...] = ()
    ) -> None:
        """Add a message's value of one joint or edge; see `add`. `pose_values` turns poses into values."""
        known = self._keys.get(key)
        if known is None:
            if len(self._keys) >= MOST_KEYS:
                del self._keys[next(iter(self._keys))]
            known = self._keys[key] = _Key(key, self._kind)
        known.add(value, received_s, stamp_s, names)

    def conflicts(self, now_s: float | None = None) -> dict[str, Conflict]:
        """Joints or edges with two publishers: now, or ever where no time is given."""
        found = {key: conflict for key, known in self._keys.items() if (conflict := known.conflict)}
        return {key: conflict for key, conflict in found.items() if now_s is None or now_s - conflict.last_s <= OVER_S}


def pose_values(poses: np.ndarray) -> np.ndarray:
    """Poses [N, 7] (x y z in m, quaternion x y z w) as rows [N, 12] that are close for close poses: x y z and the
    rotation matrix. A quaternion and its negative are the same rotation, so quaternions are not compared."""
    return np.concatenate([poses[:, :3], rotation_matrix(poses[:, 3:]).reshape(-1, 9)], axis=1)


class _Key:
    """One joint, edge or velocity."""

    def __init__(self, key: str, kind: Kind):
        self.key, self.kind = key, kind
        self.conflict: Conflict | None = None
        self._angles, self._speed = kind is Kind.JOINT, SPEEDS[kind]
        self._forget()

    def _forget(self) -> None:
        self._newest_s = -math.inf
        self._stamp_s: float | None = None
        self._here: _Track | None = None  # source of the newest message; the other source is _there
        self._there: _Track | None = None
        self._known_visit = False
        self._visits: deque[float] = deque(maxlen=MOST_VISITS)
        self._last: deque[_Said] = deque(maxlen=4)  # of both sources
        self._ways: dict[tuple[str, ...], Way] = {}  # by names
        self._noise = 0.0
        self._cycles, self._odd = _Events(), _Events()
        self._agree, self._contradict, self._back = _Events(), _Events(), _Events()
        self._back_s = 0.0  # 0 until it was seen often enough
        self._steps_back: deque[float] = deque(maxlen=LEAST + 2)

    def add(self, value: Value, now_s: float, stamp_s: float | None, names: tuple[str, ...]) -> None:
        if now_s < self._newest_s - OVER_S:  # time starts anew
            self._forget()
        self._newest_s = now_s
        self._stamp(stamp_s, now_s, value, names)
        self._track(value, now_s, names)
        self._order(value, now_s, names)

    # Distances

    def _difference(self, one: Value, other: Value) -> Value:
        return difference(one, other, self._angles)

    def _apart(self, one: Value, other: Value) -> float:
        return max(map(abs, self._difference(one, other)))

    def _off(self, value: Value, now_s: float, track: _Track) -> float:
        """Distance of a value from a source's last value, or from that value extrapolated at its last rate."""
        off = self._apart(value, track.value)
        if off <= FLOOR:
            return off
        since = now_s - track.at_s
        return min(off, self._apart(value, tuple(a + rate * since for a, rate in zip(track.value, track.rate))))

    # Stamps that go back and forth

    def _stamp(self, stamp_s: float | None, now_s: float, value: Value, names: tuple[str, ...]) -> None:
        if stamp_s is None:
            return
        if self._stamp_s is not None and stamp_s < self._stamp_s - 1e-6:
            self._back.add(now_s)
            self._steps_back.append(self._stamp_s - stamp_s)
            if self._back.recent(now_s) > LEAST + 1:
                self._back_s = sorted(self._steps_back)[len(self._steps_back) // 2]
                other = self._here or _Said(names, value, now_s)
                self._seen(False, self._back.total, (other.names, names), (other.value, value), now_s)
        self._stamp_s = stamp_s

    # Names in two orders

    def _order(self, value: Value, now_s: float, names: tuple[str, ...]) -> None:
        """Three messages in a row, the middle one with another order of names."""
        said = _Said(names, value, now_s)
        if names in self._ways:
            self._ways[names].say(value, now_s)
        else:
            if len(self._ways) >= MOST_ORDERS:
                del self._ways[next(iter(self._ways))]
            self._ways[names] = self._way(value, now_s)
        if len(self._last) > 1 and self._last[-2].names == names != self._last[-1].names:
            self._compare(self._last[-2], self._last[-1], said)
        self._last.append(said)

    def _compare(self, before: _Said, middle: _Said, after: _Said) -> None:
        now_s, took_s = after.at_s, max(after.at_s - before.at_s, 1e-3)
        if took_s > OVER_S:
            return
        moved = self._apart(after.value, before.value)
        allowed = FLOOR + self._speed * took_s / 2 + moved * (1 + LAG_S / took_s)
        off = min(self._apart(middle.value, before.value), self._apart(middle.value, after.value))
        contradicts = off > allowed and not self._repeats(middle, before)
        (self._contradict if contradicts else self._agree).add(now_s)
        against, agree = self._contradict.recent(now_s), self._agree.recent(now_s)
        seen = (after.names, middle.names), (after.value, middle.value), now_s
        if against >= LEAST and against > 0.2 * agree:
            self._seen(True, self._contradict.total, *seen)
        elif agree > LEAST and not against:
            self._seen(False, self._agree.total, *seen)

    # Values that jump there and back

    def _track(self, value: Value, now_s: float, names: tuple[str, ...]) -> None:
        here, there = self._here, self._there
        if here is None or now_s - here.at_s > OVER_S:
            self._here, self._there = self._begin(value, now_s, names), None
            return
        off = self._off(value, now_s, here)
        # Distance from the nearest of the last values, so that two sources that take turns do not look like noise.
        near = off if off <= FLOOR else min(off, *(self._apart(value, said.value) for said in self._last))
        # Rare large steps do not count as noise either.
        self._noise += 0.05 * (min(near, max(3 * self._noise, FLOOR)) - self._noise)
        allowed = FLOOR + self._speed * (now_s - here.at_s) + NOISE * self._noise
        if off <= allowed or self._turns_evenly(value, now_s, off):
            took_s = now_s - here.at_s
            if there is not None and now_s - there.way.at_s <= 3 * took_s and there.way.near(value, took_s):
                there.way.say(value, now_s)  # both are at the same place, so it may be either
            self._move(here, value, now_s, names)
            here.messages += 1
            return
        if there is not None and now_s - there.at_s > OVER_S:
            there = None
        if there is not None:
            off_there = self._off(value, now_s, there)
            known = off_there <= max(FLOOR, min(0.5 * off, 0.25 * off + self._speed * (now_s - there.at_s)))
        if there is None or not known:
            # It fits neither source: another source starts, or it is a glitch or a robot that was moved.
            self._known_visit = False
            self._here, self._there = self._begin(value, now_s, names), here
            if there is not None:
                self._odd.add(now_s)
                # It may still be the other source in a fast motion.
                since = max(now_s - there.at_s, 1e-4)
                self._here.rate = tuple(step / since for step in self._difference(value, there.value))
            return
        # A visit that repeats a recent value comes from a relay, not from another source.
        here_said = _Said(here.names, here.value, here.at_s)
        relayed = self._repeats(_Said(names, value, now_s), here_said, there.way, here.way)
        short = min(here.messages, there.messages) <= LONGEST_VISIT and not relayed
        if here.messages <= LONGEST_VISIT and not relayed:
            self._visits.append(here.at_s)
        if self._known_visit and short:  # from one known place to the other and back
            self._cycles.add(now_s)
        cycles = self._cycles.recent(now_s)
        if short and (cycles >= 2 * LEAST and cycles >= 4 * self._odd.recent(now_s) or self._come_evenly(now_s)):
            times = max((self._cycles.total + 1) // 2, len(self._visits))
            self._seen(True, times, (there.names, here.names), (value, here.value), now_s)
        self._known_visit = short
        there.messages = 1
        self._move(there, value, now_s, names)
        self._here, self._there = there, here

    def _way(self, value: Value, now_s: float) -> Way:
        return Way(value, now_s, self._angles, self._speed)

    def _begin(self, value: Value, now_s: float, names: tuple[str, ...]) -> _Track:
        return _Track(value, now_s, (0.0,) * len(value), names, self._way(value, now_s))

    def _repeats(self, new: _Said, old: _Said, way: Way | None = None, other: Way | None = None) -> bool:
        """Whether one of two messages repeats a recent value of the other's publisher.

        Args:
            way, other: recent values of each publisher, told apart by values; names tell better where they differ.
        """
        if new.names != old.names:
            way, other = self._ways.get(new.names, way), self._ways.get(old.names, other)
        if way is None or other is None:
            return False
        return other.passed(new.value, new.at_s) or way.passed(old.value, old.at_s, (new.at_s, new.value))

    def _come_evenly(self, now_s: float) -> bool:
        """Whether visits come at even intervals, as a publisher's messages do and glitches do not."""
        if len(self._visits) < MOST_VISITS or now_s - self._visits[0] > WINDOW_S:
            return False
        steps = sorted(after - before for before, after in zip(self._visits, list(self._visits)[1:]))
        return steps[-1] - steps[0] <= 0.3 * steps[len(steps) // 2]

    def _move(self, track: _Track, value: Value, now_s: float, names: tuple[str, ...]) -> None:
        since = now_s - track.at_s
        if since > 1e-4:
            track.rate = tuple(step / since for step in self._difference(value, track.value))
        track.value, track.at_s, track.names = value, now_s, names
        track.way.say(value, now_s)

    def _turns_evenly(self, value: Value, now_s: float, off: float) -> bool:
        """Whether a fast wheel explains it: the same step as before, perhaps of nearly half a turn."""
        if not self._angles or len(self._last) < 2:
            return False
        older, old = self._last[-2], self._last[-1]
        (raw,), (before,) = ((a - b for a, b in zip(*pair)) for pair in ((value, old.value), (old.value, older.value)))
        # Steps of any size, since angles may be degrees. Two sources go there and back.
        if abs(raw - before) <= 0.25 * abs(raw):
            return True
        if off > FASTEST_WHEEL * (now_s - old.at_s):
            return False
        step = self._difference(old.value, older.value)
        return self._apart(value, tuple(a + b for a, b in zip(old.value, step))) <= 0.25 * off

    def _seen(self, contradicts: bool, times: int, names, values, now_s: float) -> None:
        old = self.conflict
        if old is not None and old.contradicts and not contradicts and now_s - old.last_s <= WINDOW_S:
            return
        if old is not None and old.contradicts and contradicts:
            times = max(times, old.times)
            if old.names[0] != old.names[1]:  # the names tell more
                names = old.names if names[0] == names[1] else names
        self.conflict = Conflict(self.key, contradicts, times, names, values, self._back_s, now_s, self.kind)
