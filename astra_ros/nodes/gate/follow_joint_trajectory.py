"""What the gate knows of ``control_msgs/FollowJointTrajectory``: all that depends on the action type is here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from builtin_interfaces.msg import Time
from rclpy.serialization import serialize_message

from astra_ros.bridge.stamps import to_nanoseconds
from astra_ros.bridge.trajectories import trajectory_to_plan
from astra_ros.nodes.gate.stamps import check_stamp
from astra_ros.plans.errors import PlanError
from astra_ros.registry import LoadError

GOAL = "goal"


def action_type() -> Any:
    """The action's class. Raises LoadError where ``control_msgs`` is not installed."""
    try:
        from control_msgs.action import FollowJointTrajectory  # type: ignore[import-not-found]
    except ImportError as error:
        problem = f"its action type needs the package {error.name}, which is not installed"
        cure = "install control_msgs, which comes with ROS 2 and not from PyPI, or leave controller empty"
        raise LoadError(problem, thing="parameter controller", cure=cure) from error
    return FollowJointTrajectory


def goal_data(goal: Any, now_ns: int) -> bytes:
    """The trajectory of a goal, to be judged; the goal's own stamp becomes 0 as well: it begins when it is forwarded.

    Raises PlanError where the goal cannot be judged.
    """
    if goal.multi_dof_trajectory.joint_names or goal.multi_dof_trajectory.points:
        problem = "it has a multi_dof_trajectory, which is not imagined"
        raise PlanError(
            problem, thing=GOAL, cure="send it to the controller's own action, or plan without those joints"
        )
    trajectory = goal.trajectory
    check_stamp(to_nanoseconds(trajectory.header.stamp), now_ns, GOAL)
    trajectory.header.stamp = Time()
    trajectory_to_plan(trajectory, GOAL)
    return serialize_message(trajectory)


def failure(kind: Any) -> Callable[[str], Any]:
    """Makes results that tell a failure, with the ``error_code`` INVALID_GOAL, as controllers refuse goals."""
    return lambda reason: kind.Result(error_code=kind.Result.INVALID_GOAL, error_string=reason)
