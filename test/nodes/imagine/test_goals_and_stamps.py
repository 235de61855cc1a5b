"""Goals that replace each other, plans that are stamped, have fingers or are never judged: real nodes over DDS."""

from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("rclpy")

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import PoseStamped
from rclpy.serialization import deserialize_message, serialize_message
from rosgraph_msgs.msg import Clock
from trajectory_msgs.msg import JointTrajectory

from astra_ros.bridge.trajectories import plan_to_trajectory
from astra_ros.nodes.client.node_specs import node_specs
from astra_ros.nodes.qos import LATCHED, reliable
from astra_ros.plans.joint_plan import JointPlan

pytestmark = [pytest.mark.ros, pytest.mark.slow]

OK, WARN = DiagnosticStatus.OK, DiagnosticStatus.WARN
NAME = "robot/imagine"
ACCEPTING = {"collision.veto_above": 1.0, "scoring.veto_below": 0.0, "auto_imagine": False}


@pytest.fixture(scope="module")
def bench(graph, small_model):
    """Simulator and imagine node in a namespace, with the clock there; the node imagines when it is asked."""
    for spec in node_specs({"model": str(small_model), "namespace": "robot"})[:2]:
        more = ACCEPTING if spec.executable == "imagine" else {}
        graph.start(spec.executable, spec.parameters | more, spec.remappings, spec.namespace)
    made = SimpleNamespace(
        graph=graph,
        plans=graph.publisher(JointTrajectory, "/robot/plans", reliable(64)),
        pose=graph.publisher(PoseStamped, "/robot/goal_pose", reliable(1)),
        scores=graph.listen(DiagnosticArray, "/robot/imagine/scores", LATCHED),
        best=graph.listen(JointTrajectory, "/robot/imagine/best_plan", reliable(10), raw=True),
        clock=graph.listen(Clock, "/robot/clock", reliable(10)),
    )
    graph.status_says(f"{NAME}: model", OK, "loaded")
    graph.status_says(f"{NAME}: goal", OK, "the goal image of /robot/goal_image counts")
    return made


def value(bench, part, key):
    """A value of a status, as it was last said."""
    return {v.key: v.value for v in bench.graph.status[f"{NAME}: {part}"].values}[key]


def ask(bench):
    """Call ~/imagine until it can answer; the scores, and the bytes of the best plan."""

    def answered():
        return (response := bench.graph.call("/robot/imagine/imagine")).success and response

    scored, handed = len(bench.scores), len(bench.best)
    bench.graph.until(answered, "a successful answer of ~/imagine")
    bench.graph.until(lambda: len(bench.scores) > scored and len(bench.best) > handed, "scores and a best plan")
    return bench.scores[-1], bench.best[-1]


def send(bench, *messages):
    """Send plans and wait until the node has taken or refused each."""
    before = int(value(bench, "plans", "candidates.received")) + int(value(bench, "plans", "plans_refused"))
    for message in messages:
        bench.plans.publish(message)
    bench.graph.until(
        lambda: (
            int(value(bench, "plans", "candidates.received")) + int(value(bench, "plans", "plans_refused"))
            >= before + len(messages)
        ),
        "plans taken or refused",
    )


def with_finger(plan, finger):
    positions = np.column_stack([plan.positions, finger])
    return JointPlan((*plan.joint_names, "panda_finger_joint1"), plan.times_s, positions)


def test_the_clock_of_a_namespace_is_its_own(bench):
    bench.graph.until(lambda: len(bench.clock) > 5, "the clock in the namespace")
    assert bench.graph.node.count_publishers("/clock") == 0


