"""A real gate between a planner's topic and a real imagine node."""

import json
import subprocess
import sys
from importlib.util import find_spec

import pytest

pytest.importorskip("rclpy")

from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.serialization import serialize_message
from std_msgs.msg import String
from still_arm import StillArm
from trajectory_msgs.msg import JointTrajectory

from astra_ros.bridge.trajectories import plan_to_trajectory
from astra_ros.nodes.qos import LATCHED, reliable
from astra_ros.simulation.arm.robots import ROBOTS, robot_description

pytestmark = [pytest.mark.ros, pytest.mark.slow]


def test_a_plan_passes_only_if_a_real_imagine_node_accepts_it(graph, small_model, make_plan):
    urdf = robot_description(ROBOTS["panda"], shapes=False)
    graph.node.create_publisher(String, "robot_description", LATCHED).publish(String(data=urdf))
    graph.start("gate", {"timeout_s": 60.0})
    answers = graph.listen(String, "gate/answer", reliable(16))
    passed = graph.listen(JointTrajectory, "gate/passed", reliable(16), raw=True)
    plans = graph.publisher(JointTrajectory, "plan", reliable(5))
    good, far = (serialize_message(plan_to_trajectory(make_plan(swing))) for swing in (0.3, 3.5))

    def ask(data, meanwhile=lambda: None):
        """The gate's answer to a plan."""
        before = len(answers)
        plans.publish(data)
        graph.until(lambda: meanwhile() or len(answers) > before, "an answer")
        return json.loads(answers[-1].data)

    # Nothing judges yet.
    graph.until(lambda: graph.node.count_publishers("/gate/answer"), "the gate")
    assert "/plans" in ask(good)["reason"]
    graph.status_says("gate: plans", DiagnosticStatus.WARN, "no imagine node takes plans on /plans")

    graph.start("imagine", {
        "model": str(small_model), "collision.veto_above": 1.0, "scoring.veto_below": 0.0, "candidates.keep": 1,
        "collision.risky_above": 1.0, "uncertainty.risky_above": 100.0, "scoring.risky_below": 0.0,
    })  # fmt: skip
    ready = make_plan()
    world = StillArm(graph, ready.joint_names, ready.positions[0])
    graph.status_says("imagine: model", DiagnosticStatus.OK, "loaded", world)
    world.until_its_limits_are_known()
    graph.status_says("gate: plans", DiagnosticStatus.OK, "", world)

    accepted = ask(good, world)
    assert accepted["passed"] and accepted["verdict"] == "accepted", accepted
    graph.until(lambda: passed, "the plan")
    vetoed = ask(far, world)
    assert not vetoed["passed"] and vetoed["verdict"] == "vetoed" and "panda_joint1" in vetoed["reason"]
    assert ask(good, world)["passed"]  # an equal plan is judged anew
    late = plan_to_trajectory(make_plan(0.3))
    late.header.stamp = graph.node.get_clock().now().to_msg()
    late.header.stamp.sec += 60
    assert "header.stamp" in ask(serialize_message(late), world)["reason"]
    late.header.stamp.sec -= 120
    assert ask(serialize_message(late), world)["passed"]
    assert "joint_names" in ask(serialize_message(JointTrajectory()), world)["reason"]
    assert graph.set_parameter("imagine", "scoring.risky_below", 1.0).successful
    risky = ask(good, world)
    assert not risky["passed"] and risky["verdict"] == "risky"
    assert graph.set_parameter("gate", "pass_risky", True).successful
    assert ask(good, world)["passed"]
    graph.until(lambda: len(passed) >= 4, "all that passed")
    assert [bytes(each) for each in passed] == [good] * 4  # a stamp that has passed became 0

    # All that a planner sends faster than plans are judged is answered, and some of it passes.
    before = len(answers)
    for _ in range(4):
        plans.publish(good)
    graph.until(lambda: world() or len(answers) == before + 4, "four answers")
    told = [json.loads(each.data) for each in answers[before:]]
    assert any(each["passed"] for each in told) and told[-1]["passed"]
    assert all(each["passed"] or "newer plan" in each["reason"] for each in told)

    # No camera: no decision, and nothing passes.
    assert graph.set_parameter("gate", "timeout_s", 1.0).successful
    graph.status_says("imagine: camera", DiagnosticStatus.ERROR, "silent")
    count = len(passed)
    assert not ask(good)["passed"] and len(passed) == count
    assert graph.stop() == {"gate": 0, "imagine": 0}


@pytest.mark.skipif(find_spec("control_msgs") is not None, reason="control_msgs is installed")
def test_a_controller_without_its_action_type_is_named():
    command = [sys.executable, "-m", "astra_ros.nodes.gate.node", "--ros-args", "-p", "controller:=arm/follow"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 1 and "control_msgs" in ended.stdout + ended.stderr
