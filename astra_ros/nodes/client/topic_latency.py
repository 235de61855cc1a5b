"""How long the imagine node takes over topics, from a camera image to the scores that bear its stamp."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from sensor_msgs.msg import Image
from std_msgs.msg import String
from tqdm import tqdm
from trajectory_msgs.msg import JointTrajectory

from astra_ros.bridge.images import rgb_to_image
from astra_ros.bridge.stamps import stamp_of, to_nanoseconds
from astra_ros.bridge.trajectories import plan_to_trajectory
from astra_ros.nodes.client.node_client import NodeClient
from astra_ros.nodes.client.node_specs import PARAMS_FILE, NodeSpec
from astra_ros.nodes.client.processes import NodeProcesses, ros_environment
from astra_ros.nodes.qos import LATCHED, reliable
from astra_ros.plans.joint_plan import JointPlan
from astra_ros.resources import resource_path
from astra_ros.simulation.arm.robots import robot_description, robot_spec
from astra_ros.simulation.camera import CameraSettings

CAMERA_RATE_HZ = CameraSettings().rate_hz
_WARMUP_REQUESTS = 3
_RESEND_S = 3.0
_QUIET_S = 3.0


def measure_over_topics(
    parameters: Mapping[str, str | int],
    robot: str,
    runs: int,
    image: np.ndarray,
    goal: np.ndarray,
    plans: Sequence[JointPlan],
    build: Path | None = None,
) -> tuple[list[float], list[float]]:
    """Start the imagine node, publish images and plans, and time the scores.

    Args:
        parameters: of the imagine node.
        image: uint8 [h, w, 3], published at the rate of the simulated camera.
        goal: uint8 [h, w, 3].
        plans: the candidates of every request. They are sent at a random moment between two images, like those of a
            planner.
        build: root of an older checkout that the node is started from; None: this one.

    Returns:
        Seconds until the scores arrive, one of each a run: from the publication of the image whose stamp the scores
        bear, and from that of the last plan.
    """
    os.environ.update(ros_environment())
    # There is no robot to start at, and the plans last four seconds, whatever the horizon.
    own = {"start_tolerance": 0.0, "partial_plans": True, "candidates.keep": len(plans)}
    spec = NodeSpec("imagine", {**parameters, **own})
    with tempfile.TemporaryDirectory() as folder, NodeProcesses(Path(folder), os.environ) as processes:
        processes.start(spec, build / PARAMS_FILE if build else resource_path(PARAMS_FILE), build)
        with processes.log_in_errors("imagine"):
            player = _Player(processes, image, plans)
            try:
                player.describe(goal, robot_description(robot_spec(robot), coarse=True))
                return player.measure(runs)
            finally:
                player.close()


class _Player(NodeClient):
    """Stands in for the camera and the planner, and notes when images were sent and scores came."""

    def __init__(self, processes: NodeProcesses, image: np.ndarray, plans: Sequence[JointPlan]) -> None:
        super().__init__("bench", processes.check)
        self._frame = image.copy()
        self._noise = np.random.default_rng(0)
        self._trajectories = [plan_to_trajectory(plan) for plan in plans]
        self._resend_s = 0.0
        self._sent_s: dict[int, float] = {}
        self._scores: tuple[int, float] | None = None  # their stamp, and when they came
        self._received_s = 0.0
        self._image = self.node.create_publisher(Image, "image", reliable(5))
        self._plans = self.node.create_publisher(JointTrajectory, "plans", reliable(64))
        self.node.create_subscription(DiagnosticArray, "imagine/scores", self._on_scores, LATCHED)
        self.node.create_timer(1 / CAMERA_RATE_HZ, self._send_image)

    def describe(self, goal: np.ndarray, urdf: str) -> None:
        """Publish the goal image and the robot's description."""
        publisher = self.node.create_publisher
        publisher(Image, "goal_image", LATCHED).publish(rgb_to_image(goal, stamp_of(0.0), "camera"))
        publisher(String, "robot_description", LATCHED).publish(String(data=urdf))

    def measure(self, runs: int) -> tuple[list[float], list[float]]:
        rng = np.random.default_rng(0)
        self.until(self._plans.get_subscription_count, "the imagine node")
        self.until(self._first_scores, "the first scores")
        # The node may still work on plans that were sent twice; their scores answer no timed request.
        self.until(lambda: time.monotonic() - self._received_s > _QUIET_S, "the end of the first scores")
        requests = [
            self._request(rng.uniform(0.0, 1 / CAMERA_RATE_HZ))
            for _ in tqdm(range(_WARMUP_REQUESTS + runs), unit="request", desc="over topics")
        ][_WARMUP_REQUESTS:]
        from_image, from_plans = zip(*requests)
        return list(from_image), list(from_plans)

    def _first_scores(self) -> tuple[int, float] | None:
        """The scores, if they have come. Sends the plans every few seconds, because the first ones may get lost."""
        if time.monotonic() > self._resend_s:
            self._resend_s = time.monotonic() + _RESEND_S
            self._send_plans()
        return self._scores

    def _send_plans(self) -> None:
        for trajectory in self._trajectories:
            self._plans.publish(trajectory)

    def _request(self, pause_s: float) -> tuple[float, float]:
        """Send the plans after a pause; seconds from the image, and from the last plan, to the scores."""
        resume_s = time.monotonic() + pause_s
        self.until(lambda: time.monotonic() >= resume_s, "the pause")
        self._scores = None
        self._send_plans()
        planned_s = time.monotonic()
        stamp, received_s = self.until(lambda: self._scores, "scores")
        return received_s - self._sent_s[stamp], received_s - planned_s

    def _send_image(self) -> None:
        now = self.node.get_clock().now()
        # A corner changes, as no two images of a camera are alike: what the node keeps of an image must not help here.
        self._frame[:8, :8] = self._noise.integers(0, 256, (8, 8, 3))
        msg = rgb_to_image(self._frame, now.to_msg(), "camera")
        self._sent_s[to_nanoseconds(msg.header.stamp)] = time.monotonic()
        self._image.publish(msg)

    def _on_scores(self, msg: DiagnosticArray) -> None:
        self._received_s = time.monotonic()
        self._scores = to_nanoseconds(msg.header.stamp), self._received_s
