"""A camera on a robot that moves: where plans take it, and the usual depth of what it sees."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from astra_ros.camera.errors import CameraError
from astra_ros.camera.pinhole import PinholeCamera
from astra_ros.plans.action_spaces import ActionSpace


@dataclass(frozen=True, eq=False)
class MovingCamera:
    """A camera that plans move, with what reprojection of its newest image needs.

    ``camera`` has its pose in the frame that the action space moves: the base's own for ``twist`` (REP 103), the
    identity for ``camera``, whose velocities are those of the optical frame itself. ``inverse_depth``, float64 [r, c]
    1/m along the optical axis, is a coarse map of the usual depth in each part of the image.

    Raises:
        CameraError: on creation, for a map with values that are not finite and > 0.
    """

    camera: PinholeCamera
    inverse_depth: np.ndarray

    def __post_init__(self) -> None:
        depth = np.array(self.inverse_depth, dtype=np.float64)
        if depth.ndim != 2 or not depth.size or not (np.isfinite(depth) & (depth > 0.0)).all():
            raise CameraError("inverse_depth must be rows of finite numbers > 0 (1/m)")
        object.__setattr__(self, "inverse_depth", depth)

    def camera_poses(self, space: ActionSpace, motion: np.ndarray, dt_s: float) -> np.ndarray:
        """The optical frame at each imagined moment, in the optical frame now: float32 [..., H, 4, 4], m.

        The motion [..., H + 1, D] of the space, row 0 now, moves the frame that `camera` is given in.
        """
        carried = self.camera.optical_from_world @ space.poses(motion, dt_s) @ self.camera.world_from_optical
        return carried.astype(np.float32)

    def to_dict(self) -> dict:
        """Plain numbers and lists, for JSON."""
        return {"camera": self.camera.to_dict(), "inverse_depth": self.inverse_depth.tolist()}

    @classmethod
    def from_dict(cls, values: Mapping) -> MovingCamera:
        """The inverse of ``to_dict``. Raises CameraError for another key, or a value that cannot be."""
        if set(values) != {"camera", "inverse_depth"}:
            raise CameraError(f"a moving camera has the keys {sorted(values)}; expected camera and inverse_depth")
        return cls(PinholeCamera.from_dict(values["camera"]), values["inverse_depth"])
