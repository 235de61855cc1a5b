"""What the imagine node has heard: the newest frames, plans, joints and goal.

Callbacks only convert and store; the worker takes a ``Request`` when it is ready for one.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import PoseStamped
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, JointState

from astra_ros.bridge import BridgeError
from astra_ros.bridge.poses import pose_to_position
from astra_ros.bridge.trajectories import trajectory_to_plan
from astra_ros.nodes.camera_inputs import CameraInputs
from astra_ros.nodes.imagine_settings import PlanTopicSettings
from astra_ros.nodes.joint_inputs import JointInputs
from astra_ros.planning.plans import JointPlan, PlanError


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
        arrived_s: plan name -> when it came, on the inputs' clock.
        joints_now: joint name -> rad, without those that are too old.
        goal_frame: uint8 [h, w, 3], or None.
        goal_position: float64 [3] m in the world frame, or None.
    """

    history: np.ndarray
    stamp: Time
    frame_id: str
    received_s: float
    plans: list[JointPlan]
    sources: dict[str, tuple[str, bytes]]
    arrived_s: dict[str, float]
    joints_now: dict[str, float]
    goal_frame: np.ndarray | None
    goal_position: np.ndarray | None


class ImagineInputs:
    """Stores inputs from the executor's threads, hands requests to the worker's.

    Args:
        camera: topic of the images, for messages.
        sources: plan source name -> its settings.
        refuse: called with (kind, reason) for each input that cannot be used; kind is "images",
            "plans", "joint_states", "goal_images" or "goal_poses".
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
        self._sources = dict(sources)
        self._refuse = refuse
        self._clock = clock
        self._lock = threading.RLock()
        self._camera = CameraInputs(camera, tell, clock, ros_time_ns)
        self._joints = JointInputs(clock)
        self._goal: np.ndarray | None = None
        self._goal_position: np.ndarray | None = None
        self._plans: dict[str, deque[tuple[float, JointPlan, bytes]]] = {  # (when it came, ...)
            name: deque(maxlen=source.keep) for name, source in self._sources.items()
        }

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

    def on_camera_info(self, msg: CameraInfo) -> None:
        """Remember what camera_info says, to notice when it is another camera's."""
        self._camera.on_info(msg)

    def on_goal(self, msg: Image, topic: str) -> None:
        """Take another goal image."""
        try:
            picture = self._camera.pictures.read(msg, topic)
        except BridgeError as error:
            self._refuse("goal_images", str(error))
            return
        with self._lock:
            self._goal = picture

    def on_goal_pose(self, msg: PoseStamped, world_frame: str, topic: str) -> None:
        """Take another goal pose, given in ``world_frame``."""
        try:
            position = pose_to_position(msg, world_frame, topic)
        except BridgeError as error:
            self._refuse("goal_poses", str(error))
            return
        with self._lock:
            self._goal_position = position

    def on_joints(self, msg: JointState, topic: str) -> None:
        """Update the joints that the message names; others (a gripper's) keep their values."""
        try:
            self._joints.on_joints(msg, topic)
        except BridgeError as error:
            self._refuse("joint_states", str(error))

    def on_plan(self, source: str, msg, data: bytes) -> bool:
        """Add a candidate: its message, and its bytes to hand on. True when it was taken."""
        try:
            plan = trajectory_to_plan(msg, source, self._sources[source].topic)
        except PlanError as error:
            self._refuse("plans", str(error))
            return False
        with self._lock:
            self._plans[source].append((self._clock(), plan, data))
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
    def left_out(self) -> dict[str, int]:
        """Why images were left out that are no error -> how many."""
        return self._camera.left_out

    @property
    def no_stamps(self) -> str:
        """What is done about images without a stamp, or ''."""
        return self._camera.no_stamps

    @property
    def history_lacks(self) -> str:
        """Why no history can be made of the images that came, or ''."""
        return self._camera.history_lacks

    @property
    def plans_held(self) -> dict[str, int]:
        """Plan source name -> candidates held that are not too old."""
        with self._lock:
            held = dict.fromkeys(self._plans, 0)
            for _, source, *_ in self._fresh_plans():
                held[source] += 1
            return held

    @property
    def all_too_old(self) -> bool:
        """Whether plans came, and all of them are older than their source allows."""
        with self._lock:
            return any(self._plans.values()) and not self._fresh_plans()

    @property
    def knows(self) -> dict[str, bool]:
        """Which of the optional inputs are there."""
        with self._lock:
            return {
                "goal_image": self._goal is not None,
                "goal_pose": self._goal_position is not None,
            }

    def not_ready(self, camera_timeout_s: float) -> str | None:
        """Why no request can be made now, or None."""
        with self._lock:
            if reason := self._camera.silent(camera_timeout_s):
                return reason
            if not self._fresh_plans():
                topics = ", ".join(source.topic for source in self._sources.values())
                if any(self._plans.values()):
                    return f"all plans are older than their source's max_age_s; publish new ones on {topics}"
                return f"no plans yet; publish some on {topics}"
            return self._camera.history_lacks or None

    def request(self, camera_timeout_s: float) -> Request:
        """All inputs of this moment.

        Args:
            camera_timeout_s: older images and joint states are not used.

        Raises:
            Refused: something is missing or too old.
        """
        with self._lock:
            if reason := self.not_ready(camera_timeout_s):
                raise Refused(reason)
            frames, header, image_s = self._camera.take()
            plans, sources, arrived = [], {}, {}
            for when, source, index, plan, data in self._fresh_plans():
                name = f"{source}/{index}"
                plans.append(replace(plan, name=name))
                sources[name], arrived[name] = (source, data), when
            return Request(
                history=frames,
                stamp=header.stamp,
                frame_id=header.frame_id,
                received_s=image_s,
                plans=plans,
                sources=sources,
                arrived_s=arrived,
                joints_now=self.joints_now(camera_timeout_s),
                goal_frame=(
                    None if self._goal is None else self._camera.scaled(self._goal)
                ),
                goal_position=self._goal_position,
            )

    def joints_now(self, timeout_s: float) -> dict[str, float]:
        """Joint name -> rad, of the joints that were heard of within ``timeout_s``."""
        return self._joints.now(timeout_s)

    def too_old(self, request: Request, plan: str) -> bool:
        """Whether a plan of a request has become older than its source allows."""
        source, _ = request.sources[plan]
        return self._clock() - request.arrived_s[plan] > self._sources[source].max_age_s

    def _fresh_plans(self) -> list[tuple[float, str, int, JointPlan, bytes]]:
        """(when it came, source, index in the source, plan, bytes), oldest first."""
        now_s = self._clock()
        fresh = [
            (when, source, index, plan, data)
            for source, held in self._plans.items()
            for index, (when, plan, data) in enumerate(held)
            if now_s - when <= self._sources[source].max_age_s
        ]
        return sorted(fresh, key=lambda each: each[0])
