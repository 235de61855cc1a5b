"""The imagine node: what will the camera see if a plan is executed, and is the plan a good idea?

It reads `image`, `plans`, `joint_states` or `odom`, and where they are published `camera_info`, `goal_image` or
`goal_pose` and `robot_description`. It publishes `~/scores`, `~/decision`, `~/best_plan` or `~/best_path`,
`~/imagined/image`, `~/imagined/contact_sheet`, `~/plan_markers` and /diagnostics. All topics: docs/topics.md.
"""

# This file declares, subscribes and publishes; `core.py` decides. Callbacks store inputs, and one thread owns the model
# and works on the newest of them.

from __future__ import annotations

import sys
import threading
import time
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from functools import partial

from geometry_msgs.msg import PoseStamped
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, JointState
from std_msgs.msg import String
from std_srvs.srv import Trigger

from astra_ros.errors import as_user_error
from astra_ros.logs import handed_on
from astra_ros.nodes.diagnostics import DiagnosticsPublisher
from astra_ros.nodes.executable import run
from astra_ros.nodes.executors import InPlaceExecutor
from astra_ros.nodes.imagine.bridge_readers import bridge_readers
from astra_ros.nodes.imagine.core import ImagineCore, ModelFailed
from astra_ros.nodes.imagine.inputs import Topics
from astra_ros.nodes.imagine.malloc_arenas import share_arenas
from astra_ros.nodes.imagine.message_readers import Clocks
from astra_ros.nodes.imagine.model_thread import ModelThread, ShuttingDown
from astra_ros.nodes.imagine.outputs import ImagineOutputs
from astra_ros.nodes.imagine.parameters import ImagineParameters, declared_settings
from astra_ros.nodes.imagine.tf_frames import TfFrames
from astra_ros.nodes.imagine.topic_types import TopicTypes
from astra_ros.nodes.qos import CAMERA, LATCHED, best_effort, reliable
from astra_ros.ranking.imaginer import Imaginer
from astra_ros.texts import bounded

try:
    from moveit_msgs.msg import PlanningScene  # type: ignore[import-not-found]
except ImportError:  # it comes with MoveIt 2
    PlanningScene = None

PLANNING_SCENE = "planning_scene"
# Callers of ~/imagine get an answer within this time, or a message that the request takes longer.
ANSWER_WITHIN_S = 120.0
# A latched description arrives within this time of the node's start; the first request does not wait longer for it.
DESCRIPTION_ARRIVES_S = 5.0
# The cure where a goal image is published in a type that no remapping helps with.
GOAL_CURE = "publish it as a raw Image (image_transport's republish)"
# So many callers of ~/imagine can wait at a time, each in a thread; one more thread tells further callers so.
CALLERS = 3
EXECUTOR = partial(InPlaceExecutor, CALLERS + 1)
# The model's thread gives the interpreter's lock away with every operation, thousands a request, and may
# wait this long each time while callbacks run. With Python's own 5 ms, one request in eight took 1 to 6 s
# beside the simulator on two cores; with this, none of 25 took 0.6 s.
SWITCH_INTERVAL_S = 0.0001


