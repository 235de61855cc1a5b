"""The core of the imagine node: inputs, when a request starts, which plan is handed on, and the health. Without ROS.

The node subscribes and publishes for it, `replay.py` feeds it from a bag, and tests call it directly. It has no clock
and no thread of its own: ``on_...`` may be called from any thread, ``serve`` from the one that owns the model.
"""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable
from functools import partial
from typing import Protocol

from astra_ros.errors import UserError, as_user_error
from astra_ros.inference import ModelCard, ModelError
from astra_ros.nodes.imagine.auto_imagine import AutoImagine, RequestStarter
from astra_ros.nodes.imagine.health import ImagineHealth
from astra_ros.nodes.imagine.inputs import ImagineInputs, Refused, Topics
from astra_ros.nodes.imagine.message_readers import Clocks, MessageReaders, stamp_ns
from astra_ros.nodes.imagine.prediction_watch import PredictionWatch
from astra_ros.nodes.imagine.request_server import Outputs, RequestServer
from astra_ros.nodes.imagine.robot_description import RobotDescription
from astra_ros.nodes.imagine.robot_fit_watch import RobotFitWatch
from astra_ros.nodes.imagine.robot_state import RobotState, TopicGraph
from astra_ros.nodes.imagine.settings import NodeSettings
from astra_ros.nodes.imagine.statuses import ImagineStatuses
from astra_ros.nodes.reports import Log, Status
from astra_ros.ranking.imaginer import Imaginer
from astra_ros.ranking.prepare import NothingToImagine


class ModelFailed(UserError, RuntimeError):
    """The model or a critic cannot be loaded."""


class Host(RequestStarter, Protocol):
    """The surroundings of the core: the node, a replay, or a test. ``topics`` are names in the graph."""

    topics: Topics
    readers: MessageReaders
    clocks: Clocks

    @property
    def log(self) -> Log: ...

    @property
    def graph(self) -> TopicGraph: ...


