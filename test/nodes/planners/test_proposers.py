"""Planner nodes send no plan from an old state of the robot, and none for an old goal; over DDS in one process."""

import threading
import time

import pytest

pytest.importorskip("rclpy")

import rclpy
from nav_msgs.msg import Odometry, Path
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from astra_ros.control.planning_errors import AtGoal, NoPath
from astra_ros.nodes.planners import arm_planner, drive_planner, plan_source, proposer
from astra_ros.nodes.qos import LATCHED, reliable
from astra_ros.nodes.reports import OK, WARN
from astra_ros.plans.joint_plan import JointPlan

pytestmark = pytest.mark.ros

PATIENCE_S = 60.0
SHORT_S = 0.3


class HeldPlanner:
    """A planner that begins when it is asked and ends when it is let go. `goals`: of the plannings so far."""

    def __init__(self, settings):
        self.settings, self.goals, self.starts = settings, [], []
        self.go, self.error = threading.Semaphore(0), None

    def start(self):
        pass

    def close(self):
        self.go.release(100)

    def plan(self, initial, goal, urdf):
        self.starts.append(initial)
        self.goals.append(goal)
        self.go.acquire()
        if self.error:
            raise self.error
        return [JointPlan(("a",), [0.0, 1.0], [[initial["a"]], [goal["a"]]])]


class Bench:
    """A planner node and a node that talks to it, spun by hand."""

    def __init__(self, make, kind, **parameters):
        self.context = rclpy.Context()
        rclpy.init(args=[], context=self.context)
        given = [Parameter(name, value=value) for name, value in parameters.items()]
        self.node = Node("planner", context=self.context, parameter_overrides=given, use_global_arguments=False)
        self.other = Node("other", context=self.context, use_global_arguments=False)
        self.planner = make(self.node)
        self.executor = SingleThreadedExecutor(context=self.context)
        for node in (self.node, self.other):
            self.executor.add_node(node)
        self.plans, self._publishers = [], {}
        self.other.create_subscription(kind, "plans", self.plans.append, reliable(64))
        self.until(lambda: self.planner.listeners)

    def publish(self, topic, msg, qos=5):
        if topic not in self._publishers:
            made = self._publishers[topic] = self.other.create_publisher(type(msg), topic, qos)
            self.until(made.get_subscription_count)
        self._publishers[topic].publish(msg)

    def until(self, done):
        end_s = time.monotonic() + PATIENCE_S
        while not (found := done()):
            assert time.monotonic() < end_s, self.planner.status()
            self.executor.spin_once(timeout_sec=0.01)
        return found

    def call(self):
        client = self.other.create_client(Trigger, "planner/propose")
        self.until(client.service_is_ready)
        future = client.call_async(Trigger.Request())
        self.until(future.done)
        return future.result()

    def close(self):
        self.planner.close()
        self.executor.shutdown()
        self.node.destroy_node(), self.other.destroy_node()
        self.context.try_shutdown()


@pytest.fixture
def bench():
    made = []

    def make(*args, **parameters):
        made.append(Bench(*args, **parameters))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def arm(bench, monkeypatch):
    """An arm planner that has a description, with `joints` to publish and `goal` to send, and waits for both."""
    monkeypatch.setattr(arm_planner, "MotionPlanner", HeldPlanner)

    def make(**parameters):
        made = bench(arm_planner.ArmPlanner, JointTrajectory, period_s=0.0, **parameters)
        made.publish("robot_description", String(data="an arm"), LATCHED)
        made.joints = lambda **at: made.publish("joint_states", JointState(name=list(at), position=list(at.values())))
        made.goal = lambda at: made.publish("joint_goal", JointState(name=["a"], position=[at]), reliable(5))
        made.held = made.planner._planner
        return made

    return make


def ends(plans):
    return [msg.points[-1].positions[0] for msg in plans]


def test_candidates_for_an_old_goal_are_not_sent(arm):
    bench = arm(state_timeout_s=3600.0)
    bench.joints(a=0.0)
    bench.goal(1.0)
    bench.until(lambda: bench.held.goals)
    bench.goal(2.0)
    bench.until(lambda: bench.planner._goal == {"a": 2.0})
    bench.held.go.release()
    bench.until(lambda: len(bench.held.goals) == 2)
    status = bench.planner.status()
    assert "the goal changed" in status.message and status.values["plans_dropped"] == 1
    bench.held.go.release()
    bench.until(lambda: bench.plans)
    assert bench.held.goals == [{"a": 1.0}, {"a": 2.0}] and ends(bench.plans) == [2.0]


def test_the_same_goal_again_drops_nothing(arm):
    bench = arm(state_timeout_s=3600.0)
    bench.joints(a=0.0)
    bench.goal(1.0)
    bench.until(lambda: bench.held.goals)
    bench.goal(1.0)
    bench.until(lambda: bench.planner._due)
    bench.held.go.release()
    bench.until(lambda: len(bench.plans) == 1)
    assert bench.planner.status().values["plans_dropped"] == 0


def test_candidates_for_another_robot_are_not_sent(arm):
    bench = arm(state_timeout_s=3600.0)
    bench.joints(a=0.0)
    bench.goal(1.0)
    bench.until(lambda: bench.held.goals)
    bench.publish("robot_description", String(data="another arm"), LATCHED)
    bench.until(lambda: bench.planner._description == "another arm")
    bench.held.go.release()
    bench.until(lambda: len(bench.held.goals) == 2)
    assert not bench.plans and "robot_description changed" in bench.planner.status().message


