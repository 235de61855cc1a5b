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
from astra_ros.bridge.images import compressed_to_rgb, image_to_rgb
from astra_ros.bridge.poses import pose_to_position
from astra_ros.bridge.stamps import to_seconds
from astra_ros.bridge.trajectories import joint_state_to_positions, trajectory_to_plan
from astra_ros.nodes.imagine_settings import PlanTopicSettings
from astra_ros.pipeline import to_model_size
from astra_ros.camera.history import FrameHistory
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
    """

    def __init__(
        self,
        camera: str,
        sources: Mapping[str, PlanTopicSettings],
        refuse: Callable[[str, str], None],
        tell: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.camera = camera
        self._sources = dict(sources)
        self._refuse = refuse
        self._tell = tell
        self._clock = clock
        self._lock = threading.RLock()
        self._history: FrameHistory | None = None
        self._image_size = (0, 0)
        self._picture_size: tuple[int, int] | None = None
        self._info_size: tuple[int, int] | None = None
        self._header = None
        self._image_s: float | None = None
        self._image_refused: tuple[float, str] | None = None    # (when it came, why)
        self._goal: np.ndarray | None = None
        self._goal_position: np.ndarray | None = None
        self._joints: dict[str, tuple[float, float]] = {}  # name -> (when it came, rad)
        self._plans: dict[str, deque[tuple[float, JointPlan, bytes]]] = {  # (when it came, ...)
            name: deque(maxlen=source.keep) for name, source in self._sources.items()
        }

    def expect(self, card) -> None:
        """Keep frames as the model of this card needs them; those that came before are lost."""
        with self._lock:
            self._image_size = card.image_size
            self._history = FrameHistory(card.history, card.dt_s)

    def on_image(self, msg: Image | CompressedImage) -> None:
        """Add a camera image to the history."""
        picture = self._picture(msg, self.camera, "images")
        if picture is None:
            return
        with self._lock:
            self._image_s = self._clock()
            self._picture_size = picture.shape[:2]
            self._header = msg.header
            if self._history is not None:
                frame = to_model_size(picture, self._image_size)
                event = self._history.push(to_seconds(msg.header.stamp), frame)
                if event:
                    self._tell(f"{self.camera}: {event}")

    def on_camera_info(self, msg: CameraInfo) -> None:
        """Remember the camera's size, to notice when it is another camera's."""
        with self._lock:
            self._info_size = (msg.height, msg.width)

    def on_goal(self, msg: Image, topic: str) -> None:
        """Take another goal image."""
        picture = self._picture(msg, topic, "goal_images")
        if picture is not None:
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
            positions = joint_state_to_positions(msg, topic)
        except BridgeError as error:
            self._refuse("joint_states", str(error))
            return
        with self._lock:
            now_s = self._clock()
            self._joints.update({name: (now_s, value) for name, value in positions.items()})

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
        with self._lock:
            if self._history is not None:
                self._history.clear()

    @property
    def camera_age_s(self) -> float | None:
        """Seconds since the last usable image, or None before the first."""
        with self._lock:
            return None if self._image_s is None else self._clock() - self._image_s

    @property
    def size_mismatch(self) -> str:
        """What is wrong when images and camera_info are of different sizes, else ''."""
        with self._lock:
            if None in (self._info_size, self._picture_size):
                return ""
            (h, w), (rows, columns) = self._info_size, self._picture_size
            if (h, w) == (rows, columns):
                return ""
            return (
                f"camera_info says {w} x {h} pixels, images have {columns} x {rows}; remap "
                "camera_info to the topic of the same camera"
            )

    @property
    def frames_held(self) -> int:
        """Frames in the history's buffer."""
        with self._lock:
            return 0 if self._history is None else len(self._history)

    @property
    def history_lacks(self) -> str:
        """Why no history can be made of the images that came, or ''."""
        with self._lock:
            return "" if self._history is None else self._history.not_ready() or ""

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
            if self._history is None:
                return "the model is not loaded"
            age_s = self.camera_age_s
            if age_s is None or age_s > camera_timeout_s:
                when_s, why = self._image_refused or (-float("inf"), "")
                if self._clock() - when_s <= camera_timeout_s:
                    return f"images come, and none can be used: {why}"
            if age_s is None:
                return f"no camera image yet on {self.camera}; check the topic's name and the camera driver"
            if age_s > camera_timeout_s:
                return (
                    f"the camera on {self.camera} has been silent for {age_s:.1f} s, longer than "
                    f"camera_timeout_s = {camera_timeout_s:g}; check the camera driver"
                )
            if not self._fresh_plans():
                topics = ", ".join(source.topic for source in self._sources.values())
                if any(self._plans.values()):
                    return f"all plans are older than their source's max_age_s; publish new ones on {topics}"
                return f"no plans yet; publish some on {topics}"
            return self._history.not_ready()

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
            frames = self._history.frames()
            plans, sources, arrived = [], {}, {}
            for when, source, index, plan, data in self._fresh_plans():
                name = f"{source}/{index}"
                plans.append(replace(plan, name=name))
                sources[name], arrived[name] = (source, data), when
            return Request(
                history=frames,
                stamp=self._header.stamp,
                frame_id=self._header.frame_id,
                received_s=self._image_s,
                plans=plans,
                sources=sources,
                arrived_s=arrived,
                joints_now=self.joints_now(camera_timeout_s),
                goal_frame=(
                    None if self._goal is None else to_model_size(self._goal, self._image_size)
                ),
                goal_position=self._goal_position,
            )

    def joints_now(self, timeout_s: float) -> dict[str, float]:
        """Joint name -> rad, of the joints that were heard of within ``timeout_s``."""
        with self._lock:
            oldest_s = self._clock() - timeout_s
            return {name: value for name, (when, value) in self._joints.items() if when >= oldest_s}

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

    def _picture(self, msg, topic: str, kind: str) -> np.ndarray | None:
        try:
            if isinstance(msg, CompressedImage):
                return compressed_to_rgb(msg, topic)
            return image_to_rgb(msg, topic)
        except BridgeError as error:
            self._refuse(kind, str(error))
            if kind == "images":
                with self._lock:
                    self._image_refused = self._clock(), str(error)
            return None
