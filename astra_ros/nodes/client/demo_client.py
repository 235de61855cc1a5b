"""What the demo asks of the running nodes, over the same topics and services that anybody can use."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.srv import SetParameters
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import Image
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from astra_ros.bridge.images import image_to_rgb
from astra_ros.bridge.scores import diagnostics_to_scores
from astra_ros.bridge.stamps import stamp_of, to_seconds
from astra_ros.critics.scoring import PlanScore
from astra_ros.nodes.health import ERROR
from astra_ros.nodes.qos import LATCHED, reliable
from astra_ros.nodes.simulator.simulated_arm import RESET_GAP_S

ANSWER_WITHIN_S = 120.0


class DemoError(RuntimeError):
    """The running nodes did not do what the demo needs. The message says what and why."""


@dataclass(frozen=True)
class Executed:
    """What really happened when a plan was executed.

    Attributes:
        frames: uint8 [H, h, w, 3], at the times of the imagined frames.
        progress: share of the object's way to the goal, -1 to 1.
        collision: the arm or the object touched the obstacle.
        outcome: how good that was, see ``ArmReferee``.
    """

    frames: np.ndarray
    progress: float
    collision: bool
    outcome: float


class DemoClient:
    """Listens to the nodes and calls their services; used from one thread.

    Args:
        watch: called often while waiting; raises when it makes no sense to wait on.
    """

    def __init__(self, watch: Callable[[], None]) -> None:
        self._watch = watch
        self._context = rclpy.Context()
        rclpy.init(args=[], context=self._context, signal_handler_options=SignalHandlerOptions.NO)
        self._node = Node("demo", context=self._context, use_global_arguments=False)
        self._executor = rclpy.executors.SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._clients: dict[str, object] = {}
        self.plans: list[JointTrajectory] = []
        self.scores: list[PlanScore] = []
        self.source_s = 0.0
        self.goal: np.ndarray | None = None
        self._camera: dict[int, np.ndarray] = {}
        self._truth: dict[int, dict[str, str]] = {}
        self._video: list[tuple[int, np.ndarray]] = []
        self.model_error = ""
        self.plans_held = 0  # by the imagine node, as it says once a second
        self.dt_s = 0.0  # the model's step, once its status has told
        listen = self._node.create_subscription
        listen(JointTrajectory, "plans", self.plans.append, reliable(64))
        listen(DiagnosticArray, "imagine/scores", self._on_scores, LATCHED)
        listen(DiagnosticArray, "/diagnostics", self._on_health, reliable(20))
        listen(Image, "imagine/imagined/image", self._on_video, reliable(64))
        listen(Image, "camera/image_raw", self._on_camera, reliable(64))
        listen(Image, "goal_image", self._on_goal, LATCHED)
        listen(DiagnosticArray, "simulator/truth", self._on_truth, reliable(64))
        self._command = self._node.create_publisher(JointTrajectory, "arm_controller/joint_trajectory", reliable(10))

    def close(self) -> None:
        """Leave the graph."""
        self._executor.shutdown()
        self._node.destroy_node()
        self._context.try_shutdown()

    # Waiting

    def until(self, done: Callable[[], object], what: str, within_s: float = ANSWER_WITHIN_S):
        """Work on what arrives until ``done()`` is true, and return it.

        Raises:
            DemoError: it does not become true in time.
        """
        deadline = time.monotonic() + within_s
        while not (result := done()):
            self._watch()
            if self.model_error:
                raise DemoError(self.model_error)
            if time.monotonic() > deadline:
                raise DemoError(f"{what} did not come within {within_s:g} s")
            self._executor.spin_once(timeout_sec=0.05)
        return result

    def call(self, service: str, kind=Trigger, request=None):
        """Call a service and return its response."""
        if service not in self._clients:
            self._clients[service] = self._node.create_client(kind, service)
        client = self._clients[service]
        self.until(client.service_is_ready, f"the service {service}")
        future = client.call_async(request or kind.Request())
        self.until(future.done, f"the answer of {service}")
        return future.result()

    def set_parameter(self, node: str, name: str, value) -> None:
        """Set a parameter of a node.

        Raises:
            DemoError: the node refuses it.
        """
        request = SetParameters.Request(parameters=[Parameter(name, value=value).to_parameter_msg()])
        result = self.call(f"{node}/set_parameters", SetParameters, request).results[0]
        if not result.successful:
            raise DemoError(f"{node} refuses {name} = {value}: {result.reason}")

    # What the demo is made of

    def imagined_videos(self, horizon: int) -> np.ndarray:
        """Every plan's imagined video: uint8 [K, H, h, w, 3], in plan order.

        The node publishes the best plan's video by itself; the others are asked for, one by one.
        """
        first = next(score.name for score in self.scores if score.rank == 0)
        videos = {first: self._next_video(horizon)}
        for score in self.scores:
            if score.name != first:
                self.set_parameter("imagine", "show_plan", score.name)
                videos[score.name] = self._next_video(horizon)
        return np.stack([videos[score.name] for score in self.scores])

    def _next_video(self, horizon: int) -> np.ndarray:
        """The next whole video of the scores at hand; frames of an earlier request are dropped."""

        def whole() -> bool:
            keys = [_key(self.source_s + (k + 1) * self.dt_s) for k in range(horizon)]
            self._video = [each for each in self._video if each[0] in keys]
            return len(self._video) >= horizon

        self.until(whole, "an imagined video")
        video, self._video = self._video[:horizon], self._video[horizon:]
        return np.stack([frame for _, frame in video])

    @property
    def sees_imagined_frame(self) -> bool:
        """Whether any imagined frame has come."""
        return bool(self._video)

    def propose(self, count: int) -> list[str]:
        """Have ``count`` plans sent, and return what each is meant to be.

        Asked again until the imagine node says that it holds them, and they came here too: what is
        published before both sides know each other gets lost.
        """
        for _ in range(20):
            self.plans.clear()
            message = self.call("plan_source/propose").message
            patience = time.monotonic() + 3.0
            self.until(
                lambda patience=patience: self._arrived(count) or time.monotonic() > patience, "the proposed plans"
            )
            if self._arrived(count):
                return message.partition(": ")[2].split(", ")
        raise DemoError("the imagine node gets none of the plans that the plan source sends")

    def _arrived(self, count: int) -> bool:
        return len(self.plans) >= count and (
            self.plans_held >= count or len(self.scores) == count and self.sees_imagined_frame
        )

    def camera_at(self, stamp_s: float) -> np.ndarray:
        """The camera's frame at a time, or the nearest one where that got lost: uint8 [h, w, 3]."""
        key = _key(stamp_s)
        self.until(lambda: max(self._camera, default=0) >= key, f"a camera frame at {stamp_s:.3f} s")
        return self._camera[min(self._camera, key=lambda each: abs(each - key))]

    def execute(self, plan: JointTrajectory, horizon: int) -> Executed:
        """Let the simulator start anew and execute a plan, and watch its camera.

        Frames are those at the plan's start + k * dt_s, k = 1..horizon: the times that were imagined.

        Raises:
            DemoError: the simulator does not execute it.
        """
        dt_s = self.dt_s
        lead_s = RESET_GAP_S + 4 * dt_s
        for _ in range(5):
            self.call("reset")
            # A start that the camera's frames meet exactly, and that the message reaches in time.
            newest_s = max(self._camera, default=0) / 1000
            start_s = dt_s * np.ceil((newest_s + lead_s) / dt_s)
            plan.header.stamp = stamp_of(start_s)
            self._command.publish(plan)
            keys = [_key(start_s + k * dt_s) for k in range(1, horizon + 1)]
            self.until(
                lambda last=keys[-1]: min(max(self._camera), max(self._truth, default=0)) >= last,
                "the end of the executed plan",
            )
            truth = self._truth.get(keys[-1], {"plan_elapsed_s": "nan"})
            on_time = abs(float(truth["plan_elapsed_s"]) - horizon * dt_s) < dt_s / 10
            if on_time and all(key in self._camera for key in keys):
                return Executed(
                    np.stack([self._camera[key] for key in keys]),
                    float(truth["progress"]),
                    truth["collision"] == "1",
                    float(truth["outcome"]),
                )
            # The machine is busy: the trajectory came late, or a frame was overtaken by later ones.
            lead_s *= 2
        raise DemoError(f"the simulator did not execute the plan in time: {truth}")

    # Callbacks

    def _on_scores(self, msg: DiagnosticArray) -> None:
        self.scores = diagnostics_to_scores(msg, "imagine/scores")
        self.source_s = to_seconds(msg.header.stamp)

    def _on_health(self, msg: DiagnosticArray) -> None:
        for status in msg.status:
            if status.name == "imagine: model":
                self.model_error = status.message if status.level == ERROR else ""
                self.dt_s = next((float(v.value) for v in status.values if v.key == "dt_s"), 0.0)
            elif status.name == "imagine: plans":
                self.plans_held = sum(int(v.value) for v in status.values if v.key.endswith(".held"))

    def _on_video(self, msg: Image) -> None:
        self._video.append((_key(to_seconds(msg.header.stamp)), image_to_rgb(msg)))

    def _on_goal(self, msg: Image) -> None:
        self.goal = image_to_rgb(msg)

    def _on_camera(self, msg: Image) -> None:
        _remember(self._camera, msg.header.stamp, image_to_rgb(msg))

    def _on_truth(self, msg: DiagnosticArray) -> None:
        values = {pair.key: pair.value for pair in msg.status[0].values}
        _remember(self._truth, msg.header.stamp, values)


def _key(seconds: float) -> int:
    """Milliseconds: stamps that are meant to be equal are."""
    return round(1000 * seconds)


def _remember(store: dict[int, object], stamp, value, keep: int = 200) -> None:
    store[_key(to_seconds(stamp))] = value
    while len(store) > keep:
        del store[next(iter(store))]
