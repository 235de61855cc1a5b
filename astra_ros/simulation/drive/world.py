"""A car with an onboard camera on roads with obstacles and traffic, drawn by PyBullet.

World frame: z up, the ground at z = 0. Robot frame: the middle of the car's rear axle on the ground, x forward, y
left. The same seed and the same plans give the same bits, in every process.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np

from astra_ros.camera.pinhole import PinholeCamera
from astra_ros.control.vehicle import VehicleState, advance
from astra_ros.plans.velocity_plan import VelocityPlan
from astra_ros.registry import UnknownName
from astra_ros.settings import SettingError
from astra_ros.simulation.camera import CameraSettings, optical_pose
from astra_ros.simulation.drive.bodies import DriveBodies
from astra_ros.simulation.drive.ground import Ground
from astra_ros.simulation.drive.motion import CarLimits
from astra_ros.simulation.drive.nearest_obstacle import nearest_in_view
from astra_ros.simulation.drive.plans import play_plan, propose
from astra_ros.simulation.drive.referee import DriveReferee
from astra_ros.simulation.drive.scene import DriveLayout, DriveSceneSettings, sample_layout
from astra_ros.simulation.drive.state import DriveState
from astra_ros.simulation.drive.style import sample_style
from astra_ros.simulation.drive.traffic import Traffic
from astra_ros.simulation.drive.view import DriveView
from astra_ros.simulation.session import Session, SessionOwner, Snapshot
from astra_ros.simulation.worlds import Embodiment

MOTION_NAMES = ("linear.x", "angular.z")
SIGHT_M = 25.0  # range of the label ``nearest_obstacle``

DASHBOARD_CAMERA = CameraSettings(
    width=128,
    height=128,
    position=(1.2, 0.0, 1.55),
    look_at=(11.2, 0.0, 0.35),
    fov_deg=62.0,
    near_m=0.3,
    far_m=160.0,
    rate_hz=12.0,
)


@dataclass(frozen=True)
class DriveWorldSettings:
    """Settings of a drive world.

    Attributes:
        camera: on the car; ``position`` and ``look_at`` are in the robot's frame, one ahead of the other.
        style_seed: look of the scene; None takes the seed given to ``reset``.

    Raises:
        SettingError: on creation, for a rate at which a fast car would jump through a cone.
    """

    camera: CameraSettings = DASHBOARD_CAMERA
    limits: CarLimits = field(default_factory=CarLimits)
    scene: DriveSceneSettings = field(default_factory=DriveSceneSettings)
    physics_hz: int = 60
    style_seed: int | None = None

    def __post_init__(self) -> None:
        if self.physics_hz < 20:
            raise SettingError("physics_hz", self.physics_hz, "give 20 or more, or the car jumps over obstacles")


class DriveWorld(SessionOwner):
    """One simulated car on its roads. Several worlds in a process do not disturb each other.

    Raises:
        SettingError: the camera does not look ahead.
        SceneError: no road fits the settings.
    """

    embodiment = Embodiment("drive", "car", "twist", MOTION_NAMES)

    def __init__(self, settings: DriveWorldSettings | None = None) -> None:
        self.settings = settings or DriveWorldSettings()
        self._session = Session()
        try:
            self._view = DriveView(self.settings.camera, self._session)
            self._built: tuple[int, int] | None = None  # seed and style seed
            self.reset(0)
        except BaseException:
            self.close()
            raise

    @property
    def time_s(self) -> float:
        """Simulated seconds since the reset."""
        return self._ticks / self.settings.physics_hz

    @property
    def limits(self) -> CarLimits:
        return self.settings.limits

    @property
    def layout(self) -> DriveLayout:
        """The episode's roads, obstacles and vehicles."""
        return self._layout

    @property
    def traffic(self) -> Traffic:
        """The other vehicles; their poses follow from ``DriveState.traffic``."""
        return self._traffic

    def reset(self, seed: int, style_seed: int | None = None) -> None:
        """Start the episode that belongs to ``seed``, the car at rest in a lane.

        ``style_seed`` gives it another look; it overrides the settings' one.

        Raises:
            SettingError: the seed is negative.
        """
        if seed < 0:
            raise SettingError("seed", seed, "give an integer >= 0")
        if style_seed is None:
            style_seed = seed if self.settings.style_seed is None else self.settings.style_seed
        self._build(seed, style_seed)
        self._seed, self._style_seed = seed, style_seed
        self._ticks = self._plan_tick = 0
        self._plan: VelocityPlan | None = None
        self._car = self._layout.start
        self._traffic_state = self._traffic.start()
        self._touched = False
        self._motion = (0.0, 0.0)
        self._arrange()

    def play(self, rng: np.random.Generator, seconds: float) -> str:
        """Choose and command a manoeuvre of ``driver.BEHAVIOURS``; returns its name."""
        name, plan = play_plan(self, rng, seconds)
        self.command(plan)
        return name

    def propose(self, count: int, seed: int) -> list[tuple[str, VelocityPlan]]:
        return propose(self, count, seed)

    def between(self) -> None:
        """None: a car drives on."""

    def goal_image(self) -> None:
        """None: progress along a road has no image."""

    def referee(self) -> DriveReferee:
        return DriveReferee(self)

    def command(self, plan: VelocityPlan) -> None:
        """Follow ``plan`` from now on; it replaces the one before.

        Raises:
            PlanError: its columns are not ``linear.x`` and ``angular.z``.
        """
        self._plan = plan.reordered(MOTION_NAMES)
        self._plan_tick = self._ticks

    def step(self, seconds: float) -> None:
        """Advance by ``seconds``, rounded to whole physics steps, at least one."""
        hz = self.settings.physics_hz
        ticks = max(1, round(seconds * hz))
        self._touched = False
        since = self._ticks - self._plan_tick
        self._motion = (0.0, 0.0)
        if self._plan is not None:
            mean = self._plan.mean([since / hz, (since + ticks) / hz])[0]
            self._motion = (float(mean[0]), float(mean[1]))
        for k in range(ticks):
            command = (0.0, 0.0) if self._plan is None else self._plan.at((since + k) / hz)
            self._tick((float(command[0]), float(command[1])), 1.0 / hz)
        self._ticks += ticks

    def render(self) -> np.ndarray:
        """The camera's view: uint8 [height, width, 3] RGB."""
        camera = self.settings.camera
        self._bodies.show(*self._view.pose(self._car), camera.half_view[0], camera.far_m)
        return self._view.render(self._car, self._bodies.shadows())

    def motion(self) -> np.ndarray:
        """[2] mean command of the last ``step``: ``linear.x`` in m/s, ``angular.z`` in rad/s."""
        return np.array(self._motion)

    def state(self) -> DriveState:
        """The true state now; ``DriveState`` tells which time its contact covers."""
        road, car, reach = self._layout.road, self._car, self.limits.body_centre_x
        s, d, heading = road.locate(car.x + reach * math.cos(car.yaw), car.y + reach * math.sin(car.yaw))
        turn = math.remainder(car.yaw - float(heading), 2 * math.pi)
        both_ways = len({lane.direction for lane in road.lanes}) > 1
        direction = -1 if both_ways and abs(turn) > math.pi / 2 else 1
        if direction < 0:
            turn = math.remainder(turn + math.pi, 2 * math.pi)
        return DriveState(
            time_s=self.time_s,
            car=car,
            s=float(s),
            d=float(d),
            direction=direction,
            heading_error=turn,
            traffic=self._traffic_state,
            obstacle_contact=self._touched,
            off_road=self._off_road(),
        )

    def labels(self) -> dict[str, np.ndarray]:
        """The ground truth now, as ``World`` defines it.

        ``nearest_obstacle`` is the point of any solid object (obstacle, vehicle, house, lamp, tree trunk) nearest to
        the camera, within its horizontal field of view and 25 m; z is 0.
        """
        place, forward, up = self._view.pose(self._car)
        return {
            "obstacle_contact": np.array(self._touched),
            "off_road": np.array(self._off_road()),
            "nearest_obstacle": self._nearest(place),
            "camera_pose": optical_pose(place, forward, up),
        }

    def camera(self) -> dict:
        """The camera on the car, in the car's frame."""
        own = self.settings.camera
        return PinholeCamera.from_look_at(own.position, own.look_at, own.fov_deg, own.width, own.height).to_dict()

    def scene(self) -> dict[str, list[float] | float | str]:
        """The road, which stays until the next reset."""
        road = self._layout.road
        return {
            "lane_width": road.lane_width,
            "lane_offsets": [lane.offset for lane in road.lanes],
            "lane_directions": [float(lane.direction) for lane in road.lanes],
            "road_length": road.length,
            "side_roads": float(len(self._layout.side_roads)),
            "start_pose": [float(v) for v in self._layout.start[:3]],
        }

    def snapshot(self) -> Snapshot:
        """This moment, for ``restore``. The world is unchanged."""
        return Snapshot(self._session, self._moment())

    def restore(self, snapshot: Snapshot) -> None:
        """Go back to a moment of this world; the run after it repeats bit by bit.

        A moment of another episode is allowed; its scene is built again.

        Raises:
            ValueError: the snapshot belongs to another world.
        """
        self._restore_moment(snapshot)
        self._build(self._seed, self._style_seed)
        self._arrange()

    _MOMENT: tuple[str, ...] = (
        "_seed",
        "_style_seed",
        "_ticks",
        "_plan",
        "_plan_tick",
        "_car",
        "_traffic_state",
        "_touched",
        "_motion",
    )

    def _build(self, seed: int, style_seed: int) -> None:
        if (seed, style_seed) == self._built:
            return
        settings = self.settings
        self._built = None
        self._layout = sample_layout(seed, settings.scene, settings.limits.body_centre_x)
        style = sample_style(style_seed)
        self._bodies = DriveBodies(self._session, self._layout, settings.limits)
        self._traffic = Traffic(self._layout.road, self._layout.vehicles, settings.limits)
        self._view.start(Ground(self._layout, style), style)
        self._built = (seed, style_seed)

    def _arrange(self) -> None:
        self._bodies.move_car(self._car)
        self._bodies.move_vehicles(self._traffic.poses(self._traffic_state))

    def _tick(self, command: tuple[float, float], dt: float) -> None:
        """One physics step: the car moves unless it would touch something, then the vehicles likewise."""
        before, traffic_before = self._car, self._traffic_state
        self._car = advance(before, command, self.limits, dt)
        self._bodies.move_car(self._car)
        if self._bodies.touches_obstacle() or self._bodies.touched_vehicles():
            self._touched = True
            self._car = VehicleState(before.x, before.y, before.yaw)
            self._bodies.move_car(self._car)
        after = self._traffic.advance(traffic_before, self._car, dt)
        self._bodies.move_vehicles(self._traffic.poses(after))
        touched = self._bodies.touched_vehicles()
        if touched:
            self._touched = True
            after = self._traffic.stopped(traffic_before, after, touched)
            self._bodies.move_vehicles(self._traffic.poses(after))
        self._traffic_state = after

    def _off_road(self) -> bool:
        c, s = math.cos(self._car.yaw), math.sin(self._car.yaw)
        wheels = np.array(self.limits.wheels)
        x = self._car.x + c * wheels[:, 0] - s * wheels[:, 1]
        y = self._car.y + s * wheels[:, 0] + c * wheels[:, 1]
        return not self._layout.covers(x, y).all()

    def _nearest(self, camera: np.ndarray) -> np.ndarray:
        mount = self.settings.camera.position
        c, s = math.cos(self._car.yaw), math.sin(self._car.yaw)
        turn = np.array([[c, -s], [s, c]])
        seen = nearest_in_view(
            [(outline - camera[:2]) @ turn for outline in self._bodies.outlines(camera[0], camera[1], SIGHT_M)],
            self.settings.camera.half_view[0],
            SIGHT_M,
        )
        if seen is None:
            return np.full(3, np.nan)
        return np.array([seen[0] + mount[0], seen[1] + mount[1], 0.0])


def make(robot: str = "car", size: int = 128) -> DriveWorld:
    """The drive world with a square image of ``size`` pixels."""
    if robot != "car":
        raise UnknownName("robot", robot, ["car"])
    return DriveWorld(DriveWorldSettings(camera=replace(DASHBOARD_CAMERA, width=size, height=size)))
