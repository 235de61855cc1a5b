"""``nav_msgs/OccupancyGrid`` messages, and what an explorer shows of them in RViz."""

from __future__ import annotations

import array
import math
from collections.abc import Sequence

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Point, Pose, Quaternion
from nav_msgs.msg import OccupancyGrid as OccupancyGridMsg
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker, MarkerArray

from astra_ros.bridge.errors import BridgeError, about
from astra_ros.control.frontiers import Approach
from astra_ros.control.occupancy_grid import OccupancyGrid
from astra_ros.rotations import rotation_matrix
from astra_ros.texts import short

# How far a map may lean against the floor (rad).
LEVEL_RAD = 0.02
# The target, and the other frontiers.
TARGET_RGB, FRONTIER_RGB = (0.1, 0.8, 0.2), (0.2, 0.4, 1.0)


def message_to_grid(msg: OccupancyGridMsg, frame: str, topic: str = "map") -> OccupancyGrid:
    """A map that is given in a frame.

    Args:
        frame: the frame that the map must be given in, that of the robot's odometry; no transform is looked up.
        topic: named in errors.

    Raises:
        BridgeError: another frame, no cells, a wrong number of cells, cells out of range, a resolution or an origin
            that is not finite, or a map that does not lie flat.
    """
    info = msg.info
    if msg.header.frame_id.lstrip("/") != frame.lstrip("/"):
        problem = f"the map is in the frame '{short(msg.header.frame_id)}', the robot's pose in '{short(frame)}'"
        raise BridgeError(problem, thing=topic, cure="publish both in one frame; no transform is looked up")
    if not (info.width and info.height):
        problem = f"the map has {info.width} x {info.height} cells"
        raise BridgeError(problem, thing=topic, cure="publish at least one cell")
    if len(msg.data) != info.width * info.height:
        problem = f"the map has {info.width} x {info.height} cells and {len(msg.data)} values"
        raise BridgeError(problem, thing=topic, cure="publish one value for each cell")
    yaw = _yaw(msg, topic)
    cells = np.array(msg.data, dtype=np.int8).reshape(info.height, info.width)
    with about(topic):
        return OccupancyGrid(
            cells, float(info.resolution), (info.origin.position.x, info.origin.position.y, yaw), frame
        )


def grid_to_message(grid: OccupancyGrid, stamp: Time) -> OccupancyGridMsg:
    """A map as a message."""
    rows, columns = grid.cells.shape
    x, y, yaw = grid.origin
    msg = OccupancyGridMsg(header=Header(stamp=stamp, frame_id=grid.frame))
    msg.info.map_load_time = stamp
    msg.info.resolution, msg.info.width, msg.info.height = grid.resolution_m, columns, rows
    msg.info.origin.position.x, msg.info.origin.position.y = x, y
    msg.info.origin.orientation = Quaternion(z=math.sin(yaw / 2), w=math.cos(yaw / 2))
    data = array.array("b")
    data.frombytes(np.ascontiguousarray(grid.cells).tobytes())
    msg.data = data
    return msg


def frontiers_to_markers(
    grid: OccupancyGrid, found: Sequence[Approach], target: int | None, stamp: Time
) -> MarkerArray:
    """The open frontiers: their cells, and the target's in another colour, after a marker that deletes older ones.

    Namespaces are ``frontiers`` (cells) and ``label`` (the length of the frontier and of the way there); ids are
    places in ``found``.
    """

    def marker(namespace: str, index: int, **fields) -> Marker:
        upright = Pose(orientation=Quaternion(w=1.0))
        return Marker(header=Header(stamp=stamp, frame_id=grid.frame), ns=namespace, id=index, pose=upright, **fields)

    msg = MarkerArray(markers=[marker("frontiers", 0, action=Marker.DELETEALL)])
    for index, each in enumerate(found):
        red, green, blue = TARGET_RGB if index == target else FRONTIER_RGB
        colour = ColorRGBA(r=red, g=green, b=blue, a=1.0)
        points = [Point(x=float(x), y=float(y), z=0.02) for x, y in grid.middles(each.frontier.cells)]
        cells = marker("frontiers", index, type=Marker.CUBE_LIST, color=colour, points=points)
        cells.scale.x = cells.scale.y = grid.resolution_m
        cells.scale.z = 0.02
        label = marker("label", index, type=Marker.TEXT_VIEW_FACING, color=colour)
        label.scale.z = 0.25
        label.pose.position.x, label.pose.position.y = map(float, each.frontier.middle)
        label.pose.position.z = 0.4
        label.text = f"{each.frontier.size_m:.1f} m wide, {each.cost_m:.1f} m away"
        msg.markers += [cells, label]
    return msg


def _yaw(msg: OccupancyGridMsg, topic: str) -> float:
    turn = msg.info.origin.orientation
    xyzw = np.array([turn.x, turn.y, turn.z, turn.w])
    if not (np.isfinite(xyzw).all() and np.linalg.norm(xyzw) > 1e-6):
        problem = f"the orientation of the map's origin is {xyzw.tolist()}"
        raise BridgeError(problem, thing=topic, cure="give a quaternion, 0 0 0 1 for none")
    matrix = rotation_matrix(xyzw)
    if matrix[2, 2] < math.cos(LEVEL_RAD):
        raise BridgeError("the map does not lie flat", thing=topic, cure="turn its origin about z only")
    return math.atan2(matrix[1, 0], matrix[0, 0])
