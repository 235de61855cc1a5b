"""Where the robot's joints are, as `joint_states` says it, and of which it says two things."""

from __future__ import annotations

import threading
from collections.abc import Callable

from sensor_msgs.msg import JointState

from astra_ros.bridge.stamps import to_seconds
from astra_ros.bridge.trajectories import joint_state_to_positions
from astra_ros.robot.conflict import Conflict
from astra_ros.robot.joint_sources import SourceWatch


class JointInputs:
    """The newest position of every joint that was heard of. Safe to use from several threads.

    A joint of which two publishers say different things has no position: nobody can tell which of them is right.

    Args:
        clock: seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._joints: dict[str, tuple[float, float]] = {}  # name -> (when it came, rad)
        self._watch = SourceWatch()

    def on_joints(self, msg: JointState, topic: str) -> None:
        """Update the joints that the message names; others (a gripper's) keep their values.

        Raises:
            BridgeError: the message cannot be used.
        """
        positions = joint_state_to_positions(msg, topic)
        with self._lock:
            now_s = self._clock()
            self._joints.update({name: (now_s, value) for name, value in positions.items()})
            self._watch.add(msg.name, msg.position, now_s, to_seconds(msg.header.stamp) or None)

    def now(self, timeout_s: float) -> dict[str, float]:
        """Joint name -> rad, of the joints that were heard of within ``timeout_s`` and are not contradicted."""
        with self._lock:
            now_s = self._clock()
            doubted = {name for name, each in self._watch.conflicts(now_s).items() if each.contradicts}
            return {
                name: value
                for name, (when, value) in self._joints.items()
                if when >= now_s - timeout_s and name not in doubted
            }

    @property
    def conflicts(self) -> dict[str, Conflict]:
        """Joint name -> what two publishers say of it now, whether they contradict each other or not."""
        with self._lock:
            return self._watch.conflicts(self._clock())
