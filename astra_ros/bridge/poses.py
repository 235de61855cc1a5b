"""Goal poses as ROS messages."""

from __future__ import annotations

import math

import numpy as np
from geometry_msgs.msg import PoseStamped

from astra_ros.bridge.errors import BridgeError
from astra_ros.texts import short

Position = tuple[float, float, float]
Quaternion = tuple[float, float, float, float]


def pose_to_position(msg: PoseStamped, frame: str, topic: str = "goal_pose", reach_m: float = 0.0) -> np.ndarray:
    """The position of a pose that is given in a frame: float64 [3], m. The orientation is not read.

    Args:
        frame: the frame that the pose must be given in; no transform is looked up.
        topic: named in errors.
        reach_m: how far from the frame's origin the position may be; 0: anywhere.

    Raises:
        BridgeError: another frame, numbers that are not finite, or a position out of reach.
    """
    if msg.header.frame_id.lstrip("/") != frame:
        problem = f"the pose is in the frame '{short(msg.header.frame_id)}', and no transform is looked up"
        raise BridgeError(problem, thing=topic, cure=f"give it in '{short(frame)}'")
    position = np.array([getattr(msg.pose.position, axis) for axis in "xyz"])
    if not np.isfinite(position).all():
        problem = f"the position {position.tolist()} is not finite"
        raise BridgeError(problem, thing=topic, cure="publish where the object should end, in m")
    if reach_m and math.hypot(*position) > reach_m:  # which does not overflow, unlike the root of squares
        raise BridgeError(
            f"the position {[float(f'{value:.6g}') for value in position]} m is further than {reach_m:g} m from the "
            f"origin of '{short(frame)}'",
            thing=topic,
            cure="give it in metres and in that frame",
        )
    return position


def pose_to_pose(msg: PoseStamped, frame: str, topic: str = "tool_goal") -> tuple[Position, Quaternion]:
    """Position (m) and orientation (x y z w, of length 1) of a pose that is given in a frame.

    Raises:
        BridgeError: as `pose_to_position`, or the orientation is not a rotation.
    """
    x, y, z = pose_to_position(msg, frame, topic).tolist()
    found = [float(getattr(msg.pose.orientation, axis)) for axis in "xyzw"]
    length = math.hypot(*found)
    if not 0.5 < length < 2.0:  # also NaN
        problem = f"the orientation {found} is not a rotation"
        raise BridgeError(problem, thing=topic, cure="give a quaternion of length 1; no turn is x 0, y 0, z 0, w 1")
    qx, qy, qz, qw = (value / length for value in found)
    return (x, y, z), (qx, qy, qz, qw)
