"""Notices a camera whose images repeat while the robot moves: the camera hangs, or a node that relays its images."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from astra_ros.camera.repeated_images import MOVED
from astra_ros.plans.turns import short_way

# Images may lag behind the joints by so much, s.
LAG_S = 0.5


class FrozenCamera:
    """Compares repeated images with how far the joints have moved meanwhile. Not thread-safe."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._joints: dict[str, float] = {}  # when the newest image of another content arrived
        self._moved_s: float | None = None  # when the first of them had moved
        self.joint = ""  # that moves while the camera is frozen, or ''

    def add(self, again: bool, joints: Mapping[str, float]) -> None:
        """Note an image: whether it equals the one before byte for byte, and where the joints are now, rad or m."""
        if not again:
            self._joints, self._moved_s, self.joint = dict(joints), None, ""
            return
        # A joint that stands at half a turn may be reported on either side of it.
        steps = {name: short_way(value - self._joints.setdefault(name, value)) for name, value in joints.items()}
        moved = [name for name, step in steps.items() if abs(step) > MOVED]
        if not moved:  # one wrong value is no motion
            self._moved_s = None
        elif self._moved_s is None:
            self._moved_s = self._clock()
        elif self._clock() - self._moved_s >= LAG_S:
            self.joint = self.joint or moved[0]
