"""The camera's own motion at the times of its frames."""

from __future__ import annotations

import numpy as np

from astra_ros.datasets.rosbag.frames import Frames
from astra_ros.datasets.rosbag.import_settings import AXES
from astra_ros.datasets.rosbag.motion_error import MotionError
from astra_ros.datasets.rosbag.reader import Recording
from astra_ros.datasets.rosbag.resample import Clock
from astra_ros.datasets.rosbag.storage import BagError
from astra_ros.datasets.rosbag.topics import ODOMETRY, Choice


class CameraMotion:
    """The camera's own mean velocity since the frame before, in its optical frame."""

    names = AXES
    continuous: tuple[str, ...] = ()
    unfit = cure = ""

    def __init__(self, recording: Recording, choice: Choice, clock: Clock):
        settings = choice.settings
        frame = settings.camera_frame or recording.pictures.frames.most_common(1)[0][0].lstrip("/")
        self.notes = []
        if not frame:
            raise BagError(
                f"{choice.image.name}: its headers name no frame; say which one is the "
                "camera's optical frame: camera_frame in the --config file"
            )
        if "optical" not in frame:
            self.notes.append(
                f"frame '{frame}' is taken as the camera's optical frame (x right, y down, z "
                "forward); if it is not, name that one as camera_frame in the --config file"
            )
        if choice.motion.type == ODOMETRY and (
            nameless := [pair for pair in recording.odometry_frames if not all(pair) or pair[0] == pair[1]]
        ):
            parent, child = nameless[0]
            raise MotionError(
                choice.motion.name,
                f"its header.frame_id is '{parent}' and its child_frame_id '{child}', so where the "
                "camera is on the robot cannot be found",
                "name two frames there, or import the base's own motion with --modality twist, which needs no names",
            )
        self._frames = Frames.through_tree(recording, clock, frame, settings.fixed_frame, choice.motion.name)
        self.warnings = self._frames.warnings
        self.notes += self._frames.notes
        self._dt_s, self._gap_s = settings.dt_s, settings.gap_s
        self.samples = choice.motion.count
        self.how = f"'{frame}' in '{self._frames.fixed}', mean since the frame before, in the optical frame"

    def problems(self, times: np.ndarray, received_s: float) -> np.ndarray:
        return self._frames.problems(times, received_s, self._dt_s, self._gap_s)

    def rows(self, begin: np.ndarray, end: np.ndarray, received_s: float) -> np.ndarray:
        return self._frames.velocities(begin, end, received_s)

    def labels(self, times: np.ndarray, received_s: float) -> dict[str, np.ndarray]:
        poses = np.concatenate(self._frames.poses(times, received_s), axis=1)
        return {"camera_pose": poses.astype(np.float32)}
