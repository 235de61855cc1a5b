"""A camera whose pictures cannot be imported: what was wrong with which topic, and what to do."""

from __future__ import annotations

from pathlib import Path

from astra_ros.camera.sources import CameraConflict
from astra_ros.datasets.rosbag.storage import BagError


class TwoCameras(BagError):
    """Several cameras publish on one topic.

    Attributes:
        topic: of the pictures.
        conflict: what was found.
    """

    def __init__(self, bag: Path, topic: str, conflict: CameraConflict):
        super().__init__(
            f"{bag}: {topic}: {conflict} ({conflict.times} times); give each camera a topic of its own "
            f"(`ros2 topic info -v {topic}` lists the publishers) and record again"
        )
        self.topic, self.conflict = topic, conflict
