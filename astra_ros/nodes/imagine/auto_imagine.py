"""Decides when newly arrived plans start a request."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from rclpy.clock import Clock, ClockType
from rclpy.node import Node


class AutoImagine:
    """Starts a request once a burst of plans is over, or as many as are kept have come.

    A request that cannot start yet (the model loads, the history fills) starts as soon as it can.

    Args:
        node: gives the timer.
        keep: plan source name -> candidates that it keeps.
        not_ready: why no request can be made now, or None.
        start: starts a request.
        wait: told why a request has to wait, once for each burst of plans.
    """

    def __init__(
        self,
        node: Node,
        keep: Mapping[str, int],
        not_ready: Callable[[], str | None],
        start: Callable[[], None],
        wait: Callable[[str], None],
    ) -> None:
        self._keep = dict(keep)
        self._not_ready = not_ready
        self._start = start
        self._wait = wait
        self._lock = threading.Lock()
        self._new = dict.fromkeys(keep, 0)
        self._due = False
        self._timer = node.create_timer(1.0, self._on_settled, clock=Clock(clock_type=ClockType.STEADY_TIME))
        self._timer.cancel()

    def plan_came(self, source: str, settle_s: float) -> None:
        """Count a plan of a source, and start or put off the request."""
        with self._lock:
            self._new[source] += 1
            self._due = False  # a request that still waits is part of this one
            full = all(self._new[name] >= keep for name, keep in self._keep.items())
            self._timer.cancel()
            if not full:
                self._timer.timer_period_ns = max(1, round(settle_s * 1e9))
                self._timer.reset()
        if full:
            self._on_settled()

    def again(self) -> None:
        """The request that was started could not be served: it waits anew."""
        with self._lock:
            if not any(self._new.values()):  # or the plans that came since start one
                self._due = True

    def check(self) -> None:
        """Start the request that waits, if it can start now."""
        if self._due and self._not_ready() is None:
            self._due = False
            self._start()

    def _on_settled(self) -> None:
        with self._lock:
            self._timer.cancel()
            self._new = dict.fromkeys(self._new, 0)
            self._due = True
        if reason := self._not_ready():
            self._wait(reason)
        else:
            self.check()
