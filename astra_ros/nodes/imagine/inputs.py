"""The inputs of the imagine node: the newest frames, plans, joints and goal. Without ROS.

Callbacks only convert and store; the model's thread takes a `Request` when it is ready for one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from astra_ros.errors import UserError
from astra_ros.nodes.imagine.base_state import BaseState
from astra_ros.nodes.imagine.camera_inputs import CameraInputs
from astra_ros.nodes.imagine.frozen_camera import FrozenCamera
from astra_ros.nodes.imagine.goal_inputs import GoalInputs, described
from astra_ros.nodes.imagine.joint_inputs import JointInputs
from astra_ros.nodes.imagine.message_readers import Clocks, MessageReaders
from astra_ros.nodes.imagine.obstacle_inputs import ObstacleInputs
from astra_ros.nodes.imagine.plan_inputs import HeldPlan, PlanInputs
from astra_ros.nodes.imagine.settings import ImagineSettings, PlanTopicSettings
from astra_ros.nodes.reports import Tell
from astra_ros.plans.base_now import BaseNow
from astra_ros.plans.path_plan import PathPlan
from astra_ros.plans.plan import Plan, renamed
from astra_ros.texts import short


class Refused(UserError, RuntimeError):
    """A request cannot be served now; it may be later."""


@dataclass(frozen=True)
class Topics:
    """Names of the node's topics in the graph, for messages."""

    image: str = "image"
    camera_info: str = "camera_info"
    goal_image: str = "goal_image"
    goal_pose: str = "goal_pose"
    joint_states: str = "joint_states"
    robot_description: str = "robot_description"
    scores: str = "scores"
    planning_scene: str = "planning_scene"
    odom: str = "odom"


@dataclass(frozen=True)
class Request:
    """The inputs of one request, taken at one moment.

    Attributes:
        history: uint8 [T, h, w, 3], oldest first.
        stamp_ns, frame_id: header of the newest frame; received_s: when that arrived, on the monotonic clock.
        plans: candidates, oldest first, named ``<source>/<index>``; held: the same as they are held.
        joints_now: joint name -> rad, without joints that are too old or contradicted.
        base: where a base is; None where no odometry has come for a while, or none is needed.
        goal_frame: uint8 [h, w, 3], goal_position: float64 [3] m in the world frame; at most one is given.
    """

    history: np.ndarray
    stamp_ns: int
    frame_id: str
    received_s: float
    plans: list[Plan | PathPlan]
    held: dict[str, HeldPlan]
    joints_now: dict[str, float]
    goal_frame: np.ndarray | None
    goal_position: np.ndarray | None
    goal: dict[str, str]
    base: BaseNow | None = None


