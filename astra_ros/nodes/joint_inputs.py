"""Where the robot's joints are, as `joint_states` says it."""

from __future__ import annotations

import threading
from collections.abc import Callable

from sensor_msgs.msg import JointState

from astra_ros.bridge.trajectories import joint_state_to_positions


class JointInputs:
    """The newest position of every joint that was heard of. Safe to use from several threads.

    Args:
        clock: seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._joints: dict[str, tuple[float, float]] = {}  # name -> (when it came, rad)

    def on_joints(self, msg: JointState, topic: str) -> None:
        """Update the joints that the message names; others (a gripper's) keep their values.

        Raises:
            BridgeError: the message cannot be used.
        """
        positions = joint_state_to_positions(msg, topic)
        with self._lock:
            now_s = self._clock()
            self._joints.update({name: (now_s, value) for name, value in positions.items()})

    def now(self, timeout_s: float) -> dict[str, float]:
        """Joint name -> rad, of the joints that were heard of within ``timeout_s``."""
        with self._lock:
            oldest_s = self._clock() - timeout_s
            return {name: value for name, (when, value) in self._joints.items() if when >= oldest_s}
