"""The simulated camera: a pinhole without distortion, drawn by PyBullet's software renderer."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from astra_ros.camera.pinhole import PinholeCamera
from astra_ros.settings import SettingError, check_ranges, setting
from astra_ros.simulation.bullet import pybullet
from astra_ros.simulation.session import Session

# Ambient, diffuse and specular light.
LIGHT_SHARES = (0.55, 0.45, 0.1)


@dataclass(frozen=True)
class CameraSettings:
    """A pinhole camera without distortion.

    Raises:
        SettingError: on creation, for a camera that cannot exist.
    """

    width: int = setting(256, "width of the image in pixels", 1, 4096, "pixels")
    height: int = setting(256, "height of the image in pixels", 1, 4096, "pixels")
    position: tuple[float, float, float] = setting((1.15, -0.62, 0.72), "position of the camera in the world, m")
    look_at: tuple[float, float, float] = setting(
        (0.46, 0.0, 0.14), "point in the world at the centre of the image, m; the image's up is the world's z"
    )
    fov_deg: float = setting(38.0, "vertical field of view, degrees", 0.1, 179.0, "degrees")
    near_m: float = setting(0.05, "surfaces nearer than this are not drawn, m", 1e-4, 1e4, "m")
    far_m: float = setting(15.0, "surfaces farther than this are not drawn, m", 1e-4, 1e4, "m")
    rate_hz: float = setting(8.0, "images a second of a node that publishes this camera", 0.01, 1000.0, "Hz")

    def __post_init__(self) -> None:
        check_ranges(self)
        if not self.near_m < self.far_m:
            raise SettingError("near_m", f"{self.near_m:g} and far_m is {self.far_m:g}", "give near_m < far_m")
        view = np.subtract(self.look_at, self.position)
        if view.shape != (3,) or not np.isfinite(view).all() or np.hypot(*view[:2]) < 1e-6:
            raise SettingError(
                "look_at",
                f"{self.look_at} and position is {self.position}",
                "give two points of 3 finite numbers, one not straight above the other",
            )

    @property
    def half_view(self) -> tuple[float, float]:
        """Tangents of half the horizontal and half the vertical field of view."""
        vertical = float(np.tan(np.radians(self.fov_deg) / 2))
        return vertical * self.width / self.height, vertical

    def black(self) -> np.ndarray:
        """An image of this camera that shows nothing: uint8 [height, width, 3]."""
        return np.zeros((self.height, self.width, 3), np.uint8)


class Camera:
    """Renders the bodies of one simulation."""

    def __init__(self, settings: CameraSettings, session: Session) -> None:
        self.settings = settings
        self._session = session
        self._view = pybullet.computeViewMatrix(settings.position, settings.look_at, (0, 0, 1))
        self._projection = pybullet.computeProjectionMatrixFOV(
            settings.fov_deg, settings.width / settings.height, settings.near_m, settings.far_m
        )

    def move(self, position, forward, up) -> None:
        """Move the camera: position [3] m, viewing direction [3] and up direction [3]."""
        target = np.add(position, forward)
        self._view = pybullet.computeViewMatrix(
            [float(v) for v in position], [float(v) for v in target], [float(v) for v in up]
        )

    def render(
        self, light: tuple[float, float, float], shares: tuple[float, float, float] = LIGHT_SHARES
    ) -> np.ndarray:
        """The view as uint8 [height, width, 3] RGB.

        Args:
            light: direction to the lamp.
            shares: ambient, diffuse and specular light; (1, 0, 0) draws colours as they are.
        """
        return self._draw(light, shares)[0]

    def layers(
        self, light: tuple[float, float, float], shares: tuple[float, float, float] = LIGHT_SHARES
    ) -> tuple[np.ndarray, np.ndarray]:
        """The view and its depth, for a world that paints its own background or has a depth camera.

        Returns:
            uint8 [height, width, 3] RGB as ``render`` gives it, and float32 [height, width] m along
            the optical axis, infinite where nothing is drawn.
        """
        image, depth, bodies = self._draw(light, shares, masked=True)
        assert bodies is not None
        near, far = self.settings.near_m, self.settings.far_m
        # With one pair of clip planes in three the depth of the background is the next float below or above 1, so only
        # the mask tells it.
        drawn = bodies >= 0
        distance = np.full(depth.shape, np.inf, dtype=np.float32)
        distance[drawn] = far * near / (far - (far - near) * depth[drawn])
        return image, distance

    def _draw(
        self, light, shares=LIGHT_SHARES, masked: bool = False
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """uint8 [height, width, 3] RGB, depth between the clip planes and, if ``masked``, body numbers (-1: none)."""
        ambient, diffuse, specular = shares
        width, height = self.settings.width, self.settings.height
        _, _, rgba, depth, bodies = self._session.getCameraImage(
            width,
            height,
            viewMatrix=self._view,
            projectionMatrix=self._projection,
            lightDirection=light,
            lightAmbientCoeff=ambient,
            lightDiffuseCoeff=diffuse,
            lightSpecularCoeff=specular,
            shadow=0,
            renderer=pybullet.ER_TINY_RENDERER,
            flags=0 if masked else pybullet.ER_NO_SEGMENTATION_MASK,
        )
        image = np.asarray(rgba, dtype=np.uint8).reshape(height, width, 4)
        mask = np.asarray(bodies).reshape(height, width) if masked else None
        return np.ascontiguousarray(image[:, :, :3]), np.asarray(depth).reshape(height, width), mask


def as_drawn(camera: PinholeCamera) -> PinholeCamera:
    """The camera of the image that PyBullet's software renderer draws.

    It samples pixels at their lower left corner.
    """
    return replace(camera, cx=camera.cx + 0.5, cy=camera.cy - 0.5)


def optical_pose(position, forward, up=(0.0, 0.0, 1.0)) -> np.ndarray:
    """Pose of a camera's optical frame (x right, y down, z forward) in the world frame.

    Args:
        position: [3] m.
        forward: [3] viewing direction, of any length.
        up: [3] up direction, not along ``forward``.

    Returns:
        float64 [7]: x y z in m, then the quaternion x y z w with w >= 0.
    """
    z = np.asarray(forward, dtype=np.float64) / np.linalg.norm(forward)
    x = np.cross(z, up)
    x /= np.linalg.norm(x)
    turn = np.stack([x, np.cross(z, x), z], axis=1)
    # The eigenvector of the largest eigenvalue of this matrix is the quaternion (Bar-Itzhack 2000).
    (a, b, c), (d, e, f), (g, h, i) = turn
    matrix = np.array(
        [
            [a - e - i, b + d, c + g, h - f],
            [b + d, e - a - i, f + h, c - g],
            [c + g, f + h, i - a - e, d - b],
            [h - f, c - g, d - b, a + e + i],
        ]
    )
    quaternion = np.linalg.eigh(matrix)[1][:, -1]
    quaternion *= 1.0 if quaternion[3] >= 0.0 else -1.0
    return np.concatenate([np.asarray(position, dtype=np.float64), quaternion])
