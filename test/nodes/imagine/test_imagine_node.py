"""Simulator and imagine node as real processes over DDS: what goes in, what comes out."""

import numpy as np
import pytest
import yaml

pytest.importorskip("rclpy")

from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped
from imagine_processes import DT_NS, ERROR, HORIZON, OK, PLANS, WARN, ask, imagined_by, send, start
from rclpy.qos import DurabilityPolicy, ReliabilityPolicy
from sensor_msgs.msg import Image
from visualization_msgs.msg import Marker

from astra_ros.bridge.scores import diagnostics_to_scores
from astra_ros.bridge.stamps import to_nanoseconds
from astra_ros.bridge.trajectories import plan_to_trajectory
from astra_ros.critics import DEFAULT_CRITICS, load_critic
from astra_ros.nodes.client.node_specs import RVIZ_FILE
from astra_ros.nodes.qos import LATCHED, reliable
from astra_ros.resources import resource_path

pytestmark = [pytest.mark.ros, pytest.mark.slow]


@pytest.fixture(scope="module")
def bench(graph, small_model):
    return start(graph, small_model)


@pytest.fixture
def imagined(bench, make_plan):
    return imagined_by(bench, make_plan)


def test_eight_plans_in_eight_scores_out(bench, imagined):
    scores = diagnostics_to_scores(imagined.scores)
    assert [score.name for score in scores] == [f"candidates/{k}" for k in range(PLANS)]
    assert sorted(score.rank for score in scores) == list(range(PLANS))
    assert all(0.0 <= score.score <= 1.0 for score in scores)
    # Some critics are for bases and not enabled.
    asked = [name for name in DEFAULT_CRITICS if load_critic(name).settings_class().enabled]
    assert all(list(score.critics) == asked for score in scores)
    ordered = [score.score for score in sorted(scores, key=lambda score: score.rank)]
    assert ordered == sorted(ordered, reverse=True)
    rows, columns = imagined.matrix.layout.dim
    assert (rows.size, columns.size) == (PLANS, 1 + len(asked))
    matrix = np.array(imagined.matrix.data).reshape(PLANS, -1)
    np.testing.assert_allclose(matrix[:, 0], [score.score for score in scores], rtol=1e-4)


def test_headers_are_the_source_images(bench, imagined):
    stamps = {to_nanoseconds(image.header.stamp) for image in bench.camera}
    source = to_nanoseconds(imagined.scores.header.stamp)
    assert source in stamps
    frame_ids = {imagined.scores.header.frame_id, *(f.header.frame_id for f in imagined.video)}
    assert frame_ids == {bench.camera[-1].header.frame_id} == {"camera"}
    video = [to_nanoseconds(frame.header.stamp) - source for frame in imagined.video]
    assert video == [(k + 1) * DT_NS for k in range(HORIZON)]


def test_imagined_frames_are_images(imagined):
    for frame in imagined.video:
        assert (frame.encoding, frame.width, frame.height, frame.step) == ("rgb8", 64, 64, 192)
        assert len(frame.data) == 64 * 192 and not frame.is_bigendian


def test_markers_are_in_the_world(imagined):
    drawn = imagined.markers.markers
    assert drawn[0].action == Marker.DELETEALL
    assert {marker.header.frame_id for marker in drawn} == {"world"}
    paths = [marker for marker in drawn[1:] if marker.ns == "tool_path"]
    assert [marker.id for marker in paths] == list(range(PLANS))
    # From the robot's description: a swing of the base joint moves the tool sideways, at one height.
    first = np.array([(p.x, p.y, p.z) for p in paths[0].points])
    assert first.shape == (HORIZON + 1, 3)
    assert np.ptp(first[:, 2]) < 1e-6 and np.ptp(first[:, 1]) > 0.05


def test_the_winner_is_handed_on_byte_for_byte(imagined):
    scores = diagnostics_to_scores(imagined.scores)
    winner = next(k for k, score in enumerate(scores) if score.rank == 0)
    assert imagined.best == imagined.sent[winner]


