"""The arm planner node, and its trajectories in a real imagine node, over DDS."""

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("ompl")
pytest.importorskip("pinocchio")
pytest.importorskip("toppra")

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import PoseStamped
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import String
from still_arm import StillArm
from trajectory_msgs.msg import JointTrajectory

from astra_ros.bridge.images import rgb_to_image
from astra_ros.bridge.trajectories import trajectory_to_plan
from astra_ros.nodes.qos import LATCHED, reliable
from astra_ros.robot.kinematics import ToolPath
from astra_ros.robot.limits import position_limits
from astra_ros.simulation.arm.robots import ROBOTS, robot_description

pytestmark = [pytest.mark.ros, pytest.mark.slow]

OK, WARN = DiagnosticStatus.OK, DiagnosticStatus.WARN
SPEC = ROBOTS["panda"]


def tool_goal(position, quaternion=(1.0, 0.0, 0.0, 0.0), frame="world"):
    msg = PoseStamped()
    msg.header.frame_id = frame
    for axis, value in zip("xyz", position):
        setattr(msg.pose.position, axis, float(value))
    for axis, value in zip("xyzw", quaternion):
        setattr(msg.pose.orientation, axis, float(value))
    return msg


def test_a_goal_becomes_candidates_that_a_real_imagine_node_scores(graph, small_model):
    urdf = robot_description(SPEC, coarse=True)
    descriptions = graph.node.create_publisher(String, "robot_description", LATCHED)
    planner = {"tool_link": SPEC.tool_link, "count": 3, "time_limit_s": 20.0, "period_s": 0.0, "use_floor": True}
    graph.start("arm_planner", planner)
    graph.start("imagine", {"model": str(small_model), "candidates.keep": 3, "tool_link": SPEC.tool_link})
    trajectories = graph.listen(JointTrajectory, "plans", reliable(64))
    scores = graph.listen(DiagnosticArray, "imagine/scores", LATCHED)
    goals = graph.publisher(PoseStamped, "tool_goal", reliable(5))
    world = StillArm(graph, SPEC.joint_names, SPEC.ready, listeners=2)

    # What it waits for, and goals that it cannot take.
    graph.status_says("arm_planner: plans", WARN, "waiting for /robot_description")
    assert not graph.call("/arm_planner/propose").success
    graph.status_says("imagine: model", OK, "loaded", world)
    graph.status_says("imagine: camera", OK, "images arrive", world)
    goals.publish(tool_goal((0.5, 0.1, 0.2), frame="camera"))
    graph.status_says("arm_planner: plans", WARN, "/tool_goal: the pose is in the frame 'camera'", world)
    goals.publish(tool_goal((0.5, 0.1, 0.2), (0, 0, 0, 0)))
    graph.status_says("arm_planner: plans", WARN, "is not a rotation", world)
    descriptions.publish(String(data=urdf))
    goals.publish(tool_goal((2.5, 0.1, 0.2)))
    graph.status_says("arm_planner: plans", WARN, "cannot be brought to", world)
    assert not trajectories

    goals.publish(tool_goal((0.5, 0.1, 0.2)))
    graph.until(lambda: world() or len(trajectories) == 3, "three trajectories")
    limits, tool = position_limits(urdf), ToolPath(urdf, SPEC.tool_link, SPEC.joint_names)
    for msg in trajectories:
        plan = trajectory_to_plan(msg, "sent")
        assert plan.joint_names == SPEC.joint_names and np.allclose(plan.positions[0], SPEC.ready, atol=1e-6)
        assert np.abs(tool(plan.positions[-1]) - [0.5, 0.1, 0.2]).max() < 2e-3
        for name, low, high in zip(plan.joint_names, plan.positions.min(0), plan.positions.max(0)):
            assert limits[name].lower <= low and high <= limits[name].upper
        speeds = np.array([point.velocities for point in msg.points])
        assert np.abs(speeds).max() <= 0.5 * max(SPEC.max_speed) * 1.001 and not speeds[[0, -1]].any()
        assert len(msg.points[0].accelerations) == 7
    graph.status_says("arm_planner: plans", OK, "sent 3 plans", world)
    named = graph.until(lambda: world() or (scores and len(scores[-1].status) >= 3 and scores[-1]), "three scores")
    assert sum("candidates" in status.name for status in named.status) == 3

    # A goal image: places of the region, and joint goals beside it.
    images = graph.node.create_publisher(Image, "goal_image", LATCHED)
    trajectories.clear()
    images.publish(rgb_to_image(np.full((64, 64, 3), 80, np.uint8), graph.node.get_clock().now().to_msg(), "camera"))
    graph.until(lambda: world() or len(trajectories) == 3, "trajectories into the region")
    ends = np.array([tool(trajectory_to_plan(msg, "sent").positions[-1]) for msg in trajectories])
    assert (ends > [0.298, -0.302, 0.018]).all() and (ends < [0.702, 0.302, 0.302]).all()
    assert np.ptp(ends, axis=0).max() > 0.02
    trajectories.clear()
    joints = graph.publisher(JointState, "joint_goal", reliable(5))
    joints.publish(JointState(name=list(SPEC.joint_names), position=[value + 0.2 for value in SPEC.ready]))
    graph.until(lambda: world() or len(trajectories) == 3, "trajectories to joint positions")
    assert np.allclose(trajectories[0].points[-1].positions, np.add(SPEC.ready, 0.2))
    assert graph.stop() == {"arm_planner": 0, "imagine": 0}
