"""The goal of the robot: the newest of goal images and goal poses."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from astra_ros.errors import UserError
from astra_ros.nodes.imagine.message_readers import NANOSECONDS, ReadPosition, stamp_ns

IMAGE, POSE = "image", "pose"


@dataclass(frozen=True)
class Goal:
    """One goal.

    Attributes:
        kind: "image" or "pose".
        topic: where it was received.
        stamp_ns: of its header.
        arrived_s: when it arrived, on the monotonic clock.
        image: uint8 [H, W, 3] RGB of a goal image, else None.
        position: float64 [3] m in the world frame of a goal pose, else None.
    """

    kind: str
    topic: str
    stamp_ns: int
    arrived_s: float
    image: np.ndarray | None = None
    position: np.ndarray | None = None

    @property
    def name(self) -> str:
        """Such as "goal image of /goal_image"."""
        return f"goal {self.kind} of {self.topic}"


class GoalInputs:
    """The goal that counts. Safe to use from several threads.

    The newest goal is the last to arrive: stamps of goals are often zero, and a latched image may be older than
    the node. So a goal image that is still latched when this node starts counts until a pose arrives.
    """

    def __init__(
        self, image: Callable[[object, str], np.ndarray], position: ReadPosition, clock: Callable[[], float]
    ) -> None:
        self._image, self._position, self._clock = image, position, clock
        self._lock = threading.Lock()
        self._goal: Goal | None = None

    @property
    def came_s(self) -> float | None:
        """When the last goal that is not cleared arrived, old or not, on the monotonic clock; or None."""
        with self._lock:
            return None if self._goal is None else self._goal.arrived_s

    def on_image(self, msg, topic: str) -> None:
        """Take a goal image; it replaces the goal before. Raises UserError; the goal then stays what it was."""
        image = self._image(msg, topic)
        self._take(Goal(IMAGE, topic, stamp_ns(msg), self._clock(), image=image))

    def on_pose(self, msg, world_frame: str, reach_m: float, topic: str) -> None:
        """Take a goal pose in ``world_frame``, at most ``reach_m`` from its origin (0: anywhere), as `on_image`
        does."""
        try:
            position = self._position(msg, world_frame, topic, reach_m)
        except UserError as error:
            error.cure += " (the parameters world_frame and goal_reach_m say which goals are taken)"
            raise
        self._take(Goal(POSE, topic, stamp_ns(msg), self._clock(), position=position))

    def clear(self) -> str:
        """Drop the goal; returns its name, or ''."""
        with self._lock:
            goal, self._goal = self._goal, None
        return goal.name if goal else ""

    def now(self, max_age_s: float = 0.0) -> Goal | None:
        """The goal that counts, or None; one older than ``max_age_s`` does not (0: it counts until it is replaced)."""
        with self._lock:
            goal = self._goal
        if goal is None or max_age_s and self._clock() - goal.arrived_s > max_age_s:
            return None
        return goal

    def describe(self, max_age_s: float = 0.0) -> dict[str, str]:
        """The goal that counts, for machines: goal_kind ("image", "pose" or "none"), goal_topic, goal_stamp_s (of its
        header, s), goal_age_s (since it arrived, s); the last three are '' with "none"."""
        return described(self.now(max_age_s), self._clock())

    def outdated(self, max_age_s: float) -> str:
        """Name of the goal that is too old to count, or ''."""
        with self._lock:
            goal = self._goal
        return goal.name if goal and self.now(max_age_s) is None else ""

    def _take(self, goal: Goal) -> None:
        with self._lock:
            self._goal = goal


def described(goal: Goal | None, now_s: float) -> dict[str, str]:
    """A goal as the values of ``GoalInputs.describe``."""
    if goal is None:
        return {"goal_kind": "none", "goal_topic": "", "goal_stamp_s": "", "goal_age_s": ""}
    return {
        "goal_kind": goal.kind,
        "goal_topic": goal.topic,
        "goal_stamp_s": f"{goal.stamp_ns / NANOSECONDS:.9f}",
        "goal_age_s": f"{now_s - goal.arrived_s:.3f}",
    }
