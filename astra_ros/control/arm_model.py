"""One arm as a planner needs it: limits, self-collision and the tool's pose (Pinocchio with coal)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from astra_ros.control.arm_description import (
    DESCRIPTION,
    MOVING,
    check_joints,
    held_positions,
    neighbours,
    which_are_continuous,
    with_bounded_joints,
)
from astra_ros.control.planning_errors import (
    InCollision,
    NoMovableJoints,
    OutsideLimits,
    PlanningError,
    UnusableState,
    not_installed,
)
from astra_ros.robot.shapes import convex_parts
from astra_ros.robot.urdf import known_joints, parse_urdf

# A measured start may lie this far beyond a limit; the motion then begins at the limit. rad or m.
SLACK = 1e-3
# Links that touch in this share of random poses are neighbours, and are not checked against each other.
ALWAYS = 0.9
SAMPLES = 100
# Half the side and the thickness of the box that stands for the floor, m.
FLOOR_M = 5.0
FLOOR_LINK = "floor"
# Continuous joints may turn this far to either side of the start, rad.
TURN = 2 * np.pi


class ArmModel:
    """Kinematics, limits and self-collision of the joints that are planned; all others are held.

    Links are the convex hulls of their collision shapes, so hollow shapes are filled.

    Args:
        joint_names: J joints, the order of all positions.
        held: positions (rad or m) of other joints; those that are not named are held at 0.
        floor_m: links beyond the second planned joint stay above this height in the base frame; None: no floor.
        self_collision: whether links are checked against each other.

    Attributes:
        lower, upper: [J] position limits, rad or m; infinite for continuous joints.
        max_velocity: [J] rad/s or m/s; 0 where the description has none.
        base_link: the root, the frame of all poses.

    Raises:
        KinematicsError: the description does not parse, lacks a joint or a mesh.
        NoMovableJoints, NoJointLimit: nothing can move, or a joint has no limits.
        PlanningNotInstalled: pin is not installed.
    """

    def __init__(
        self,
        urdf: str,
        joint_names: Sequence[str],
        held: Mapping[str, float] | None = None,
        floor_m: float | None = None,
        self_collision: bool = True,
    ) -> None:
        self._pin, self._coal = _libraries()
        robot = parse_urdf(urdf)
        if not any(joint.type in MOVING for joint in robot.joints):
            cure = "give the description of an arm, with its joints"
            raise NoMovableJoints("none of its joints can move", thing=DESCRIPTION, cure=cure)
        self.joint_names = known_joints(robot, joint_names)
        check_joints(robot, self.joint_names)
        self._build(urdf, held_positions(robot, self.joint_names, held or {}))
        parts = convex_parts(robot, "collision", 256, 1) if self_collision or floor_m is not None else []
        touching = neighbours(robot, {part.link for part in parts}) if self_collision else None
        self._add_shapes(parts, floor_m, touching)

    def _build(self, urdf: str, held: Mapping[str, float]) -> None:
        pin = self._pin
        try:
            whole = pin.buildModelFromXML(with_bounded_joints(urdf))
        except (ValueError, RuntimeError) as error:
            problem = f"Pinocchio does not take it: {str(error).strip()}"
            raise PlanningError(problem, thing=DESCRIPTION, cure="correct the description") from error
        rest = pin.neutral(whole)
        for name, value in held.items():
            rest[whole.joints[whole.getJointId(name)].idx_q] = value
        locked = [index for index, name in enumerate(whole.names) if index and name not in self.joint_names]
        model = self._model = pin.buildReducedModel(whole, locked, rest)
        self._data = model.createData()
        # Pinocchio has its own order of joints.
        self._column = np.array([model.joints[model.getJointId(name)].idx_q for name in self.joint_names])
        self.lower = model.lowerPositionLimit[self._column].copy()
        self.upper = model.upperPositionLimit[self._column].copy()
        endless = which_are_continuous(urdf, self.joint_names)
        self.lower[endless], self.upper[endless] = -np.inf, np.inf
        velocity = model.velocityLimit[self._column].copy()
        self.max_velocity = np.where(np.isfinite(velocity) & (velocity < 1e6), velocity, 0.0)
        self.base_link = next(frame.name for frame in model.frames if frame.type == pin.FrameType.BODY)

    def _add_shapes(self, parts, floor_m: float | None, neighbours: set[frozenset[str]] | None) -> None:
        pin, coal, model = self._pin, self._coal, self._model
        geometry = pin.GeometryModel()
        for number, part in enumerate(parts):
            frame = model.frames[model.getFrameId(part.link)]
            shape = pin.GeometryObject(f"{part.link}/{number}", frame.parentJoint, frame.placement, _hull(coal, part))
            geometry.addGeometryObject(shape)
        shapes = list(geometry.geometryObjects)
        for a, first in enumerate(shapes if neighbours is not None else []):
            for b in range(a + 1, len(shapes)):
                pair = frozenset((_link(first.name), _link(shapes[b].name)))
                if first.parentJoint != shapes[b].parentJoint and pair not in (neighbours or ()):
                    geometry.addCollisionPair(pin.CollisionPair(a, b))
        self._geometry = geometry
        self._leave_out_neighbours()
        if floor_m is not None:
            side = 2 * FLOOR_M
            place = pin.SE3(np.eye(3), np.array([0.0, 0.0, floor_m - FLOOR_M]))
            floor = geometry.addGeometryObject(pin.GeometryObject(FLOOR_LINK, 0, place, coal.Box(side, side, side)))
            for index, shape in enumerate(shapes):
                if shape.parentJoint > 1:  # the base stands on the floor, and what it carries turns there
                    geometry.addCollisionPair(pin.CollisionPair(index, floor))
        self._found = pin.GeometryData(geometry)

    def _leave_out_neighbours(self) -> None:
        """Pairs of links that touch in nearly every pose, such as those of a wrist, say nothing."""
        geometry, pairs = self._geometry, list(self._geometry.collisionPairs)
        self._found = self._pin.GeometryData(geometry)
        low, high = (np.clip(limit, -np.pi, np.pi) for limit in (self.lower, self.upper))
        random, touched = np.random.default_rng(0), np.zeros(len(pairs))
        for _ in range(SAMPLES):
            self._collide(random.uniform(low, high), False)
            touched += [result.isCollision() for result in self._found.collisionResults]
        for pair, count in zip(pairs, touched):
            if count >= ALWAYS * SAMPLES:
                geometry.removeCollisionPair(pair)

    def _ordered(self, joints: np.ndarray) -> np.ndarray:
        q = np.empty(len(self._column))
        q[self._column] = joints
        return q

    def _collide(self, joints: np.ndarray, stop_at_first: bool) -> bool:
        found = self._pin.computeCollisions(
            self._model, self._data, self._geometry, self._found, self._ordered(joints), stop_at_first
        )
        return bool(found)

    def collides(self, joints: np.ndarray) -> bool:
        """Whether links touch each other or the floor, for joints [J]; exactly a ``bool``, as OMPL needs it."""
        return len(self._geometry.collisionPairs) > 0 and self._collide(joints, True)

    def touching(self, joints: np.ndarray) -> tuple[str, str] | None:
        """The first two links that touch, or None."""
        if not self.collides(joints):
            return None
        shapes = self._geometry.geometryObjects
        for pair, result in zip(self._geometry.collisionPairs, self._found.collisionResults):
            if result.isCollision():
                return _link(shapes[pair.first].name), _link(shapes[pair.second].name)
        return None

    def inside(self, joints: np.ndarray) -> bool:
        """Whether joints [..., J] are all within the limits."""
        return bool(((joints >= self.lower - 1e-9) & (joints <= self.upper + 1e-9)).all())

    def frame(self, link: str) -> int:
        """The index of a link's frame. Raises PlanningError where the robot lacks it."""
        if not self._model.existFrame(link):
            known = ", ".join(frame.name for frame in self._model.frames if frame.type == self._pin.FrameType.BODY)
            raise PlanningError(f"'{link}' is not one of its links", thing=DESCRIPTION, cure=f"its links are {known}")
        return self._model.getFrameId(link)

    def pose(self, joints: np.ndarray, frame: int) -> np.ndarray:
        """[4, 4] pose of a frame in the base link, for joints [J]."""
        self._pin.framesForwardKinematics(self._model, self._data, self._ordered(joints))
        return self._data.oMf[frame].homogeneous

    def turn(self, now: np.ndarray, wanted: np.ndarray) -> np.ndarray:
        """[3] rad: the rotation vector, in the axes of the base link, from one orientation [3, 3] to another."""
        return self._pin.log3(wanted @ now.T)

    def jacobian(self, joints: np.ndarray, frame: int) -> np.ndarray:
        """[6, J]: velocity and turn of a frame, along the axes of the base link, per joint speed."""
        reference = self._pin.ReferenceFrame.LOCAL_WORLD_ALIGNED
        columns = self._pin.computeFrameJacobian(self._model, self._data, self._ordered(joints), frame, reference)
        return columns[:, self._column]

    def checked(self, positions: Mapping[str, float], thing: str) -> np.ndarray:
        """[J] positions of a start or goal (``thing``), within the limits and free of collisions.

        Raises UnusableState, OutsideLimits or InCollision.
        """
        joints = joints_of(positions, self.joint_names, thing)
        for name, value, low, high in zip(self.joint_names, joints, self.lower, self.upper):
            if not low - SLACK <= value <= high + SLACK:
                raise OutsideLimits(
                    f"joint '{name}' is at {value:.4g}, outside its limits {low:.4g} to {high:.4g}",
                    thing=thing,
                    cure="move it within the limits" if thing == "start" else "name a position within the limits",
                    joint=name,
                    found=float(value),
                    lower=float(low),
                    upper=float(high),
                )
        joints = np.clip(joints, self.lower, self.upper)
        if links := self.touching(joints):
            cure = "move the robot clear of it" if thing == "start" else "name another goal"
            raise InCollision(f"'{links[0]}' touches '{links[1]}'", thing=thing, cure=cure, links=links)
        return joints


def joints_of(positions: Mapping[str, float], names: Sequence[str], thing: str) -> np.ndarray:
    """[J] finite positions of these joints, in this order. Raises UnusableState."""
    if missing := [name for name in names if name not in positions]:
        problem = f"it lacks the joints {', '.join(missing)}"
        raise UnusableState(problem, thing=thing, cure="give the position of every planned joint", joint=missing[0])
    for name in names:
        if not np.isfinite(positions[name]):
            problem, cure = f"joint '{name}' is at {positions[name]}", "give finite positions"
            raise UnusableState(problem, thing=thing, cure=cure, joint=name)
    return np.array([positions[name] for name in names], dtype=np.float64)


def _libraries():
    """pinocchio and coal. Raises PlanningNotInstalled."""
    try:
        import coal
        import pinocchio
    except ImportError as error:
        raise not_installed("pin", error) from error
    return pinocchio, coal


def _hull(coal, part):
    points = coal.StdVec_Vec3s()
    for vertex in part.vertices:
        points.append(np.asarray(vertex, np.float64))
    return coal.Convex.convexHull(points, True, "Qt")


def _link(shape_name: str) -> str:
    return shape_name.rpartition("/")[0] or shape_name
