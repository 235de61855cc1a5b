"""A robot_description that cannot be used: in the log once, in each score's reasons, and never a refused plan."""

import pytest

pytest.importorskip("rclpy")

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from std_msgs.msg import String
from still_arm import StillArm
from trajectory_msgs.msg import JointTrajectory

from astra_ros.bridge.trajectories import plan_to_trajectory
from astra_ros.nodes.qos import LATCHED, reliable
from astra_ros.simulation.arm.robots import ROBOTS, robot_description

pytestmark = [pytest.mark.ros, pytest.mark.slow]

OK, WARN = DiagnosticStatus.OK, DiagnosticStatus.WARN
WITHOUT = "imagined without the robot's render"


def test_what_is_wrong_with_the_description_is_said_and_the_last_good_one_stays(graph, make_plan):
    good = robot_description(ROBOTS["panda"], coarse=True)
    mesh = '<visual><geometry><mesh filename="package://nowhere/lost.stl"/></geometry></visual>'
    lost = good.replace("</link>", f"{mesh}</link>", 1)
    assert lost != good
    descriptions = graph.node.create_publisher(String, "robot_description", LATCHED)
    descriptions.publish(String(data=lost))
    graph.start("imagine", {"model": "tiny", "tool_link": "no_such_link", "settle_s": 0.0})
    plans = graph.publisher(JointTrajectory, "plans", reliable(5))
    scores = graph.listen(DiagnosticArray, "imagine/scores", LATCHED)
    plan = make_plan()
    world = StillArm(graph, plan.joint_names, plan.positions[0])

    def imagined():
        count = len(scores)
        plans.publish(plan_to_trajectory(plan))
        graph.until(lambda: world() or len(scores) > count, "scores")
        return scores[-1].status[-1]

    def values(name):
        return {pair.key: pair.value for pair in graph.status[f"imagine: {name}"].values}

    graph.status_says("imagine: model", OK, "loaded", world)
    graph.status_says("imagine: robot_description", WARN, "lost.stl", world)
    graph.status_says("imagine: camera", OK, "images arrive", world)
    for _ in range(2):
        assert WITHOUT in imagined().message
    log = graph.log("imagine")
    assert sum("lost.stl" in line for line in log.splitlines() if "[WARN]" in line) == 1
    descriptions.publish(String(data=good))
    graph.status_says("imagine: robot_description", OK, "a robot_description is there", world)
    assert WITHOUT not in imagined().message
    descriptions.publish(String(data="<robot"))
    graph.status_says("imagine: robot_description", WARN, "an earlier one is", world)
    assert WITHOUT not in imagined().message  # the last good one stays
    # Complaints of each kind have their own status, and no plan counts as refused.
    graph.status_says("imagine: markers", WARN, "no_such_link", world)
    assert values("plans")["plans_refused"] == "0" and values("robot_description")["descriptions_refused"] == "2"
    assert graph.stop() == {"imagine": 0}
