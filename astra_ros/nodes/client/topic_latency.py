"""How long the imagine node takes over topics, from a camera image to the scores that bear its stamp."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from sensor_msgs.msg import Image
from std_msgs.msg import String
from tqdm import tqdm
from trajectory_msgs.msg import JointTrajectory

from astra_ros.bridge.images import rgb_to_image
from astra_ros.bridge.scores import is_preliminary
from astra_ros.bridge.stamps import stamp_of, to_nanoseconds
from astra_ros.bridge.trajectories import plan_to_trajectory
from astra_ros.nodes.client.node_client import ClientError, NodeClient
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


@dataclass(frozen=True, eq=False)
class TopicScene:
    """What the requests over topics consist of.

    Attributes:
        robot: whose description is published.
        image: uint8 [h, w, 3], published at the rate of the simulated camera.
        goal: uint8 [h, w, 3].
        plans: the candidates of every request.
    """

    robot: str
    image: np.ndarray
    goal: np.ndarray
    plans: Sequence[JointPlan]


@dataclass(frozen=True)
class PublishedTimes:
    """Seconds of the requests to a node.

    Attributes:
        from_image_s: from the publication of the image whose stamp the scores bear.
        from_plans_s: from the publication of the last plan; empty where requests overlap.
        asked: number of requests, of which some may have had no answer.
    """

    from_image_s: list[float]
    from_plans_s: list[float]
    asked: int


@contextmanager
def imagine_node(
    parameters: Mapping[str, str | int], scene: TopicScene, build: Path | None = None
) -> Iterator[NodeUnderTest]:
    """The imagine node with its parameters as a process, which has given its first scores; `build` is the root of an
    older checkout that it is started from, None: this one."""
    os.environ.update(ros_environment())
    # There is no robot to start at, and the plans last four seconds, whatever the horizon.
    own = {"start_tolerance": 0.0, "partial_plans": True, "candidates.keep": len(scene.plans)}
    spec = NodeSpec("imagine", {**parameters, **own})
    with tempfile.TemporaryDirectory() as folder, NodeProcesses(Path(folder), os.environ) as processes:
        began_s = time.monotonic()
        pid = processes.start(spec, build / PARAMS_FILE if build else resource_path(PARAMS_FILE), build).pid
        with processes.log_in_errors("imagine"):
            node = NodeUnderTest(processes, scene, pid, began_s)
            try:
                node.wait_for_it()
                yield node
            finally:
                node.close()


class NodeUnderTest(NodeClient):
    """Stands in for the camera and the planner, and notes when images were sent and scores came.

    Attributes:
        pid: of the node's process.
        start_up_s: from the start of the process to its first scores.
    """

    def __init__(self, processes: NodeProcesses, scene: TopicScene, pid: int, began_s: float) -> None:
        super().__init__("bench", processes.check)
        self.pid, self.start_up_s, self._began_s = pid, 0.0, began_s
        self._frame = scene.image.copy()
        self._noise = np.random.default_rng(0)
        self._pause = np.random.default_rng(0)
        self._trajectories = [plan_to_trajectory(plan) for plan in scene.plans]
        self._resend_s = 0.0
        self._sent_s: dict[int, float] = {}
        self._scores: tuple[int, float] | None = None  # their stamp, and when they came
        self._received_s = 0.0
        self._done, self._took_s = 0, 0.0  # requests of the node, and the model's time of the last one, as it says
        self._unserved = False
        create = self.node.create_publisher
        self._image = create(Image, "image", reliable(5))
        self._plans = create(JointTrajectory, "plans", reliable(64))
        self._latched = create(Image, "goal_image", LATCHED), create(String, "robot_description", LATCHED)
        self._latched[0].publish(rgb_to_image(scene.goal, stamp_of(0.0), "camera"))
        self._latched[1].publish(String(data=robot_description(robot_spec(scene.robot), coarse=True)))
        self.node.create_subscription(DiagnosticArray, "imagine/scores", self._on_scores, LATCHED)
        self.node.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 10)
        self.node.create_timer(1 / CAMERA_RATE_HZ, self._send_image)

    def check(self) -> None:
        """Raises ClientError also where a request was not served: no scores follow."""
        super().check()
        if self._unserved:
            raise ClientError("did not serve a request, so there are no scores; its log says why", thing="imagine")

    def wait_for_it(self) -> None:
        """Have the first scores come, and more requests warm the node."""
        self.until(self._plans.get_subscription_count, "the imagine node")
        _, received_s = self.until(self._first_scores, "the first scores")
        self.start_up_s = received_s - self._began_s
        # The node may still work on plans that were sent twice; their scores answer no timed request.
        self.until(lambda: time.monotonic() - self._received_s > _QUIET_S, "the end of the first scores")
        for _ in range(_WARMUP_REQUESTS):
            self._request()

    def ask(self, runs: int, rate_hz: float = 0.0) -> PublishedTimes:
        """Requests that get `runs` answers.

        Without a rate, each follows the answer to the one before, at a random moment between two images, like those of
        a planner. At a rate, the node takes the newest plans whenever it is free, like on a robot.
        """
        bar = tqdm(
            total=runs + bool(rate_hz),
            unit="request",
            desc=f"over topics at {rate_hz:g} Hz" if rate_hz else "over topics",
        )
        with bar:
            if rate_hz:
                return self._at_rate(runs, rate_hz, bar)
            requests = []
            for _ in range(runs):
                requests.append(self._request())
                bar.update()
        from_image, from_plans = zip(*requests)
        return PublishedTimes(list(from_image), list(from_plans), runs)

    def ask_beside_images(self, runs: int) -> list[float]:
        """Seconds from an image, with the plans right behind it, to the scores, less those that the model took.

        The node tells the model's time on /diagnostics, once a second.
        """
        added_s = []
        for _ in tqdm(range(runs), unit="request", desc="what ROS adds"):
            done = self._done
            self._scores = None
            self._send_image()
            began_s = time.monotonic()
            self._send_plans()
            _, received_s = self.until(lambda: self._scores, "scores")
            self.until(partial(self._has_done, done + 1), "the time of the request on /diagnostics")
            added_s.append(received_s - began_s - self._took_s)
        return added_s

    def _has_done(self, requests: int) -> bool:
        return self._done >= requests

    def _at_rate(self, runs: int, rate_hz: float, bar: tqdm) -> PublishedTimes:
        from_image_s: list[float] = []
        asked = 0
        due_s = time.monotonic()
        self._scores = None

        def step() -> tuple[int, float] | None:
            nonlocal asked, due_s
            if time.monotonic() >= due_s:
                self._send_plans()
                asked += 1
                due_s += 1 / rate_hz
            return self._scores

        for _ in range(runs + 1):
            stamp, received_s = self.until(step, "scores at a rate")
            from_image_s.append(received_s - self._sent_s[stamp])
            self._scores = None
            bar.update()
        self.until(lambda: time.monotonic() - self._received_s > _QUIET_S, "the end of the requests")
        return PublishedTimes(from_image_s[1:], [], asked - 1)  # before the first, no request was under way

    def _first_scores(self) -> tuple[int, float] | None:
        """The scores, if they have come. Sends the plans every few seconds, because the first ones may get lost."""
        if time.monotonic() > self._resend_s:
            self._resend_s = time.monotonic() + _RESEND_S
            self._send_plans()
        return self._scores

    def _send_plans(self) -> None:
        for trajectory in self._trajectories:
            self._plans.publish(trajectory)

    def _request(self) -> tuple[float, float]:
        """Send the plans after a pause; seconds from the image, and from the last plan, to the scores."""
        resume_s = time.monotonic() + self._pause.uniform(0.0, 1 / CAMERA_RATE_HZ)
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
        if is_preliminary(msg):
            return
        if not msg.status:
            self._unserved = True
            return
        self._received_s = time.monotonic()
        self._scores = to_nanoseconds(msg.header.stamp), self._received_s

    def _on_diagnostics(self, msg: DiagnosticArray) -> None:
        for status in msg.status:
            values = {pair.key: pair.value for pair in status.values}
            if took_ms := values.get("last_total_ms"):
                self._done, self._took_s = int(values["requests_done"]), float(took_ms) / 1e3
