"""The demo's part in the ROS graph: it asks for plans, collects what is imagined, and has the plans executed."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from sensor_msgs.msg import Image
from trajectory_msgs.msg import JointTrajectory

from astra_ros.bridge.images import image_to_rgb
from astra_ros.bridge.stamps import stamp_of, to_seconds
from astra_ros.nodes.client.imagine_client import ImagineClient, milliseconds
from astra_ros.nodes.client.node_client import ClientError
from astra_ros.nodes.qos import LATCHED, reliable
from astra_ros.nodes.simulator.simulated_robot import RESET_GAP_S

_TRIES = 5
_PROPOSALS = 20
_KEPT = 200  # camera frames and truths, the newest


@dataclass(frozen=True)
class Executed:
    """What happened when a plan was executed.

    Attributes:
        frames: uint8 [H, h, w, 3], at the times of the imagined frames.
        progress: share of the object's way to the goal, -1 to 1.
        collision: whether the arm or the object touched the obstacle.
        outcome: how good that was, see ``ArmReferee``.
    """

    frames: np.ndarray
    progress: float
    collision: bool
    outcome: float


class DemoClient(ImagineClient):
    """Adds the plan source and the simulator to what the imagine node publishes.

    Attributes:
        plans: plans that the plan source has sent.
        goal: the goal image, uint8 [h, w, 3], once it has come.
    """

    def __init__(self, watch: Callable[[], object]) -> None:
        super().__init__("demo", watch)
        self.plans: list[JointTrajectory] = []
        self.goal: np.ndarray | None = None
        self._camera: dict[int, np.ndarray] = {}
        self._truth: dict[int, dict[str, str]] = {}
        listen = self.node.create_subscription
        listen(JointTrajectory, "plans", self.plans.append, reliable(64))
        listen(Image, "camera/image_raw", self._on_camera, reliable(64))
        listen(Image, "goal_image", self._on_goal, LATCHED)
        listen(DiagnosticArray, "simulator/truth", self._on_truth, reliable(64))
        self._command = self.node.create_publisher(JointTrajectory, "arm_controller/joint_trajectory", reliable(10))

    def propose(self, count: int) -> list[str]:
        """Have the plan source send `count` plans, and return the kind of each.

        Messages that are published before both sides have discovered each other get lost. So this asks again until
        the plans have come here and the imagine node holds them.
        """
        for _ in range(_PROPOSALS):
            self.plans.clear()
            message = self.call("plan_source/propose").message
            deadline = time.monotonic() + 3.0
            self.until(partial(self._arrived_or_late, count, deadline), "the proposed plans")
            if self._arrived(count):
                return message.partition(": ")[2].split(", ")
        raise ClientError("the plans of the plan source do not reach the imagine node")

    def _arrived_or_late(self, count: int, deadline: float) -> bool:
        return self._arrived(count) or time.monotonic() > deadline

    def _arrived(self, count: int) -> bool:
        return len(self.plans) >= count and (
            self.plans_held >= count or len(self.scores) == count and self.sees_imagined_frame
        )

    def camera_at(self, stamp_s: float) -> np.ndarray:
        """The camera's frame at a time, or the nearest one where that got lost: uint8 [h, w, 3]."""
        key = milliseconds(stamp_s)
        self.until(lambda: max(self._camera, default=0) >= key, f"a camera frame at {stamp_s:.3f} s")
        return self._camera[min(self._camera, key=lambda each: abs(each - key))]

    def execute(self, plan: JointTrajectory, horizon: int) -> Executed:
        """Reset the simulator, have it execute a plan, and record its camera.

        The frames are those at the plan's start + k * dt_s, k = 1..horizon: the times that were imagined.

        Raises:
            ClientError: the simulator does not execute the plan in time.
        """
        dt_s = self.dt_s
        lead_s = RESET_GAP_S + 4 * dt_s
        truth: dict[str, str] = {}
        for _ in range(_TRIES):
            self.call("reset")
            # A start that camera frames meet exactly, and that leaves the message time to arrive.
            newest_s = max(self._camera, default=0) / 1000
            start_s = dt_s * np.ceil((newest_s + lead_s) / dt_s)
            plan.header.stamp = stamp_of(start_s)
            self._command.publish(plan)
            keys = [milliseconds(start_s + k * dt_s) for k in range(1, horizon + 1)]
            self.until(partial(self._is_past, keys[-1]), "the end of the executed plan")
            truth = self._truth.get(keys[-1], {"plan_elapsed_s": "nan"})
            on_time = abs(float(truth["plan_elapsed_s"]) - horizon * dt_s) < dt_s / 10
            if on_time and all(key in self._camera for key in keys):
                frames = np.stack([self._camera[key] for key in keys])
                return Executed(frames, float(truth["progress"]), truth["collision"] == "1", float(truth["outcome"]))
            # On a busy machine the trajectory comes late, or later frames overtake one.
            lead_s *= 2
        raise ClientError(f"did not execute the plan in time: {truth}", thing="simulator")

    def _is_past(self, key: int) -> bool:
        return min(max(self._camera), max(self._truth, default=0)) >= key

    def _on_goal(self, msg: Image) -> None:
        self.goal = image_to_rgb(msg)

    def _on_camera(self, msg: Image) -> None:
        _remember(self._camera, msg.header.stamp, image_to_rgb(msg))

    def _on_truth(self, msg: DiagnosticArray) -> None:
        _remember(self._truth, msg.header.stamp, {pair.key: pair.value for pair in msg.status[0].values})


def _remember(store: dict, stamp, value) -> None:
    store[milliseconds(to_seconds(stamp))] = value
    while len(store) > _KEPT:
        del store[next(iter(store))]