def test_nothing_is_handed_on_when_all_are_vetoed(bench, imagined):
    graph = bench.graph
    assert graph.set_parameter("imagine", "collision.veto_above", 0.0).successful
    before = len(bench.best)
    message, scores = ask(bench)
    assert "all vetoed" in message
    assert {status.level for status in scores.status} == {ERROR}
    assert graph.set_parameter("imagine", "collision.veto_above", 1.0).successful
    _, scores = ask(bench)
    graph.until(lambda: len(bench.best) > before, "a best plan")
    assert len(bench.best) == before + 1  # of the second request only


def test_a_plan_is_handed_on_once_unless_asked_for(bench, imagined, make_plan):
    before, scored = len(bench.best), len(bench.scores)
    # A plan that cannot be imagined comes, and the old winner wins again.
    send(bench, [plan_to_trajectory(make_plan(joint_names=["panda_joint1", "panda_joint2"]))])
    bench.graph.until(lambda: len(bench.scores) > scored, "scores")
    winner = next(s.name for s in diagnostics_to_scores(bench.scores[-1]) if s.rank == 0)
    was = next(s.name for s in diagnostics_to_scores(imagined.scores) if s.rank == 0)
    # The oldest of eight made way, so that the names moved by one; nothing to see if it had won.
    if was != "candidates/0":
        assert int(winner[-1]) == int(was[-1]) - 1
        assert len(bench.best) == before
    ask(bench)
    bench.graph.until(lambda: len(bench.best) > before, "the best plan, asked for")


def test_any_plans_video_can_be_shown(bench, imagined):
    scores = diagnostics_to_scores(imagined.scores)
    last = next(score.name for score in scores if score.rank == PLANS - 1)
    bench.video.clear()
    assert bench.graph.set_parameter("imagine", "show_plan", last).successful
    best = [bytes(frame.data) for frame in imagined.video]

    def others():  # plans that came in two bursts are imagined twice, so the best one's video may come once more
        newest = [bytes(frame.data) for frame in bench.video[-HORIZON:]]
        return len(newest) == HORIZON and newest != best and not set(newest) & set(best)

    bench.graph.until(others, "the other plan's video")
    bench.graph.set_parameter("imagine", "show_plan", "")


def test_who_comes_late_gets_the_last_pictures_and_numbers(bench, imagined):
    graph = bench.graph
    sheets = graph.listen(Image, "imagine/imagined/contact_sheet", LATCHED)
    scores = graph.listen(DiagnosticArray, "imagine/scores", LATCHED)
    graph.until(lambda: sheets and scores, "latched outputs")
    assert scores[0] == bench.scores[-1]
    assert sheets[0].header == bench.scores[-1].header
    assert sheets[0].encoding == "rgb8" and sheets[0].width > 500 and sheets[0].height > 500
    assert len(set(bytes(sheets[0].data))) > 50  # not an empty page


def test_the_service_answers_and_weights_change_scores(bench, imagined):
    graph = bench.graph
    message, first = ask(bench)
    assert message.startswith("8 plans imagined in ") and "best is candidates/" in message
    assert graph.set_parameter("imagine", "smoothness.weight", 5).successful
    _, second = ask(bench)
    assert graph.set_parameter("imagine", "smoothness.weight", 0.05).successful
    costs = [diagnostics_to_scores(scores)[0].critics["smoothness"] for scores in (first, second)]
    assert [cost.weight for cost in costs] == [0.05, 5.0]


