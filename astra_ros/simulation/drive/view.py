"""The camera image of the drive world: PyBullet draws the bodies, and this module the ground and sky behind them.

PyBullet's software renderer takes 1 ms for bodies of some thousand triangles, but its textures shimmer and its
background is white. Ground and sky need no triangles: the camera's place on the car never changes, so the patch of
ground or part of the sky in each pixel is computed once.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from astra_ros.control.vehicle import VehicleState
from astra_ros.settings import SettingError
from astra_ros.simulation.camera import Camera, CameraSettings
from astra_ros.simulation.drive.ground import Ground
from astra_ros.simulation.drive.style import DriveStyle
from astra_ros.simulation.session import Session

FINER = 2  # bodies are drawn this much finer and averaged, for smooth edges
AROUND = 1536  # columns of the panorama, all round the horizon
UPWARDS = 128  # rows of the panorama, from the horizon to its top
TOP_RAD = 0.9  # elevation of that top
SHADOW_SOFT_M = 0.35
SHADOW_SIGHT_M = 60.0


class DriveView:
    """Renders one simulation's bodies over the ground and sky of the episode.

    Args:
        settings: ``position`` and ``look_at`` in the robot's frame, looking along its x axis.

    Raises:
        SettingError: the camera looks sideways.
    """

    def __init__(self, settings: CameraSettings, session: Session) -> None:
        self.settings = settings
        self.position = np.array(settings.position, dtype=np.float64)
        forward = np.subtract(settings.look_at, settings.position)
        if abs(forward[1]) > 1e-9 or forward[0] <= 0.0:
            raise SettingError(
                "look_at",
                f"{settings.look_at} and position is {settings.position}",
                "look ahead: give both the same y, and look_at the larger x",
            )
        self.forward = forward / np.linalg.norm(forward)
        self.up = np.array([-self.forward[2], 0.0, self.forward[0]])
        fine = replace(settings, width=FINER * settings.width, height=FINER * settings.height)
        self._camera = Camera(fine, session)
        self._aim()

    def start(self, ground: Ground, style: DriveStyle) -> None:
        """Show another episode."""
        self._ground, self._style = ground, style
        self._panorama = _panorama(style)
        self._haze = np.array(style.horizon, dtype=np.float32)

    def pose(self, car: VehicleState) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The camera's position (m), forward and up [3] in the world frame."""
        c, s = np.cos(car.yaw), np.sin(car.yaw)
        turn = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
        place = turn @ self.position + [car.x, car.y, 0.0]
        return place, turn @ self.forward, turn @ self.up

    def render(self, car: VehicleState, shadows: np.ndarray) -> np.ndarray:
        """The image: uint8 [height, width, 3] RGB. ``shadows`` are those of ``DriveBodies``."""
        behind = np.empty((self.settings.height, self.settings.width, 3), dtype=np.float32)
        self._paint_sky(behind[: self._horizon], car.yaw)
        self._paint_ground(behind[self._horizon :], car, shadows)
        self._camera.move(*self.pose(car))
        bodies, distance = self._camera.layers(self._style.light)
        self._lay_over(behind, bodies, distance)
        return (np.clip(behind, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)

    def _aim(self) -> None:
        """Compute the patch of ground or part of the sky in each pixel, in the robot's frame."""
        width, height = self.settings.width, self.settings.height
        aside, tangent = self.settings.half_view
        right = np.array([0.0, -1.0, 0.0])
        u = ((np.arange(width) + 0.5) / width * 2.0 - 1.0) * aside
        v = (1.0 - (np.arange(height) + 0.5) / height * 2.0) * tangent
        rays = self.forward + v[:, None, None] * self.up + u[None, :, None] * right
        # Rows do not tilt against the horizon, so each is sky or ground as a whole.
        below = rays[:, 0, 2] < -self.position[2] / self.settings.far_m
        self._horizon = int(np.argmax(below)) if below.any() else height
        sky, land = rays[: self._horizon], rays[self._horizon :]
        elevation = np.arctan2(sky[..., 2], np.hypot(sky[..., 0], sky[..., 1]))
        self._sky_row = np.clip(elevation / TOP_RAD * UPWARDS, 0, UPWARDS - 1).astype(np.int64)
        self._sky_azimuth = np.arctan2(sky[..., 1], sky[..., 0])
        depth = self.position[2] / -land[..., 2]
        self._x = self.position[0] + depth * land[..., 0]
        self._y = self.position[1] + depth * land[..., 1]
        # Shift of a patch with a step of one pixel: the derivative of position + depth * ray.
        pixel = 2.0 * tangent / height
        self._slope = u[0] * np.linalg.norm(rays[-1, 0, ::2]) / rays[-1, 0, 0] if len(land) else 0.0
        self._right = np.stack([np.zeros_like(depth), -pixel * depth]).astype(np.float32)
        ray_down = -pixel * self.up
        slope = ray_down[2] / -land[..., 2]
        step = np.stack([ray_down[0] + slope * land[..., 0], slope * land[..., 1]])
        self._down = (depth * step).astype(np.float32)
        self._ground_distance = (depth * np.linalg.norm(land, axis=-1)).astype(np.float32)

    def _paint_sky(self, out: np.ndarray, yaw: float) -> None:
        turn = np.mod(self._sky_azimuth + yaw, 2 * np.pi) * (AROUND / (2 * np.pi))
        out[:] = self._panorama[self._sky_row, turn.astype(np.int64) % AROUND]

    def _paint_ground(self, out: np.ndarray, car: VehicleState, shadows: np.ndarray) -> None:
        if not len(out):
            return
        c, s = np.cos(car.yaw), np.sin(car.yaw)
        x, y = car.x + c * self._x - s * self._y, car.y + s * self._x + c * self._y
        rgb = self._ground.colour(x, y, car.yaw, self._right, self._down)
        rgb *= self._light(car, shadows)[..., None]
        out[:] = rgb + (self._haze - rgb) * self._fade(self._ground_distance)[..., None]

    def _light(self, car: VehicleState, shadows: np.ndarray) -> np.ndarray:
        """[h, w]: 1 in the sun, less in the shadow of a body."""
        light = np.ones(self._x.shape, dtype=np.float32)
        rows = self._x[:, 0]  # nearer with every row
        c, s = np.cos(car.yaw), np.sin(car.yaw)
        dx, dy = shadows[:, 0] - car.x, shadows[:, 1] - car.y
        aheads, lefts = c * dx + s * dy, c * dy - s * dx
        reaches = 0.5 * np.hypot(shadows[:, 3], shadows[:, 4]) + SHADOW_SOFT_M
        # Far shadows are thinner than a pixel, and the outermost column bounds the view.
        seen = (aheads > -reaches) & (aheads < SHADOW_SIGHT_M)
        seen &= np.abs(lefts) < reaches + np.abs(self._slope) * np.maximum(aheads + reaches, 0.0)
        for i in np.flatnonzero(seen):
            ahead, left, reach = aheads[i], lefts[i], reaches[i]
            yaw, length, width = shadows[i, 2:]
            first, last = np.searchsorted(-rows, [-(ahead + reach), -(ahead - reach)])
            if first == last:
                continue
            part = slice(first, last)
            px, py = self._x[part] - ahead, self._y[part] - left
            ct, st = np.cos(yaw - car.yaw), np.sin(yaw - car.yaw)
            along = 0.5 * length - np.abs(ct * px + st * py)
            across = 0.5 * width - np.abs(ct * py - st * px)
            dark = np.clip(np.minimum(along, across) / SHADOW_SOFT_M + 0.5, 0.0, 1.0)
            np.minimum(light[part], 1.0 - (1.0 - self._style.shade) * dark, out=light[part])
        return light

    def _fade(self, distance: np.ndarray) -> np.ndarray:
        return 1.0 - np.exp(-((distance / np.float32(self._style.haze)) ** 2))

    def _lay_over(self, behind: np.ndarray, bodies: np.ndarray, distance: np.ndarray) -> None:
        """Composite the bodies over the background, in ``behind``."""
        drawn = np.isfinite(distance)
        count = np.asarray(np.sum(_blocks(drawn), axis=0, dtype=np.uint8))
        seen = count > 0
        # Bodies are averaged over the fine pixels that show them, and faded by their distance.
        bodies = bodies * drawn[..., None]
        colour = np.sum([part[seen] for part in _blocks(bodies)], axis=0, dtype=np.uint16).astype(np.float32)
        shares = count[seen].astype(np.float32)[:, None]
        colour /= 255.0 * shares
        nearest = np.minimum.reduce(_blocks(distance))[seen]
        colour += (self._haze - colour) * self._fade(nearest)[:, None]
        behind[seen] += (colour - behind[seen]) * (shares / (FINER * FINER))


def _blocks(fine: np.ndarray) -> list[np.ndarray]:
    """The fine pixels of each pixel: FINER * FINER images of the coarse size."""
    return [fine[i::FINER, j::FINER] for i in range(FINER) for j in range(FINER)]


def _panorama(style: DriveStyle) -> np.ndarray:
    """Sky, clouds and hills all round: float32 [UPWARDS, AROUND, 3], row 0 at the horizon."""
    rng = np.random.default_rng([style.pattern, 2])
    height = ((np.arange(UPWARDS) + 0.5) / UPWARDS)[:, None]
    low, top = (np.array(rgb, dtype=np.float32) for rgb in (style.horizon, style.zenith))
    sky = low + (top - low) * np.sqrt(height)[..., None].astype(np.float32)
    sky = np.repeat(sky, AROUND, axis=1)
    clouds = sum(
        _waves(rng, rows, columns, UPWARDS) * weight
        for rows, columns, weight in ((6, 16, 0.5), (12, 40, 0.3), (24, 96, 0.2))
    )
    share = np.clip((clouds - 0.72 + 0.4 * style.cloudiness) * 5.0, 0.0, 1.0)
    share = (0.85 * share * np.clip(height * 8.0 - 0.4, 0.0, 1.0))[..., None].astype(np.float32)
    sky += (np.array(style.cloud, dtype=np.float32) - sky) * share
    for tallness, fade in ((1.0, 0.55), (0.55, 0.3)):  # a far ridge, then a nearer one
        ridge = sum(_waves(rng, 1, n, 1)[0] * w for n, w in ((9, 0.6), (31, 0.3), (120, 0.1)))
        ridge = np.clip(ridge - 0.25, 0.02, 1.0) * 1.6 * tallness * style.hill_height / TOP_RAD
        share = np.clip((ridge - height) * UPWARDS + 0.5, 0.0, 1.0)[..., None].astype(np.float32)
        hill = np.array(style.hills, dtype=np.float32) * (1.0 - fade) + low * fade
        sky += (hill - sky) * share
    return sky


def _waves(rng: np.random.Generator, rows: int, columns: int, height: int) -> np.ndarray:
    """Smooth noise 0..1 of so many waves, [height, AROUND], without a seam all round."""
    grid = rng.random((rows + 1, columns))
    v = np.linspace(0.0, rows, height, endpoint=False)
    u = np.linspace(0.0, columns, AROUND, endpoint=False)
    i, j = v.astype(int), u.astype(int)
    dv, du = (v - i)[:, None], (u - j)[None]
    dv, du = dv * dv * (3.0 - 2.0 * dv), du * du * (3.0 - 2.0 * du)
    after = (j + 1) % columns
    top = grid[i][:, j] * (1.0 - du) + grid[i][:, after] * du
    low = grid[i + 1][:, j] * (1.0 - du) + grid[i + 1][:, after] * du
    return top * (1.0 - dv) + low * dv
