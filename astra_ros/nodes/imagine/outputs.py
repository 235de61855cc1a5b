"""Publishes the decisions of the imagine node.

Numbers first. Images and plan markers are made only while a node subscribes to them, and as soon as one does; the
contact sheet and the markers are kept for late subscribers. What is kept is of the last request that began, or empty.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.event_handler import PublisherEventCallbacks
from rclpy.node import Node
from rclpy.publisher import Publisher
from sensor_msgs.msg import Image
from std_msgs.msg import Float32, Float32MultiArray, String
from visualization_msgs.msg import MarkerArray

from astra_ros.bridge.images import rgb_to_image
from astra_ros.bridge.markers import plans_to_markers
from astra_ros.bridge.plan_adapters import PlanAdapter
from astra_ros.bridge.scores import PRELIMINARY, scores_to_diagnostics, scores_to_matrix
from astra_ros.bridge.stamps import later, stamp_of_nanoseconds
from astra_ros.nodes.imagine.decision import Decision
from astra_ros.nodes.imagine.inputs import Request
from astra_ros.nodes.imagine.settings import ImagineSettings
from astra_ros.nodes.imagine.video_player import VideoPlayer
from astra_ros.nodes.qos import LATCHED, reliable
from astra_ros.outcomes import OBJECT_POSITION, TOOL_POSITION
from astra_ros.ranking.imaginer import Imaginer, Result
from astra_ros.ranking.prediction_monitor import FrameComparison
from astra_ros.robot.kinematics import KinematicsError
from astra_ros.views.contact_sheet import contact_sheet, empty_sheet, shown_steps
from astra_ros.views.imagined_plans import ImaginedPlans

SHEET_COLUMNS = 8


class ImagineOutputs:
    """The publishers of the node. All methods but the constructor run on the model's thread.

    `refresh` has that thread call ``show``, whenever a node subscribes.
    """

    def __init__(self, node: Node, adapters: Mapping[str, PlanAdapter], refresh: Callable[[], None]) -> None:
        self._adapters = adapters

        def joined(info: Any) -> None:  # rclpy's types of it differ between Jazzy and Kilted
            if info.current_count_change > 0:
                refresh()

        events = PublisherEventCallbacks(matched=joined)
        self._scores = node.create_publisher(DiagnosticArray, "~/scores", LATCHED)
        self._matrix = node.create_publisher(Float32MultiArray, "~/score_matrix", LATCHED)
        self._decisions = node.create_publisher(String, "~/decision", LATCHED)
        self._error = node.create_publisher(Float32, "~/prediction_error", reliable(16))
        self._markers = node.create_publisher(MarkerArray, "~/plan_markers", LATCHED, event_callbacks=events)
        self._best_plan: dict[type, Publisher] = {
            message: node.create_publisher(message, adapter.best_topic, reliable(1))
            for message, adapter in {adapter.message: adapter for adapter in adapters.values()}.items()
        }
        self._sheet = node.create_publisher(Image, "~/imagined/contact_sheet", LATCHED, event_callbacks=events)
        self._video = node.create_publisher(Image, "~/imagined/image", reliable(64), event_callbacks=events)
        self._player = VideoPlayer(node, self._video)
        self._last: Decision | None = None
        self._tool_paths: np.ndarray | None = None
        self._markers_drawn = self._sheet_drawn = False
        self._markers_kept = self._sheet_kept = False  # whether late subscribers get any, of whichever request
        self._shown_plan: int | None = None
        self.topic: str = self._scores.topic_name

    def publish_preliminary(self, request: Request, result: Result, imaginer: Imaginer) -> None:
        stamp, shared = stamp_of_nanoseconds(request.stamp_ns), {**request.goal, PRELIMINARY: "true"}
        model = imaginer.model.card.name
        self._scores.publish(scores_to_diagnostics(result.scores, stamp, request.frame_id, model, shared))

    def publish(self, decision: Decision, imaginer: Imaginer) -> None:
        request, scores = decision.request, decision.scores
        stamp, model = stamp_of_nanoseconds(request.stamp_ns), imaginer.model.card.name
        missing = {} if decision.result is None else decision.result.missing
        shared = {**request.goal, **{f"{critic}.missing": why for critic, why in missing.items()}}
        chosen = decision.choice.name
        self._scores.publish(scores_to_diagnostics(scores, stamp, request.frame_id, model, shared, chosen))
        self._matrix.publish(scores_to_matrix(scores))
        if (plan := decision.handed_on) is not None:
            adapter, data = self._adapters[plan.source], plan.message.data
            self._best_plan[adapter.message].publish(adapter.without_stamp(data) if decision.restamp else data)
        self._last = decision if decision.result is not None else None
        self._tool_paths = None
        self._markers_drawn = self._sheet_drawn = False
        self._shown_plan = None
        self._clear(decision)

    def _clear(self, decision: Decision) -> None:
        """Empty what shows an earlier request and is not drawn anew at once."""
        request, imagined = decision.request, decision.result is not None
        stamp = stamp_of_nanoseconds(request.stamp_ns)
        if not imagined:
            self._player.stop()
        if self._markers_kept and not (imagined and self._markers.get_subscription_count()):
            self._markers.publish(plans_to_markers([], None, None, stamp, request.frame_id))
            self._markers_kept = False
        if self._sheet_kept and not (imagined and self._sheet.get_subscription_count()):
            why = decision.unserved or decision.choice.reason
            text = "drawn while a node subscribes" if imagined else f"nothing is imagined: {why}"
            self._sheet.publish(rgb_to_image(empty_sheet(text), stamp, request.frame_id))
            self._sheet_kept = False

    def record(self, line: str) -> None:
        self._decisions.publish(String(data=line))

    def predicted(self, comparison: FrameComparison) -> None:
        self._error.publish(Float32(data=comparison.ratio))

    def draw(self, imaginer: Imaginer, settings: ImagineSettings, robot_description: str | None) -> str:
        """Publish the pictures and markers of the last decision; see `Outputs`."""
        assert self._last is not None and self._last.result is not None
        problem = ""
        if robot_description and settings.tool_link:
            try:  # also without subscribers: a wrong tool link is reported at once
                self._tool_paths = self._paths_of(self._last, self._last.result, robot_description, settings.tool_link)
            except KinematicsError as error:
                problem = f"{error}; plan markers show where the model imagines the tool"
        self.show(imaginer, settings)
        return problem

    def show(self, imaginer: Imaginer, settings: ImagineSettings) -> None:
        """Make and publish what has subscribers now, of the markers and pictures of the last decision."""
        if self._last is None or self._last.result is None:
            return
        request, result = self._last.request, self._last.result
        stamp = stamp_of_nanoseconds(request.stamp_ns)
        if not self._markers_drawn and self._markers.get_subscription_count():
            outcomes = result.imagination.outcomes
            paths = outcomes.get(TOOL_POSITION) if self._tool_paths is None else self._tool_paths
            objects = outcomes.get(OBJECT_POSITION)
            chosen = self._last.choice.name
            self._markers.publish(plans_to_markers(result.scores, paths, objects, stamp, settings.world_frame, chosen))
            self._markers_drawn = self._markers_kept = True
        wanted = _shown(self._last, result)
        if settings.show_plan in result.names:
            wanted = result.names.index(settings.show_plan)
        if self._shown_plan != wanted and self._video.get_subscription_count():
            frames = imaginer.pictures(result, np.s_[wanted, : result.imagination.imagined_steps[wanted]])
            dt_s = imaginer.model.card.dt_s
            messages = [
                rgb_to_image(frame, later(stamp, (k + 1) * dt_s), request.frame_id) for k, frame in enumerate(frames)
            ]
            self._player.play(messages, dt_s, settings.playback_rate)
            self._shown_plan = wanted
        if not self._sheet_drawn and self._sheet.get_subscription_count():
            picture = _draw_sheet(self._last, result, imaginer)
            self._sheet.publish(rgb_to_image(picture, stamp, request.frame_id))
            self._sheet_drawn = self._sheet_kept = True

    def _paths_of(self, decision: Decision, result: Result, urdf: str, tool_link: str) -> np.ndarray | None:
        """[K, H+1, 3] m: the tool along the plans, in the robot's root frame; None where that is not known."""
        prepared = result.prepared
        # The first plan by rank has the adapter: all plans of a result are of one robot.
        adapter = self._adapters[decision.request.held[result.names[result.shown]].source]
        return adapter.tool_paths(prepared.space, prepared.motion, urdf, tool_link)


def _shown(decision: Decision, result: Result) -> int:
    """Index of the plan whose video is published: the chosen one, or else the first by rank."""
    return result.names.index(decision.choice.name) if decision.choice.name else result.shown


def _draw_sheet(decision: Decision, result: Result, imaginer: Imaginer) -> np.ndarray:
    """The contact sheet: uint8 [rows, columns, 3]. Only the frames that it shows are decoded."""
    latents = result.imagination.latents
    steps = list(shown_steps(latents.shape[1], SHEET_COLUMNS))
    height, width = imaginer.model.card.image_size
    frames = np.zeros((*latents.shape[:2], height, width, 3), np.uint8)
    frames[:, steps] = imaginer.pictures(result, np.s_[:, steps])
    request, dt_s = decision.request, imaginer.model.card.dt_s
    steps_of, chosen = result.imagination.imagined_steps, decision.choice.name
    plans = ImaginedPlans(frames, result.scores, dt_s, imagined_steps=steps_of, chosen=chosen)
    return contact_sheet(plans, request.history[-1], request.goal_frame, columns=SHEET_COLUMNS)
