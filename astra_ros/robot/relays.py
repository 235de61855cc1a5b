"""Recent values of a publisher. A relay may repeat them, which is not a contradiction."""

from __future__ import annotations

import math
from collections import deque

from astra_ros.plans.turns import TURN, short_way
from astra_ros.robot.conflict import Value

# Values nearer than this are equal: rad, m, parts of a rotation matrix, or a second of a velocity. It is more than
# cheap encoders toggle.
FLOOR = 0.03
# A relay repeats values at most this old, s. Where its names equal the source's, values alone tell it; that may fail
# for a delay above 0.08 s while the joint turns back fast.
LAG_S = 0.25
# Values kept for that.
MOST_SAID = 128


def difference(one: Value, other: Value, angles: bool) -> Value:
    """Signed difference of two values; angles without whole turns."""
    if len(one) == 1:  # the common case, and a frequent one
        away = one[0] - other[0]
        return (short_way(away) if angles else away,)
    return tuple(short_way(a - b) if angles else a - b for a, b in zip(one, other))


class Way:
    """The values of a publisher within the lag, and one before.

    Args:
        angles: whether whole turns do not count.
        speed: largest motion between two messages, per second.
    """

    def __init__(self, value: Value, at_s: float, angles: bool, speed: float):
        self._angles, self._speed = angles, speed
        self._said: deque[tuple[float, Value]] = deque([(at_s, value)], maxlen=MOST_SAID)

    @property
    def at_s(self) -> float:
        """Time of the newest value."""
        return self._said[-1][0]

    def near(self, value: Value, seconds: float) -> bool:
        """Whether it can have moved from its newest value to this one in some seconds."""
        away = max(map(abs, difference(value, self._said[-1][1], self._angles)))
        return away <= FLOOR + self._speed * seconds

    def say(self, value: Value, now_s: float) -> None:
        """Add a value. After an implausible one (two publishers were mixed up) the history starts anew."""
        if not self._goes_on(value, now_s):
            self._said.clear()
        self._said.append((now_s, value))
        while len(self._said) > 2 and self._said[1][0] < now_s - LAG_S:
            self._said.popleft()

    def passed(self, value: Value, at_s: float, newest: tuple[float, Value] | None = None) -> bool:
        """Whether it had a value within the lag before a time, or moved across it between two values.

        Args:
            newest: (time, value) of now, where it was not added yet.
        """
        since = at_s - 2 * LAG_S  # one before the window, if it is not much older
        way = [said for when, said in self._said if when >= since]
        if newest is not None:
            way = [*way, newest[1]] if self._goes_on(newest[1], newest[0]) else [newest[1]]
        if not way:
            return False
        off = low = high = difference(way[0], value, self._angles)
        for before, after in zip(way, way[1:]):
            off = tuple(a + step for a, step in zip(off, difference(after, before, self._angles)))
            low, high = tuple(map(min, low, off)), tuple(map(max, high, off))
        if self._angles:
            return all(math.ceil((a - FLOOR) / TURN) * TURN <= b + FLOOR for a, b in zip(low, high))
        return all(a - FLOOR <= 0.0 <= b + FLOOR for a, b in zip(low, high))

    def _goes_on(self, value: Value, now_s: float) -> bool:
        return self.near(value, 2 * (now_s - self.at_s))
