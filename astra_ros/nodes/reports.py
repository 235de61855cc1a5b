"""What a node reports about itself: throttled log lines, lasting conditions, statuses. Without ROS."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from astra_ros.texts import bounded

OK, WARN, ERROR = b"\0", b"\1", b"\2"
"""Levels of a status, as ``diagnostic_msgs/DiagnosticStatus`` numbers them."""

LOG_EVERY_S = 5.0
RECENT_S = 10.0
# Texts that are remembered as logged: names in them come from outside and must not fill the memory.
MOST_REMEMBERED = 256

Tell = Callable[[str], object]


class Log(Protocol):
    """The log lines of a node; rclpy's logger is one."""

    def debug(self, text: str, /) -> object: ...
    def info(self, text: str, /) -> object: ...
    def warning(self, text: str, /) -> object: ...
    def error(self, text: str, /) -> object: ...


@dataclass(frozen=True)
class Status:
    """The state of one part of a node, as /diagnostics shows it; ``level`` is OK, WARN or ERROR."""

    part: str
    level: bytes
    message: str
    values: Mapping[str, object] = field(default_factory=dict)


class ThrottledReports:
    """Counts failures of one kind and logs them: new ones at once, repeated ones rarely. Safe to use from several
    threads."""

    def __init__(self, log: Tell, clock: Callable[[], float] = time.monotonic):
        self._log, self._clock, self._lock = log, clock, threading.Lock()
        self._logged: dict[str, float] = {}
        self.last_s = -float("inf")
        self._settled = False
        self.count = 0
        self.last = ""

    def add(self, reason: str, quiet: bool = False) -> None:
        """Count a failure; ``quiet`` where another log line tells it already."""
        reason = bounded(reason)
        with self._lock:
            now = self._clock()
            self.count += 1
            self.last = reason
            self.last_s, self._settled = now, False
            speak = not quiet and now - self._logged.get(reason, -float("inf")) >= LOG_EVERY_S
            if speak:
                # Reasons with numbers in them may never repeat: forget those of long ago.
                self._logged = {text: when for text, when in self._logged.items() if now - when < LOG_EVERY_S}
                # At most a few different reasons in one period, or a flood of them gets through.
                speak = len(self._logged) < 4
                if speak:
                    self._logged[reason] = now
        if speak:
            self._log(reason)

    def settle(self, before_s: float) -> None:
        """Take failures before a moment of the clock as mended."""
        with self._lock:
            self._settled |= self.last_s < before_s

    @property
    def open(self) -> bool:
        """Whether the last failure, however long ago, is not settled."""
        with self._lock:
            return self.count > 0 and not self._settled

    @property
    def recent(self) -> str:
        """The last reason while it is fresh and not settled, else ''."""
        with self._lock:
            return self.last if not self._settled and self._clock() - self.last_s < RECENT_S else ""


def newest(*reports: ThrottledReports) -> str:
    """The newest of the recent reasons, or ''."""
    return max(reports, key=lambda each: (bool(each.recent), each.last_s)).recent


class Conditions:
    """Faults that last: logged when they begin, when they change, and when they end."""

    def __init__(self, warn: Tell, tell: Tell) -> None:
        self._warn, self._tell = warn, tell
        self._now: dict[str, object] = {}

    def see(self, what: str, text: str, same: object = None) -> str:
        """Note a fault, or with '' its absence; returns the text.

        Args:
            what: its subject in words: "camera stamps".
            text: the fault, or ''.
            same: equal as long as the fault is the same; needed where the text holds numbers that change.
        """
        text = bounded(text)
        before = self._now.get(what)
        self._now[what] = (same or text) if text else None
        if text and self._now[what] != before:
            self._warn(text)
        elif before and not text:
            self._tell(f"{what}: all right again")
        return text


class MissingInput:
    """Logs once that an input is missing, and once that it arrives again."""

    def __init__(self, warn: Tell, tell: Tell) -> None:
        self._warn, self._tell = warn, tell
        self._missing = False

    def see(self, missing: bool, text: str, arrives: str) -> None:
        """Note whether it is missing now. ``text`` and ``arrives`` are logged on a change; '' logs nothing."""
        if missing == self._missing:
            return
        self._missing = missing
        if missing and text:
            self._warn(text)
        elif not missing and arrives:
            self._tell(arrives)


def once(log: Tell, most: int = MOST_REMEMBERED) -> Tell:
    """A log that passes each text on one time only; again after ``most`` other texts."""
    said: dict[str, None] = {}

    def say(text: str) -> None:
        if (key := bounded(text)) not in said:
            said[key] = None
            if len(said) > most:
                del said[next(iter(said))]
            log(text)

    return say
