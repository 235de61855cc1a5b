"""What a viewer of the imagine node needs: scores, imagined videos, the model's status."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from sensor_msgs.msg import Image

from astra_ros.bridge.images import image_to_rgb
from astra_ros.bridge.scores import diagnostics_to_scores, is_preliminary
from astra_ros.bridge.stamps import to_seconds
from astra_ros.critics.scoring import PlanScore
from astra_ros.nodes.client.node_client import ClientError, NodeClient
from astra_ros.nodes.qos import LATCHED, reliable
from astra_ros.nodes.reports import ERROR


class ImagineClient(NodeClient):
    """Collects what the imagine node publishes.

    Attributes:
        scores: of the newest request, in plan order.
        source_s: stamp of the camera image that the scores belong to, s.
        dt_s: the model's step, s; 0 until the model's status has come.
        plans_held: candidate plans that the node holds, from its status once a second.
    """

    def __init__(self, name: str, watch: Callable[[], object]) -> None:
        super().__init__(name, watch)
        self.scores: list[PlanScore] = []
        self.source_s = 0.0
        self.dt_s = 0.0
        self.plans_held = 0
        self._model_error = ""
        self._frames: list[tuple[int, np.ndarray]] = []
        listen = self.node.create_subscription
        listen(DiagnosticArray, "imagine/scores", self._on_scores, LATCHED)
        listen(DiagnosticArray, "/diagnostics", self._on_diagnostics, reliable(20))
        listen(Image, "imagine/imagined/image", self._on_frame, reliable(64))

    def check(self) -> None:
        """Raises ClientError also where the node reports that its model does not load or run."""
        super().check()
        if self._model_error:
            raise ClientError(self._model_error)

    @property
    def sees_imagined_frame(self) -> bool:
        return bool(self._frames)

    def imagined_videos(self, horizon: int) -> np.ndarray:
        """Every plan's imagined video: uint8 [K, H, h, w, 3], in plan order.

        The node publishes the best plan's video by itself. Setting the parameter `show_plan` brings the others,
        one after the other.

        Raises:
            ClientError: a plan was not imagined, since it breaks a hard limit.
        """
        for score in self.scores:
            if score.breach is not None:
                raise ClientError(f"it was not imagined: {score.reasons[0]}", thing=f"plan '{score.name}'")
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
            keys = [milliseconds(self.source_s + (k + 1) * self.dt_s) for k in range(horizon)]
            self._frames = [each for each in self._frames if each[0] in keys]
            return len(self._frames) >= horizon

        self.until(whole, "an imagined video")
        video, self._frames = self._frames[:horizon], self._frames[horizon:]
        return np.stack([frame for _, frame in video])

    def _on_scores(self, msg: DiagnosticArray) -> None:
        if is_preliminary(msg):
            return
        self.scores = diagnostics_to_scores(msg, "imagine/scores")
        self.source_s = to_seconds(msg.header.stamp)

    def _on_diagnostics(self, msg: DiagnosticArray) -> None:
        for status in msg.status:
            if status.name == "imagine: model":
                self._model_error = status.message if status.level == ERROR else ""
                self.dt_s = next((float(v.value) for v in status.values if v.key == "dt_s"), 0.0)
            elif status.name == "imagine: plans":
                self.plans_held = sum(int(v.value) for v in status.values if v.key.endswith(".held"))

    def _on_frame(self, msg: Image) -> None:
        self._frames.append((milliseconds(to_seconds(msg.header.stamp)), image_to_rgb(msg)))


def milliseconds(seconds: float) -> int:
    """A stamp as a key: stamps that mean the same moment are equal in milliseconds."""
    return round(1000 * seconds)
