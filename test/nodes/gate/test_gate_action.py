"""A real gate as an action server, between a client such as MoveIt and a controller, over DDS.

The imagine node is played here by rule, so that each way of a goal can be tried: it vetoes trajectories whose first
joint ends below 0, and says nothing of those that end at 0.
"""

import json
from hashlib import sha256
from types import SimpleNamespace

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("control_msgs.action", reason="control_msgs comes with ROS 2 and not from PyPI")

from action_msgs.msg import GoalStatus
from control_msgs.action import FollowJointTrajectory
from rclpy.action import ActionClient, ActionServer, CancelResponse, GoalResponse
from rclpy.serialization import deserialize_message
from std_msgs.msg import String
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from astra_ros.bridge.stamps import duration_of
from astra_ros.nodes.qos import LATCHED, reliable

pytestmark = [pytest.mark.ros, pytest.mark.slow]

ACTION, CONTROLLER = "/gate/follow_joint_trajectory", "/arm/follow_joint_trajectory"
Result, Feedback = FollowJointTrajectory.Result, FollowJointTrajectory.Feedback


def trajectory(end, stamp_s=0):
    points = [JointTrajectoryPoint(positions=[x], time_from_start=duration_of(s)) for x, s in ((0.0, 0.0), (end, 1.0))]
    msg = JointTrajectory(joint_names=["a"], points=points)
    msg.header.stamp.sec = stamp_s
    return msg


class Bench:
    """The imagine node, the controller and the client around the gate."""

    def __init__(self, graph):
        self.graph, node = graph, graph.node
        self.accepts, self.got, self.decided = True, [], 0
        self.records = node.create_publisher(String, "imagine/decision", LATCHED)
        node.create_subscription(JointTrajectory, "plans", self.decide, reliable(8), raw=True)
        self.client = ActionClient(node, FollowJointTrajectory, ACTION)
        self.server = None
        self.serve()

    def serve(self):
        """Offer the controller's action."""
        self.server = ActionServer(
            self.graph.node,
            FollowJointTrajectory,
            CONTROLLER,
            lambda handle: None,
            goal_callback=lambda _: GoalResponse.ACCEPT if self.accepts else GoalResponse.REJECT,
            handle_accepted_callback=self.got.append,
            cancel_callback=lambda _: CancelResponse.ACCEPT,
        )

    def decide(self, data):
        end = deserialize_message(data, JointTrajectory).points[-1].positions[0]
        if end == 0:
            return
        digest, verdict, self.decided = sha256(data).hexdigest(), "accepted" if end > 0 else "vetoed", self.decided + 1
        plan = {"sha256": digest, "verdict": verdict, "score": 0.8, "reasons": ["by rule"], "age_s": 0.0}
        choice = {"plan": "candidates/0", "sha256": digest, "withheld": ""}
        record = {"format": 1, "number": self.decided, "outcome": "handed_on", "choice": choice, "plans": [plan]}
        self.records.publish(String(data=json.dumps(record | {"timing": {"request_s": 0.0}})))

    def ready(self):
        self.graph.until(self.client.server_is_ready, "the gate's action")
        self.graph.status_says("gate: plans", b"\0", "")

    def send(self, goal):
        """A goal that the gate took: its handle, the feedback and the future result."""
        feedback = []
        sent = self.client.send_goal_async(goal, feedback_callback=lambda msg: feedback.append(msg.feedback))
        self.graph.until(sent.done, "the gate's answer to a goal")
        handle = sent.result()
        assert handle.accepted
        return SimpleNamespace(handle=handle, feedback=feedback, result=handle.get_result_async())

    def end(self, sent):
        """Status and result of a goal."""
        self.graph.until(sent.result.done, "a result")
        return sent.result.result().status, sent.result.result().result

    def taken(self, count):
        """The goal that the controller took as the ``count``-th."""
        return self.graph.until(lambda: len(self.got) == count and self.got[-1], "a goal at the controller")

    def finish(self, handle, end, **result):
        """Have the controller end a goal."""

        def execute(each):
            getattr(each, end)()
            return Result(**result)

        handle.execute(execute)


def goal_of(msg, **more):
    return FollowJointTrajectory.Goal(trajectory=msg, **more)


@pytest.fixture(scope="module")
def bench(graph):
    graph.start("gate", {"controller": CONTROLLER, "timeout_s": 3.0, "controller_timeout_s": 2.0})
    made = Bench(graph)
    made.ready()
    return made


def test_an_accepted_goal_is_executed_with_feedback_and_result(bench):
    bench.got.clear()
    goal = goal_of(trajectory(0.5), goal_time_tolerance=duration_of(0.25))
    sent = bench.send(goal)
    handle = bench.taken(1)
    assert handle.request == goal  # tolerances and all
    handle.publish_feedback(Feedback(joint_names=["a"], index=1))
    bench.graph.until(lambda: sent.feedback, "feedback")
    assert sent.feedback[0].index == 1
    bench.finish(handle, "succeed", error_string="arrived")
    status, result = bench.end(sent)
    assert status == GoalStatus.STATUS_SUCCEEDED and (result.error_code, result.error_string) == (0, "arrived")


