"""``nav_msgs/Path`` and ``nav_msgs/Odometry``: what a Nav2-like planner publishes, and what no node can use."""

import math

import numpy as np
import pytest
from user_errors import refusal

pytest.importorskip("rclpy")
pytest.importorskip("nav_msgs")

from builtin_interfaces.msg import Time
from geometry_msgs.msg import Quaternion
from nav_msgs.msg import Odometry, Path
from rclpy.serialization import serialize_message

from astra_ros.bridge.errors import BridgeError
from astra_ros.bridge.paths import motion_to_odometry, odometry_to_motion, path_to_plan, plan_to_path
from astra_ros.bridge.plan_adapters import PATH, plan_adapter
from astra_ros.plans.base_now import BaseNow
from astra_ros.plans.errors import PlanError
from astra_ros.plans.path_plan import PathPlan

BASE = BaseNow("odom", 1.0, -2.0, 2.5, {"linear.x": 0.4, "linear.y": 0.0, "angular.z": -0.1})


def path(count=4, times_s=None, frame="map"):
    """Along x, 1 m between poses."""
    places = np.stack([np.arange(count), np.full(count, 3.0), np.zeros(count)], axis=1).astype(float)
    return plan_to_path(PathPlan(frame, places, times_s), Time(sec=5))


def refused(msg):
    with pytest.raises(PlanError) as error:
        path_to_plan(msg, "s/0")
    assert error.value.thing == "plan 's/0'"
    return error.value


def test_positions_frame_and_stamps_are_read():
    made = path_to_plan(path(times_s=[0.0, 1.0, 1.5, 4.0]), "s/0")
    assert made.frame == "map" and made.name == "s/0"
    np.testing.assert_allclose(made.positions[:, 0], [0.0, 1.0, 2.0, 3.0])
    np.testing.assert_allclose(made.times_s, [0.0, 1.0, 1.5, 4.0])


def test_equal_stamps_and_none_leave_the_speed_open():
    msg = path()
    assert path_to_plan(msg, "s/0").times_s is None
    for pose in msg.poses:
        pose.header.stamp, pose.header.frame_id = Time(), ""  # as many planners leave them
    assert path_to_plan(msg, "s/0").frame == "map" and path_to_plan(msg, "s/0").times_s is None


def test_the_header_says_when_a_path_was_planned_and_not_when_it_begins():
    adapter, msg = plan_adapter(PATH), path()
    data = serialize_message(msg)
    assert adapter.stamp(msg) == Time() and adapter.without_stamp(data) == data
    assert (adapter.start_topic, adapter.start_message, adapter.best_topic) == ("odom", Odometry, "~/best_path")


def test_a_path_that_cannot_be_followed_is_refused_with_what_is_wrong():
    assert refused(Path()).found == 0
    one = path()
    one.poses = one.poses[:1]
    assert refused(one).found == 1
    back = path()
    back.poses = [*back.poses, *back.poses[1:3]]
    assert refused(back).index == 3
    mixed = path()
    mixed.poses[2].header.frame_id = "odom"
    assert "map" in refused(mixed).problem and "odom" in refused(mixed).problem
    unknown = path()
    for header in (unknown.header, *(pose.header for pose in unknown.poses)):
        header.frame_id = ""
    refused(unknown)
    zero = path()
    zero.poses[1].pose.orientation = Quaternion(w=0.0)
    assert (refused(zero).index, refused(zero).found) == (1, 0.0)
    nan = path()
    nan.poses[3].pose.position.y = math.nan
    assert refused(nan).index == 3
    spun = path()
    spun.poses[0].pose.orientation.w = math.inf
    assert refused(spun).index == 0
    backwards = path(times_s=[0.0, 1.0, 2.0, 3.0])
    backwards.poses[2].header.stamp = Time(sec=4)
    assert refused(backwards).index == 2


def test_odometry_there_and_back():
    found = odometry_to_motion(motion_to_odometry(BASE, Time(sec=1)))
    assert found.frame == "odom" and (found.x, found.y, found.yaw) == pytest.approx((1.0, -2.0, 2.5))
    assert found.velocities == BASE.velocities


@pytest.mark.parametrize("fault", ["frame", "orientation", "position", "twist"])
def test_odometry_that_says_nothing_is_refused(fault):
    msg = motion_to_odometry(BASE, Time(sec=1))
    if fault == "frame":
        msg.header.frame_id = ""
    elif fault == "orientation":
        msg.pose.pose.orientation = Quaternion(w=0.0)
    elif fault == "position":
        msg.pose.pose.position.x = math.nan
    else:
        msg.twist.twist.linear.x = math.inf
    with refusal(BridgeError, "/odom"):
        odometry_to_motion(msg, "/odom")
