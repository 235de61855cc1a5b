"""Obstacles that a planner knows, from `moveit_msgs/PlanningScene` messages, which are read by their fields. Without
ROS."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable

import numpy as np

from astra_ros.obstacles import BOX, CYLINDER, POINTS, SPHERE, KnownObstacle, ObstacleError
from astra_ros.rotations import multiply, rotate
from astra_ros.texts import listed, short

# shape_msgs/SolidPrimitive: type -> shape, and the places of its size in `dimensions`
PRIMITIVES = {1: (BOX, (0, 1, 2)), 2: (SPHERE, (0,)), 3: (CYLINDER, (1, 0))}
# moveit_msgs/CollisionObject: operation
ADD, REMOVE, APPEND, MOVE = range(4)


class ObstacleInputs:
    """The collision objects of the newest planning scene. Safe to use from several threads.

    Octomaps, planes and bodies attached to the robot are not taken. Objects with planes are named, the others are not.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[str, tuple[str, tuple[KnownObstacle, ...]]] = {}  # name -> frame and pieces

    def on_scene(self, msg) -> None:
        """Take a planning scene: all of it, or its changes (`is_diff`).

        Raises:
            ObstacleError: an object, or a part of it, cannot be used; the others are taken.
        """
        fault: ObstacleError | None = None
        with self._lock:
            if not msg.is_diff:
                self._held.clear()
            for each in msg.world.collision_objects:
                try:
                    self._take(each)
                except ObstacleError as error:
                    fault = fault or error
        if fault:
            raise fault

    def now(self, frames: Collection[str | None]) -> tuple[tuple[KnownObstacle, ...], str]:
        """(Obstacles whose frame is one of these; the objects in other frames, in words, or '')."""
        with self._lock:
            held = dict(self._held)
        known = {name for name, (frame, _) in held.items() if frame in {"", *frames}}
        found = tuple(piece for name, (_, pieces) in held.items() if name in known for piece in pieces)
        others = [f"'{short(name)}' in '{short(held[name][0])}'" for name in held if name not in known]
        wanted = " or ".join(sorted(f"'{frame}'" for frame in frames if frame))
        return found, f"obstacles are known in {wanted} only, not {listed(others)}" if others else ""

    def _take(self, msg) -> None:
        name, operation = str(msg.id), msg.operation
        operation = operation[0] if isinstance(operation, bytes) else int(operation)
        if operation == REMOVE:
            for gone in [name] if name else list(self._held):
                self._held.pop(gone, None)
            return
        if operation == MOVE:
            problem, cure = "it moves without its shapes", "publish it anew with the operation ADD"
            raise ObstacleError(problem, thing=f"obstacle '{short(name)}'", cure=cure)
        before = self._held.get(name, ("", ()))[1] if operation == APPEND else ()
        self._held.pop(name, None)  # where it cannot be read, the old one does not count either
        self._held[name] = (msg.header.frame_id, (*before, *_pieces(name, msg)))
        if len(getattr(msg, "planes", ())):
            problem, cure = "it has planes, which are not taken", "give a large box"
            raise ObstacleError(problem, thing=f"obstacle '{short(name)}'", cure=cure)


def _pieces(name: str, msg) -> Iterable[KnownObstacle]:
    pieces = []
    for primitive, pose in zip(msg.primitives, msg.primitive_poses):
        shape, places = PRIMITIVES.get(primitive.type, ("", ()))
        if not shape or len(primitive.dimensions) <= max(places):
            found = f"it has a primitive of type {primitive.type} with {len(primitive.dimensions)} dimensions"
            raise ObstacleError(found, thing=f"obstacle '{short(name)}'", cure="give boxes, spheres and cylinders")
        size = tuple(float(primitive.dimensions[place]) for place in places)
        pieces.append(KnownObstacle(name, shape, size, *_pose(msg.pose, pose)))
    for mesh, pose in zip(msg.meshes, msg.mesh_poses):
        points = np.array([(point.x, point.y, point.z) for point in mesh.vertices], np.float64).reshape(-1, 3)
        pieces.append(KnownObstacle(name, POINTS, (), *_pose(msg.pose, pose), points=points))
    return pieces


def _pose(outer, inner) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Position and quaternion of a pose in a pose."""
    (place, turn), (xyz, quaternion) = (_numbers(pose) for pose in (outer, inner))
    xyz = place + rotate(turn, xyz)
    return tuple(xyz[0].tolist()), tuple(multiply(turn, quaternion)[0].tolist())


def _numbers(pose) -> tuple[np.ndarray, np.ndarray]:
    """[1, 3] m and [1, 4] of length 1; a quaternion of zeros, as messages begin, does not turn."""
    p, q = pose.position, pose.orientation
    quaternion = np.array([[q.x, q.y, q.z, q.w]], np.float64)
    length = np.linalg.norm(quaternion)
    quaternion = quaternion / length if length else np.array([[0.0, 0.0, 0.0, 1.0]])
    return np.array([[p.x, p.y, p.z]], np.float64), quaternion
