"""An arm at a table with a cube, an obstacle and a goal, simulated and rendered by PyBullet.

World frame: the robot's base, z up, the table's top at z = 0. No display is needed. The same seed and the same plans
give the same bits, in every process.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

import numpy as np

from astra_ros.plans.joint_plan import JointPlan
from astra_ros.resources import resource_path
from astra_ros.simulation.arm.inverse_kinematics import ArmKinematics
from astra_ros.simulation.arm.robots import robot_description, robot_spec
from astra_ros.simulation.arm.scene import CUBE_SIDE_M, SceneSettings, sample_layout, sample_style
from astra_ros.simulation.bullet import pybullet
from astra_ros.simulation.camera import Camera, CameraSettings
from astra_ros.simulation.session import BulletSnapshot, Session, SessionOwner

# Bodies this near to each other touch (m). Bullet also reports pairs that are only close.
TOUCH_M = 1e-3
# A joint's target is at most this far (rad) from the joint, which limits the wind-up of a blocked arm.
MAX_LEAD_RAD = 0.1


@dataclass(frozen=True)
class ArmWorldSettings:
    """Settings of an arm world. ``style_seed`` is that of its look; None takes the seed given to ``reset``."""

    robot: str = "panda"
    camera: CameraSettings = field(default_factory=CameraSettings)
    scene: SceneSettings = field(default_factory=SceneSettings)
    physics_hz: int = 240
    style_seed: int | None = None


@dataclass(frozen=True)
class ArmState:
    """The world's true state. Positions in m, world frame; angles in rad.

    ``obstacle_contact`` (the arm or the cube touched the obstacle) and ``object_contact`` (the arm
    touched the cube) cover the whole last ``step`` call, not its last instant only.
    """

    time_s: float
    joint_positions: np.ndarray
    commanded_positions: np.ndarray
    object_position: np.ndarray
    object_yaw: float
    goal_position: np.ndarray
    obstacle_position: np.ndarray
    tool_position: np.ndarray
    obstacle_contact: bool
    object_contact: bool


class ArmWorld(SessionOwner):
    """One simulated arm at its table. Several worlds in a process do not disturb each other.

    Raises:
        UnknownName: of the robot.
        FileNotFoundError: a URDF is missing.
    """

    def __init__(self, settings: ArmWorldSettings | None = None) -> None:
        self.settings = settings or ArmWorldSettings()
        self.spec = robot_spec(self.settings.robot)
        self.kinematics = ArmKinematics(self.spec)
        self._session = Session()
        try:
            self._build()
            self.reset(0)
        except BaseException:
            self.close()
            raise

    @property
    def joint_names(self) -> tuple[str, ...]:
        return self.spec.joint_names

    @property
    def time_s(self) -> float:
        """Since the reset."""
        return self._ticks / self.settings.physics_hz

    def reset(self, seed: int, style_seed: int | None = None) -> None:
        """Start the episode that belongs to ``seed``: its layout and look, the arm at ready.

        ``style_seed`` gives it another look; it overrides the settings' one.
        """
        layout = sample_layout(self.spec, seed, self.settings.scene)
        if style_seed is None:
            style_seed = seed if self.settings.style_seed is None else self.settings.style_seed
        self._style = sample_style(style_seed)
        self._forget_contacts()
        self._goal = np.array([*layout.goal_xy, 0.002])
        self._obstacle = np.array([*layout.obstacle_xy, 0.0])
        self._place(self._bodies["goal"], self._goal)
        self._place(self._bodies["obstacle"], self._obstacle)
        self._place(self._bodies["cube"], (*layout.object_xy, CUBE_SIDE_M / 2), layout.object_yaw)
        self._paint(self._bodies["cube"], self._style.object_rgb)
        self._paint(self._bodies["table"], self._style.table_rgb)
        self._ticks = 0
        self._plan: JointPlan | None = None
        self._plan_tick = 0
        self._plan_start = self._command = np.array(self.spec.ready)
        self._touched_obstacle = self._touched_object = False
        self._set_arm(self._command)

    def command(self, plan: JointPlan) -> None:
        """Follow ``plan`` from now on; it replaces the one before.

        Joints may come in any order. An arm that is not at the plan's first point moves there within the joints' speed
        limits.

        Raises:
            PlanError: the plan's joints are not this arm's.
        """
        self._plan = plan.reordered(self.joint_names)
        self._plan_tick = self._ticks
        self._plan_start = self._command

    def step(self, seconds: float) -> None:
        """Advance by ``seconds``, rounded to whole physics steps, at least one."""
        ticks = max(1, round(seconds * self.settings.physics_hz))
        hz = self.settings.physics_hz
        targets = None
        if self._plan is not None:
            since = self._ticks - self._plan_tick + 1 + np.arange(ticks)
            targets = self._plan.motion(since / hz, self._plan_start)
        fastest = np.array(self.spec.max_speed) / hz
        self._touched_obstacle = self._touched_object = False
        for i in range(ticks):
            before = self._command
            if targets is not None:
                self._command = before + np.clip(targets[i] - before, -fastest, fastest)
            self._drive((self._command - before) * hz)
            self._session.stepSimulation()
            self._notice_contacts()
        self._ticks += ticks

    def render(self) -> np.ndarray:
        """The camera's view: uint8 [height, width, 3] RGB."""
        return self._camera.render(self._style.light)

    def goal_image(self) -> np.ndarray:
        """The view once the task is done: cube at the goal, arm at ready: uint8 [h, w, 3] RGB.

        The world is unchanged afterwards: a ``snapshot`` is restored.
        """
        now = self.snapshot()
        yaw = self.state().object_yaw
        self._place(self._bodies["cube"], (*self._goal[:2], CUBE_SIDE_M / 2), yaw)
        self._set_arm(np.array(self.spec.ready))
        image = self.render()
        self.restore(now)
        return image

    def state(self) -> ArmState:
        """The true state now; ``ArmState`` tells which time its contacts cover."""
        position, turn = self._session.getBasePositionAndOrientation(self._bodies["cube"])
        joints = self._joint_positions()
        tool = self._session.getLinkState(self._bodies["arm"], self._tool_link, computeForwardKinematics=1)[4]
        return ArmState(
            time_s=self.time_s,
            joint_positions=joints,
            commanded_positions=self._command.copy(),
            object_position=np.array(position),
            object_yaw=float(pybullet.getEulerFromQuaternion(turn)[2]),
            goal_position=self._goal.copy(),
            obstacle_position=self._obstacle.copy(),
            tool_position=np.array(tool),
            obstacle_contact=self._touched_obstacle,
            object_contact=self._touched_object,
        )

    def snapshot(self) -> BulletSnapshot:
        """This moment, for ``restore``. It is freed when no longer referenced.

        The run after a snapshot and the runs after each ``restore`` of it are equal bit by bit. For that, the solver's
        memory of past contacts is dropped in both cases. While bodies touch, the run can differ in its last digits
        from a run without a snapshot.
        """
        snapshot = BulletSnapshot(self._session, self._moment())
        self.restore(snapshot)
        return snapshot

    def restore(self, snapshot: BulletSnapshot) -> None:
        """Go back to a moment of this world; the run after it repeats bit by bit.

        Raises:
            ValueError: the snapshot belongs to another world.
        """
        self._restore_moment(snapshot)
        self._forget_contacts()
        self._session.restoreState(snapshot.state_id)
        self._paint(self._bodies["cube"], self._style.object_rgb)
        self._paint(self._bodies["table"], self._style.table_rgb)

    _MOMENT = (
        "_ticks",
        "_plan",
        "_plan_tick",
        "_plan_start",
        "_command",
        "_touched_obstacle",
        "_touched_object",
        "_goal",
        "_obstacle",
        "_style",
    )

    def _build(self) -> None:
        self._session.setPhysicsEngineParameter(
            fixedTimeStep=1.0 / self.settings.physics_hz, deterministicOverlappingPairs=1
        )
        self._session.setGravity(0.0, 0.0, -9.81)
        self._bodies = {
            "table": self._load(resource_path("urdf/table.urdf"), fixed=True),
            "goal": self._load(resource_path("urdf/goal.urdf"), fixed=True),
            "obstacle": self._load(resource_path("urdf/obstacle.urdf"), fixed=True),
            "cube": self._load(resource_path("urdf/cube.urdf"), fixed=False),
            "arm": self._session.load_file(
                partial(self._load, fixed=True), robot_description(self.spec, coarse=True).encode(), ".urdf"
            ),
        }
        arm = self._bodies["arm"]
        infos = [self._session.getJointInfo(arm, j) for j in range(self._session.getNumJoints(arm))]
        joint = {info[1].decode(): info[0] for info in infos}
        self._tool_link = {info[12].decode(): info[0] for info in infos}[self.spec.tool_link]
        self._driven = [joint[name] for name in self.joint_names]
        self._held = [joint[name] for name in self.spec.held_joints]
        self._all_joints = self._driven + self._held
        self._forces = [*self.spec.max_force, *([50.0] * len(self._held))]
        # The arm's base stands on the table: do not solve that contact.
        self._session.setCollisionFilterPair(arm, self._bodies["table"], -1, -1, 0)
        self._camera = Camera(self.settings.camera, self._session)
        self._set_arm(np.array(self.spec.ready))
        for body, x in zip(("obstacle", "cube"), (20.0, 30.0)):
            self._place(self._bodies[body], (x, 0.0, 10.0))
        self._pristine = BulletSnapshot(self._session, {})

    def _load(self, path, fixed: bool) -> int:
        return self._session.loadURDF(str(path), useFixedBase=fixed)

    def _place(self, body: int, position, yaw: float = 0.0) -> None:
        self._session.resetBasePositionAndOrientation(
            body, [float(v) for v in position], pybullet.getQuaternionFromEuler([0.0, 0.0, yaw])
        )

    def _forget_contacts(self) -> None:
        """Go back to the empty start, with all bodies apart.

        Bullet keeps data such as search directions for every pair of close bodies, and saved states do not hold them.
        They would make runs from a restored moment differ slightly. For bodies that were apart they start anew.
        """
        self._session.restoreState(self._pristine.state_id)
        self._session.performCollisionDetection()

    def _paint(self, body: int, rgb) -> None:
        self._session.changeVisualShape(body, -1, rgbaColor=[*rgb, 1.0])

    def _set_arm(self, joints: np.ndarray) -> None:
        arm = self._bodies["arm"]
        for joint, value in zip(self._all_joints, [*joints, *self.spec.held_joints.values()]):
            self._session.resetJointState(arm, joint, float(value))

    def _joint_positions(self) -> np.ndarray:
        states = self._session.getJointStates(self._bodies["arm"], self._driven)
        return np.array([state[0] for state in states])

    def _drive(self, speeds: np.ndarray) -> None:
        """Motor targets for one physics step: the command, with its speed fed forward."""
        joints = self._joint_positions()
        lead = np.clip(self._command - joints, -MAX_LEAD_RAD, MAX_LEAD_RAD)
        held = list(self.spec.held_joints.values())
        self._session.setJointMotorControlArray(
            self._bodies["arm"],
            self._all_joints,
            pybullet.POSITION_CONTROL,
            targetPositions=[*(joints + lead), *held],
            targetVelocities=[*speeds, *([0.0] * len(held))],
            forces=self._forces,
            positionGains=[0.2] * len(self._all_joints),
            velocityGains=[1.0] * len(self._all_joints),
        )

    def _notice_contacts(self) -> None:
        if not self._touched_obstacle:
            self._touched_obstacle = self._touching("obstacle")
        if not self._touched_object:
            self._touched_object = self._touching("cube", "arm")

    def _touching(self, one: str, other: str | None = None) -> bool:
        pair = {"bodyA": self._bodies[one]}
        if other is not None:
            pair["bodyB"] = self._bodies[other]
        points = self._session.getContactPoints(**pair)
        table = self._bodies["table"]
        return any(point[8] < TOUCH_M and point[2] != table for point in points)