def test_a_failure_for_an_old_goal_is_no_fault_of_the_new_one(arm):
    bench = arm(state_timeout_s=3600.0)
    bench.joints(a=0.0)
    bench.goal(1.0)
    bench.until(lambda: bench.held.goals)
    bench.goal(2.0)
    bench.until(lambda: bench.planner._goal == {"a": 2.0})
    bench.held.error = NoPath("no way")
    bench.held.go.release()
    bench.until(lambda: len(bench.held.goals) == 2)
    assert bench.planner.refused.count == 0
    bench.held.go.release()
    bench.until(lambda: bench.planner.refused.count)
    assert (bench.planner.status().level, bench.planner.status().message) == (WARN, "no way")
    bench.held.error = AtGoal("there already")
    bench.goal(3.0)
    bench.held.go.release()
    bench.until(lambda: "there already" in bench.planner.status().message)
    assert bench.planner.status().level == OK, "the last goal is reached"


def test_an_unexpected_error_is_told_and_the_next_goal_is_planned(arm):
    bench = arm(state_timeout_s=3600.0)
    bench.joints(a=0.0)
    bench.held.error = KeyError("a fault")
    bench.held.go.release()
    bench.goal(1.0)
    bench.until(lambda: bench.planner.refused.count)
    status = bench.planner.status()
    assert status.level == WARN and "KeyError" in status.message and "a fault" in status.message
    bench.held.error = None
    bench.held.go.release()
    bench.goal(2.0)
    bench.until(lambda: bench.plans)
    assert ends(bench.plans) == [2.0] and bench.planner.status().level == OK


@pytest.mark.parametrize("where", ["start", "plan_to_trajectory"])
def test_an_unexpected_error_before_or_after_planning_is_told_too(arm, monkeypatch, where):
    def fails(*_):
        raise TypeError("a fault")

    monkeypatch.setattr(*((HeldPlanner, "start") if where == "start" else (arm_planner, where)), fails)
    bench = arm(state_timeout_s=3600.0)
    bench.joints(a=0.0)
    bench.held.go.release()
    bench.goal(1.0)
    bench.until(lambda: bench.planner.refused.count)
    assert "TypeError" in bench.planner.refused.last
    monkeypatch.undo()
    bench.held.go.release()
    bench.goal(2.0)
    bench.until(lambda: 2.0 in ends(bench.plans))


def test_joint_states_that_stop_are_noticed_and_no_plan_is_sent(arm):
    bench = arm(state_timeout_s=SHORT_S)
    bench.joints(a=0.0)
    bench.until(bench.planner.stale)
    bench.goal(1.0)
    bench.until(lambda: bench.planner._due)
    reply, status = bench.call(), bench.planner.status()
    assert not reply.success and reply.message == status.message and status.level == WARN
    assert "joint state of a " in status.message and f"state_timeout_s = {SHORT_S}" in status.message
    assert not bench.held.goals, "nothing is planned from an old state"
    bench.until(lambda: bench.joints(a=0.5) or bench.held.goals)
    assert bench.held.starts == [{"a": 0.5}]
    bench.until(bench.planner.stale)
    bench.held.go.release()  # the joints went silent while it was planned
    bench.until(lambda: bench.planner.status().values["plans_dropped"])
    assert not bench.plans
    bench.held.go.release(100)
    bench.until(lambda: bench.joints(a=0.5) or bench.plans)


def test_one_joint_of_several_drivers_that_stops_is_noticed_too(arm):
    bench = arm(state_timeout_s=SHORT_S)
    bench.joints(a=0.0, gripper=0.1)
    bench.until(lambda: bench.planner._joints.heard)
    bench.until(lambda: bench.joints(a=0.0) or bench.planner.stale())
    bench.goal(1.0)
    assert "joint state of gripper " in bench.planner.stale() and not bench.held.goals


def odometry(x=0.0):
    msg = Odometry()
    msg.header.frame_id, msg.pose.pose.position.x, msg.pose.pose.orientation.w = "odom", x, 1.0
    return msg


def test_odometry_that_stops_is_noticed_and_no_path_is_sent(bench):
    bench = bench(drive_planner.DrivePlanner, Path, period_s=0.0, state_timeout_s=SHORT_S)
    assert bench.planner.status().level == WARN and not bench.call().success
    bench.until(lambda: bench.publish("odom", odometry()) or not bench.planner.missing())
    bench.until(bench.planner.stale)
    bench.planner.propose()
    reply, status = bench.call(), bench.planner.status()
    assert not reply.success and reply.message == status.message and status.level == WARN
    assert f"/odom within state_timeout_s = {SHORT_S}" in status.message and status.values["plans_sent"] == 0
    bench.until(lambda: bench.publish("odom", odometry()) or bench.planner.propose() or bench.plans)
    assert bench.planner.status().values["plans_sent"] > 0


def test_the_age_is_that_of_the_imagine_node_by_default():
    from astra_ros.nodes.imagine.settings import ImagineSettings

    assert proposer.RobotStateSettings().state_timeout_s == ImagineSettings().camera_timeout_s


@pytest.mark.parametrize("make", [arm_planner.ArmPlanner, drive_planner.DrivePlanner, plan_source.PlanSource])
def test_each_planner_follows_its_period(bench, make, monkeypatch):
    monkeypatch.setattr(arm_planner, "MotionPlanner", HeldPlanner)
    times = []
    monkeypatch.setattr(make, "propose", lambda self: times.append(time.monotonic()))
    bench = bench(make, JointTrajectory if make is not drive_planner.DrivePlanner else Path, period_s=0.0)
    assert bench.planner._timer.is_canceled()
    bench.node.set_parameters([Parameter("period_s", value=0.02)])
    bench.until(lambda: len(times) >= 3)
    bench.node.set_parameters([Parameter("period_s", value=0.0)])
    assert bench.planner._timer.is_canceled() and bench.planner.settings.period_s == 0.0
