"""``trajectory_msgs/JointTrajectory`` and ``sensor_msgs/JointState``."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from builtin_interfaces.msg import Time
from sensor_msgs.msg import JointState
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from astra_ros.bridge.errors import BridgeError
from astra_ros.bridge.plan_adapters import JOINT_TRAJECTORY, PlanAdapter
from astra_ros.bridge.stamps import duration_of, to_seconds
from astra_ros.plans.action_spaces import ActionSpace
from astra_ros.plans.errors import PlanError
from astra_ros.plans.joint_plan import JointPlan
from astra_ros.robot.joint_messages import JointMessageError, joint_state
from astra_ros.robot.kinematics import ToolPath


class JointTrajectoryAdapter(PlanAdapter):
    """Joint trajectories of an arm; they begin where ``joint_states`` says that the arm is."""

    ros_type = JOINT_TRAJECTORY
    message = JointTrajectory
    start_topic = "joint_states"
    best_topic = "~/best_plan"
    advice = "publish each candidate as a JointTrajectory, such as the joint_trajectory of a RobotTrajectory"

    def __init__(self) -> None:
        self._tool = lru_cache(maxsize=1)(ToolPath)

    def to_plan(self, msg: JointTrajectory, name: str, topic: str) -> JointPlan:
        return trajectory_to_plan(msg, name, topic)

    def stamp(self, msg: JointTrajectory) -> Time:
        return msg.header.stamp

    def without_stamp(self, data: bytes) -> bytes:
        return without_stamp(data)

    def tool_paths(self, space: ActionSpace, motion: np.ndarray, urdf: str, link: str) -> np.ndarray:
        return self._tool(urdf, link, space.motion_names)(motion)


def trajectory_to_plan(msg: JointTrajectory, name: str, topic: str = "plans") -> JointPlan:
    """A trajectory as a plan. Positions alone are read, not velocities and efforts.

    Args:
        msg: the trajectory; its joints in any order.
        name: the plan's name, e.g. ``"candidates/3"``.
        topic: named in errors.

    Raises:
        PlanError: no joints or points, wrong numbers of positions, times that do not increase,
            or values that are not finite.
    """
    joints, where = len(msg.joint_names), f"{topic}: plan '{name}'"
    if not joints:
        raise PlanError("joint_names is empty", thing=where, cure="name the joints that the points move")
    if not msg.points:
        raise PlanError("the trajectory has no points", thing=where, cure="send at least one")
    for index, point in enumerate(msg.points):
        if not point.positions and (point.velocities or point.accelerations or point.effort):
            given = "velocities" if point.velocities else "accelerations" if point.accelerations else "efforts"
            raise PlanError(
                f"point {index} has {given} and no positions, and positions alone are imagined",
                thing=where,
                cure="send where the joints are at each point too",
                index=index,
            )
        if len(point.positions) != joints:
            raise PlanError(
                f"point {index} has {len(point.positions)} positions for {joints} joints",
                thing=where,
                cure="give one position per joint name",
                index=index,
                found=len(point.positions),
                limit=joints,
            )
    try:
        return JointPlan(
            joint_names=tuple(msg.joint_names),
            times_s=np.array([to_seconds(point.time_from_start) for point in msg.points]),
            positions=np.array([point.positions for point in msg.points]),
            name=name,
        )
    except PlanError as error:
        error.thing = where
        raise


def without_stamp(data: bytes) -> bytes:
    """A serialized message that begins with a header, with the stamp 0 and otherwise the same bytes.

    In CDR, the format of all ROS 2 middleware, four bytes name the kind; sec and nanosec follow.
    """
    return data[:4] + bytes(8) + data[12:]


def plan_to_trajectory(plan: JointPlan, stamp: Time | None = None, frame_id: str = "") -> JointTrajectory:
    """A plan as a trajectory. Without a stamp it begins when it arrives."""
    msg = JointTrajectory()
    if stamp is not None:
        msg.header.stamp = stamp
    msg.header.frame_id = frame_id
    msg.joint_names = list(plan.joint_names)
    msg.points = [
        JointTrajectoryPoint(positions=positions.tolist(), time_from_start=duration_of(time_s))
        for time_s, positions in zip(plan.times_s.tolist(), plan.positions)
    ]
    return msg


def joint_state_to_positions(msg: JointState, topic: str = "joint_states") -> dict[str, float]:
    """Joint name -> position in rad (m for sliding joints), without those that are not finite: drivers report such
    values for joints that they cannot measure.

    Raises:
        BridgeError: names and positions do not match, a name repeats, or no position is finite.
    """
    try:
        return joint_state(msg).finite
    except JointMessageError as error:
        raise BridgeError(
            getattr(error, "problem", str(error)), thing=topic, cure=getattr(error, "cure", "")
        ) from error


def positions_to_joint_state(names: Sequence[str], positions: np.ndarray, stamp: Time) -> JointState:
    """Joint positions [J] in rad as a message."""
    msg = JointState()
    msg.header.stamp = stamp
    msg.name = list(names)
    msg.position = np.asarray(positions, dtype=np.float64).tolist()
    return msg
