"""Plan adapters: found by ROS type, and what the one of joint trajectories does."""

import numpy as np
import pytest

pytest.importorskip("rclpy")

from builtin_interfaces.msg import Time
from rclpy.serialization import deserialize_message, serialize_message
from std_msgs.msg import Float32MultiArray
from trajectory_msgs.msg import JointTrajectory

from astra_ros.bridge.plan_adapters import JOINT_TRAJECTORY, PLAN_ADAPTERS, PlanAdapter, plan_adapter
from astra_ros.bridge.trajectories import plan_to_trajectory
from astra_ros.nodes.imagine.bridge_readers import bridge_readers
from astra_ros.plans.action_spaces.joints import JointSpace
from astra_ros.plans.errors import PlanError
from astra_ros.plans.joint_plan import JointPlan
from astra_ros.registry import UnknownName
from astra_ros.robot.kinematics import KinematicsError

# A tool 1 m beside a joint that turns about z.
ARM = """<robot name="arm"><link name="base"/><link name="tool"/>
<joint name="a" type="continuous"><parent link="base"/><child link="turning"/><axis xyz="0 0 1"/></joint>
<link name="turning"/>
<joint name="on" type="fixed"><parent link="turning"/><child link="tool"/><origin xyz="1 0 0"/></joint></robot>"""
SPACE = JointSpace("arm", ("a",), (0.0,), (1.0,), (1.0,))


def test_every_adapter_says_what_a_node_asks_of_it():
    best = []
    for name in PLAN_ADAPTERS:
        pytest.importorskip(name.partition("/")[0])
        adapter = plan_adapter(name)
        package, _, message = name.partition("/msg/")
        assert adapter.message.__name__ == message and adapter.message.__module__.startswith(f"{package}.msg.")
        best.append(adapter.best_topic)
    assert JOINT_TRAJECTORY in PLAN_ADAPTERS and len(set(best)) == len(best)


def test_an_unknown_type_lists_the_known_ones():
    with pytest.raises(UnknownName) as error:
        plan_adapter("nav_msgs/msg/Odometry")
    assert error.value.name == "nav_msgs/msg/Odometry" and JOINT_TRAJECTORY in error.value.known


def test_joint_trajectories_become_plans_with_their_stamp():
    adapter, plan = plan_adapter(JOINT_TRAJECTORY), JointPlan(("a",), np.array([0.0, 1.0]), np.array([[0.0], [1.0]]))
    msg = plan_to_trajectory(plan, Time(sec=7, nanosec=5))
    assert adapter.stamp(msg) == Time(sec=7, nanosec=5) and adapter.start_topic == "joint_states"
    np.testing.assert_array_equal(adapter.to_plan(msg, "s/0").positions, plan.positions)
    begun = deserialize_message(adapter.without_stamp(serialize_message(msg)), JointTrajectory)
    assert begun.header.stamp == Time() and begun.points == msg.points
    with pytest.raises(PlanError) as error:
        bridge_readers({"s": adapter}).plan("s", "/plans", serialize_message(JointTrajectory()))
    assert error.value.thing == "/plans: plan 's'"


def test_messages_without_a_header_begin_when_they_are_handed_on():
    class Numbers(PlanAdapter):
        message = Float32MultiArray

        def to_plan(self, msg, name):
            raise AssertionError("not asked")

    assert Numbers().stamp(Float32MultiArray()) == Time() and Numbers().without_stamp(b"0123456789abcdef")[4:5] == b"4"


def test_the_tool_goes_where_the_description_says():
    adapter, motion = plan_adapter(JOINT_TRAJECTORY), np.array([[[0.0], [np.pi / 2]]])
    paths = adapter.tool_paths(SPACE, motion, ARM, "tool")
    np.testing.assert_allclose(paths, [[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]], atol=1e-12)
    with pytest.raises(KinematicsError):
        adapter.tool_paths(SPACE, motion, ARM, "hand")