@pytest.mark.parametrize(
    ("msg", "word"),
    [
        (trajectory(-0.5), "vetoed: by rule"),
        (trajectory(0.0), "no decision"),
        (JointTrajectory(), "joint_names"),
        (trajectory(0.5, stamp_s=2**31 - 1), "header.stamp"),
    ],
)
def test_any_other_goal_is_aborted_with_the_reason_and_never_reaches_the_controller(bench, msg, word):
    bench.got.clear()
    status, result = bench.end(bench.send(goal_of(msg)))
    assert status == GoalStatus.STATUS_ABORTED and result.error_code == Result.INVALID_GOAL
    assert word in result.error_string and not bench.got


def test_a_goal_with_joints_of_several_degrees_of_freedom_is_refused(bench):
    goal = goal_of(trajectory(0.5))
    goal.multi_dof_trajectory.joint_names = ["base"]
    status, result = bench.end(bench.send(goal))
    assert status == GoalStatus.STATUS_ABORTED and "multi_dof_trajectory" in result.error_string


def test_a_stamp_that_has_passed_becomes_0(bench):
    bench.got.clear()
    sent = bench.send(goal_of(trajectory(0.5, stamp_s=5)))
    handle = bench.taken(1)
    assert handle.request.trajectory == trajectory(0.5)
    bench.finish(handle, "abort", error_code=Result.PATH_TOLERANCE_VIOLATED, error_string="too far")
    status, result = bench.end(sent)
    assert status == GoalStatus.STATUS_ABORTED
    assert (result.error_code, result.error_string) == (Result.PATH_TOLERANCE_VIOLATED, "too far")


def test_a_cancel_goes_to_the_controller(bench):
    bench.got.clear()
    sent = bench.send(goal_of(trajectory(0.5)))
    handle = bench.taken(1)
    answer = sent.handle.cancel_goal_async()
    bench.graph.until(lambda: handle.is_cancel_requested, "the cancel at the controller")
    bench.finish(handle, "canceled", error_string="held")
    status, result = bench.end(sent)
    assert status == GoalStatus.STATUS_CANCELED and result.error_string == "held"
    assert answer.done() and len(answer.result().goals_canceling) == 1


def test_a_cancel_before_the_decision_ends_the_goal_there(bench):
    bench.got.clear()
    sent = bench.send(goal_of(trajectory(0.0)))
    sent.handle.cancel_goal_async()
    assert bench.end(sent)[0] == GoalStatus.STATUS_CANCELED and not bench.got


def test_of_two_goals_at_once_the_newer_counts(bench):
    bench.got.clear()
    first, second = bench.send(goal_of(trajectory(0.0))), bench.send(goal_of(trajectory(0.6)))
    status, result = bench.end(first)
    assert status == GoalStatus.STATUS_ABORTED and "newer plan" in result.error_string
    handle = bench.taken(1)
    # An accepted one takes the place of what is executed, which the controller here forgets; a vetoed one does not.
    status, _ = bench.end(bench.send(goal_of(trajectory(-0.5))))
    assert status == GoalStatus.STATUS_ABORTED and not second.result.done()
    third = bench.send(goal_of(trajectory(0.7)))
    newer = bench.taken(2)
    status, result = bench.end(second)
    assert status == GoalStatus.STATUS_ABORTED and "newer goal" in result.error_string
    bench.finish(handle, "abort")
    bench.finish(newer, "succeed")
    assert bench.end(third)[0] == GoalStatus.STATUS_SUCCEEDED


def test_a_goal_that_the_controller_rejects_is_aborted(bench):
    bench.accepts = False
    status, result = bench.end(bench.send(goal_of(trajectory(0.5))))
    bench.accepts = True
    assert status == GoalStatus.STATUS_ABORTED and "rejected" in result.error_string


def test_a_controller_that_goes_ends_its_goal_and_no_goal_starts_without_one(bench):
    bench.got.clear()
    sent = bench.send(goal_of(trajectory(0.5)))
    bench.taken(1)
    bench.server.destroy()
    status, result = bench.end(sent)
    assert status == GoalStatus.STATUS_ABORTED and CONTROLLER in result.error_string
    bench.graph.status_says("gate: plans", b"\1", CONTROLLER)
    status, result = bench.end(bench.send(goal_of(trajectory(0.5))))
    assert status == GoalStatus.STATUS_ABORTED and CONTROLLER in result.error_string
    bench.serve()
    bench.ready()


def test_a_gate_that_is_shut_down_stops_what_is_executed(bench):
    bench.got.clear()
    sent = bench.send(goal_of(trajectory(0.5)))
    handle = bench.taken(1)
    process = bench.graph.running.pop("gate")
    process.terminate()
    bench.graph.until(lambda: handle.is_cancel_requested, "the cancel at the controller")
    bench.finish(handle, "canceled")
    status, result = bench.end(sent)
    assert status == GoalStatus.STATUS_ABORTED and "shutting down" in result.error_string
    bench.graph.until(lambda: process.poll() is not None, "the end of the gate")
    assert process.returncode == 0
