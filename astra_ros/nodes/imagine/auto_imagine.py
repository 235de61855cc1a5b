"""Decides when newly arrived plans start a request."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Protocol

from astra_ros.nodes.reports import Tell


class RequestStarter(Protocol):
    """The surroundings of `AutoImagine`."""

    def set_timer(self, delay_s: float | None) -> None:
        """Call `AutoImagine.settled` once after a delay, which replaces an earlier call; None cancels it."""

    def start_request(self) -> None:
        """Have a request served by the thread that owns the model."""

    def refresh(self) -> None:
        """Have that thread call `ImagineCore.compare`."""


class AutoImagine:
    """Starts a request once a burst of plans is over, or as many new plans as are kept have arrived.

    A request that cannot start yet (the model loads, the history fills) starts as soon as it can.

    Args:
        keep: plan source name -> candidates that it keeps; backups are not waited for.
        not_ready: returns why no request can be made now, or None.
        wait: told why a request has to wait, once for each burst of plans.
    """

    def __init__(
        self, keep: Mapping[str, int], starter: RequestStarter, not_ready: Callable[[], str | None], wait: Tell
    ) -> None:
        self._keep, self._starter, self._not_ready, self._wait = dict(keep), starter, not_ready, wait
        self._lock = threading.Lock()
        self._new: Counter[str] = Counter()
        self._due = False

    def on_plan(self, source: str, settle_s: float) -> None:
        """Count a plan of a source, and start or put off the request."""
        with self._lock:
            self._new[source] += 1
            self._due = False  # a request that still waits is part of this one
            full = all(self._new[name] >= keep for name, keep in self._keep.items())
            self._starter.set_timer(None if full else settle_s)
        if full:
            self.settled()

    def again(self) -> None:
        """Let the request that could not be served wait again."""
        with self._lock:
            if not any(self._new.values()):  # or the plans that arrived since start one
                self._due = True

    def check(self) -> None:
        """Start the request that waits, if it can start now."""
        if self._due and self._not_ready() is None:
            with self._lock:
                due, self._due = self._due, False
            if due:
                self._starter.start_request()

    def settled(self) -> None:
        """Start the request of the plans that have arrived; or let it wait."""
        with self._lock:
            self._starter.set_timer(None)
            self._new.clear()
            self._due = True
        if reason := self._not_ready():
            self._wait(reason)
        else:
            self.check()
