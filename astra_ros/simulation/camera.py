"""The simulated camera: a pinhole without distortion, drawn by PyBullet's software renderer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pybullet


@dataclass(frozen=True)
class CameraSettings:
    """A pinhole camera without distortion.

    Attributes:
        width, height: pixels.
        position: m, world frame.
        look_at: m, world frame, shown at the image's centre; the image's up is the world's z.
        fov_deg: vertical field of view.
        near_m, far_m: what is nearer or farther is not drawn.
        rate_hz: frames a second of a node that publishes this camera.

    Raises:
        ValueError: on creation, for a camera that cannot exist.
    """

    width: int = 128
    height: int = 128
    position: tuple[float, float, float] = (1.15, -0.62, 0.72)
    look_at: tuple[float, float, float] = (0.46, 0.0, 0.14)
    fov_deg: float = 38.0
    near_m: float = 0.05
    far_m: float = 15.0
    rate_hz: float = 12.0

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise ValueError(f"camera size is {self.width} x {self.height}; both must be >= 1")
        if not 0.0 < self.fov_deg < 180.0:
            raise ValueError(f"camera fov_deg is {self.fov_deg}; it must lie between 0 and 180")
        if not 0.0 < self.near_m < self.far_m:
            raise ValueError(
                f"camera near_m is {self.near_m}, far_m {self.far_m}; expected 0 < near_m < far_m"
            )
        view = np.subtract(self.look_at, self.position)
        if view.shape != (3,) or not np.isfinite(view).all() or np.hypot(*view[:2]) < 1e-6:
            raise ValueError(
                f"camera position {self.position} and look_at {self.look_at} must be two points of "
                "3 finite numbers, not one above the other; move one sideways a little"
            )


class Camera:
    """Draws what one PyBullet client holds."""

    def __init__(self, settings: CameraSettings, client: int) -> None:
        self.settings = settings
        self._client = client
        self._view = pybullet.computeViewMatrix(settings.position, settings.look_at, (0, 0, 1))
        self._projection = pybullet.computeProjectionMatrixFOV(
            settings.fov_deg, settings.width / settings.height, settings.near_m, settings.far_m
        )

    def render(self, light: tuple[float, float, float]) -> np.ndarray:
        """The view as uint8 [height, width, 3] RGB; ``light`` points to the lamp."""
        width, height = self.settings.width, self.settings.height
        _, _, rgba, _, _ = pybullet.getCameraImage(
            width,
            height,
            viewMatrix=self._view,
            projectionMatrix=self._projection,
            lightDirection=light,
            lightAmbientCoeff=0.55,
            lightDiffuseCoeff=0.45,
            lightSpecularCoeff=0.1,
            shadow=0,
            renderer=pybullet.ER_TINY_RENDERER,
            flags=pybullet.ER_NO_SEGMENTATION_MASK,
            physicsClientId=self._client,
        )
        image = np.asarray(rgba, dtype=np.uint8).reshape(height, width, 4)
        return np.ascontiguousarray(image[:, :, :3])
