"""Collision objects: what a `moveit_msgs/CollisionObject` says of shapes and poses, read by its fields. Without ROS."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from astra_ros.obstacles import BOX, CYLINDER, POINTS, SPHERE, KnownObstacle, ObstacleError
from astra_ros.rotations import Transforms, compose, inverse
from astra_ros.texts import short

# shape_msgs/SolidPrimitive: type -> shape, and the places of its size in `dimensions`
PRIMITIVES = {1: (BOX, (0, 1, 2)), 2: (SPHERE, (0,)), 3: (CYLINDER, (1, 0))}
IDENTITY: Transforms = (np.zeros((1, 3)), np.array([[0.0, 0.0, 0.0, 1.0]]))


@dataclass(eq=False)
class CollisionBody:
    """A collision object that is held.

    Attributes:
        frame: of its pose.
        pose: the object in its frame.
        shapes: posed in the object.
        moved_away: why it is not known where it has moved to since, or ''.
        placed: the shapes, posed in the frame.

    Raises:
        ObstacleError: on creation, for a shape whose pose in the frame is not finite.
    """

    frame: str
    pose: Transforms
    shapes: Sequence[KnownObstacle]
    moved_away: str = ""
    placed: tuple[KnownObstacle, ...] = field(init=False)

    def __post_init__(self) -> None:
        self.placed = tuple(_placed(self.pose, each) for each in self.shapes)


def object_error(name: object, problem: str, cure: str) -> ObstacleError:
    """An error that names the object."""
    return ObstacleError(problem, thing=f"obstacle '{short(name)}'", cure=cure)


def collision_body(msg) -> CollisionBody:
    """An object as a message has it. As in MoveIt, one with a single shape and no pose of its own has its shape's pose:
    it is this pose that a MOVE replaces.

    Raises:
        ObstacleError: a shape or a pose cannot be used.
    """
    shapes, pose = _shapes(msg), _transform(msg.pose, msg.id)
    if len(shapes) == 1 and not msg.planes and _is_identity(pose):
        pose, shapes = _pose_of(shapes[0]), [_at(IDENTITY, shapes[0])]
    return CollisionBody(msg.header.frame_id, pose, shapes)


def appended(body: CollisionBody, msg) -> CollisionBody:
    """An object with the shapes of a message beside its own, which do not say where it is.

    Raises:
        ObstacleError: a shape or a pose cannot be used, or the object is in another frame.
    """
    frame = msg.header.frame_id
    if frame and body.frame and frame != body.frame:
        problem = f"shapes are appended in '{short(frame)}', and it is in '{short(body.frame)}'"
        raise object_error(msg.id, problem, "append them in the same frame")
    offset = compose(inverse(body.pose), _transform(msg.pose, msg.id))
    shapes = [_placed(offset, each) for each in _shapes(msg)]
    return CollisionBody(frame or body.frame, body.pose, [*body.shapes, *shapes], body.moved_away)


def moved(body: CollisionBody, msg) -> CollisionBody:
    """An object at the pose of a message. If the message has poses of shapes, they become those of the object's shapes.
    Shapes in the message do not count, as in MoveIt.

    Raises:
        ObstacleError: a pose cannot be used, or not each shape has one.
    """
    poses, shapes = [*msg.primitive_poses, *msg.mesh_poses], body.shapes
    if poses and len(poses) != len(shapes):
        problem = f"it moves with poses of {len(poses)} shapes, and has {len(shapes)}"
        raise object_error(msg.id, problem, "give a pose for each shape, or the object's pose alone")
    if poses:
        shapes = [_at(_transform(pose, msg.id), each) for pose, each in zip(poses, shapes)]
    return CollisionBody(msg.header.frame_id, _transform(msg.pose, msg.id), shapes)


def _shapes(msg) -> list[KnownObstacle]:
    """The shapes of a message, posed in the object. A shape without a pose stands where the object is."""
    shapes, name = [], str(msg.id)
    for number, primitive in enumerate(msg.primitives):
        shape, places = PRIMITIVES.get(primitive.type, ("", ()))
        if not shape or len(primitive.dimensions) <= max(places):
            found = f"it has a primitive of type {primitive.type} with {len(primitive.dimensions)} dimensions"
            raise object_error(name, found, "give boxes, spheres and cylinders")
        size = tuple(float(primitive.dimensions[place]) for place in places)
        shapes.append(_at(_nth(msg.primitive_poses, number, name), KnownObstacle(name, shape, size)))
    for number, mesh in enumerate(msg.meshes):
        points = np.array([(point.x, point.y, point.z) for point in mesh.vertices], np.float64).reshape(-1, 3)
        shapes.append(_at(_nth(msg.mesh_poses, number, name), KnownObstacle(name, POINTS, points=points)))
    return shapes


def _nth(poses: Sequence, number: int, name: str) -> Transforms:
    return _transform(poses[number], name) if number < len(poses) else IDENTITY


def _placed(outer: Transforms, inner: KnownObstacle) -> KnownObstacle:
    """A shape that is posed in an object, posed where the object is."""
    return _at(compose(outer, _pose_of(inner)), inner)


def _at(pose: Transforms, shape: KnownObstacle) -> KnownObstacle:
    xyz, quaternion = pose
    return replace(shape, xyz=tuple(xyz[0].tolist()), quaternion=tuple(quaternion[0].tolist()))


def _pose_of(shape: KnownObstacle) -> Transforms:
    return np.array([shape.xyz]), np.array([shape.quaternion])


def _is_identity(pose: Transforms) -> bool:
    return not pose[0].any() and not pose[1][:, :3].any()


def _transform(pose, name: object) -> Transforms:
    """Position [1, 3] m and quaternion [1, 4] of length 1; one of zeros, as messages begin, does not turn.

    Raises:
        ObstacleError: a number is not finite.
    """
    p, q = pose.position, pose.orientation
    position, quaternion = np.array([[p.x, p.y, p.z]], np.float64), np.array([[q.x, q.y, q.z, q.w]], np.float64)
    length = np.linalg.norm(quaternion)
    if not np.isfinite(position).all():
        raise object_error(name, f"its position is {position[0].tolist()}", "give three finite numbers, in metres")
    if not np.isfinite(length):
        raise object_error(name, f"its orientation is {quaternion[0].tolist()}", "give a quaternion x y z w")
    quaternion = quaternion / length if length else np.array([[0.0, 0.0, 0.0, 1.0]])
    return position, quaternion
