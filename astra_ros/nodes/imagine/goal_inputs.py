"""What the robot is to reach, as goal images and goal poses say it: the newest of both counts."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import PoseStamped
from sensor_msgs.msg import Image

from astra_ros.bridge.poses import pose_to_position
from astra_ros.bridge.stamps import to_seconds

IMAGE, POSE = "image", "pose"


@dataclass(frozen=True)
class Goal:
    """One goal.

    Attributes:
        kind: "image" or "pose".
        topic: where it came from.
        stamp: of its header.
        arrived_s: when it came, on the inputs' clock.
        picture: uint8 [H, W, 3] RGB of a goal image, else None.
        position: float64 [3] m in the world frame of a goal pose, else None.
    """

    kind: str
    topic: str
    stamp: Time
    arrived_s: float
    picture: np.ndarray | None = None
    position: np.ndarray | None = None

    @property
    def name(self) -> str:
        """Such as "goal image of /goal_image"."""
        return f"goal {self.kind} of {self.topic}"


class GoalInputs:
    """The goal that counts. Safe to use from several threads.

    Newest is what came last: stamps of a goal are often zero, and a latched picture may be older than the
    node. So a goal image that is still latched somewhere when this node starts counts until a pose comes.

    Args:
        read: (message, topic) -> uint8 [H, W, 3] RGB; raises BridgeError.
        clock: seconds that never go back.
    """

    def __init__(self, read: Callable[[Image, str], np.ndarray], clock: Callable[[], float]) -> None:
        self._read = read
        self._clock = clock
        self._lock = threading.Lock()
        self._goal: Goal | None = None

    @property
    def came_s(self) -> float | None:
        """When the last goal came that is still wanted, old or not, on the inputs' clock; or None."""
        with self._lock:
            return None if self._goal is None else self._goal.arrived_s

    def on_image(self, msg: Image, topic: str) -> None:
        """Take a goal image in place of whatever was wanted before.

        Raises:
            BridgeError: it cannot be used; the goal stays what it was.
        """
        picture = self._read(msg, topic)
        self._take(Goal(IMAGE, topic, msg.header.stamp, self._clock(), picture=picture))

    def on_pose(self, msg: PoseStamped, world_frame: str, reach_m: float, topic: str) -> None:
        """Take a goal pose in place of whatever was wanted before.

        Raises:
            BridgeError: it cannot be used; the goal stays what it was.
        """
        position = pose_to_position(msg, world_frame, topic, reach_m)
        self._take(Goal(POSE, topic, msg.header.stamp, self._clock(), position=position))

    def clear(self) -> str:
        """Want nothing any more; returns what was wanted, in words, or ''."""
        with self._lock:
            goal, self._goal = self._goal, None
        return goal.name if goal else ""

    def now(self, max_age_s: float = 0.0) -> Goal | None:
        """What counts, or None.

        Args:
            max_age_s: a goal that came longer ago does not count; 0: it counts until it is replaced.
        """
        with self._lock:
            goal = self._goal
        if goal is None or max_age_s and self._clock() - goal.arrived_s > max_age_s:
            return None
        return goal

    def describe(self, max_age_s: float = 0.0) -> dict[str, str]:
        """What counts, for machines: the values goal_kind ("image", "pose" or "none"), goal_topic, goal_stamp_s
        (of its header, s), goal_age_s (since it came, s); the last three are '' with "none"."""
        return described(self.now(max_age_s), self._clock())

    def outdated(self, max_age_s: float) -> str:
        """What was wanted and is too old to count, in words, or ''."""
        with self._lock:
            goal = self._goal
        return goal.name if goal and self.now(max_age_s) is None else ""

    def _take(self, goal: Goal) -> None:
        with self._lock:
            self._goal = goal


def described(goal: Goal | None, now_s: float) -> dict[str, str]:
    """A goal in the values that ``GoalInputs.describe`` names."""
    if goal is None:
        return {"goal_kind": "none", "goal_topic": "", "goal_stamp_s": "", "goal_age_s": ""}
    return {
        "goal_kind": goal.kind,
        "goal_topic": goal.topic,
        "goal_stamp_s": f"{to_seconds(goal.stamp):.9f}",
        "goal_age_s": f"{now_s - goal.arrived_s:.3f}",
    }
