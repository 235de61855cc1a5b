"""What a node says about itself: throttled logs, statuses on /diagnostics."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.qos import QoSProfile

from astra_ros.texts import bounded

OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR

LOG_EVERY_S = 5.0
RECENT_S = 10.0
# Texts that are remembered as said; names in them come from outside, and must not fill the memory.
MOST_SAID = 256


class Notices:
    """Counts things of one kind that went wrong, and logs them: new ones at once, repeated ones rarely.

    Safe to use from several threads.
    """

    def __init__(self, log: Callable[[str], None], clock: Callable[[], float] = time.monotonic):
        self._log = log
        self._clock = clock
        self._lock = threading.Lock()
        self._logged: dict[str, float] = {}
        self.last_s = -float("inf")
        self._settled = False
        self.count = 0
        self.last = ""

    def add(self, reason: str, quiet: bool = False) -> None:
        """Note that it happened, and why; ``quiet`` where the log hears of it from somebody else."""
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
        """What went wrong before a moment of the clock is not news any more."""
        with self._lock:
            self._settled |= self.last_s < before_s

    @property
    def open(self) -> bool:
        """Whether something went wrong, however long ago, and nothing settled it."""
        with self._lock:
            return self.count > 0 and not self._settled

    @property
    def recent(self) -> str:
        """The last reason while it is fresh, else ''."""
        with self._lock:
            return self.last if not self._settled and self._clock() - self.last_s < RECENT_S else ""


class Conditions:
    """What lasts a while: logged when it begins, when it changes, and when it is over."""

    def __init__(self, warn: Callable[[str], None], tell: Callable[[str], None]) -> None:
        self._warn, self._tell = warn, tell
        self._now: dict[str, object] = {}

    def see(self, what: str, text: str, same: object = None) -> str:
        """Note that something is wrong, or with '' that it is not; returns the text.

        Args:
            what: it is about, in words: "camera: stamps".
            text: what is wrong, or ''.
            same: equal as long as the same is wrong; the text where it has no numbers that change.
        """
        text = bounded(text)
        before = self._now.get(what)
        self._now[what] = (same or text) if text else None
        if text and self._now[what] != before:
            self._warn(text)
        elif before and not text:
            self._tell(f"{what}: all right again")
        return text


def once(log: Callable[[str], None], most: int = MOST_SAID) -> Callable[[str], None]:
    """A log that says each text one time only; again, where ``most`` others were said since."""
    said: dict[str, None] = {}

    def say(text: str) -> None:
        if (key := bounded(text)) not in said:
            said[key] = None
            if len(said) > most:
                del said[next(iter(said))]
            log(text)

    return say


def newest(*notices: Notices) -> str:
    """The newest of the recent reasons, or ''."""
    return max(notices, key=lambda each: (bool(each.recent), each.last_s)).recent


def status(name: str, level: bytes, message: str, values: Mapping[str, object], hardware_id=""):
    """A DiagnosticStatus from plain values; whatever somebody named in them, it stays of a readable length."""
    pairs = [KeyValue(key=bounded(key), value=bounded(str(value))) for key, value in values.items()]
    return DiagnosticStatus(
        level=level, name=name, message=bounded(message), hardware_id=bounded(hardware_id), values=pairs
    )


class HealthPublisher:
    """Publishes a node's statuses on /diagnostics, in real time even when the simulation pauses.

    Args:
        node: the node.
        report: returns the statuses of this moment.
        period_s: seconds between two reports.
    """

    def __init__(self, node: Node, report: Callable[[], list[DiagnosticStatus]], period_s: float = 1.0) -> None:
        self._node = node
        self._report = report
        self._publisher = node.create_publisher(DiagnosticArray, "/diagnostics", QoSProfile(depth=10))
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        node.create_timer(period_s, self.publish, clock=steady)

    def publish(self) -> None:
        """Publish now."""
        msg = DiagnosticArray(status=self._report())
        msg.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(msg)