class Imagine:
    """The node around an `ImagineCore`, whose `Host` it is.

    ``configure`` makes its parts, ``activate`` connects them to the graph, ``load`` loads the model, ``close`` ends all
    threads.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._began_s = time.monotonic()
        self.configure()
        self.activate()
        self.load()

    def configure(self) -> None:
        """Declare parameters, and make publishers and core."""
        node = self._node
        self._thread = ModelThread(self._load, self._serve, self._show, self._on_error)
        self._settings = ImagineParameters(node, self._thread.refresh)
        outputs = self._outputs = ImagineOutputs(node, self._settings.adapters, self._thread.refresh)
        # In messages, topics have their names in the graph. A subscription to such a name would be remapped again.
        resolved = node.resolve_topic_name
        names = ("camera_info", "goal_image", "goal_pose", "joint_states", "robot_description", "odom", PLANNING_SCENE)
        # The compressed topic is beside the raw one, wherever that was remapped to.
        self._image = f"{resolved('image')}/compressed" if self._compressed else "image"
        self.topics = Topics(resolved(self._image), **{name: resolved(name) for name in names}, scores=outputs.topic)
        self.readers = bridge_readers(self._settings.adapters, TfFrames(node))
        self.clocks = Clocks(ros_time_ns=lambda: node.get_clock().now().nanoseconds)
        self.log = node.get_logger()
        self.graph = TopicTypes(node)
        self._timer = node.create_timer(1.0, self._on_timer, clock=Clock(clock_type=ClockType.STEADY_TIME))
        self._timer.cancel()
        core = self._core = ImagineCore(self._settings, self, outputs)
        self._description_thread = threading.Thread(target=core.description.work, name="description", daemon=True)

    def activate(self) -> None:
        """Subscribe to topics, offer services, and publish diagnostics."""
        node, core = self._node, self._core
        self._subscribe()
        self._callers = threading.BoundedSemaphore(CALLERS)
        waiting = ReentrantCallbackGroup()
        node.create_service(Trigger, "~/imagine", self._on_imagine, callback_group=waiting)
        node.create_service(Trigger, "~/reset_history", partial(_answer, core.reset_history))
        node.create_service(Trigger, "~/clear_goal", partial(_answer, core.clear_goal))
        DiagnosticsPublisher(node, core.statuses, self._hardware_id)

    def load(self) -> None:
        """Start the threads; the model's begins to load."""
        own = self._settings().own
        self.log.info(f"loading model '{own.model}' with backend '{own.backend}' on '{own.device}'")
        self._description_thread.start()
        self._thread.start()

    def close(self) -> bool:
        """End the threads; False when one still works."""
        self._core.description.stop()
        self._description_thread.join(1.0)
        return self._thread.stop() and not self._description_thread.is_alive()

    def _subscribe(self) -> None:
        core, listen, watch = self._core, self._node.create_subscription, self.graph.watch
        adapters = self._settings.adapters
        kind = CompressedImage if self._compressed else Image
        watch("image", listen(kind, self._image, core.on_image, CAMERA), needed=True, single=True)
        watch("camera_info", listen(CameraInfo, "camera_info", core.on_camera_info, CAMERA))
        watch("goal_image", listen(Image, "goal_image", core.on_goal_image, LATCHED), cure=GOAL_CURE)
        watch("goal_pose", listen(PoseStamped, "goal_pose", core.on_goal_pose, reliable(1)))
        compared = any(adapter.start_topic == "joint_states" for adapter in adapters.values())
        joints = listen(JointState, "joint_states", core.on_joint_state, best_effort(10))
        watch("joint_states", joints, needed=compared)
        watch("robot_description", listen(String, "robot_description", core.on_robot_description, LATCHED))
        if PlanningScene is not None and "physics" in self._settings().own.critics:
            # Changes come one by one, and none may be missed.
            watch(PLANNING_SCENE, listen(PlanningScene, PLANNING_SCENE, core.on_planning_scene, reliable(100)))
        if bases := [adapter for adapter in adapters.values() if adapter.start_topic == "odom"]:
            odometry = listen(bases[0].start_message, "odom", core.on_odometry, best_effort(10))
            watch("odom", odometry, needed=True)
        for name, source in self._settings().sources.items():
            # Raw: the bytes are handed on as they came if this plan wins.
            adapter, topic = adapters[name], self._settings.relative_topics[name]
            plans = listen(adapter.message, topic, partial(core.on_plan, name), reliable(2 * source.keep), raw=True)
            watch(topic, plans, needed=len(adapters) == 1, cure=adapter.advice)

    @property
    def _compressed(self) -> bool:
        return self._settings().own.image_transport == "compressed"

    def _hardware_id(self) -> str:
        card = self._core.health.model.card
        return card.name if card else self._settings().own.model

    # For the core, see `RequestStarter`.

    def set_timer(self, delay_s: float | None) -> None:
        self._timer.cancel()
        if delay_s is not None:
            self._timer.timer_period_ns = max(1, round(delay_s * 1e9))
            self._timer.reset()

    def start_request(self) -> None:
        self._thread.request().add_done_callback(self._on_request_ended)

    def _on_timer(self) -> None:
        self._core.settled()

    def _on_request_ended(self, future: Future) -> None:
        if (error := future.exception()) and not isinstance(error, ShuttingDown):
            self._core.request_failed(error, automatic=True)

    def _on_imagine(self, _, response: Trigger.Response) -> Trigger.Response:
        if not self._callers.acquire(blocking=False):
            response.message = f"{CALLERS} callers wait for an answer already; try again"
            return response
        try:
            self._core.ask()
            response.message = self._thread.request().result(timeout=ANSWER_WITHIN_S)
            response.success = True
        except FutureTimeout:
            response.message = f"no answer within {ANSWER_WITHIN_S:g} s"
        except Exception as error:  # noqa: BLE001 - every failure is the caller's answer
            response.message = bounded(str(as_user_error(error)))
            if not isinstance(error, ShuttingDown):
                self._core.request_failed(error)
        finally:
            self._callers.release()
        return response

    # On the model's thread.

    def _load(self) -> Imaginer:
        # Imported here: it takes seconds, and the node should be visible before.
        from astra_ros.inference import load_world_model, read_card

        settings, core = self._settings(), self._core
        own = settings.own
        if unusable := self._settings.unusable_critics:
            raise ModelFailed(unusable)
        began = time.monotonic()
        try:
            core.expect(card := read_card(own.model))
            plans = sum(source.keep for source in settings.sources.values())
            with handed_on(core.health.tell, core.health.warn):
                model = load_world_model(own.backend, card, own.device)
                model.warmup(plans, own.horizon, core.expected_space(card))
            imaginer = Imaginer(model, own)
        except Exception as error:
            text = str(as_user_error(error))
            named = own.model in text
            raise ModelFailed(text if named else f"model '{own.model}': {text}") from error
        core.attach(imaginer)
        if model.card.cameras and core.moves_joints:
            spent_s = time.monotonic() - self._began_s
            core.description.wait(max(0.0, DESCRIPTION_ARRIVES_S - spent_s), core.health.model_prepares)
        core.health.model_loaded(model.card, model.runs_on, time.monotonic() - began)
        core.start_waiting()
        return imaginer

    def _serve(self, imaginer: Imaginer) -> str:
        with handed_on(self._core.health.tell, self._core.health.warn):
            return self._core.serve(imaginer)

    def refresh(self) -> None:
        self._thread.refresh()

    def _show(self, imaginer: Imaginer) -> None:
        self._core.compare(imaginer)
        self._outputs.show(imaginer, self._settings().own)

    def _on_error(self, error: BaseException) -> None:
        if isinstance(error, ModelFailed):
            self._core.health.model_failed(str(error))
        else:
            self._core.unexpected(error)


def _answer(act, _, response: Trigger.Response) -> Trigger.Response:
    response.success, response.message = True, act()
    return response


def main(argv: list[str] | None = None) -> int:
    """Run the node until SIGINT or SIGTERM."""
    share_arenas()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    return run("imagine", Imagine, declared_settings, argv, EXECUTOR)


if __name__ == "__main__":
    sys.exit(main())
