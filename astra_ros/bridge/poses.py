"""Goal poses as ROS messages."""

from __future__ import annotations

import numpy as np
from geometry_msgs.msg import PoseStamped

from astra_ros.bridge.errors import BridgeError
from astra_ros.texts import short


def pose_to_position(msg: PoseStamped, frame: str, topic: str = "goal_pose", reach_m: float = 0.0) -> np.ndarray:
    """The position of a pose that is given in the frame ``frame``: float64 [3], m.

    The orientation is not looked at, whatever it holds: only where the object ends is judged.

    Args:
        reach_m: how far from the frame's origin the position may be; 0: anywhere.

    Raises:
        BridgeError: another frame, numbers that are not finite, or a position out of reach.
    """
    if msg.header.frame_id.lstrip("/") != frame:
        raise BridgeError(
            f"{topic}: the pose is in the frame '{short(msg.header.frame_id)}'; give it in '{short(frame)}' (the "
            "parameter world_frame), tf is not asked"
        )
    position = np.array([getattr(msg.pose.position, axis) for axis in "xyz"])
    if not np.isfinite(position).all():
        raise BridgeError(
            f"{topic}: the position {position.tolist()} is not finite; publish where the object should end, in m"
        )
    if reach_m and _length(position) > reach_m:
        raise BridgeError(
            f"{topic}: the position {[float(f'{value:.6g}') for value in position]} m is further than {reach_m:g} m "
            f"from the origin of '{short(frame)}'; give it in metres and in that frame, or set the parameter "
            "goal_reach_m to how far goals may be"
        )
    return position


def _length(position: np.ndarray) -> float:
    """m; without the overflow that squares of huge numbers have."""
    most = float(np.abs(position).max())
    return most * float(np.linalg.norm(position / most)) if most else 0.0
