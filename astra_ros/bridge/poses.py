"""Goal poses as ROS messages."""

from __future__ import annotations

import numpy as np
from geometry_msgs.msg import PoseStamped

from astra_ros.bridge.errors import BridgeError


def pose_to_position(msg: PoseStamped, frame: str, topic: str = "goal_pose") -> np.ndarray:
    """The position of a pose that is given in the frame ``frame``: float64 [3], m.

    Raises:
        BridgeError: another frame, or numbers that are not finite.
    """
    if msg.header.frame_id.lstrip("/") != frame:
        raise BridgeError(
            f"{topic}: the pose is in the frame '{msg.header.frame_id}'; give it in '{frame}' (the "
            "parameter world_frame), tf is not asked"
        )
    position = np.array([getattr(msg.pose.position, axis) for axis in "xyz"])
    if not np.isfinite(position).all():
        raise BridgeError(f"{topic}: the position {position.tolist()} is not finite")
    return position
