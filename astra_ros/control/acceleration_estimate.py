"""A vehicle's acceleration, from its speeds at times: odometry does not report it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

WINDOW_S = 0.1  # over which the speed's change is taken
GAP_S = 1.0  # after such a gap, what was before does not count


@dataclass(eq=False)
class AccelerationEstimate:
    """The change of the speed over the last ``WINDOW_S``, or over the last report if that is older.

    A report that comes twice, with the same time and speed, counts once.
    """

    _reports: deque[tuple[float, float]] = field(default_factory=deque)  # (s, m/s), the newest last

    def add(self, time_s: float, speed: float) -> None:
        """Take a speed, m/s, and when it was measured.

        Begins anew where time stands still and the speed does not, runs backwards, or has a gap.
        """
        if self._reports and self._reports[-1] == (time_s, speed):
            return
        if self._reports and not 0.0 < time_s - self._reports[-1][0] <= GAP_S:
            self._reports.clear()
        self._reports.append((time_s, speed))
        while len(self._reports) > 2 and time_s - self._reports[1][0] >= WINDOW_S:
            self._reports.popleft()

    @property
    def value(self) -> float:
        """m/s^2; 0 before two speeds came."""
        if len(self._reports) < 2:
            return 0.0
        (begin_s, begin), (end_s, end) = self._reports[0], self._reports[-1]
        return (end - begin) / (end_s - begin_s)
