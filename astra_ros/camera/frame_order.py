"""The order of a camera's frames by their stamps: late frames, repeated frames, clocks that were set back.

The node and the import of bags share these rules, so a model sees what it was trained on.
"""

from __future__ import annotations

from collections import deque
from enum import Enum

# A stamp that is further behind the newest one means a clock that was set back (a simulation was reset), not a frame
# that arrived late.
JUMP_BACK_S = 0.5
# Stamps are whole nanoseconds, here in seconds. Stamps that differ by less are the same.
SAME_S = 1e-6


class Order(Enum):
    """How a frame follows the newest frame before it."""

    ON = "on"  # it is newer
    SAME = "same"  # it has the same stamp
    LATE = "late"  # others overtook it; it is left out
    BACK = "back"  # the clock was set back; all frames before it are discarded


def order_of(step_s: float) -> Order:
    """The order of a frame whose stamp is ``step_s`` after the newest one before it."""
    if abs(step_s) < SAME_S:
        return Order.SAME
    if step_s > 0.0:
        return Order.ON
    return Order.LATE if step_s >= -JUMP_BACK_S else Order.BACK


class StampWatch:
    """Chooses the time of each frame, and detects streams whose stamps cannot be used.

    A stamp of 0 means no stamp: some drivers never set ``header.stamp``. Where most frames have none, arrival times
    are used. Where a few have none, these are left out, as in the import of bags, and counted in ``left_out``.
    """

    RECENT, FEW, STANDS = 10, 3, 5

    def __init__(self) -> None:
        self._stamps: deque[int] = deque(maxlen=self.RECENT)
        self._times: deque[int] = deque(maxlen=self.STANDS)
        self.left_out = 0

    def time_of(self, stamp_ns: int, arrived_ns: int) -> int | None:
        """The time of the newest frame, ns; None where it has no stamp and others have one."""
        self._stamps.append(stamp_ns)
        time_ns = arrived_ns if self.unstamped else stamp_ns
        if time_ns == stamp_ns == 0:
            self.left_out += 1
            return None
        self._times.append(time_ns)
        return time_ns

    @property
    def unstamped(self) -> bool:
        """Whether most of the last frames have no stamp, so arrival times are used."""
        return len(self._stamps) >= self.FEW and 2 * self._stamps.count(0) > len(self._stamps)

    @property
    def standing_ns(self) -> int | None:
        """The time that all of the last ``STANDS`` frames share, ns; None where time advances."""
        return self._times[-1] if len(self._times) == self.STANDS and len(set(self._times)) == 1 else None
