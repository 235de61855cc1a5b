"""The imagine node: what the camera will see if a plan is executed, and is it a good idea?

Callbacks store what comes; one thread owns the model and works on the newest of it.
"""

from __future__ import annotations

import sys
import threading
import time
import traceback
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import replace
from functools import partial

from geometry_msgs.msg import PoseStamped
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, JointState
from std_msgs.msg import String
from std_srvs.srv import Trigger

from astra_ros.bridge.plan_adapters import plan_adapter
from astra_ros.nodes.executable import run
from astra_ros.nodes.health import HealthPublisher
from astra_ros.nodes.imagine.auto_imagine import AutoImagine
from astra_ros.nodes.imagine.health import ImagineHealth
from astra_ros.nodes.imagine.inputs import ImagineInputs, Refused
from astra_ros.nodes.imagine.memory import share_arenas
from astra_ros.nodes.imagine.model_thread import ModelThread, ShuttingDown
from astra_ros.nodes.imagine.outputs import ImagineOutputs
from astra_ros.nodes.imagine.request_server import RequestServer
from astra_ros.nodes.imagine.robot_description import RobotDescription
from astra_ros.nodes.imagine.robot_state import RobotState
from astra_ros.nodes.imagine.settings import ImagineParameters
from astra_ros.nodes.qos import CAMERA, LATCHED, best_effort, reliable
from astra_ros.ranking.imaginer import Imaginer
from astra_ros.ranking.prepare import NothingToImagine
from astra_ros.texts import bounded, short

# Answers of ~/imagine come within this, or the caller is told that they do not.
ANSWER_WITHIN_S = 120.0
# A description that is there comes within this of the node's start; nothing waits longer for the first one.
DESCRIPTION_COMES_S = 5.0
# What to do where others publish another type that no remapping helps with.
GOAL_CURE = "publish it as a raw Image (image_transport's republish)"
# The executor's threads: one stays free for topics and timers, the others for callers who wait.
THREADS = 4
# The model's thread gives the interpreter's lock away with every operation, thousands a request, and may
# wait this long each time while callbacks run. With Python's own 5 ms, one request in eight took 1 to 6 s
# beside the simulator on two cores; with this, none of 25 took 0.6 s.
SWITCH_INTERVAL_S = 0.0001


