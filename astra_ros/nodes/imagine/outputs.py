"""What the imagine node publishes of a result.

Numbers first. Pictures are decoded and drawn only while somebody subscribes to them; the contact sheet
is kept for whoever subscribes late.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.event_handler import PublisherEventCallbacks
from rclpy.node import Node
from sensor_msgs.msg import Image
from std_msgs.msg import Float32MultiArray
from visualization_msgs.msg import MarkerArray

from astra_ros.bridge.images import rgb_to_image
from astra_ros.bridge.markers import plans_to_markers
from astra_ros.bridge.plan_adapters import PlanAdapter
from astra_ros.bridge.scores import scores_to_diagnostics, scores_to_matrix
from astra_ros.bridge.stamps import later
from astra_ros.nodes.imagine.inputs import Request
from astra_ros.nodes.imagine.settings import ImagineSettings
from astra_ros.nodes.imagine.video_player import VideoPlayer
from astra_ros.nodes.qos import LATCHED, reliable
from astra_ros.outcomes import OBJECT_POSITION, TOOL_POSITION
from astra_ros.ranking.imaginer import Imaginer, Result
from astra_ros.robot.kinematics import KinematicsError
from astra_ros.views.contact_sheet import contact_sheet, shown_steps
from astra_ros.views.imagined_plans import ImaginedPlans

SHEET_COLUMNS = 8


class ImagineOutputs:
    """The publishers of the node. All methods but the constructor run on the model's thread.

    Args:
        node: the node.
        adapters: plan source name -> the adapter of its message type.
        refresh: asks the model's thread to call ``show``; called when somebody subscribes.
        warn: told of what cannot be drawn.
    """

    def __init__(
        self, node: Node, adapters: Mapping[str, PlanAdapter], refresh: Callable[[], None], warn: Callable[[str], None]
    ) -> None:
        self._warn = warn
        self._adapters = adapters
        joined = PublisherEventCallbacks(matched=lambda info: refresh() if info.current_count_change > 0 else None)
        self._scores = node.create_publisher(DiagnosticArray, "~/scores", LATCHED)
        self._matrix = node.create_publisher(Float32MultiArray, "~/score_matrix", LATCHED)
        self._markers = node.create_publisher(MarkerArray, "~/plan_markers", LATCHED)
        self._best_plan = {
            adapter.ros_type: node.create_publisher(adapter.message, adapter.best_topic, reliable(1))
            for adapter in {adapter.ros_type: adapter for adapter in adapters.values()}.values()
        }
        self._sheet = node.create_publisher(Image, "~/imagined/contact_sheet", LATCHED, event_callbacks=joined)
        self._video = node.create_publisher(Image, "~/imagined/image", reliable(64), event_callbacks=joined)
        self._player = VideoPlayer(node, self._video)
        self._last: tuple[Request, Result] | None = None
        self._handed_on: list[bytes] = []  # of the plans that are still held
        self._sheet_drawn = False
        self._shown_plan: int | None = None

    @property
    def topic(self) -> str:
        """Where the scores are published."""
        return self._scores.topic_name

    def publish(
        self, request: Request, result: Result, model: str, hand_on: bool, again: bool, restamp: bool = False
    ) -> None:
        """Publish a result's scores and best plan; ``show`` and ``mark`` then do the rest.

        Args:
            model: the model's name.
            hand_on: whether the best plan may be published.
            again: also if it was before; otherwise a plan is handed on once, or a controller would
                start it anew whenever another plan loses against it.
            restamp: hand it on with the stamp 0, otherwise byte for byte.
        """
        self._scores.publish(scores_to_diagnostics(result.scores, request.stamp, request.frame_id, model, request.goal))
        self._matrix.publish(scores_to_matrix(result.scores))
        if hand_on and self.would_publish(request, result, again):
            data, adapter = _bytes_of_best(request, result), self._adapter(request, result)
            held = [each for _, each in request.sources.values()]
            self._handed_on = [each for each in self._handed_on if any(each is h for h in held)]
            self._best_plan[adapter.ros_type].publish(adapter.without_stamp(data) if restamp else data)
            self._handed_on.append(data)
        self._last = (request, result)
        self._sheet_drawn = False
        self._shown_plan = None

    def would_publish(self, request: Request, result: Result, again: bool) -> bool:
        """Whether ``publish`` hands a plan on: there is a best one, and it was not handed on before."""
        if result.best is None:
            return False
        data = _bytes_of_best(request, result)
        return again or not any(data is each for each in self._handed_on)

    def mark(self, settings: ImagineSettings, robot_description: str | None) -> None:
        """Publish the last result's markers.

        Args:
            settings: the node's; its ``tool_link`` goes along the plans.
            robot_description: URDF; None draws where the model imagines the tool.
        """
        request, result = self._last
        outcomes = result.imagination.outcomes
        paths = None
        if robot_description and settings.tool_link:
            paths = self._tool_paths(request, result, robot_description, settings.tool_link)
        if paths is None:
            paths = outcomes.get(TOOL_POSITION)
        objects = outcomes.get(OBJECT_POSITION)
        self._markers.publish(plans_to_markers(result.scores, paths, objects, request.stamp, settings.world_frame))

    def show(self, imaginer: Imaginer, settings: ImagineSettings) -> None:
        """Decode and publish the pictures of the last result that somebody now wants."""
        if self._last is None:
            return
        request, result = self._last
        wanted = result.shown
        if settings.show_plan in result.names:
            wanted = result.names.index(settings.show_plan)
        if self._shown_plan != wanted and self._video.get_subscription_count():
            frames = imaginer.pictures(result, np.s_[wanted, : result.imagination.imagined_steps[wanted]])
            dt_s = imaginer.model.card.dt_s
            messages = [
                rgb_to_image(frame, later(request.stamp, (k + 1) * dt_s), request.frame_id)
                for k, frame in enumerate(frames)
            ]
            self._player.play(messages, dt_s, settings.playback_rate)
            self._shown_plan = wanted
        if not self._sheet_drawn and self._sheet.get_subscription_count():
            picture = _draw_sheet(request, result, imaginer)
            self._sheet.publish(rgb_to_image(picture, request.stamp, request.frame_id))
            self._sheet_drawn = True

    def _adapter(self, request: Request, result: Result) -> PlanAdapter:
        """That of the first plan by rank; all plans of a result are of one robot."""
        return self._adapters[request.sources[result.names[result.shown]][0]]

    def _tool_paths(self, request: Request, result: Result, urdf: str, tool_link: str) -> np.ndarray | None:
        """[K, H+1, 3] m: the tool along the plans, in the robot's root frame; None where that is not known."""
        prepared = result.prepared
        try:
            return self._adapter(request, result).tool_paths(prepared.space, prepared.motion, urdf, tool_link)
        except KinematicsError as error:
            self._warn(f"{error}; plan markers show where the model imagines the tool")
            return None


def _draw_sheet(request: Request, result: Result, imaginer: Imaginer) -> np.ndarray:
    """The contact sheet: uint8 [rows, columns, 3]. Only the frames that it shows are decoded."""
    latents = result.imagination.latents
    steps = list(shown_steps(latents.shape[1], SHEET_COLUMNS))
    height, width = imaginer.model.card.image_size
    frames = np.zeros((*latents.shape[:2], height, width, 3), np.uint8)
    frames[:, steps] = imaginer.pictures(result, np.s_[:, steps])
    steps_of = result.imagination.imagined_steps
    plans = ImaginedPlans(frames, result.scores, imaginer.model.card.dt_s, imagined_steps=steps_of)
    return contact_sheet(plans, request.history[-1], request.goal_frame, columns=SHEET_COLUMNS)


def _bytes_of_best(request: Request, result: Result) -> bytes:
    return request.sources[result.names[result.best]][1]
