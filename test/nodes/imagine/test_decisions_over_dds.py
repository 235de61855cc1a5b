"""A real node: a plan beyond a limit is vetoed with its numbers, and each request has a record on ~/decision."""

import json
from hashlib import sha256

import pytest

pytest.importorskip("rclpy")

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.serialization import serialize_message
from std_msgs.msg import String
from still_arm import StillArm
from trajectory_msgs.msg import JointTrajectory

from astra_ros.bridge.scores import diagnostics_to_scores
from astra_ros.bridge.trajectories import plan_to_trajectory
from astra_ros.nodes.qos import LATCHED, reliable
from astra_ros.plans.errors import Breach
from astra_ros.simulation.arm.robots import ROBOTS, robot_description

pytestmark = [pytest.mark.ros, pytest.mark.slow]


def test_a_plan_beyond_a_limit_is_vetoed_and_the_choice_is_on_record(graph, small_model, make_plan, tmp_path):
    urdf = robot_description(ROBOTS["panda"], shapes=False)
    graph.node.create_publisher(String, "robot_description", LATCHED).publish(String(data=urdf))
    graph.start("imagine", {
        "model": str(small_model), "collision.veto_above": 1.0, "scoring.veto_below": 0.0, "candidates.keep": 2,
        "settle_s": 1000.0, "decisions.file": str(tmp_path / "decisions.jsonl"),
    })  # fmt: skip
    plans = graph.publisher(JointTrajectory, "plans", reliable(5))
    best = graph.listen(JointTrajectory, "imagine/best_plan", reliable(10), raw=True)
    good, far, farther = (serialize_message(plan_to_trajectory(make_plan(swing))) for swing in (0.3, 3.5, -3.5))
    ready = make_plan()
    world = StillArm(graph, ready.joint_names, ready.positions[0])
    graph.status_says("imagine: model", DiagnosticStatus.OK, "loaded", world)
    graph.status_says("imagine: camera", DiagnosticStatus.OK, "images arrive", world)
    world.until_its_limits_are_known()
    scores = graph.listen(DiagnosticArray, "imagine/scores", LATCHED)
    records = graph.listen(String, "imagine/decision", LATCHED)
    plans.publish(good), plans.publish(far)
    graph.until(lambda: world() or (best and records), "the good plan, and a record")
    assert [bytes(each) for each in best] == [good]
    accepted, vetoed = diagnostics_to_scores(scores[-1])
    assert accepted.breach is None and vetoed.verdict == "vetoed" and vetoed.critics == {}
    assert vetoed.breach == Breach("position", "panda_joint1", 2.0, 3.5, 2.9671, "rad")
    record = json.loads(records[-1].data)
    assert record["choice"]["plan"] == "candidates/0" and record["choice"]["sha256"] == sha256(good).hexdigest()
    assert [each["sha256"] for each in record["plans"]] == [sha256(each).hexdigest() for each in (good, far)]
    assert record["plans"][0]["score"] == pytest.approx(accepted.score, rel=1e-5)
    assert record["critics"]["goal"]["scored"] is False and "goal" not in record["plans"][0]["critics"]
    assert record["inputs"]["robot_description_sha256"] == sha256(urdf.encode()).hexdigest()
    # All break a limit: the scores and the record say so, and nothing is handed on.
    plans.publish(far), plans.publish(farther)
    graph.until(lambda: world() or len(records) == 2, "a second record")
    second = json.loads(records[-1].data)
    assert second["outcome"] == "none" and second["choice"]["plan"] == "" and len(best) == 1
    assert [score.verdict for score in diagnostics_to_scores(scores[-1])] == ["vetoed", "vetoed"]
    file = tmp_path / "decisions.jsonl"  # written behind the topic
    graph.until(lambda: len(file.read_text().splitlines()) == 2, "the second line")
    assert [json.loads(line) for line in file.read_text().splitlines()] == [record, second]
    assert graph.stop() == {"imagine": 0}
