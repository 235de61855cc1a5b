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

    Octomaps, planes and bodies attached to the robot are not taken; `left_out` names them. A body that is attached is
    no obstacle any more, or the robot would touch what it carries.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[str, tuple[str, tuple[KnownObstacle, ...]]] = {}  # name -> frame and pieces
        self._unread: dict[str, str] = {}  # name of an object -> what of it is not taken
        self._attached: dict[str, str] = {}  # name of a body -> its link
        self._has_octomap = self._came = False

    def on_scene(self, msg) -> None:
        """Take a planning scene: all of it, or its changes (`is_diff`).

        Raises:
            ObstacleError: an object, or a part of it, cannot be used; the others are taken.
        """
        fault: ObstacleError | None = None
        octomap, bodies = msg.world.octomap.octomap, msg.robot_state.attached_collision_objects
        with self._lock:
            self._came = True
            if not msg.is_diff:
                for held in (self._held, self._unread, self._attached):
                    held.clear()
            for each in msg.world.collision_objects:
                try:
                    self._take(each)
                except ObstacleError as error:
                    self._unread[str(each.id)] = error.problem
                    fault = fault or error
            if octomap.id or not msg.is_diff:  # changes without an octomap leave it as it is
                self._has_octomap = len(octomap.data) > 0
            for body in bodies:
                self._attach(body)
        if fault:
            raise fault

    @property
    def came(self) -> bool:
        """Whether a planning scene has come."""
        return self._came

    @property
    def left_out(self) -> str:
        """What the scene has and critics are not told, in words, or ''."""
        with self._lock:
            said = ["the octomap"] * self._has_octomap
            said += [f"'{short(name)}', attached to '{short(link)}'" for name, link in self._attached.items()]
            said += [f"'{short(name)}' ({problem})" for name, problem in self._unread.items()]
        return listed(said)

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
        name, operation = str(msg.id), _operation(msg)
        if operation == REMOVE:
            for gone in [name] if name else [*self._held, *self._unread]:
                self._held.pop(gone, None)
                self._unread.pop(gone, None)
            return
        self._attached.pop(name, None)
        if operation == MOVE:
            problem, cure = "it moves without its shapes", "publish it anew with the operation ADD"
            raise ObstacleError(problem, thing=f"obstacle '{short(name)}'", cure=cure)
        before = self._held.get(name, ("", ()))[1] if operation == APPEND else ()
        if operation == ADD:
            self._unread.pop(name, None)
        self._held.pop(name, None)  # where it cannot be read, the old one does not count either
        self._held[name] = (msg.header.frame_id, (*before, *_pieces(name, msg)))
        if len(getattr(msg, "planes", ())):
            problem, cure = "it has planes, which are not taken", "give a large box"
            raise ObstacleError(problem, thing=f"obstacle '{short(name)}'", cure=cure)

    def _attach(self, msg) -> None:
        name, removed = str(msg.object.id), _operation(msg.object) == REMOVE
        if removed:
            for gone in [name] if name else list(self._attached):
                self._attached.pop(gone, None)
            return
        self._attached[name] = str(msg.link_name)
        self._held.pop(name, None)
        self._unread.pop(name, None)


def _operation(msg) -> int:
    return msg.operation[0] if isinstance(msg.operation, bytes) else int(msg.operation)


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
