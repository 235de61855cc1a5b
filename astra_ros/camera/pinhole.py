"""A pinhole camera: where points of the world appear in its image, and at what depth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from astra_ros.camera.errors import CameraError
from astra_ros.camera.frame_size import middle

# How far from a rotation a pose may be, for float32 and rounded quaternions.
ROTATION_TOLERANCE = 1e-3


@dataclass(frozen=True, eq=False)
class PinholeCamera:
    """A pinhole camera without distortion, and its pose.

    Pixel coordinates are those of OpenCV and ``sensor_msgs/CameraInfo``: the centre of the top left pixel is (0, 0), so
    the middle of an image is ((width - 1) / 2, (height - 1) / 2). The optical frame is that of REP 103: x right, y
    down, z forward.

    Attributes:
        width, height: pixels.
        fx, fy: focal lengths, pixels.
        cx, cy: where the optical axis meets the image, pixels.
        world_from_optical: float64 [4, 4], the pose of the optical frame in the world, m.

    Raises:
        CameraError: on creation, for a camera that cannot exist.
    """

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    world_from_optical: np.ndarray

    def __post_init__(self) -> None:
        for name in ("width", "height"):
            value = getattr(self, name)
            if value != int(value) or value < 1:
                raise CameraError(f"camera {name} is {value}; expected a whole number >= 1")
            object.__setattr__(self, name, int(value))
        for name, positive in (("fx", True), ("fy", True), ("cx", False), ("cy", False)):
            value = float(getattr(self, name))
            if not np.isfinite(value) or (positive and value <= 0.0):
                wanted = "a finite number" + " > 0 (pixels)" * positive
                raise CameraError(f"camera {name} is {value}; expected {wanted}")
            object.__setattr__(self, name, value)
        object.__setattr__(self, "world_from_optical", checked_pose(self.world_from_optical))

    @classmethod
    def from_look_at(
        cls, position: Sequence[float], look_at: Sequence[float], fov_deg: float, width: int, height: int
    ) -> PinholeCamera:
        """The camera at ``position`` with ``look_at`` in the middle of its image and the world's z up.

        Args:
            position, look_at: [3] m, world frame.
            fov_deg: vertical field of view; pixels are square.

        Raises:
            CameraError: the field of view is not between 0 and 180 degrees, or one point is above the other.
        """
        if not 0.0 < fov_deg < 180.0:
            raise CameraError(f"camera fov_deg is {fov_deg}; it must lie between 0 and 180")
        eye, target = (np.asarray(point, dtype=np.float64) for point in (position, look_at))
        if eye.shape != (3,) or target.shape != (3,) or not np.isfinite([eye, target]).all():
            raise CameraError(f"camera position {position} and look_at {look_at}: expected 3 finite numbers each")
        forward = target - eye
        if np.hypot(*forward[:2]) < 1e-6:
            problem = f"camera position {tuple(position)} and look_at {tuple(look_at)} are one above the other"
            raise CameraError(f"{problem}, so no side of the image is up", cure="move one of them sideways")
        forward = forward / np.linalg.norm(forward)
        right = np.cross(forward, [0.0, 0.0, 1.0])
        right /= np.linalg.norm(right)
        pose = np.eye(4)
        pose[:3, :3] = np.stack([right, np.cross(forward, right), forward], axis=1)
        pose[:3, 3] = eye
        focal = height / 2 / np.tan(np.radians(fov_deg) / 2)
        return cls(width, height, focal, focal, (width - 1) / 2, (height - 1) / 2, pose)

    @property
    def optical_from_world(self) -> np.ndarray:
        """float64 [4, 4], the pose of the world in the optical frame, m."""
        rotation = self.world_from_optical[:3, :3].T
        pose = np.eye(4)
        pose[:3, :3] = rotation
        pose[:3, 3] = -rotation @ self.world_from_optical[:3, 3]
        return pose

    @property
    def matrix(self) -> np.ndarray:
        """float64 [3, 4]: (x, y, z, 1) in the world -> depth * (u, v, 1)."""
        k = np.array([[self.fx, 0.0, self.cx], [0.0, self.fy, self.cy], [0.0, 0.0, 1.0]])
        return k @ self.optical_from_world[:3]

    def project(self, points) -> tuple[np.ndarray, np.ndarray]:
        """Where points [..., 3] m of the world appear in the image.

        Returns:
            (pixels float64 [..., 2] as (u, v), depth float64 [...] m along the optical axis).
            Pixels may lie outside the image. They are NaN behind the camera, where depth <= 0.
        """
        points = np.asarray(points, dtype=np.float64)
        if points.shape[-1:] != (3,):
            raise CameraError(f"points have shape {points.shape}; expected [..., 3] (m)")
        matrix = self.matrix
        image = points @ matrix[:, :3].T + matrix[:, 3]
        depth = image[..., 2]
        front = np.where(depth > 0.0, depth, np.nan)
        return image[..., :2] / front[..., None], depth

    def directions(self) -> np.ndarray:
        """float64 [height, width, 3], the direction of each pixel in the optical frame, 1 along the optical axis."""
        u, v = np.meshgrid(np.arange(self.width), np.arange(self.height))
        return np.stack([(u - self.cx) / self.fx, (v - self.cy) / self.fy, np.ones(u.shape)], axis=-1)

    def resembles(self, other: PinholeCamera) -> bool:
        """Whether another camera sees nearly the same: within 2 % of the width, 2 cm and one degree.

        Image sizes may differ. A camera that was calibrated again resembles itself.
        """
        other = other.resized(self.width, self.height)
        lens = np.abs([self.fx - other.fx, self.fy - other.fy, self.cx - other.cx, self.cy - other.cy])
        between = self.optical_from_world @ other.world_from_optical
        turned = np.arccos(np.clip((np.trace(between[:3, :3]) - 1) / 2, -1.0, 1.0))
        same_pose = np.linalg.norm(between[:3, 3]) <= 0.02 and np.degrees(turned) <= 1.0
        return bool(lens.max() <= 0.02 * self.width and same_pose)

    def resized(self, width: int, height: int) -> PinholeCamera:
        """The camera of the same image scaled to another size."""
        sx, sy = width / self.width, height / self.height
        # The edge of the image stays in place, not the centre of its first pixel.
        cx, cy = (self.cx + 0.5) * sx - 0.5, (self.cy + 0.5) * sy - 0.5
        return PinholeCamera(width, height, self.fx * sx, self.fy * sy, cx, cy, self.world_from_optical)

    def cropped(self, left: int, top: int, width: int, height: int) -> PinholeCamera:
        """The camera of a part of the image that begins at pixel (left, top)."""
        return replace(self, width=width, height=height, cx=self.cx - left, cy=self.cy - top)

    def fitted(self, image_size: tuple[int, int]) -> PinholeCamera:
        """The camera of the image that ``camera/frame_size.py`` makes of this one's, (height, width) pixels."""
        height, width = image_size
        if min(height, width) < 1:
            raise CameraError(f"image_size is {image_size}; expected (height, width), each >= 1")
        top, left, rows, columns = middle((self.height, self.width), (height, width))
        return self.cropped(left, top, columns, rows).resized(width, height)

    def to_dict(self) -> dict:
        """Plain numbers and lists, for JSON."""
        return vars(self) | {"world_from_optical": self.world_from_optical.tolist()}

    @classmethod
    def from_dict(cls, values: Mapping) -> PinholeCamera:
        """The inverse of ``to_dict``. Raises CameraError for another key, or a value that cannot be a camera's."""
        if set(values) != (keys := {field.name for field in fields(cls)}):
            raise CameraError(f"camera has the keys {sorted(values)}; expected {sorted(keys)}")
        try:
            return cls(**values)
        except TypeError as error:
            raise CameraError(f"camera {dict(values)}: expected numbers ({error})") from error

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PinholeCamera) and self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        return hash((self.width, self.height, self.fx, self.fy, self.cx, self.cy))


def checked_pose(pose, what: str = "camera world_from_optical") -> np.ndarray:
    """A rigid transform as read-only float64 [4, 4]. Raises CameraError where it is not one."""
    pose = np.array(pose, dtype=np.float64)
    if pose.shape != (4, 4) or not np.isfinite(pose).all():
        raise CameraError(f"{what} has shape {pose.shape}; expected a 4 x 4 pose of finite numbers")
    rotation = pose[:3, :3]
    stray = np.abs(rotation @ rotation.T - np.eye(3)).max()
    mirrored = np.linalg.det(rotation) < 0.0
    if stray > ROTATION_TOLERANCE or mirrored or np.abs(pose[3] - [0, 0, 0, 1]).max() > 1e-9:
        raise CameraError(f"{what} is not a rotation and a translation (m) with the last row 0 0 0 1:\n{pose}")
    pose.flags.writeable = False
    return pose
