"""``nav_msgs/Path`` and ``nav_msgs/Odometry``."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import (
    Point,
    Pose,
    PoseStamped,
    PoseWithCovariance,
    Quaternion,
    Twist,
    TwistWithCovariance,
    Vector3,
)
from nav_msgs.msg import Odometry, Path
from std_msgs.msg import Header

from astra_ros.bridge.errors import BridgeError
from astra_ros.bridge.plan_adapters import PlanAdapter
from astra_ros.bridge.stamps import NANOSECONDS, later, to_nanoseconds
from astra_ros.plans.base_now import BaseNow
from astra_ros.plans.errors import PlanError
from astra_ros.plans.path_plan import PathPlan
from astra_ros.texts import listed, short

UNIT = 0.1  # how far the length of an orientation may be from 1: planners round, and some fill in zeros


class PathAdapter(PlanAdapter):
    """Paths of bases, as Nav2's planners publish them; they begin where ``odom`` says that the base is.

    The header's stamp says when the path was planned, not when it begins, so it does not count.
    """

    message = Path
    start_topic = "odom"
    start_message = Odometry
    best_topic = "~/best_path"
    advice = "publish each candidate as a nav_msgs/Path"

    @property
    def has_stamp(self) -> bool:
        return False

    def to_plan(self, msg: Path, name: str) -> PathPlan:
        return path_to_plan(msg, name)

    def to_motion(self, msg: Odometry, topic: str) -> BaseNow:
        return odometry_to_motion(msg, topic)


def path_to_plan(msg: Path, name: str) -> PathPlan:
    """A path as the plan of that name.

    Positions and stamps are read; poses whose stamps are all equal are followed at a nominal speed. Orientations must
    be orientations, and are not followed: planners fill in any.

    Raises:
        PlanError: fewer than two poses, poses in several frames or in none that is named, numbers that are not finite,
            orientations of length 0, stamps that run backwards, or a path that turns back on itself.
    """
    thing = f"plan '{name}'"
    frames = {msg.header.frame_id.lstrip("/")} | {pose.header.frame_id.lstrip("/") for pose in msg.poses}
    if len(frames := frames - {""}) > 1:
        problem = f"its poses are in several frames: {listed(sorted(map(short, frames)))}"
        raise PlanError(problem, thing=thing, cure="give all poses in the frame of the path's header")
    positions = np.array([_numbers(pose.pose.position, "xyz") for pose in msg.poses]).reshape(-1, 3)
    turns = np.array([_numbers(pose.pose.orientation, "xyzw") for pose in msg.poses]).reshape(-1, 4)
    lengths = np.linalg.norm(turns, axis=1)
    if (wrong := np.flatnonzero(~(np.abs(lengths - 1.0) <= UNIT))).size:
        index = int(wrong[0])
        problem = f"the orientation of pose {index} has the length {lengths[index]:.3g}, and that of a quaternion is 1"
        cure = "fill in an orientation for each pose; w = 1 and zeros where it does not matter"
        raise PlanError(problem, thing=thing, cure=cure, index=index, found=float(lengths[index]), limit=1.0)
    stamps = [to_nanoseconds(pose.header.stamp) for pose in msg.poses]
    timed = len(set(stamps)) > 1
    times_s = np.array([(stamp - stamps[0]) / NANOSECONDS for stamp in stamps]) if timed else None
    return PathPlan(next(iter(frames), ""), positions, times_s, name)


def plan_to_path(plan: PathPlan, stamp: Time) -> Path:
    """A plan as a path of which the first pose has this stamp. Poses head for the next one."""
    steps = np.diff(plan.positions[:, :2], axis=0)
    yaws = np.arctan2(steps[:, 1], steps[:, 0])
    yaws = np.append(yaws, yaws[-1]).tolist()
    times_s = [0.0] * len(yaws) if plan.times_s is None else plan.times_s.tolist()
    poses = [
        PoseStamped(header=Header(stamp=later(stamp, time_s), frame_id=plan.frame), pose=_pose(place, yaw))
        for place, yaw, time_s in zip(plan.positions.tolist(), yaws, times_s)
    ]
    return Path(header=Header(stamp=stamp, frame_id=plan.frame), poses=poses)


def odometry_to_motion(msg: Odometry, topic: str = "odom") -> BaseNow:
    """Where a base is and how it moves. Covariances are not read.

    Raises:
        BridgeError: no frame is named, numbers that are not finite, or an orientation of length 0.
    """
    pose, twist = msg.pose.pose, msg.twist.twist
    if not (frame := msg.header.frame_id.lstrip("/")):
        cure = "name the frame in which the base moves, such as odom"
        raise BridgeError("header.frame_id is empty", thing=topic, cure=cure)
    turn = np.array(_numbers(pose.orientation, "xyzw"))
    values = {"linear.x": twist.linear.x, "linear.y": twist.linear.y, "angular.z": twist.angular.z}
    numbers = np.array([*_numbers(pose.position, "xyz"), *turn, *values.values()])
    if not np.isfinite(numbers).all():
        raise BridgeError("a number is not finite", thing=topic, cure="publish finite poses and twists")
    if abs(float(np.linalg.norm(turn)) - 1.0) > UNIT:
        problem = f"the orientation has the length {np.linalg.norm(turn):.3g}, and that of a quaternion is 1"
        raise BridgeError(problem, thing=topic, cure="publish which way the base faces")
    x, y, z, w = (turn / np.linalg.norm(turn)).tolist()
    yaw = math.atan2(2.0 * (w * z + x * y), 1.0 - 2.0 * (y * y + z * z))
    return BaseNow(frame, pose.position.x, pose.position.y, yaw, values)


def motion_to_odometry(motion: BaseNow, stamp: Time, child_frame: str = "base_link") -> Odometry:
    """The inverse of `odometry_to_motion`, without covariances."""
    values = motion.velocities
    twist = Twist(
        linear=Vector3(x=values.get("linear.x", 0.0), y=values.get("linear.y", 0.0)),
        angular=Vector3(z=values.get("angular.z", 0.0)),
    )
    return Odometry(
        header=Header(stamp=stamp, frame_id=motion.frame),
        child_frame_id=child_frame,
        pose=PoseWithCovariance(pose=_pose((motion.x, motion.y, 0.0), motion.yaw)),
        twist=TwistWithCovariance(twist=twist),
    )


def _pose(place: Sequence[float], yaw: float) -> Pose:
    x, y, z = place
    turn = Quaternion(z=math.sin(yaw / 2), w=math.cos(yaw / 2))
    return Pose(position=Point(x=float(x), y=float(y), z=float(z)), orientation=turn)


def _numbers(message, fields: str) -> list[float]:
    return [getattr(message, field) for field in fields]
