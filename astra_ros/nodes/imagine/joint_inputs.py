"""The positions of joints by `joint_states`, and the joints on which two publishers contradict each other."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from astra_ros.nodes.imagine.message_readers import NANOSECONDS, stamp_ns
from astra_ros.robot.conflict import Conflict
from astra_ros.robot.joint_sources import SourceWatch


class JointInputs:
    """The newest position of every joint. Safe to use from several threads.

    A joint on which two publishers contradict each other has no position: either of them may be wrong.
    """

    def __init__(self, read: Callable[[object, str], Mapping[str, float]], clock: Callable[[], float]) -> None:
        self._read, self._clock = read, clock
        self._lock = threading.Lock()
        self._joints: dict[str, tuple[float, float]] = {}  # name -> (when it arrived, rad)
        self._watch = SourceWatch()

    def on_joints(self, msg, topic: str) -> Mapping[str, float]:
        """Update the joints that the message names, and return them; others (a gripper's) keep their values. Raises
        UserError."""
        positions = self._read(msg, topic)
        with self._lock:
            now_s = self._clock()
            self._joints.update({name: (now_s, value) for name, value in positions.items()})
            self._watch.add(msg.name, msg.position, now_s, stamp_ns(msg) / NANOSECONDS or None)
        return positions

    def now(self, timeout_s: float) -> dict[str, float]:
        """Joint name -> rad, of the joints received within ``timeout_s`` that are not contradicted."""
        with self._lock:
            now_s = self._clock()
            doubted = {name for name, each in self._watch.conflicts(now_s).items() if each.contradicts}
            known = {name: joint for name, joint in self._joints.items() if name not in doubted}
            return {name: value for name, (when, value) in known.items() if when >= now_s - timeout_s}

    @property
    def heard(self) -> set[str]:
        """The joints that were received, however long ago."""
        with self._lock:
            return set(self._joints)

    @property
    def conflicts(self) -> dict[str, Conflict]:
        """Joint name -> what two publishers state of it now, contradictory or not."""
        with self._lock:
            return self._watch.conflicts(self._clock())
