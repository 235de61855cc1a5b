"""What the imagine node publishes is made for its subscribers only, and for late ones as soon as they come."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from known_model import HISTORY, WHITE, KnownModel, plan

pytest.importorskip("rclpy")
from trajectory_msgs.msg import JointTrajectory
from visualization_msgs.msg import Marker

from astra_ros.nodes.imagine.decision import Decision
from astra_ros.nodes.imagine.outputs import ImagineOutputs
from astra_ros.nodes.imagine.settings import ImagineSettings
from astra_ros.ranking.imaginer import Imaginer, RankingSettings
from astra_ros.robot.kinematics import KinematicsError

IMAGE, SHEET, MARKERS = "~/imagined/image", "~/imagined/contact_sheet", "~/plan_markers"


class FakeNode:
    """Publishers that count; a topic has the subscribers that it is given."""

    def __init__(self):
        self.sent, self.subscribers, self.matched = {}, dict.fromkeys((IMAGE, SHEET, MARKERS), 0), {}

    def create_publisher(self, kind, topic, qos, event_callbacks=None):
        self.sent[topic] = []
        self.matched[topic] = event_callbacks and event_callbacks.matched
        count = lambda: self.subscribers[topic]  # noqa: E731
        return SimpleNamespace(publish=self.sent[topic].append, get_subscription_count=count, topic_name=topic)

    def create_timer(self, period_s, callback, **kwargs):
        self.timer = callback
        return SimpleNamespace(cancel=lambda: None, reset=lambda: None)


@pytest.fixture
def outputs():
    """The outputs of one request of two plans with two frames each; what is decoded is in `decoded`."""
    node, refreshed, decoded = FakeNode(), [], []
    adapter = SimpleNamespace(message=JointTrajectory, best_topic="~/best_plan", tool_paths=tool_paths)
    made = ImagineOutputs(node, {"plans": adapter}, lambda: refreshed.append(True))
    imaginer = Imaginer(KnownModel(), RankingSettings(horizon=2))
    result = imaginer.score(HISTORY, [plan("no", 0.0), plan("yes", 1.0)], goal_frame=WHITE)
    real = imaginer.model.pictures
    imaginer.model.pictures = lambda latents, *rest: (decoded.append(latents.shape), real(latents, *rest))[1]
    held = dict.fromkeys(result.names, SimpleNamespace(source="plans"))
    request = SimpleNamespace(
        stamp_ns=5, frame_id="camera", goal={"goal": "image"}, held=held, history=HISTORY, goal_frame=WHITE
    )
    settings = ImagineSettings(horizon=2, tool_link="tool", playback_rate=0.0)

    def serve(urdf="an arm", **changes):
        made.publish(Decision(request, result), imaginer)
        return made.draw(imaginer, replace(settings, **changes), urdf)

    def fail():
        later = SimpleNamespace(**{**vars(request), "stamp_ns": 6})
        made.publish(Decision(later, None, unserved="the engine fails"), imaginer)

    def show():
        made.show(imaginer, settings)

    return SimpleNamespace(node=node, refreshed=refreshed, decoded=decoded, serve=serve, fail=fail, show=show)


def tool_paths(space, motion, urdf, link):
    if urdf == "no arm":
        raise KinematicsError("there is no such link", thing=link)
    return np.zeros((*motion.shape[:2], 3))


def sent(outputs):
    return [len(outputs.node.sent[topic]) for topic in (IMAGE, SHEET, MARKERS)]


def test_without_subscribers_nothing_is_decoded_or_drawn(outputs, monkeypatch):
    monkeypatch.setattr("astra_ros.nodes.imagine.outputs.plans_to_markers", None)
    monkeypatch.setattr("astra_ros.nodes.imagine.outputs.contact_sheet", None)
    assert outputs.serve() == ""
    assert outputs.decoded == [] and sent(outputs) == [0, 0, 0]
    assert len(outputs.node.sent["~/scores"]) == len(outputs.node.sent["~/score_matrix"]) == 1
    # A wrong tool link is told all the same.
    assert "there is no such link" in outputs.serve("no arm")


def test_each_subscriber_gets_its_own_and_nothing_else_is_made(outputs):
    outputs.node.subscribers[MARKERS] = 1
    outputs.serve()
    assert sent(outputs) == [0, 0, 1] and outputs.decoded == []
    outputs.node.subscribers.update({MARKERS: 0, IMAGE: 2})
    outputs.serve()
    assert sent(outputs) == [2, 0, 2] and len(outputs.decoded) == 1
    assert [marker.action for marker in outputs.node.sent[MARKERS][1].markers] == [Marker.DELETEALL]
    outputs.node.subscribers.update({IMAGE: 0, SHEET: 1})
    outputs.serve()
    assert sent(outputs) == [2, 1, 2] and len(outputs.decoded) == 2


def test_a_request_without_a_result_empties_what_is_kept_of_the_one_before(outputs):
    outputs.node.subscribers.update({MARKERS: 1, SHEET: 1})
    outputs.serve()
    (sheet,) = outputs.node.sent[SHEET]
    for _ in range(2):
        outputs.fail()
    assert (
        outputs.node.sent["~/scores"][-1].status == [] and outputs.node.sent["~/scores"][-1].header.stamp.nanosec == 6
    )
    assert len(outputs.node.sent["~/score_matrix"][-1].data) == 0
    assert sent(outputs) == [0, 2, 2], "once"
    empty = outputs.node.sent[SHEET][1]
    assert empty.header.stamp.nanosec == 6 and empty.height < sheet.height / 2
    assert [marker.action for marker in outputs.node.sent[MARKERS][1].markers] == [Marker.DELETEALL]
    outputs.serve()
    assert sent(outputs) == [0, 3, 3] and outputs.node.sent[SHEET][2].height == sheet.height


def test_the_video_of_a_request_ends_with_the_next_one_that_has_none(outputs):
    outputs.node.subscribers[IMAGE] = 1
    outputs.serve(playback_rate=1.0)
    outputs.node.timer()
    assert len(outputs.node.sent[IMAGE]) == 2
    outputs.serve(playback_rate=1.0)
    outputs.fail()
    outputs.node.timer()
    assert len(outputs.node.sent[IMAGE]) == 3, "the first frame of the second video"


def test_a_late_subscriber_is_not_given_the_sheet_of_an_earlier_request(outputs):
    outputs.node.subscribers[SHEET] = 1
    outputs.serve()
    outputs.node.subscribers[SHEET] = 0
    outputs.serve()
    drawn, kept = outputs.node.sent[SHEET]
    assert kept.height < drawn.height / 2
    outputs.node.subscribers[SHEET] = 1
    outputs.show()
    assert outputs.node.sent[SHEET][2].height == drawn.height


@pytest.mark.parametrize("topic, messages", [(IMAGE, 2), (SHEET, 1), (MARKERS, 1)])
def test_a_late_subscriber_gets_the_last_request_once(outputs, topic, messages):
    outputs.show()  # before the first request
    outputs.serve()
    outputs.node.subscribers[topic] = 1
    outputs.node.matched[topic](SimpleNamespace(current_count_change=1))
    outputs.node.matched[topic](SimpleNamespace(current_count_change=-1))
    assert outputs.refreshed == [True]
    outputs.show()
    outputs.show()
    assert len(outputs.node.sent[topic]) == messages


def test_late_markers_show_the_way_of_the_tool(outputs):
    outputs.serve()
    outputs.node.subscribers[MARKERS] = 1
    outputs.show()
    assert {marker.ns for marker in outputs.node.sent[MARKERS][0].markers} == {"tool_path", "label"}
    outputs.serve("no arm")  # nor does this model imagine the tool
    assert [marker.ns for marker in outputs.node.sent[MARKERS][1].markers] == ["tool_path"]
