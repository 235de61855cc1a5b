"""The velocity of a moving camera at the times of its frames."""

from __future__ import annotations

import numpy as np

from astra_ros.datasets.rosbag.errors import BagError, MotionError
from astra_ros.datasets.rosbag.frame_motion import FrameMotion
from astra_ros.datasets.rosbag.import_settings import AXES
from astra_ros.datasets.rosbag.message_types import ODOMETRY
from astra_ros.datasets.rosbag.recording import Recording
from astra_ros.datasets.rosbag.resample import Clock
from astra_ros.datasets.rosbag.topics import TopicSelection


class CameraMotion:
    """The camera's mean velocity since the frame before, in its optical frame."""

    names = AXES
    continuous: tuple[str, ...] = ()
    unfit = cure = ""

    def __init__(self, recording: Recording, selection: TopicSelection, clock: Clock):
        settings = selection.settings
        frame = settings.camera_frame or recording.images.frames.most_common(1)[0][0].lstrip("/")
        self.notes: list[str] = []
        if not frame:
            cure = "set camera_frame to the camera's optical frame"
            raise BagError("its headers name no frame", thing=selection.image.name, cure=cure)
        if "optical" not in frame:
            self.notes.append(
                f"frame '{frame}' is taken as the camera's optical frame (x right, y down, z forward); if it is not, "
                "set camera_frame"
            )
        if selection.motion.type == ODOMETRY and (
            nameless := [pair for pair in recording.odometry_frames if not all(pair) or pair[0] == pair[1]]
        ):
            parent, child = nameless[0]
            raise MotionError(
                selection.motion.name,
                f"its header.frame_id is '{parent}' and its child_frame_id '{child}', so where the "
                "camera is on the robot cannot be found",
                "publish both names, or import the base's own motion (modality twist), which needs none",
            )
        self._frames = FrameMotion.through_tree(recording, clock, frame, settings.fixed_frame, selection.motion.name)
        self.warnings = self._frames.warnings
        self.notes += self._frames.notes
        self._dt_s, self._gap_s = settings.dt_s, settings.gap_s
        self.samples = selection.motion.count
        self.how = f"'{frame}' in '{self._frames.fixed}', mean since the frame before, in the optical frame"

    def problems(self, times: np.ndarray, received_s: float) -> np.ndarray:
        return self._frames.problems(times, received_s, self._dt_s, self._gap_s)

    def rows(self, begin: np.ndarray, end: np.ndarray, received_s: float) -> np.ndarray:
        return self._frames.velocities(begin, end, received_s)

    def labels(self, times: np.ndarray, received_s: float) -> dict[str, np.ndarray]:
        poses = np.concatenate(self._frames.poses(times, received_s), axis=1)
        return {"camera_pose": poses.astype(np.float32)}