class ImagineCore:
    """What the imagine node does with its inputs: stores them, decides when to imagine, and hands the winner on."""

    def __init__(self, settings: Callable[[], NodeSettings], host: Host, outputs: Outputs) -> None:
        topics, clocks, sources = host.topics, host.clocks, settings().sources
        self._settings = settings
        self.health = ImagineHealth(host.log, clocks.monotonic_s)
        refuse, remark = self.health.refuse, self.health.remarks.add
        self.inputs = ImagineInputs(topics, sources, host.readers, refuse, remark, clocks)
        self.description = RobotDescription(topics.robot_description, partial(refuse, "robot_description"), remark)
        self.prediction, self.robot_fit = PredictionWatch(outputs.predicted), RobotFitWatch(clocks.monotonic_s)
        robot = RobotState(topics.joint_states, self.inputs, self.description, host.graph)
        self._server = RequestServer(settings, robot, self.health, outputs, clocks, topics.scores, self.prediction)
        keep = {name: source.keep for name, source in sources.items() if not source.backup}
        self._host = host
        self._auto = AutoImagine(keep, host, self._not_ready, self._plans_wait)
        self._statuses = ImagineStatuses(
            lambda: settings().own, self.health, robot, self._server, self.prediction, self.robot_fit
        )
        self._lock = threading.Lock()
        self._asked = False  # a caller of ~/imagine waits for the next request

    # Messages, from any thread.

    def on_image(self, msg) -> None:
        """Take a camera image; a request that waited for it may start, and it may show what was imagined."""
        self.inputs.on_image(msg)
        own, newest = self._settings().own, self.inputs.camera.newest
        joints = self.inputs.joints.now(own.camera_timeout_s)
        if newest is not None:
            wanted = own.compare_frames and self.prediction.on_frame(*newest, joints)
            if (own.check_robot_fit and self.robot_fit.on_frame(*newest)) or wanted:
                self._host.refresh()
        self._auto.check()

    def on_camera_info(self, msg) -> None:
        self.inputs.camera.on_info(msg)

    def on_goal_image(self, msg) -> None:
        self.inputs.on_goal_image(msg)

    def on_goal_pose(self, msg) -> None:
        self.inputs.on_goal_pose(msg, self._settings().own)

    def on_joint_state(self, msg) -> None:
        positions = self.inputs.on_joints(msg)
        if positions and self._settings().own.check_robot_fit:
            self.robot_fit.on_joints(stamp_ns(msg) or self._host.clocks.ros_time_ns(), positions)

    def on_odometry(self, msg) -> None:
        self.inputs.on_odometry(msg)

    def on_robot_description(self, msg) -> None:
        self.description.on_text(msg.data)

    def on_planning_scene(self, msg) -> None:
        self.inputs.on_planning_scene(msg)

    def on_plan(self, source: str, data: bytes) -> None:
        """Take the bytes of a plan; with auto_imagine a request follows."""
        own = self._settings().own
        if self.inputs.on_plan(source, data, own) and own.auto_imagine:
            self._auto.on_plan(source, own.settle_s)

    # Timer and services, from any thread.

    def settled(self) -> None:
        """The timer of ``RequestStarter.set_timer`` has expired."""
        self._auto.settled()

    def ask(self) -> None:
        """Hand on the winner of the next request even if it was handed on before: a user asks for it."""
        with self._lock:
            self._asked = True

    def reset_history(self) -> str:
        self.inputs.camera.forget()
        return "frame history cleared"

    def clear_goal(self) -> str:
        goal = self.inputs.goals.clear()
        self.health.goal_cleared()
        return f"the {goal} does not count any more" if goal else "there was no goal"

    def statuses(self) -> list[Status]:
        return self._statuses.report()

    # The thread that owns the model.

    def expect(self, card: ModelCard) -> None:
        """Keep frames for the model of this card, which is being loaded: its history need not begin afterwards."""
        self.inputs.camera.expect(card, loaded=False)

    def expected_space(self, card: ModelCard) -> str:
        """An action space that plans may be of, as far as settings and their types tell, or ''."""
        if (named := self._settings().own.action_space) in card.action_spaces:
            return named
        of_joints = {frozenset({"joint_states"}): True, frozenset({"odom"}): False}.get(self.inputs.starts)
        spaces = card.action_spaces.items()
        return next((name for name, space in spaces if space.columns_are_joints is of_joints), "")

    def attach(self, imaginer: Imaginer) -> None:
        """Take inputs as a loaded model needs them, and prepare the robot's shapes for it."""
        self.inputs.camera.expect(imaginer.model.card)
        self.prediction.attach(imaginer.model.card.prediction_limits)
        if self.moves_joints:
            self.description.attach(imaginer.plan_renders, imaginer.model.card)
            self.robot_fit.attach(imaginer.model.card, self._settings().own.action_space)

    def start_waiting(self) -> None:
        """Start the request that waited for the model. An error here is logged: it says nothing about the model."""
        try:
            self._auto.check()
        except Exception as error:  # noqa: BLE001 - whatever it is, the model is loaded
            self.unexpected(error)

    @property
    def moves_joints(self) -> bool:
        """Whether plans may move joints, so that the robot's description matters: not where all are paths of a base."""
        return self.inputs.starts != {"odom"}

    def compare(self, imaginer: Imaginer) -> None:
        """Compare the frames of a plan that is executed with what was imagined of it, and the robot's outline with
        where the camera sees it."""
        try:
            self.prediction.compare(imaginer)
        finally:
            own = self._settings().own
            if own.check_robot_fit and not self.description.preparing:
                self.robot_fit.judge(imaginer, self.inputs.joints.now(own.camera_timeout_s))

    def serve(self, imaginer: Imaginer) -> str:
        """Serve a request with the newest inputs; returns the outcome in words. Raises Refused, NothingToImagine."""
        with self._lock:
            asked, self._asked = self._asked, False
        self.health.begin()
        try:
            summary, withheld = self._server.serve(imaginer, asked)
        finally:
            self.health.end()
        if withheld:
            with self._lock:
                self._asked = self._asked or asked
            self._auto.again()
        return summary

    def request_failed(self, error: BaseException, automatic: bool = False) -> None:
        """Note a request that was not served. Plans that started it (``automatic``) wait if it was refused."""
        self.health.refused_requests.add(str(as_user_error(error)))
        if not isinstance(error, (Refused, NothingToImagine, ModelFailed)):
            self.unexpected(error)
        if automatic and isinstance(error, Refused):
            self._auto.again()

    def unexpected(self, error: BaseException) -> None:
        if isinstance(error, ModelError):  # its text says what failed, and where
            self.health.tell_error(f"{error}; the node lives on")
            return
        text = "".join(traceback.format_exception(error))
        self.health.tell_error(f"unexpected error, the node lives on:\n{text}")

    def _not_ready(self) -> str | None:
        """Why no request of newly arrived plans can be made now, or None."""
        own = self._settings().own
        if not own.auto_imagine:
            return "auto_imagine is off"
        return self.health.model.error or self.inputs.not_ready(own.camera_timeout_s) or self._server.robot_unknown()

    def _plans_wait(self, reason: str) -> None:
        what = "plans cannot be imagined" if self.health.model.error else "plans wait to be imagined"
        self.health.refused_requests.add(f"{what}: {reason}")
