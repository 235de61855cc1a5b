"""The order of a camera's pictures, by their stamps: late ones, repeated ones, clocks that were set back.

One rule for the running node and for the import, so that a model sees what it was trained on.
"""

from __future__ import annotations

from collections import deque
from enum import Enum

# A stamp that is further behind the newest one is a clock that was set back (a simulation that
# began anew), not a picture that was overtaken by others on its way.
JUMP_BACK_S = 0.5
# Stamps are whole nanoseconds, and here seconds: two that are nearer to each other are the same.
SAME_S = 1e-6


class Order(Enum):
    """How a picture follows on the newest one before it.

    Attributes:
        ON: it is newer.
        SAME: it has the same stamp.
        LATE: it is older, because others overtook it: it is left out.
        BACK: the clock was set back: everything before it counts no more.
    """

    ON = "on"
    SAME = "same"
    LATE = "late"
    BACK = "back"


def order_of(step_s: float) -> Order:
    """Of a picture whose stamp is ``step_s`` after that of the newest one before it."""
    if abs(step_s) < SAME_S:
        return Order.SAME
    if step_s > 0.0:
        return Order.ON
    return Order.LATE if step_s >= -JUMP_BACK_S else Order.BACK


class StampWatch:
    """Tells, picture by picture, which time counts for it; and of a stream whose stamps cannot be used.

    A stamp of 0 means that there is none (a driver that never sets ``header.stamp``). Where most pictures have none,
    the times at which they arrive stand in; a few without one amid others are left out, as the import does.

    Attributes:
        left_out: pictures without a stamp amid others.
    """

    RECENT, FEW, STANDS = 10, 3, 5

    def __init__(self) -> None:
        self._stamps: deque[int] = deque(maxlen=self.RECENT)
        self._times: deque[int] = deque(maxlen=self.STANDS)
        self.left_out = 0

    def time_of(self, stamp_ns: int, arrived_ns: int) -> int | None:
        """The time that counts for the newest picture, ns; None where it has no stamp and others have one."""
        self._stamps.append(stamp_ns)
        time_ns = arrived_ns if self.unstamped else stamp_ns
        if time_ns == stamp_ns == 0:
            self.left_out += 1
            return None
        self._times.append(time_ns)
        return time_ns

    @property
    def unstamped(self) -> bool:
        """Whether most of the last pictures have no stamp, so that the times of their arrival count."""
        return len(self._stamps) >= self.FEW and 2 * self._stamps.count(0) > len(self._stamps)

    @property
    def standing_ns(self) -> int | None:
        """The time that all of the last ``STANDS`` pictures have, ns; None where it goes on."""
        return self._times[-1] if len(self._times) == self.STANDS and len(set(self._times)) == 1 else None