def test_a_goal_pose_goes_before_where_the_goal_image_shows_the_object(bench, imagined):
    assert all(
        "where the goal image shows it" in " ".join(score.reasons) for score in diagnostics_to_scores(imagined.scores)
    )
    pose = PoseStamped()
    pose.header.frame_id = "map"
    publisher = bench.graph.publisher(PoseStamped, "goal_pose", reliable(1))
    bench.graph.status_says("imagine: goal", WARN, "the pose is in the frame 'map'", lambda: publisher.publish(pose))
    pose.header.frame_id = "world"
    pose.pose.position.x = 2.0

    def judged():
        publisher.publish(pose)
        _, scores = ask(bench)
        score = diagnostics_to_scores(scores)[0]
        return score.critics["goal_pose"] if "m from the goal pose" in " ".join(score.reasons) else None

    critic = bench.graph.until(judged, "scores with the goal pose")
    assert critic.weight == 1.0 and critic.raw > 1.0


def test_health_has_what_is_needed_to_find_a_fault(bench, imagined, small_model):
    status = bench.graph.status_says("imagine: model", OK, "loaded")
    values = {pair.key: pair.value for pair in status.values}
    assert values["name"] == "small" and values["path"] == str(small_model)
    assert "torch" in values["runs_on"] and "cpu" in values["runs_on"]
    assert values["backend"] == "torch" and values["device"] == "cpu" and len(values["sha256"]) == 64
    assert values["sha256"] in bench.graph.log("imagine")
    values = {pair.key: pair.value for pair in bench.graph.status["imagine: requests"].values}
    assert float(values["last_latency_ms"]) > 0.0 and int(values["requests_done"]) > 0


def test_scores_are_never_on_diagnostics(bench, imagined):
    assert not [name for name in bench.graph.status if name.startswith("candidates/")]


def endpoint(infos, node):
    return next(info for info in infos if info.node_name == node)


def test_quality_of_service(bench):
    about = bench.graph.node
    camera = endpoint(about.get_subscriptions_info_by_topic("/camera/image_raw"), "imagine")
    assert camera.qos_profile.reliability == ReliabilityPolicy.BEST_EFFORT
    latched = ("scores", "score_matrix", "plan_markers", "imagined/contact_sheet")
    for name in (*latched, "best_plan", "imagined/image"):
        profile = endpoint(about.get_publishers_info_by_topic(f"/imagine/{name}"), "imagine").qos_profile
        assert profile.reliability == ReliabilityPolicy.RELIABLE, name
        keeps = profile.durability == DurabilityPolicy.TRANSIENT_LOCAL
        assert keeps == (name in latched), name


RVIZ_TYPES = {
    "rviz_default_plugins/Image": "sensor_msgs/msg/Image",
    "rviz_default_plugins/MarkerArray": "visualization_msgs/msg/MarkerArray",
}


def test_rviz_listens_to_what_is_really_published(bench):
    view = yaml.safe_load(resource_path(RVIZ_FILE).read_text())["Visualization Manager"]
    assert view["Global Options"]["Fixed Frame"] == "world"
    displays = [display for display in view["Displays"] if "Topic" in display]
    assert {display["Name"] for display in displays} >= {"Camera", "Imagined video", "Contact sheet", "Plans"}
    for display in displays:
        topic = display["Topic"]
        (info,) = bench.graph.node.get_publishers_info_by_topic(topic["Value"])
        assert info.topic_type == RVIZ_TYPES[display["Class"]], topic
        profile = info.qos_profile
        # Equal durability: a volatile display would miss what was sent before, and a latched one
        # does not connect to a volatile publisher.
        assert topic["Durability Policy"].replace(" ", "_").upper() == profile.durability.name, topic
        if topic["Reliability Policy"] == "Reliable":
            assert profile.reliability == ReliabilityPolicy.RELIABLE, topic


@pytest.mark.parametrize("name", ["simulator", "imagine"])
def test_sigint_ends_a_node_cleanly(bench, name):
    # The last test of this file: nothing runs afterwards.
    codes = bench.graph.stop()
    log = bench.graph.log(name)
    assert codes[name] == 0, log[-4000:]
    assert "Traceback" not in log and "never retrieved" not in log
