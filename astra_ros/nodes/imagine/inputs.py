"""What the imagine node has heard: the newest frames, plans, joints and goal.

Callbacks only convert and store; the worker takes a ``Request`` when it is ready for one.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import PoseStamped
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, JointState

from astra_ros.bridge import BridgeError
from astra_ros.nodes.imagine.camera_inputs import CameraInputs
from astra_ros.nodes.imagine.frozen_camera import FrozenCamera
from astra_ros.nodes.imagine.goal_inputs import GoalInputs, described
from astra_ros.nodes.imagine.joint_inputs import JointInputs
from astra_ros.nodes.imagine.plan_inputs import Fate, HeldPlan, PlanInputs
from astra_ros.nodes.imagine.settings import PlanTopicSettings
from astra_ros.plans.errors import PlanError
from astra_ros.plans.plan import Plan
from astra_ros.robot.conflict import Conflict
from astra_ros.texts import short


class Refused(RuntimeError):
    """A request cannot be served now. The message says why and what to do."""


@dataclass(frozen=True)
class Request:
    """Everything that one imagination needs, taken at one moment.

    Attributes:
        history: uint8 [T, h, w, 3], oldest first.
        stamp, frame_id: header of the newest frame.
        received_s: ``time.monotonic()`` when the newest frame came.
        plans: candidates, oldest first, named ``<source>/<index>``.
        sources: plan name -> (source name, the message's bytes as they came).
        held: plan name -> when it came, and what becomes of it.
        joints_now: joint name -> rad, without those that are too old or contradicted.
        goal_frame: uint8 [h, w, 3], or None.
        goal_position: float64 [3] m in the world frame, or None; at most one of both is given.
        goal: what counts as the goal, for machines, see ``GoalInputs.describe``.
    """

    history: np.ndarray
    stamp: Time
    frame_id: str
    received_s: float
    plans: list[Plan]
    sources: dict[str, tuple[str, bytes]]
    held: dict[str, HeldPlan]
    joints_now: dict[str, float]
    goal_frame: np.ndarray | None
    goal_position: np.ndarray | None
    goal: dict[str, str]


class ImagineInputs:
    """Stores inputs from the executor's threads, hands requests to the worker's.

    Args:
        camera: topic of the images, for messages.
        sources: plan source name -> its settings.
        refuse: called with (kind, reason) for each input that cannot be used; kind is "images",
            "plans", "joint_states", "goal_images", "goal_poses" or "lost_plans" (that are never judged).
        tell: called with what is worth a line in the log, but no error.
        clock: seconds that never go back.
        ros_time_ns: the clock whose time is written into stamps.
    """

    def __init__(
        self,
        camera: str,
        sources: Mapping[str, PlanTopicSettings],
        refuse: Callable[[str, str], None],
        tell: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
        ros_time_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.camera = camera
        self._refuse = refuse
        self._clock = clock
        self._lock = threading.RLock()
        self._camera = CameraInputs(camera, tell, clock, ros_time_ns)
        self._joints = JointInputs(clock)
        self._frozen = FrozenCamera(lambda: self._clock())
        self._goals = GoalInputs(self._camera.pictures.read, lambda: self._clock())
        self._plans = PlanInputs(sources, lambda reason: refuse("lost_plans", reason), lambda: self._clock())

    def camera_unheard(self, why: str) -> None:
        """Note why images that others publish cannot be heard, or ''."""
        self._camera.unheard = why

    def expect(self, card) -> None:
        """Keep frames as the model of this card needs them; those that came before are lost."""
        self._camera.expect(card)

    def on_image(self, msg: Image | CompressedImage) -> None:
        """Add a camera image to the history."""
        try:
            self._camera.on_image(msg)
        except BridgeError as error:
            self._refuse("images", str(error))
            return
        with self._lock:
            self._frozen.add(self._camera.repeats > 0, self._joints.now(float("inf")))

    def on_camera_info(self, msg: CameraInfo) -> None:
        """Remember what camera_info says, to notice when it is another camera's."""
        self._camera.on_info(msg)

    def on_goal(self, msg: Image, topic: str) -> None:
        """Take another goal image; it replaces a goal pose."""
        try:
            self._goals.on_image(msg, topic)
        except BridgeError as error:
            self._refuse("goal_images", str(error))

    def on_goal_pose(self, msg: PoseStamped, world_frame: str, topic: str, reach_m: float = 0.0) -> None:
        """Take another goal pose, given in ``world_frame``, at most ``reach_m`` from its origin (0: anywhere); it
        replaces a goal image."""
        try:
            self._goals.on_pose(msg, world_frame, reach_m, topic)
        except BridgeError as error:
            self._refuse("goal_poses", str(error))

    def clear_goal(self) -> str:
        """Want nothing any more; returns what was wanted, in words, or ''."""
        return self._goals.clear()

    def on_joints(self, msg: JointState, topic: str) -> None:
        """Update the joints that the message names; others (a gripper's) keep their values."""
        try:
            self._joints.on_joints(msg, topic)
        except BridgeError as error:
            self._refuse("joint_states", str(error))

    def on_plan(self, source: str, msg, data: bytes) -> bool:
        """Add a candidate: its message, and its bytes to hand on. True when it was taken."""
        try:
            self._plans.on_plan(source, msg, data)
        except PlanError as error:
            self._refuse("plans", str(error))
            return False
        return True

    def forget_frames(self) -> None:
        """Start the frame history anew."""
        self._camera.forget()

    @property
    def camera_age_s(self) -> float | None:
        """Seconds since the last usable image, or None before the first."""
        return self._camera.age_s

    @property
    def size_mismatch(self) -> str:
        """What is wrong when images and camera_info are of different sizes, else ''."""
        return self._camera.size_mismatch

    @property
    def lens(self) -> str:
        """What camera_info says of the lens, in words; '' before one came."""
        return self._camera.lens

    @property
    def frames_held(self) -> int:
        """Frames in the history's buffer."""
        return self._camera.frames_held

    @property
    def stamp_age_s(self) -> float | None:
        """How old the newest image was by its stamp when it came, s, or None without one."""
        return self._camera.stamp_age_s

    @property
    def left_out(self) -> dict[str, int]:
        """Why images were left out that are no error -> how many."""
        return self._camera.left_out

    @property
    def no_stamps(self) -> str:
        """What is done about images without a stamp, or ''."""
        return self._camera.no_stamps

    @property
    def two_cameras(self) -> str:
        """What is wrong where several cameras publish on the images' topic in turn, else ''."""
        return self._camera.two_cameras

    @property
    def frozen(self) -> str:
        """What is wrong where images repeat while the robot moves, else ''."""
        with self._lock:
            joint = self._frozen.joint
        if not joint:
            return ""
        return (
            f"{self.camera}: the image is the same to the byte while joint '{short(joint)}' moves, so the camera, or "
            "what passes its images on, hangs; check the camera driver"
        )

    @property
    def few_bits(self) -> tuple[str, int | None]:
        """(What is wrong where images use few of their 16 bits, else ''; how many they use.)"""
        return self._camera.few_bits

    @property
    def history_lacks(self) -> str:
        """Why no history can be made of the images that came, or ''."""
        return self._camera.history_lacks

    @property
    def plans_held(self) -> dict[str, int]:
        """Plan source name -> candidates held that are not too old."""
        return self._plans.held

    @property
    def all_too_old(self) -> bool:
        """Whether plans came, and all of them are older than their source allows."""
        return self._plans.any and not self._plans.fresh()

    @property
    def fates(self) -> dict[str, Fate]:
        """Plan source name -> what became of its plans so far."""
        return self._plans.fates

    def goal(self, max_age_s: float) -> dict[str, str]:
        """What counts as the goal, for machines, see ``GoalInputs.describe``."""
        return self._goals.describe(max_age_s)

    def outdated_goal(self, max_age_s: float) -> str:
        """What was wanted and is too old to count, in words, or ''."""
        return self._goals.outdated(max_age_s)

    @property
    def goal_came_s(self) -> float | None:
        """When the last goal came, on the inputs' clock, or None without one or after ``clear_goal``."""
        return self._goals.came_s

    @property
    def goal_wanted(self) -> bool:
        """Whether there is a goal, too old or not."""
        return self._goals.came_s is not None

    def not_ready(self, camera_timeout_s: float) -> str | None:
        """Why no request can be made now, or None."""
        with self._lock:
            if reason := self._camera.silent(camera_timeout_s):
                return reason
            if not self._plans.fresh():
                topics = self._plans.topics
                if self._plans.any:
                    return f"all plans are older than their source's max_age_s; publish new ones on {topics}"
                return f"no plans yet; publish some on {topics}"
            return self._camera.history_lacks or None

    def request(self, camera_timeout_s: float, goal_max_age_s: float = 0.0) -> Request:
        """All inputs of this moment; ``over`` is to be called when the request is.

        Args:
            camera_timeout_s: older images and joint states are not used.
            goal_max_age_s: an older goal is not used; 0: it counts until it is replaced.

        Raises:
            Refused: something is missing or too old.
        """
        with self._lock:
            if reason := self.not_ready(camera_timeout_s):
                raise Refused(reason)
            frames, header, image_s = self._camera.take()
            plans, held = [], {}
            for each, index in self._plans.fresh():
                name = f"{each.source}/{index}"
                plans.append(replace(each.plan, name=name))
                held[name] = each
            self._plans.ask(held.values())
            goal = self._goals.now(goal_max_age_s)
            picture = None if goal is None else goal.picture
            return Request(
                history=frames,
                stamp=header.stamp,
                frame_id=header.frame_id,
                received_s=image_s,
                plans=plans,
                sources={name: (each.source, each.data) for name, each in held.items()},
                held=held,
                joints_now=self.joints_now(camera_timeout_s),
                goal_frame=None if picture is None else self._camera.scaled(picture),
                goal_position=None if goal is None else goal.position,
                goal=described(goal, self._clock()),
            )

    def over(self, request: Request, judged: bool) -> None:
        """Note that a request is over, and whether every plan of it was scored or refused with a reason."""
        self._plans.answer(request.held.values(), judged)

    def joints_now(self, timeout_s: float) -> dict[str, float]:
        """Joint name -> rad, of the joints that were heard of within ``timeout_s`` and are not contradicted."""
        return self._joints.now(timeout_s)

    @property
    def plan_positions(self) -> dict[str, dict[str, np.ndarray]]:
        """Topic -> joint -> all its positions in the plans that are held."""
        return self._plans.positions

    @property
    def joint_conflicts(self) -> dict[str, Conflict]:
        """Joint name -> what two publishers say of it now."""
        return self._joints.conflicts

    def too_old(self, request: Request, plan: str) -> bool:
        """Whether a plan of a request has become older than its source allows."""
        return self._plans.too_old(request.held[plan])
