"""``trajectory_msgs/JointTrajectory`` and ``sensor_msgs/JointState``."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from builtin_interfaces.msg import Time
from sensor_msgs.msg import JointState
from std_msgs.msg import Header
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from astra_ros.bridge.errors import about
from astra_ros.bridge.plan_adapters import PlanAdapter
from astra_ros.bridge.stamps import duration_of, to_seconds
from astra_ros.plans.action_spaces import ActionSpace
from astra_ros.plans.errors import PlanError
from astra_ros.plans.joint_plan import JointPlan
from astra_ros.robot.joint_messages import joint_state
from astra_ros.robot.kinematics import ToolPath


class JointTrajectoryAdapter(PlanAdapter):
    """Joint trajectories of an arm; they begin where ``joint_states`` says that the arm is."""

    message = JointTrajectory
    start_topic = "joint_states"
    best_topic = "~/best_plan"
    advice = "publish each candidate as a JointTrajectory, such as the joint_trajectory of a RobotTrajectory"

    def __init__(self) -> None:
        self._tool = lru_cache(maxsize=1)(ToolPath)

    def to_plan(self, msg: JointTrajectory, name: str) -> JointPlan:
        return trajectory_to_plan(msg, name)

    def tool_paths(self, space: ActionSpace, motion: np.ndarray, urdf: str, link: str) -> np.ndarray:
        return self._tool(urdf, link, space.motion_names)(motion)


def trajectory_to_plan(msg: JointTrajectory, name: str) -> JointPlan:
    """A trajectory as the plan of that name, without efforts.

    Velocities and accelerations count where every point states them.

    Raises:
        PlanError: no joints or points, wrong numbers of positions, velocities or accelerations, times that do not
            increase, or values that are not finite.
    """
    joints, thing = len(msg.joint_names), f"plan '{name}'"
    if not joints:
        raise PlanError("joint_names is empty", thing=thing, cure="name the joints that the points move")
    if not msg.points:
        raise PlanError("the trajectory has no points", thing=thing, cure="send at least one")
    for index, point in enumerate(msg.points):
        given = next((field for field in ("velocities", "accelerations", "effort") if len(getattr(point, field))), "")
        if not point.positions and given:
            problem = f"point {index} has {given} and no positions, and positions alone are imagined"
            raise PlanError(problem, thing=thing, cure="send where the joints are at each point too", index=index)
        if (found := len(point.positions)) != joints:
            problem = f"point {index} has {found} positions for {joints} joints"
            raise PlanError(problem, thing=thing, cure="give one position per joint name", index=index, found=found)
        for field in ("velocities", "accelerations"):
            if (found := len(getattr(point, field))) not in (0, joints):
                problem = f"point {index} has {found} {field} for {joints} joints"
                cure = "give one per joint name, or none (a joint_trajectory_controller refuses the plan as well)"
                raise PlanError(problem, thing=thing, cure=cure, index=index, found=found)
    times_s = [to_seconds(point.time_from_start) for point in msg.points]
    positions = np.array([point.positions for point in msg.points])
    velocities, accelerations = (_stated(msg, field) for field in ("velocities", "accelerations"))
    return JointPlan(tuple(msg.joint_names), np.array(times_s), positions, name, velocities, accelerations)


def _stated(msg: JointTrajectory, field: str) -> np.ndarray | None:
    """[N, J] of all points, or None where a point lacks them."""
    rows = [getattr(point, field) for point in msg.points]
    return np.array(rows) if all(len(row) for row in rows) else None


def plan_to_trajectory(plan: JointPlan, stamp: Time | None = None, frame_id: str = "") -> JointTrajectory:
    """A plan as a trajectory. Without a stamp it begins when it arrives."""
    points = [
        JointTrajectoryPoint(positions=positions.tolist(), time_from_start=duration_of(time_s))
        for time_s, positions in zip(plan.times_s.tolist(), plan.positions)
    ]
    for field in ("velocities", "accelerations"):
        if (stated := getattr(plan, field)) is not None:
            for point, row in zip(points, stated):
                setattr(point, field, row.tolist())
    header = Header(stamp=stamp or Time(), frame_id=frame_id)
    return JointTrajectory(header=header, joint_names=list(plan.joint_names), points=points)


def joint_state_to_positions(msg: JointState, topic: str = "joint_states") -> dict[str, float]:
    """Joint name -> position in rad (m for sliding joints), without those that are not finite: drivers report such
    values for joints that they cannot measure.

    Raises:
        BridgeError: names and positions do not match, a name repeats, or no position is finite.
    """
    with about(topic):
        return joint_state(msg).finite


def positions_to_joint_state(names: Sequence[str], positions: np.ndarray, stamp: Time) -> JointState:
    """Joint positions [J] in rad as a message."""
    values = np.asarray(positions, dtype=np.float64).tolist()
    return JointState(header=Header(stamp=stamp), name=list(names), position=values)
