"""Replays a recording through the core of the imagine node: which plan would it have handed on, and when?

The messages of a rosbag2 go into the same `ImagineCore` as those of the graph, in the order and at the times at which
they were recorded. Nothing is published, and no node or graph is needed; a request takes no time on the bag's clock.
docs/architecture.md has an example.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from geometry_msgs.msg import PoseStamped
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, JointState
from std_msgs.msg import String

from astra_ros.bridge.plan_adapters import plan_adapter
from astra_ros.nodes.imagine.bridge_readers import bridge_readers
from astra_ros.nodes.imagine.core import ImagineCore
from astra_ros.nodes.imagine.decision import Decision
from astra_ros.nodes.imagine.inputs import Request, Topics
from astra_ros.nodes.imagine.message_readers import NANOSECONDS, Clocks
from astra_ros.nodes.imagine.settings import ImagineSettings, NodeSettings
from astra_ros.nodes.reports import Status
from astra_ros.ranking.imaginer import Imaginer, Result
from astra_ros.ranking.prediction_monitor import FrameComparison

LOG = logging.getLogger("astra_ros.replay")


class RecordedMessage(NamedTuple):
    """A message of a recording: its topic, when it was received, and its bytes in CDR."""

    topic: str
    received_ns: int
    data: bytes


@dataclass(frozen=True)
class ReplayedDecision:
    """A decision, when it was made on the bag's clock, and its summary."""

    at_ns: int
    decision: Decision
    summary: str


@dataclass(frozen=True)
class ReplayedRefusal:
    """A request that could not be served: when, and the error."""

    at_ns: int
    error: Exception


@dataclass
class Replay:
    """The outcome of a recording: requests served and refused, in order, and the node's statuses at the end.

    ``records`` are the decision records of all requests that began, as the node would have published them.
    """

    decisions: list[ReplayedDecision] = field(default_factory=list)
    refusals: list[ReplayedRefusal] = field(default_factory=list)
    statuses: list[Status] = field(default_factory=list)
    records: list[dict[str, Any]] = field(default_factory=list)


@contextmanager
def open_bag(path: Path | str) -> Iterator[Iterable[RecordedMessage]]:
    """The messages of a rosbag2, in the order in which they were recorded. Raises BagError."""
    from astra_ros.datasets.rosbag.bag import Bag

    with Bag(Path(path)) as bag:
        names = [topic.name for topic in bag.topics]
        yield (RecordedMessage(*each) for each in bag.cdr_messages(names))


def replay(
    messages: Iterable[RecordedMessage],
    imaginer: Imaginer,
    settings: NodeSettings = NodeSettings(),
    topics: Topics = Topics(),
) -> Replay:
    """Feed a recording to the core; messages of other topics than those named are ignored."""
    return _Player(imaginer, settings, topics).play(messages)


class _NoGraph:
    """A graph without faults."""

    def look(self) -> dict[str, str]:
        return {}

    def wrong(self, name: str) -> str:
        return ""

    def publishers(self, topic: str) -> tuple[str, ...]:
        return ()


class _Player:
    """The host and the outputs of a core that runs on the clock of a recording."""

    def __init__(self, imaginer: Imaginer, settings: NodeSettings, topics: Topics) -> None:
        self._imaginer = imaginer
        self._now_ns = 0
        self._timer_ns: int | None = None
        self._wanted = False
        self._decision: Decision | None = None
        self._replay = Replay()
        self.topics, self.log, self.graph = topics, LOG, _NoGraph()
        adapters = {name: plan_adapter(each.type) for name, each in settings.sources.items()}
        self.readers = bridge_readers(adapters)
        bases = [each for each in adapters.values() if each.start_topic == "odom"]
        self.clocks = Clocks(lambda: self._now_ns / NANOSECONDS, lambda: self._now_ns)
        core = self._core = ImagineCore(lambda: settings, self, self)
        image = CompressedImage if settings.own.image_transport == "compressed" else Image
        self._routes: dict[str, list[Callable[[bytes], None]]] = {}
        for topic, kind, take in (
            (topics.image, image, core.on_image),
            (topics.camera_info, CameraInfo, core.on_camera_info),
            (topics.goal_image, Image, core.on_goal_image),
            (topics.goal_pose, PoseStamped, core.on_goal_pose),
            (topics.joint_states, JointState, core.on_joint_state),
            *((topics.odom, each.start_message, core.on_odometry) for each in bases[:1]),
            (topics.robot_description, String, core.on_robot_description),
        ):
            self._route(topic, partial(_take_message, kind, take))
        for name, source in settings.sources.items():
            self._route(source.topic, partial(core.on_plan, name))

    def _route(self, topic: str, take: Callable[[bytes], None]) -> None:
        """Pass messages of a topic on; a relative name is one of the root namespace."""
        self._routes.setdefault(f"/{topic.lstrip('/')}", []).append(take)

    def play(self, messages: Iterable[RecordedMessage]) -> Replay:
        core = self._core
        for topic, received_ns, data in messages:
            if not self._now_ns:
                self._now_ns = received_ns
                core.attach(self._imaginer)
                model = self._imaginer.model
                core.health.model_loaded(model.card, model.runs_on, 0.0)
            self._advance(received_ns)
            for take in self._routes.get(topic, ()):
                take(data)
            core.description.work_off()
            self._serve()
        if self._timer_ns is not None:
            self._advance(self._timer_ns)
        self._replay.statuses = core.statuses()
        return self._replay

    def _advance(self, to_ns: int) -> None:
        if self._timer_ns is not None and self._timer_ns <= to_ns:
            self._now_ns, self._timer_ns = self._timer_ns, None
            self._core.settled()
            self._serve()
        self._now_ns = max(self._now_ns, to_ns)

    def _serve(self) -> None:
        while self._wanted:
            self._wanted = False
            try:
                summary = self._core.serve(self._imaginer)
            except Exception as error:  # noqa: BLE001 - whatever it is, the node would live on
                self._core.request_failed(error, automatic=True)
                self._replay.refusals.append(ReplayedRefusal(self._now_ns, error))
            else:
                assert self._decision is not None
                self._replay.decisions.append(ReplayedDecision(self._now_ns, self._decision, summary))

    # The host.

    def set_timer(self, delay_s: float | None) -> None:
        self._timer_ns = None if delay_s is None else self._now_ns + round(delay_s * NANOSECONDS)

    def start_request(self) -> None:
        self._wanted = True

    def refresh(self) -> None:
        self._core.compare(self._imaginer)

    # The outputs.

    def predicted(self, comparison: FrameComparison) -> None:
        pass

    def publish(self, decision: Decision, imaginer: Imaginer) -> None:
        self._decision = decision

    def record(self, line: str) -> None:
        self._replay.records.append(json.loads(line))

    def publish_preliminary(self, request: Request, result: Result, imaginer: Imaginer) -> None:
        """A replay shows decisions alone."""

    def draw(self, imaginer: Imaginer, settings: ImagineSettings, robot_description: str | None) -> str:
        return ""


def _take_message(kind: type, take: Callable[[object], None], data: bytes) -> None:
    take(deserialize_message(data, kind))