def test_the_newest_goal_counts_and_can_be_taken_back(bench, make_plan):
    send(bench, plan_to_trajectory(make_plan(0.2)))

    def kind():
        scores, _ = ask(bench)
        values = {pair.key: pair.value for pair in scores.status[0].values}
        assert ("goal_pose.raw" in values, "goal.raw" in values) == {
            "image": (True, True), "pose": (True, False), "none": (False, False)
        }[values["goal_kind"]]  # fmt: skip
        return values["goal_kind"]

    assert kind() == "image"
    pose = PoseStamped()
    pose.header.frame_id, pose.pose.position.x = "world", 0.5
    bench.pose.publish(pose)
    bench.graph.status_says(f"{NAME}: goal", OK, "the goal pose of /robot/goal_pose counts")
    assert kind() == "pose"
    pose.pose.position.x = 1e308
    bench.pose.publish(pose)
    bench.graph.status_says(f"{NAME}: goal", WARN, "goal_reach_m")
    assert kind() == "pose", "what is out of reach changes nothing"
    bench.graph.call("/robot/reset")
    bench.graph.until(lambda: value(bench, "goal", "goal_kind") == "image", "the goal image of the reset")
    assert kind() == "image"
    assert "goal image of /robot/goal_image" in bench.graph.call("/robot/imagine/clear_goal").message
    assert kind() == "none"
    assert "RuntimeWarning" not in bench.graph.log("imagine")


def test_a_plan_of_the_future_is_refused_and_one_of_the_past_begins_at_once(bench, make_plan):
    refused = int(value(bench, "plans", "plans_refused"))
    send(bench, plan_to_trajectory(make_plan(0.5), Time(sec=100_000)))
    assert int(value(bench, "plans", "plans_refused")) == refused + 1
    bench.graph.status_says(f"{NAME}: plans", WARN, "in the future, and a controller would wait")
    past = plan_to_trajectory(make_plan(0.3), Time(nanosec=1), "base")
    send(bench, *[past] * 8)  # nothing else is left to win
    made = deserialize_message(ask(bench)[1], JointTrajectory)
    assert made.header.stamp == Time()
    made.header.stamp = past.header.stamp
    assert made == past
    assert bench.graph.log("imagine").count("handed on with the stamp 0") == 1
    assert bench.graph.set_parameter("robot/imagine", "past_stamp", "pass").successful
    assert deserialize_message(ask(bench)[1], JointTrajectory) == past
    assert bench.graph.set_parameter("robot/imagine", "past_stamp", "refuse").successful
    response = bench.graph.call("/robot/imagine/imagine")
    assert not response.success and "in the past" in response.message
    assert bench.graph.set_parameter("robot/imagine", "past_stamp", "restamp").successful


def test_fingers_that_stand_still_go_along_and_moving_ones_need_a_parameter(bench, make_plan):
    still = serialize_message(plan_to_trajectory(with_finger(make_plan(0.2), [0.02] * 3)))
    send(bench, *[still] * 8)
    assert ask(bench)[1] == still, "byte for byte, with its finger"
    assert "plans also have panda_finger_joint1" in bench.graph.log("imagine")
    moving = plan_to_trajectory(with_finger(make_plan(0.2), [0.0, 0.04, 0.0]))
    send(bench, *[moving] * 8)
    response = bench.graph.call("/robot/imagine/imagine")
    assert not response.success and "also moves panda_finger_joint1" in response.message
    assert bench.graph.set_parameter("robot/imagine", "ignore_joints", ["panda_finger_joint1"]).successful
    assert deserialize_message(ask(bench)[1], JointTrajectory) == moving


def test_plans_that_are_never_judged_are_counted(bench, make_plan):
    ask(bench)  # those that are held are judged
    before = int(value(bench, "plans", "candidates.pushed_out"))
    send(bench, *[plan_to_trajectory(make_plan(0.1)) for _ in range(11)])
    bench.graph.status_says(f"{NAME}: plans", WARN, "newer ones took their places")
    assert int(value(bench, "plans", "candidates.pushed_out")) == before + 3
    assert value(bench, "plans", "candidates.never_judged") == value(bench, "plans", "candidates.pushed_out")
