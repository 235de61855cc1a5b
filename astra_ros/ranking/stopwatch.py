"""Times the parts of a request."""

from __future__ import annotations

import time


class Stopwatch:
    """Seconds per named part of the work, and in total."""

    def __init__(self) -> None:
        self._begin = self._last = time.perf_counter()
        self._laps: dict[str, float] = {}

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self._laps[name] = self._laps.get(name, 0.0) + now - self._last
        self._last = now

    def move(self, seconds: float, source: str, to: str) -> None:
        """Count seconds that were spent in one part as those of another."""
        self._laps[source] -= seconds
        self._laps[to] += seconds

    def stop(self) -> dict[str, float]:
        return {**self._laps, "total": self._last - self._begin}
