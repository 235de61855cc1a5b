"""Trajectories, joint states and stamps, to plans and back."""

import numpy as np
import pytest

pytest.importorskip("rclpy")

from builtin_interfaces.msg import Duration, Time
from sensor_msgs.msg import JointState
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from astra_ros.bridge import BridgeError
from astra_ros.bridge.stamps import duration_of, later, stamp_of, to_seconds
from astra_ros.bridge.trajectories import (
    joint_state_to_positions,
    plan_to_trajectory,
    positions_to_joint_state,
    trajectory_to_plan,
)
from astra_ros.plans.errors import PlanError
from astra_ros.plans.joint_plan import JointPlan


def trajectory(names=("a", "b"), points=((0.0, (1.0, 2.0)), (0.5, (3.0, 4.0)))):
    msg = JointTrajectory(joint_names=list(names))
    msg.points = [
        JointTrajectoryPoint(positions=list(map(float, p)), time_from_start=duration_of(t)) for t, p in points
    ]
    return msg


def without_positions(instead):
    msg = trajectory()
    for point in msg.points:
        point.positions = []
        setattr(point, instead, [0.1, 0.1])
    return msg


def test_trajectory_to_plan():
    plan = trajectory_to_plan(trajectory(), "s/0")
    assert plan.joint_names == ("a", "b") and plan.name == "s/0"
    np.testing.assert_array_equal(plan.times_s, [0.0, 0.5])
    np.testing.assert_array_equal(plan.positions, [[1.0, 2.0], [3.0, 4.0]])


def test_velocities_and_accelerations_count_where_all_points_state_them():
    msg = trajectory()
    msg.points[0].velocities, msg.points[1].velocities = [0.1, 0.2], [0.3, 0.4]
    msg.points[0].accelerations = [1.0, 1.0]
    plan = trajectory_to_plan(msg, "s/0")
    np.testing.assert_array_equal(plan.velocities, [[0.1, 0.2], [0.3, 0.4]])
    assert plan.accelerations is None
    assert [list(point.velocities) for point in plan_to_trajectory(plan).points] == [[0.1, 0.2], [0.3, 0.4]]
    msg.points[1].velocities = [0.3]
    with pytest.raises(PlanError, match="1 velocities for 2 joints") as caught:
        trajectory_to_plan(msg, "s/0")
    assert (caught.value.index, caught.value.found) == (1, 1)


@pytest.mark.parametrize(
    "msg, words",
    [
        (JointTrajectory(), "joint_names is empty"),
        (trajectory(points=()), "no points"),
        (trajectory(names=("a",)), "point 0 has 2 positions for 1 joints"),
        (trajectory(points=((0.0, (1, 2)), (1.0, (1,)))), "point 1 has 1 positions for 2 joints"),
        (trajectory(points=((0.0, (1, 2)), (1.0, (1, float("nan"))))), "nan"),
        (trajectory(points=((0.0, (1, float("inf"))),)), "inf"),
        (trajectory(points=((1.0, (1, 2)), (0.5, (1, 2)))), "increase"),
        (trajectory(points=((1.0, (1, 2)), (1.0, (1, 2)))), "increase"),
        (trajectory(points=((-1.0, (1, 2)),)), ">= 0"),
        (trajectory(names=("a", "a")), "a"),
        (trajectory(points=((0.0, (1, 2)), (0.0, (3, 4)))), "not time-parameterised"),
        (without_positions("velocities"), "point 0 has velocities and no positions"),
        (without_positions("accelerations"), "point 0 has accelerations and no positions"),
        (without_positions("effort"), "point 0 has effort and no positions"),
    ],
)
def test_a_broken_trajectory_is_refused_with_plan_and_reason(msg, words):
    with pytest.raises(PlanError) as error:
        trajectory_to_plan(msg, "s/7")
    assert error.value.thing == "plan 's/7'" and words in str(error.value)


def test_plan_to_trajectory_and_back():
    plan = JointPlan(("x", "y"), np.array([0.25, 1.0]), np.array([[0.1, 0.2], [0.3, 0.4]]), "p")
    msg = plan_to_trajectory(plan, Time(sec=7), "world")
    assert msg.header.stamp.sec == 7 and msg.header.frame_id == "world"
    assert (msg.points[0].time_from_start.sec, msg.points[0].time_from_start.nanosec) == (0, 250000000)
    back = trajectory_to_plan(msg, "p")
    np.testing.assert_array_equal(back.positions, plan.positions)
    np.testing.assert_array_equal(back.times_s, plan.times_s)


def test_joint_state_both_ways():
    msg = positions_to_joint_state(["a", "b"], np.array([0.5, -1.0]), Time(sec=1))
    assert joint_state_to_positions(msg) == {"a": 0.5, "b": -1.0}
    msg.position[1] = float("nan")  # a gripper that cannot be measured
    assert joint_state_to_positions(msg) == {"a": 0.5}
    assert joint_state_to_positions(JointState(name=["wheel"], velocity=[3.0])) == {}  # valid, without positions


@pytest.mark.parametrize(
    "names, positions, words",
    [
        (["a", "b"], [0.0], "2 names but 1 positions"),
        (["a", "a"], [0.0, 1.0], "named twice"),
        (["a", "b"], [float("inf"), float("nan")], "position of a, b is not finite"),
    ],
)
def test_a_broken_joint_state_is_refused(names, positions, words):
    with pytest.raises(BridgeError) as error:
        joint_state_to_positions(JointState(name=names, position=positions), "/joints")
    assert error.value.thing == "/joints" and words in error.value.problem


def test_stamps_carry_over_seconds_and_keep_nanoseconds():
    stamp = later(Time(sec=4, nanosec=900_000_001), 0.25)
    assert (stamp.sec, stamp.nanosec) == (5, 150_000_001)
    assert stamp_of(1.5) == Time(sec=1, nanosec=500_000_000)
    assert to_seconds(Duration(sec=-1, nanosec=500_000_000)) == -0.5
    assert duration_of(-0.5) == Duration(sec=-1, nanosec=500_000_000)