class ImagineInputs:
    """Stores inputs from the executor's threads, hands requests to the model's thread.

    Args:
        refuse: told (kind, reason) of each input that cannot be used; kind is "images", "plans", "joint_states",
            "odometry", "goal_images", "goal_poses", "obstacles" or "lost_plans" (plans that are never judged).
        tell: logs a line that is not an error.
    """

    def __init__(
        self,
        topics: Topics,
        sources: Mapping[str, PlanTopicSettings],
        readers: MessageReaders,
        refuse: Callable[[str, str], None],
        tell: Tell,
        clocks: Clocks = Clocks(),
    ) -> None:
        self._topics, self._sources, self._readers, self._refuse = topics, dict(sources), readers, refuse
        self._clock, self._ros_time_ns = clocks.monotonic_s, clocks.ros_time_ns
        self._lock = threading.RLock()
        self.camera = CameraInputs(topics.image, readers.image, tell, clocks)
        self.joints = JointInputs(readers.joints, self._clock)
        self.starts = readers.starts
        self.base = BaseState(topics.odom, readers.odometry, readers.frames, self._clock)
        self.goals = GoalInputs(self._goal_image, readers.position, self._clock)
        self.plans = PlanInputs(sources, lambda reason: refuse("lost_plans", reason), self._clock)
        self.obstacles = ObstacleInputs()
        self._frozen = FrozenCamera(self._clock)

    def on_image(self, msg) -> None:
        if self._taken("images", self.camera.on_image, msg):
            with self._lock:
                self._frozen.add(self.camera.repeats > 0, self.joints.now(float("inf")))

    def on_goal_image(self, msg) -> None:
        self._taken("goal_images", self.goals.on_image, msg, self._topics.goal_image)

    def on_goal_pose(self, msg, settings: ImagineSettings) -> None:
        frame, reach_m = settings.world_frame, settings.goal_reach_m
        self._taken("goal_poses", self.goals.on_pose, msg, frame, reach_m, self._topics.goal_pose)

    def on_joints(self, msg) -> Mapping[str, float]:
        """The positions that the message states; none where it cannot be used."""
        try:
            return self.joints.on_joints(msg, self._topics.joint_states)
        except UserError as error:
            self._refuse("joint_states", str(error))
            return {}

    def on_planning_scene(self, msg) -> None:
        self._taken("obstacles", self.obstacles.on_scene, msg)

    def on_odometry(self, msg) -> None:
        self._taken("odometry", self.base.on_odometry, msg)

    def on_plan(self, source: str, data: bytes, settings: ImagineSettings) -> bool:
        """Add a candidate from a message's bytes. True when it was taken."""
        topic = self._sources[source].topic
        try:
            message = self._readers.plan(source, topic, data)
        except UserError as error:
            self._refuse("plans", str(error))
            return False
        if reason := settings.stamps.refusal(message.stamp_ns, self._ros_time_ns()):
            self._refuse("plans", f"{topic}: a plan is refused: {reason}")
            return False
        self.plans.on_plan(source, message)
        return True

    @property
    def frozen(self) -> str:
        """The fault where images repeat while the robot moves, else ''."""
        with self._lock:
            joint = self._frozen.joint
        if not joint:
            return ""
        return (
            f"{self._topics.image}: the image is the same to the byte while joint '{short(joint)}' moves, so the "
            "camera, or a node that relays its images, hangs; check the camera driver"
        )

    def not_ready(self, camera_timeout_s: float) -> str | None:
        """Why no request can be made now, or None."""
        with self._lock:
            if reason := self.camera.silent(camera_timeout_s):
                return reason
            if not self.plans.fresh():
                topics = self.plans.topics
                if self.plans.any:
                    return f"all plans are older than their source's max_age_s; publish new ones on {topics}"
                return f"no plans yet; publish some on {topics}"
            return self.camera.history_lacks or None

    def request(self, settings: ImagineSettings) -> Request:
        """All inputs of this moment, or `Refused`; call ``plans.answer`` when the request has ended."""
        with self._lock:
            if reason := self.not_ready(settings.camera_timeout_s):
                raise Refused(reason)
            frames, header, image_s = self.camera.take()
            held = {f"{each.source}/{index}": each for each, index in self.plans.fresh()}
            self.plans.ask(held.values())
            goal = self.goals.now(settings.goal_max_age_s)
            image = None if goal is None else goal.image
            return Request(
                history=frames,
                stamp_ns=header.stamp_ns,
                frame_id=header.frame_id,
                received_s=image_s,
                plans=[renamed(each.message.plan, name) for name, each in held.items()],
                held=held,
                joints_now=self.joints.now(settings.camera_timeout_s),
                base=self.base.now(settings.camera_timeout_s),
                goal_frame=None if image is None else self.camera.scaled(image),
                goal_position=None if goal is None else goal.position,
                goal=described(goal, self._clock()),
            )

    def _taken(self, kind: str, take: Callable[..., None], *message) -> bool:
        """Whether an input could be used; why it could not is told."""
        try:
            take(*message)
        except UserError as error:
            self._refuse(kind, str(error))
            return False
        return True

    def _goal_image(self, msg, topic: str) -> np.ndarray:
        return self.camera.images(msg, topic)[0]
