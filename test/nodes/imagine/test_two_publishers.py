"""A second publisher of the arm's joints, over DDS: the node withholds plans and names it until it stops."""

import pytest

pytest.importorskip("rclpy")

from diagnostic_msgs.msg import DiagnosticStatus
from sensor_msgs.msg import JointState
from still_arm import StillArm
from trajectory_msgs.msg import JointTrajectory

from astra_ros.bridge.trajectories import plan_to_trajectory
from astra_ros.nodes.qos import reliable

pytestmark = [pytest.mark.ros, pytest.mark.slow]

WARN = DiagnosticStatus.WARN


def test_plans_wait_as_long_as_two_publishers_contradict_each_other(graph, small_model, make_plan):
    graph.start("imagine", {"model": str(small_model), "collision.veto_above": 1.0, "scoring.veto_below": 0.0})
    second = graph.publisher(JointState, "joint_states", 5)
    plans = graph.publisher(JointTrajectory, "plans", reliable(5))
    best = graph.listen(JointTrajectory, "imagine/best_plan", reliable(10))
    plan = make_plan()
    arm = StillArm(graph, plan.joint_names, plan.positions[0])
    elsewhere = JointState(name=list(plan.joint_names), position=(plan.positions[0] + 1.0).tolist())
    jumping = f"'{plan.joint_names[0]}'"
    beats = {"count": 0}

    def world(contradict=True):
        beats["count"] += 1
        if contradict and beats["count"] % 2:
            second.publish(elsewhere)
        arm()

    graph.status_says("imagine: model", DiagnosticStatus.OK, "loaded", world)
    graph.status_says("imagine: camera", DiagnosticStatus.OK, "images arrive", world)
    graph.status_says("imagine: plans", WARN, jumping, world)
    status = graph.status_says("imagine: joint_states", WARN, jumping, world)
    values = {pair.key: pair.value for pair in status.values}
    assert values["joints_of_two_publishers"] == ", ".join(plan.joint_names) and plan.joint_names[0] in status.message
    plans.publish(plan_to_trajectory(plan))
    graph.status_says("imagine: requests", WARN, jumping, world)
    assert not best and graph.log("imagine").count("[WARN]") >= 1
    graph.until(lambda: world(contradict=False) or best, "the plan that has waited")
    graph.until(lambda: "joint states: all right again" in graph.log("imagine"), "the end of it in the log")
    assert graph.stop() == {"imagine": 0}
