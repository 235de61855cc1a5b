"""Publishes the frames of an imagined video one after the other."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence

from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.publisher import Publisher
from sensor_msgs.msg import Image


class VideoPlayer:
    """Plays a video once, at its own speed; another video replaces it."""

    def __init__(self, node: Node, publisher: Publisher) -> None:
        self._publisher = publisher
        self._lock = threading.Lock()
        self._frames: deque[Image] = deque()
        self._timer = node.create_timer(1.0, self._on_timer, clock=Clock(clock_type=ClockType.STEADY_TIME))
        self._timer.cancel()

    def play(self, frames: Sequence[Image], dt_s: float, rate: float) -> None:
        """Publish the first frame now, the others ``dt_s / rate`` apart; with rate 0 all now."""
        with self._lock:
            self._timer.cancel()
            self._frames = deque(frames)
            if rate <= 0:
                while self._frames:
                    self._publisher.publish(self._frames.popleft())
            elif self._frames:
                self._publisher.publish(self._frames.popleft())
                self._timer.timer_period_ns = round(dt_s / rate * 1e9)
                self._timer.reset()

    def stop(self) -> None:
        """Leave out the frames that are still to come."""
        self.play((), 1.0, 1.0)

    def _on_timer(self) -> None:
        with self._lock:
            if self._frames:
                self._publisher.publish(self._frames.popleft())
            if not self._frames:
                self._timer.cancel()
