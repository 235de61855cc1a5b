"""A camera whose pictures cannot be imported: what was wrong with which topic, and what to do."""

from __future__ import annotations

from astra_ros.camera.image_sources import CameraConflict
from astra_ros.datasets.rosbag.storage import BagError


class TwoCameras(BagError):
    """Several cameras publish on one topic.

    Attributes:
        conflict: what was found; `thing` is the topic of the pictures.
    """

    def __init__(self, topic: str, conflict: CameraConflict):
        super().__init__(
            f"{conflict} ({conflict.times} times)",
            thing=topic,
            cure="give each camera a topic of its own, and record again: "
            f"`ros2 topic info -v {topic}` lists the publishers",
        )
        self.conflict = conflict
