"""What goes into the imagine node over DDS: plans in any order; wrong parameters, images and plans; a silent camera."""

from array import array

import numpy as np
import pytest

pytest.importorskip("rclpy")

from builtin_interfaces.msg import Duration
from imagine_processes import ERROR, OK, PLANS, WARN, ask, imagined_by, send, start
from sensor_msgs.msg import Image

from astra_ros.bridge.images import rgb_to_image
from astra_ros.bridge.scores import diagnostics_to_scores
from astra_ros.bridge.trajectories import plan_to_trajectory
from astra_ros.nodes.qos import reliable

pytestmark = [pytest.mark.ros, pytest.mark.slow]


@pytest.fixture(scope="module")
def bench(graph, small_model):
    return start(graph, small_model)


@pytest.fixture
def imagined(bench, make_plan):
    return imagined_by(bench, make_plan)


@pytest.mark.parametrize(
    "name, value, words",
    [
        ("collision.weight", -1.0, "range"),
        ("collision.weight", "much", "expected float"),
        ("horizon", 0, "Min: 1, Max: 256"),
        ("camera_timeout_s", 0.0, "Min: 0.001, Max: 3600"),
        ("model", "other", "read-only"),
    ],
)
def test_a_bad_parameter_is_refused_with_the_reason(bench, name, value, words):
    result = bench.graph.set_parameter("imagine", name, value)
    assert not result.successful and words in result.reason


def broken_image(bench, **changes):
    msg = rgb_to_image(np.zeros((128, 128, 3), np.uint8), bench.camera[-1].header.stamp, "camera")
    for name, value in changes.items():
        setattr(msg, name, value)
    return msg


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"step": 5}, "step is 5 bytes"),
        ({"height": 500}, "data has 49152 bytes"),
        ({"data": array("B", b"xy")}, "data has 2 bytes"),
        ({"encoding": "magic"}, "unknown encoding 'magic'"),
    ],
)
def test_a_bad_image_is_reported_and_the_good_ones_still_count(bench, imagined, changes, words):
    graph = bench.graph
    camera = graph.publisher(Image, "camera/image_raw", reliable(5), listeners=2)
    image = broken_image(bench, **changes)
    status = graph.status_says("imagine: camera", ERROR, words, lambda: camera.publish(image))
    assert status.message.startswith("/camera/image_raw: ")
    graph.node.destroy_publisher(camera)
    assert words in graph.log("imagine")
    ask(bench)


def broken_trajectory(make_plan, kind):
    msg = plan_to_trajectory(make_plan())
    if kind == "empty":
        msg.points = []
    elif kind == "nameless":
        msg.joint_names = []
    elif kind == "not finite":
        msg.points[1].positions[2] = float("nan")
    elif kind == "unsorted":
        msg.points[2].time_from_start = Duration(sec=1)
    elif kind == "count":
        msg.points[0].positions = [0.0]
    return msg


@pytest.mark.parametrize(
    "kind, words",
    [
        ("empty", "no points"),
        ("nameless", "joint_names is empty"),
        ("not finite", "nan"),
        ("unsorted", "increase strictly"),
        ("count", "point 0 has 1 positions for 7 joints"),
    ],
)
def test_a_bad_trajectory_is_reported_and_the_others_stay(bench, imagined, make_plan, kind, words):
    send(bench, [broken_trajectory(make_plan, kind)])
    bench.graph.status_says("imagine: plans", WARN, words)
    _, scores = ask(bench)
    assert len(scores.status) == PLANS


def test_a_plan_of_other_joints_is_refused_and_the_others_scored(bench, imagined, make_plan):
    plan = make_plan(joint_names=["panda_joint1", "panda_joint2"])
    send(bench, [plan_to_trajectory(plan)])
    status = bench.graph.status_says("imagine: plans", WARN, "moves the joints panda_joint1, panda_j")
    assert "panda_joint1, panda_joint2" in status.message and "panda_joints: " in status.message
    message, scores = ask(bench)
    assert "; 1 refused" in message
    assert [status.name for status in scores.status] == [f"candidates/{k}" for k in range(7)]


def test_joint_order_does_not_matter(bench, imagined, make_plan):
    plan = make_plan()
    turned = make_plan(joint_names=plan.joint_names[::-1])
    before = len(bench.scores)
    send(bench, [plan_to_trajectory(each) for each in [plan, turned] * 4])
    bench.graph.until(lambda: len(bench.scores) > before, "scores")
    scores = [score.score for score in diagnostics_to_scores(bench.scores[-1])]
    assert scores[0] == pytest.approx(scores[1], rel=1e-3)


def test_a_cleared_history_fills_again(bench, imagined):
    def refused():  # where this process has to wait for its turn, the history may be full again
        assert bench.graph.call("/imagine/reset_history").success
        response = bench.graph.call("/imagine/imagine")
        return not response.success and response

    assert "frame" in bench.graph.until(refused, "a request is refused for want of frames").message
    ask(bench)


def test_a_silent_camera_is_an_error_until_it_speaks_again(bench, imagined):
    graph = bench.graph
    assert graph.set_parameter("simulator", "real_time_factor", 0.0001).successful
    status = graph.status_says("imagine: camera", ERROR, "silent for")
    values = {pair.key: pair.value for pair in status.values}
    assert float(values["age_s"]) > 2.0
    response = graph.call("/imagine/imagine")
    assert not response.success and "silent" in response.message
    assert graph.set_parameter("simulator", "real_time_factor", 1.0).successful
    graph.status_says("imagine: camera", OK, "images arrive")
    ask(bench)
