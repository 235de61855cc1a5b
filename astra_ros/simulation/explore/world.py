"""Rooms and corridors that a rover or a drone explores with its own camera.

World frame: m, z up, the house from 0 to its size along x and y, the floor at z = 0. The robots' frames are in
``robots``. A robot's velocities follow the command with limited acceleration and move it exactly. PyBullet's geometry
tells whether it touches something. No display is needed, and the same seed and the same plans give the same bits.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from astra_ros.camera.pinhole import PinholeCamera
from astra_ros.plans.velocity_plan import VelocityPlan
from astra_ros.settings import SettingError
from astra_ros.simulation.camera import Camera, CameraSettings, as_drawn, optical_pose
from astra_ros.simulation.explore.contacts import HouseContacts
from astra_ros.simulation.explore.floorplan import ExploreSceneSettings
from astra_ros.simulation.explore.mesh import house_mesh
from astra_ros.simulation.explore.plans import play, propose
from astra_ros.simulation.explore.referee import ExploreReferee
from astra_ros.simulation.explore.robots import Pose, advanced, mobile_spec
from astra_ros.simulation.explore.scene import House, sample_house
from astra_ros.simulation.explore.visibility import Situation
from astra_ros.simulation.session import Session, SessionOwner, Snapshot
from astra_ros.simulation.worlds import Embodiment

# Range of the label ``nearest_obstacle`` (m).
SIGHT_M = 6.0
# The house's textures hold all light.
LIGHT, SHARES = (0.0, 0.0, 1.0), (1.0, 0.0, 0.0)


def _camera() -> CameraSettings:
    return CameraSettings(width=128, height=128, fov_deg=80.0, near_m=0.03, far_m=25.0)


@dataclass(frozen=True)
class ExploreWorldSettings:
    """Settings of an explore world. The camera's pose comes from the robot.

    Raises:
        SettingError: on creation, for settings that no world can have.
    """

    robot: str = "rover"
    camera: CameraSettings = field(default_factory=_camera)
    scene: ExploreSceneSettings = field(default_factory=ExploreSceneSettings)
    physics_hz: int = 60

    def __post_init__(self) -> None:
        mobile_spec(self.robot)
        if not (float(self.physics_hz).is_integer() and self.physics_hz >= 20):
            raise SettingError(
                "physics_hz", self.physics_hz, "give a whole number >= 20, or robots jump through thin walls"
            )


@dataclass(frozen=True, eq=False)
class ExploreState:
    """A moment of the world; none of its parts is changed in place.

    Attributes:
        ticks: physics steps since the reset.
        pose: of the robot's body.
        velocity: [D] m/s and rad/s, its own.
        plan, plan_tick: what it follows and since when; None to rest.
        motion: [D] mean command during the last step.
        contact: whether it touched something during the last step.
    """

    ticks: int
    pose: Pose
    velocity: np.ndarray
    plan: VelocityPlan | None
    plan_tick: int
    motion: np.ndarray
    contact: bool


class ExploreWorld(SessionOwner):
    """One robot in a house. Several worlds in a process do not disturb each other."""

    def __init__(self, settings: ExploreWorldSettings | None = None) -> None:
        self.settings = settings or ExploreWorldSettings()
        self.spec = mobile_spec(self.settings.robot)
        self.embodiment = Embodiment("explore", self.spec.name, self.spec.modality, self.spec.motion_names)
        self._session = Session()
        self._view = Camera(self.settings.camera, self._session)
        try:
            self.reset(0)
        except BaseException:
            self.close()
            raise

    @property
    def time_s(self) -> float:
        """Simulated seconds since the reset."""
        return self._state.ticks / self.settings.physics_hz

    @property
    def camera_pose(self) -> Pose:
        """The camera's optical frame in the world frame."""
        return self._state.pose @ self.spec.camera

    @property
    def situation(self) -> Situation:
        """The true situation, as a perfect map and perfect perception would give it."""
        camera = self.settings.camera
        upright = np.radians(camera.fov_deg) / 2.0
        across = np.arctan(np.tan(upright) * camera.width / camera.height)
        return Situation(self.spec, self.house, self._state.pose, self._state.contact, (float(across), float(upright)))

    def reset(self, seed: int, style_seed: int | None = None) -> None:
        """Start the episode that belongs to ``seed``: its house, the robot at rest at its start.

        ``style_seed`` gives the house other colours, papers and light.

        Raises:
            SettingError: a negative seed.
        """
        self._enter(sample_house(self.spec, seed, self.settings.scene, style_seed))
        rest = np.zeros(len(self.spec.motion_names))
        self._state = ExploreState(0, self.house.start, rest, None, 0, rest, False)

    def command(self, plan: VelocityPlan) -> None:
        """Follow ``plan`` from now on; it replaces the one before.

        Columns may come in any order. Velocities beyond the robot's limits are cut to them.

        Raises:
            PlanError: the plan's columns are not this robot's.
        """
        plan = plan.reordered(self.spec.motion_names)
        self._state = replace(self._state, plan=plan, plan_tick=self._state.ticks)

    def step(self, seconds: float) -> None:
        """Advance by ``seconds``, rounded to whole physics steps, at least one.

        A move that would touch something is not made: the robot stops there, and turns on freely.
        """
        ticks = max(1, round(seconds * self.settings.physics_hz))
        now, hz = self._state, self.settings.physics_hz
        pose, velocity, touched = now.pose, now.velocity, False
        near = self._contacts.nearby(pose.position, ticks / hz)
        fastest = self.spec.max_acceleration / hz
        is_linear = np.array([name.startswith("linear") for name in self.spec.motion_names])
        for tick in range(now.ticks, now.ticks + ticks):
            wanted = self._commanded(tick)
            velocity = velocity + np.clip(wanted - velocity, -fastest, fastest)
            moved = advanced(pose, self.spec.twist(velocity), 1.0 / hz)
            # As a flight controller does: drop only the part of the motion that would leave the altitude limits.
            position = moved.position.copy()
            position[2] = np.clip(position[2], *self.spec.altitude_m)
            if velocity[is_linear].any() and self._contacts.touches(position, near):
                touched = True
                velocity = np.where(is_linear, 0.0, velocity)
                position = pose.position
            pose = Pose(position, moved.rotation)
        motion = np.zeros(len(velocity))
        if now.plan is not None:
            # After its end a plan stands for rest, which ``mean`` does not include.
            span = (now.ticks - now.plan_tick + np.array([0, ticks])) / hz
            inside = np.minimum(span, now.plan.duration_s)
            if inside[1] - inside[0] > 1e-9:
                motion = now.plan.mean(inside)[0] * (inside[1] - inside[0]) / (span[1] - span[0])
        self._state = ExploreState(now.ticks + ticks, pose, velocity, now.plan, now.plan_tick, motion, touched)

    def render(self) -> np.ndarray:
        """The camera's view: uint8 [height, width, 3] RGB."""
        self._move_camera()
        return self._view.render(LIGHT, SHARES)

    def layers(self) -> tuple[np.ndarray, np.ndarray]:
        """What a depth camera sees: the view, and float32 [height, width] m along the optical axis, inf for nothing."""
        self._move_camera()
        return self._view.layers(LIGHT, SHARES)

    def _move_camera(self) -> None:
        camera = self.camera_pose
        self._view.move(camera.position, camera.rotation[:, 2], -camera.rotation[:, 1])

    def state(self) -> ExploreState:
        return self._state

    def propose(self, count: int, seed: int) -> list[tuple[str, VelocityPlan]]:
        return propose(self, count, seed)

    def between(self) -> None:
        """None: it goes on from where it is."""

    def goal_image(self) -> None:
        """None: a place that was never seen has no image."""

    def referee(self) -> ExploreReferee:
        return ExploreReferee(self)

    def play(self, rng: np.random.Generator, seconds: float) -> str:
        """Choose and command a behaviour of ``plans``; returns its name."""
        behaviour, plan = play(self.situation, rng, seconds)
        self.command(plan)
        return behaviour

    def motion(self) -> np.ndarray:
        """[D] mean velocity commanded during the last step, m/s and rad/s; zeros at the start."""
        return self._state.motion.copy()

    def labels(self) -> dict[str, np.ndarray]:
        """The ground truth now.

        - ``obstacle_contact`` [] bool: a wall or furniture stopped the robot during the last step.
        - ``nearest_obstacle`` [3] m: the nearest point of a wall or piece of furniture at the height
          of the robot's body, within the camera's horizontal field of view and ``SIGHT_M``: x ahead
          of the robot, y to its left, z 0; NaN without one. For the drone, x is its heading,
          however it is pitched and rolled.
        - ``camera_pose`` [7]: x y z (m) and quaternion x y z w of the optical frame, world frame.
        """
        camera = self.camera_pose
        turn = camera.rotation
        return {
            "obstacle_contact": np.array(self._state.contact),
            "nearest_obstacle": self._nearest_ahead(),
            "camera_pose": optical_pose(camera.position, turn[:, 2], -turn[:, 1]),
        }

    def scene(self) -> dict[str, list[float] | float | str]:
        """The house's size and the rectangle of each room, m: x y of two opposite corners."""
        rooms = [value for room in self.house.plan.rooms for value in (*room.low, *room.high)]
        return {"size": self.house.settings.size_m, "rooms": [float(v) for v in rooms]}

    def camera(self) -> dict:
        """The camera in the robot's frame, which for a drone is the camera's own."""
        own = self.settings.camera
        focal = own.height / 2 / own.half_view[1]
        on_robot = np.eye(4)
        on_robot[:3, :3], on_robot[:3, 3] = self.spec.camera.rotation, self.spec.camera.position
        middle = (own.width - 1) / 2, (own.height - 1) / 2
        camera = PinholeCamera(own.width, own.height, focal, focal, *middle, on_robot)
        return as_drawn(camera).to_dict()

    def snapshot(self) -> Snapshot:
        """This moment. The run after ``restore`` of it repeats bit by bit."""
        return Snapshot(self._session, self._moment())

    def restore(self, snapshot: Snapshot) -> None:
        """Go back to a moment of this world.

        Raises:
            ValueError: the snapshot belongs to another world.
        """
        before = self.house
        self._restore_moment(snapshot)
        if self.house is not before:
            self._enter(self.house)

    _MOMENT = ("house", "_state")

    def _enter(self, house: House) -> None:
        """Build the house: one painted mesh to see, and collision shapes to touch."""
        self.house = house
        self._session.resetSimulation()
        house_mesh(house).show(self._session)
        self._contacts = HouseContacts(self._session, house, self.spec)

    def _commanded(self, tick: int) -> np.ndarray:
        """[D] the velocity commanded at a physics step, within the robot's limits."""
        if self._state.plan is None:
            return np.zeros(len(self.spec.motion_names))
        since = (tick - self._state.plan_tick) / self.settings.physics_hz
        return np.clip(self._state.plan.at(since), -self.spec.max_speed, self.spec.max_speed)

    def _nearest_ahead(self) -> np.ndarray:
        """[3] m, robot frame: see ``labels``."""
        now = self.situation
        eye = self.camera_pose.position[:2]
        found = now.solids.nearest_in_view(eye, now.yaw, now.half_fov[0], SIGHT_M) - now.xy
        c, s = np.cos(now.yaw), np.sin(now.yaw)
        return np.array([c * found[0] + s * found[1], c * found[1] - s * found[0], 0.0 * found[0]])


def make(robot: str, size: int) -> ExploreWorld:
    """A world of one robot, its camera ``size`` pixels wide and high."""
    camera = replace(_camera(), width=size, height=size)
    return ExploreWorld(ExploreWorldSettings(robot=robot, camera=camera))
