"""A camera whose images repeat while the robot moves: it hung, or what passes its images on did."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from astra_ros.camera.repeated_images import MOVED
from astra_ros.plans.turns import short_way

# Images may lag behind the joints by so much, s.
LAG_S = 0.5


class FrozenCamera:
    """Compares what an image shows with how far the joints went since. Not thread-safe.

    Args:
        clock: seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._joints: dict[str, float] = {}  # when the newest image that shows something else came
        self._moved_s: float | None = None  # when the first of them had moved
        self.joint = ""  # that moved before a camera that is frozen, or ''

    def add(self, again: bool, joints: Mapping[str, float]) -> None:
        """An image came.

        Args:
            again: whether it is the one before, byte for byte.
            joints: joint name -> rad or m, now.
        """
        if not again:
            self._joints, self._moved_s, self.joint = dict(joints), None, ""
            return
        # One that stands at half a turn may be said on either side of it.
        steps = {name: short_way(value - self._joints.setdefault(name, value)) for name, value in joints.items()}
        moved = [name for name, step in steps.items() if abs(step) > MOVED]
        if not moved:  # one wrong value is no motion
            self._moved_s = None
        elif self._moved_s is None:
            self._moved_s = self._clock()
        elif self._clock() - self._moved_s >= LAG_S:
            self.joint = self.joint or moved[0]