class Imagine:
    """Wires parameters, topics and services to the inputs, the model's thread and the outputs."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._parameters = ImagineParameters(node, lambda: self._thread.refresh())
        own, sources = self._parameters.own, self._parameters.sources
        # In messages, topics have the names that they have in the graph.
        self._compressed = own.image_transport == "compressed"
        camera = node.resolve_topic_name("image")
        if self._compressed:  # beside the raw one, wherever that was remapped to
            camera = node.resolve_topic_name(f"{camera}/compressed")
        self._heard = {
            name: replace(source, topic=node.resolve_topic_name(source.topic)) for name, source in sources.items()
        }
        self._adapters = {name: plan_adapter(source.type) for name, source in sources.items()}
        self._health = ImagineHealth(node, lambda: self._parameters.own)
        self._inputs = ImagineInputs(
            camera,
            self._heard,
            self._health.refuse,
            self._health.note.add,
            ros_time_ns=lambda: node.get_clock().now().nanoseconds,
        )
        self._health.inputs = self._inputs
        self._thread = ModelThread(self._load, self._serve, self._show, self._on_error)
        self._outputs = ImagineOutputs(
            node, self._adapters, self._thread.refresh, partial(self._health.refuse, "markers")
        )
        self._description = RobotDescription(
            node.resolve_topic_name("robot_description"),
            partial(self._health.refuse, "robot_description"),
            self._health.note.add,
        )
        self._health.description = self._description
        self._joint_states = node.resolve_topic_name("joint_states")
        self._health.joint_topic = self._joint_states
        self._robot = RobotState(self._joint_states, self._inputs, self._description, self._health.topics)
        self._server = RequestServer(
            node, self._parameters, self._inputs, self._robot, self._description, self._health, self._outputs
        )
        self._health.robot_unknown = self._robot_unknown
        self._health.contradictions = self._robot.contradictions
        self._health.beyond_limits = lambda: self._robot.beyond_limits(self._parameters.own.camera_timeout_s)
        self._began_s = time.monotonic()
        self._asked = False  # somebody called ~/imagine since the last request began
        self._auto = AutoImagine(
            node,
            {name: source.keep for name, source in sources.items()},
            self._not_ready,
            self._start_request,
            self._plans_wait,
        )
        self._subscribe()
        self._callers = threading.BoundedSemaphore(THREADS - 1)
        waiting = ReentrantCallbackGroup()
        node.create_service(Trigger, "~/imagine", self._on_imagine, callback_group=waiting)
        node.create_service(Trigger, "~/reset_history", self._on_reset_history)
        node.create_service(Trigger, "~/clear_goal", self._on_clear_goal)
        HealthPublisher(node, self._health.report)
        self._thread.start()
        node.get_logger().info(f"loading model '{own.model}' with backend '{own.backend}' on '{own.device}'")

    def close(self) -> bool:
        """End the model's thread; False when it still works."""
        ended = self._description.close()
        return self._thread.stop() and ended

    def _subscribe(self) -> None:
        node, inputs, watch = self._node, self._inputs, self._health.topics.watch
        listen = node.create_subscription
        kind = CompressedImage if self._compressed else Image
        watch("image", listen(kind, inputs.camera, self._on_image, CAMERA), needed=True, single=True)
        watch("camera_info", listen(CameraInfo, "camera_info", inputs.on_camera_info, CAMERA))
        on_goal = partial(inputs.on_goal, topic=node.resolve_topic_name("goal_image"))
        watch("goal_image", listen(Image, "goal_image", on_goal, LATCHED), cure=GOAL_CURE)
        watch("goal_pose", listen(PoseStamped, "goal_pose", self._on_goal_pose, reliable(1)))
        on_joints = partial(inputs.on_joints, topic=self._joint_states)
        compared = any(adapter.start_topic == "joint_states" for adapter in self._adapters.values())
        watch("joint_states", listen(JointState, "joint_states", on_joints, best_effort(10)), needed=compared)
        watch("robot_description", listen(String, "robot_description", self._description.on_message, LATCHED))
        for source, settings in self._parameters.sources.items():
            # Raw: the bytes are handed on as they came if this plan wins.
            adapter, qos = self._adapters[source], reliable(2 * settings.keep)
            plans = listen(adapter.message, settings.topic, partial(self._on_plan, source), qos, raw=True)
            watch(settings.topic, plans, cure=adapter.advice)

    # Callbacks of topics: convert, store, and perhaps start a request.

    def _on_image(self, msg) -> None:
        self._inputs.on_image(msg)
        self._auto.check()

    def _on_plan(self, source: str, data: bytes) -> None:
        adapter = self._adapters[source]
        try:
            msg = deserialize_message(data, adapter.message)
        except Exception as error:  # noqa: BLE001 - of several kinds, as the middleware likes
            what = f"{len(data)} bytes that are not a {adapter.ros_type} ({short(error, 200)})"
            self._health.refuse("plans", f"{self._heard[source].topic}: {what}")
            return
        own = self._parameters.own
        if reason := own.stamps.refusal(adapter.stamp(msg), self._now_ns()):
            self._health.refuse("plans", f"{self._heard[source].topic}: a plan is refused: {reason}")
            return
        if self._inputs.on_plan(source, msg, data) and own.auto_imagine:
            self._auto.plan_came(source, own.settle_s)

    def _on_goal_pose(self, msg: PoseStamped) -> None:
        topic = self._node.resolve_topic_name("goal_pose")
        own = self._parameters.own
        self._inputs.on_goal_pose(msg, own.world_frame, topic, own.goal_reach_m)

    # Services.

    def _on_imagine(self, _, response: Trigger.Response) -> Trigger.Response:
        if not self._callers.acquire(blocking=False):
            response.message = f"{THREADS - 1} callers wait for an answer already; try again"
            return response
        try:
            self._asked = True
            response.message = self._thread.request().result(timeout=ANSWER_WITHIN_S)
            response.success = True
        except FutureTimeout:
            response.message = f"no answer within {ANSWER_WITHIN_S:g} s"
        except Exception as error:  # noqa: BLE001 - every failure is the caller's answer
            response.message = bounded(str(error))
            self._note_failure(error)
        finally:
            self._callers.release()
        return response

    def _on_reset_history(self, _, response: Trigger.Response) -> Trigger.Response:
        self._inputs.forget_frames()
        response.success = True
        response.message = "frame history cleared"
        return response

    def _on_clear_goal(self, _, response: Trigger.Response) -> Trigger.Response:
        goal = self._inputs.clear_goal()
        self._health.goal_cleared()
        response.success = True
        response.message = f"the {goal} does not count any more" if goal else "there was no goal"
        return response

    def _now_ns(self) -> int:
        return self._node.get_clock().now().nanoseconds

    def _not_ready(self) -> str | None:
        """Why no request of newly arrived plans can be made now, or None."""
        if not self._parameters.own.auto_imagine:
            return "auto_imagine is off"
        timeout_s = self._parameters.own.camera_timeout_s
        return self._health.model.error or self._inputs.not_ready(timeout_s) or self._robot_unknown()

    def _robot_unknown(self) -> str | None:
        """Why the plans that wait cannot be compared with where the robot is, or None."""
        own = self._parameters.own
        return self._robot.unknown(self._server.wanted_joints, own.camera_timeout_s) if own.start_tolerance else None

    def _plans_wait(self, reason: str) -> None:
        hopeless = self._health.model.error
        what = "plans cannot be imagined" if hopeless else "plans wait to be imagined"
        self._health.refused_requests.add(f"{what}: {reason}")

    def _start_request(self) -> None:
        def note(future) -> None:
            if error := future.exception():
                self._note_failure(error)
                if isinstance(error, Refused):
                    self._auto.again()

        self._thread.request().add_done_callback(note)

    def _note_failure(self, error: BaseException) -> None:
        if isinstance(error, ShuttingDown):
            return
        self._health.refused_requests.add(str(error))
        if not isinstance(error, (Refused, NothingToImagine, ModelFailed)):
            self._on_error(error)

    # On the model's thread.

    def _load(self) -> Imaginer:
        # Imported here: it takes seconds, and the node should be visible before.
        from astra_ros.inference import load_world_model

        own = self._parameters.own
        if unusable := self._parameters.unusable_critics:
            raise ModelFailed(unusable)
        began = time.monotonic()
        try:
            model = load_world_model(own.backend, own.model, own.device)
            plans = sum(source.keep for source in self._parameters.sources.values())
            model.warmup(plans, own.horizon)
            imaginer = Imaginer(model, own)
        except Exception as error:
            text = str(error)
            named = own.model in text
            raise ModelFailed(text if named else f"model '{own.model}': {text}") from error
        self._inputs.expect(model.card)
        card = model.card
        self._description.attach(imaginer.plan_renders, card)
        if card.cameras:
            spent_s = time.monotonic() - self._began_s
            self._description.wait(max(0.0, DESCRIPTION_COMES_S - spent_s), self._health.model.prepare)
        self._health.model.load_s = time.monotonic() - began
        self._health.model.card = model.card
        self._node.get_logger().info(
            f"loaded {model.card.name} from {model.card.path} "
            f"(sha256 {model.card.sha256}) in {self._health.model.load_s:.1f} s"
        )
        return imaginer

    def _serve(self, imaginer: Imaginer) -> str:
        self._health.begin()
        asked, self._asked = self._asked, False
        try:
            served = self._server(imaginer, asked)
        finally:
            self._health.end()
        if served.withheld:
            self._asked = self._asked or asked
            self._auto.again()
        return served.summary

    def _show(self, imaginer: Imaginer) -> None:
        self._outputs.show(imaginer, self._parameters.own)

    def _on_error(self, error: BaseException) -> None:
        if isinstance(error, ModelFailed):
            self._health.model.error = str(error)
            self._node.get_logger().error(str(error))
        else:
            text = "".join(traceback.format_exception(error))
            self._node.get_logger().error(f"unexpected error, the node lives on:\n{text}")


class ModelFailed(RuntimeError):
    """The model or a critic cannot be loaded. The message says why."""


def main(argv: list[str] | None = None) -> int:
    """Run the node until SIGINT or SIGTERM."""
    share_arenas()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    return run("imagine", Imagine, argv, threads=THREADS)


if __name__ == "__main__":
    sys.exit(main())
