"""How long the imagine node takes over real topics, from a camera image to the scores that bear its stamp."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import Image
from std_msgs.msg import String
from tqdm import tqdm
from trajectory_msgs.msg import JointTrajectory

from astra_ros.bridge.images import rgb_to_image
from astra_ros.bridge.stamps import stamp_of, to_nanoseconds
from astra_ros.bridge.trajectories import plan_to_trajectory
from astra_ros.nodes.client.processes import Processes, ros_environment
from astra_ros.nodes.client.system import PARAMS_FILE, NodeSpec
from astra_ros.nodes.qos import LATCHED, reliable
from astra_ros.plans.joint_plan import JointPlan
from astra_ros.resources import resource_path
from astra_ros.simulation.arm.robots import robot_description, robot_spec
from astra_ros.simulation.camera import CameraSettings

CAMERA_RATE_HZ = CameraSettings().rate_hz
ANSWER_WITHIN_S = 120.0
_WARMUP_REQUESTS = 3
_QUIET_S = 3.0


class LatencyError(RuntimeError):
    """The node did not answer. The message has the end of its log."""


def measure_over_topics(args, image: np.ndarray, goal: np.ndarray, plans: Sequence[JointPlan]) -> dict:
    """Start the imagine node, play camera and planner, and time it.

    Args:
        args: with model, backend, device, horizon and runs.
        image: uint8 [h, w, 3], what the camera shows, as often as the simulated one.
        goal: uint8 [h, w, 3].
        plans: the candidates of every request. They are sent at random moments between two images,
            as a planner would.

    Returns:
        "image_to_scores": percentiles from the publication of the image whose stamp the scores
        bear; "plans_to_scores": the same from the publication of the last plan.
    """
    os.environ.update(ros_environment())
    spec = NodeSpec(
        "imagine",
        {
            "model": str(args.model),
            "backend": args.backend,
            "device": args.device,
            "horizon": args.horizon,
            "start_tolerance": 0.0,  # there is no robot
            "partial_plans": True,  # the plans last four seconds, whatever horizon is measured
            "candidates.keep": len(plans),
        },
    )
    with tempfile.TemporaryDirectory() as folder, Processes(Path(folder), os.environ) as processes:
        processes.start(spec, resource_path(PARAMS_FILE))
        player = _Player(processes, image, goal, plans, args.robot)
        try:
            return player.measure(args.runs)
        finally:
            player.close()


class _Player:
    """Plays the camera and the planner, and notes when what was sent and when scores came."""

    def __init__(self, processes: Processes, image, goal, plans: Sequence[JointPlan], robot: str) -> None:
        self._processes = processes
        self._frame = image
        self._trajectories = [plan_to_trajectory(plan) for plan in plans]
        self._resend_s = 0.0
        self._sent_s: dict[int, float] = {}
        self._scores: tuple[int, float] | None = None
        self._context = rclpy.Context()
        rclpy.init(args=[], context=self._context, signal_handler_options=SignalHandlerOptions.NO)
        self._node = rclpy.create_node("bench", context=self._context, use_global_arguments=False)
        self._executor = rclpy.executors.SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._image = self._node.create_publisher(Image, "image", reliable(5))
        self._plans = self._node.create_publisher(JointTrajectory, "plans", reliable(64))
        latched_goal = self._node.create_publisher(Image, "goal_image", LATCHED)
        latched_goal.publish(rgb_to_image(goal, stamp_of(0.0), "camera"))
        described = self._node.create_publisher(String, "robot_description", LATCHED)
        described.publish(String(data=robot_description(robot_spec(robot), coarse=True)))
        self._node.create_subscription(DiagnosticArray, "imagine/scores", self._on_scores, LATCHED)
        self._node.create_timer(1 / CAMERA_RATE_HZ, self._send_image)

    def close(self) -> None:
        self._executor.shutdown()
        self._node.destroy_node()
        self._context.try_shutdown()

    def measure(self, runs: int) -> dict:
        rng = np.random.default_rng(0)
        self._until(lambda: self._plans.get_subscription_count(), "the imagine node")
        self._until(self._answers, "the first scores")
        # Plans that were sent again may still be worked on; their scores are nobody's answer.
        self._until(lambda: time.monotonic() - self._scores[1] > _QUIET_S, "silence")
        requests = [
            self._request(rng.uniform(0.0, 1 / CAMERA_RATE_HZ))
            for _ in tqdm(range(_WARMUP_REQUESTS + runs), unit="request", desc="over topics")
        ][_WARMUP_REQUESTS:]
        return {
            name: dict(zip(("p50_ms", "p95_ms", "p99_ms"), 1e3 * np.percentile(values, (50, 95, 99))),
                       runs=runs)
            for name, values in zip(("image_to_scores", "plans_to_scores"), zip(*requests))
        }  # fmt: skip

    def _answers(self) -> bool:
        """Whether scores came; sends plans every few seconds: the first ones may get lost."""
        if time.monotonic() > self._resend_s:
            self._resend_s = time.monotonic() + 3.0
            self._send_plans()
        return self._scores is not None

    def _send_plans(self) -> None:
        for trajectory in self._trajectories:
            self._plans.publish(trajectory)

    def _request(self, pause_s: float) -> tuple[float, float]:
        """Send the plans after a pause; seconds from the image, and from the last plan, to scores."""
        resume_s = time.monotonic() + pause_s
        self._until(lambda: time.monotonic() >= resume_s, "the pause")
        self._scores = None
        self._send_plans()
        planned_s = time.monotonic()
        stamp, received_s = self._until(lambda: self._scores, "scores")
        return received_s - self._sent_s[stamp], received_s - planned_s

    def _until(self, done, what: str):
        deadline = time.monotonic() + ANSWER_WITHIN_S
        while not (result := done()):
            self._processes.check()
            if time.monotonic() > deadline:
                raise LatencyError(
                    f"{what} did not come within {ANSWER_WITHIN_S:g} s; the last lines of the node:\n"
                    f"{self._processes.last_lines('imagine')}"
                )
            self._executor.spin_once(timeout_sec=0.01)
        return result

    def _send_image(self) -> None:
        now = self._node.get_clock().now()
        msg = rgb_to_image(self._frame, now.to_msg(), "camera")
        self._sent_s[to_nanoseconds(msg.header.stamp)] = time.monotonic()
        self._image.publish(msg)

    def _on_scores(self, msg: DiagnosticArray) -> None:
        self._scores = to_nanoseconds(msg.header.stamp), time.monotonic()
