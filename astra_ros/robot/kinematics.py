"""Forward kinematics: where the tool and the links of a robot are, for given joint positions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from astra_ros.robot.urdf import KinematicsError, joints_between, joints_in_order, known_joints, parse_urdf
from astra_ros.rotations import cross_matrix


@dataclass(frozen=True)
class JointStep:
    """One joint, ready to be moved.

    Its value is ``factor * positions[column] + offset``; a column of -1 stands for none.

    Attributes:
        origin: [4, 4] pose of the joint in its parent link.
        kind: "fixed", "turn" or "slide".
        axis: [3], unit length.
        column: which of the given positions drives it.
        factor, offset: of a mimic joint, rad (m for a slide); 1 and 0 for others.
    """

    origin: np.ndarray
    kind: str = "fixed"
    axis: np.ndarray = field(default_factory=lambda: np.zeros(3))
    column: int = -1
    factor: float = 1.0
    offset: float = 0.0

    def value(self, positions: np.ndarray) -> np.ndarray:
        """rad or m, [..., 1] of positions [..., J]."""
        if self.column < 0:
            return np.full(positions.shape[:-1] + (1,), self.offset)
        return self.factor * positions[..., self.column, None] + self.offset


class ToolPath:
    """Tool positions of an arm, for any number of joint positions at once.

    Args:
        tool_link: link whose origin is the tool.
        joint_names: J names, the order of the joint positions. Every moving joint between base and tool must be
            among them. Others, such as fingers, have no effect.
        base_link: frame of the positions; the URDF's root when None.

    Raises:
        KinematicsError: the description lacks a link or joint, or a joint between base and tool is of an unsupported
            type.
    """

    def __init__(self, urdf: str, tool_link: str, joint_names: Sequence[str], base_link: str | None = None) -> None:
        robot = parse_urdf(urdf)
        chain = joints_between(robot, tool_link, base_link)
        self.joint_names = known_joints(robot, joint_names)
        self.base_link = chain[0].parent if chain else tool_link
        self.tool_link = tool_link
        known = {joint.name: joint for joint in robot.joints}
        self._steps = [_step(joint, self.joint_names, f"the tool '{tool_link}'", known) for joint in chain]

    def __call__(self, positions) -> np.ndarray:
        """Tool positions float64 [..., 3] m in ``base_link``, of joints [..., J] rad (m where one slides)."""
        q = checked_positions(positions, self.joint_names)
        # From the tool backwards only a point has to be carried, not a whole pose.
        point = np.zeros(q.shape[:-1] + (3,))
        for step in reversed(self._steps):
            if step.kind == "slide":
                point = point + step.value(q) * step.axis
            elif step.kind == "turn":
                point = (turned(step.axis, step.value(q)) @ point[..., None])[..., 0]
            point = point @ step.origin[:3, :3].T + step.origin[:3, 3]
        return point


class TurningChain:
    """A chain of turning joints with everything between two of them folded into one matrix.

    One evaluation for one set of joint positions takes microseconds, as inverse kinematics needs it.

    Args:
        steps: the joints from base to tool. Those that move all turn, driven by the columns 0 to J - 1 in order.

    Attributes:
        axes: [J, 3] of the joints, each in its own frame.
    """

    def __init__(self, steps: Sequence[JointStep]) -> None:
        moving = [step for step in steps if step.kind != "fixed"]
        assert all(step.kind == "turn" and step.column == column for column, step in enumerate(moving))
        self.axes = np.array([step.axis for step in moving])
        self._before, pending = [], np.eye(4)
        for step in steps:
            pending = pending @ step.origin
            if step.kind == "turn":
                self._before.append(pending)
                pending = np.eye(4)
        self._after = pending
        self._crosses = [(k, k @ k) for k in map(cross_matrix, self.axes)]

    def __call__(self, joints: np.ndarray) -> list[np.ndarray]:
        """Pose of each joint before it turns, then of the tool: J + 1 of [4, 4] for joints [J] rad."""
        frames, pose = [], np.eye(4)
        for before, (k, k2), sine, cosine in zip(self._before, self._crosses, np.sin(joints), np.cos(joints)):
            pose = pose @ before
            frames.append(pose)
            turn = np.eye(4)  # Rodrigues' formula
            turn[:3, :3] += sine * k + (1.0 - cosine) * k2
            pose = pose @ turn
        return [*frames, pose @ self._after]


class LinkPoses:
    """Poses of all links of a robot, for any number of joint positions at once.

    Args:
        joint_names: J names, the order of the joint positions.
        held: joint name -> rad or m of moving joints that are not in ``joint_names``; those in
            neither stay at 0. A joint that mimics another follows it, and so along a chain of them.

    Attributes:
        robot: the parsed description (yourdfpy's ``Robot``).
        base_link: the URDF's root, the frame of the poses.
        link_names: L names, base first, every link after its parent.
        chain_depth: int [L], how many moving joints lie between the base and each link.

    Raises:
        KinematicsError: the links are not a tree, a joint is unknown, or of an unsupported type.
    """

    def __init__(self, urdf: str | bytes, joint_names: Sequence[str], held: Mapping[str, float] | None = None) -> None:
        self.robot = parse_urdf(urdf)
        self.joint_names = known_joints(self.robot, joint_names)
        held = dict(held or {})
        known_joints(self.robot, held)
        joints = joints_in_order(self.robot)
        self.base_link = joints[0].parent if joints else self.robot.links[0].name
        self.link_names = (self.base_link, *(joint.child for joint in joints))
        depth = {self.base_link: 0}
        known = {joint.name: joint for joint in joints}
        self._steps: list[tuple[int, JointStep]] = []
        self._names = [joint.name for joint in joints]
        for joint in joints:
            step = _step(joint, self.joint_names, f"the link '{joint.child}'", known, held)
            depth[joint.child] = depth[joint.parent] + (step.kind != "fixed")
            self._steps.append((self.link_names.index(joint.parent), step))
        self.chain_depth = np.array([depth[name] for name in self.link_names])

    def __call__(self, positions) -> np.ndarray:
        """Poses float64 [..., L, 4, 4] m of all links in ``base_link``, of joints [..., J] rad (m where one slides)."""
        q = checked_positions(positions, self.joint_names)
        flat = q.reshape(int(np.prod(q.shape[:-1])), q.shape[-1])
        poses = np.zeros((len(self.link_names), len(flat), 4, 4))
        poses[0] = np.eye(4)
        for index, (parent, step) in enumerate(self._steps, start=1):
            pose = poses[parent] @ step.origin
            if step.kind == "slide":
                pose[:, :3, 3] += pose[:, :3, :3] @ step.axis * step.value(flat)
            elif step.kind == "turn":
                pose[:, :3, :3] = pose[:, :3, :3] @ turned(step.axis, step.value(flat))
            poses[index] = pose
        return np.moveaxis(poses, 0, 1).reshape(q.shape[:-1] + poses.shape[:1] + (4, 4))

    def rigid_bodies(self) -> tuple[np.ndarray, set[tuple[int, int]]]:
        """int [L], equal for links that no given joint moves against each other, and the pairs of numbers that a joint
        joins, the smaller one first. The base has number 0."""
        number = np.zeros(len(self.link_names), int)
        joined = set()
        for index, (parent, step) in enumerate(self._steps, start=1):
            moves = step.kind != "fixed" and step.column >= 0
            number[index] = index if moves else number[parent]
            if moves:
                joined.add((int(number[parent]), index))
        return number, joined

    def joint_values(self, positions) -> dict[str, np.ndarray]:
        """Moving joint -> its values [...] rad or m, also of mimic and held joints, of joints [..., J]."""
        q = checked_positions(positions, self.joint_names)
        named = zip(self._names, self._steps)
        return {name: step.value(q)[..., 0] for name, (_, step) in named if step.kind != "fixed"}


def _step(
    joint, joint_names: tuple[str, ...], whose: str, known: Mapping, held: Mapping[str, float] | None = None
) -> JointStep:
    """One joint of yourdfpy's ``Robot``.

    Args:
        joint_names: whose positions are given.
        whose: what it moves, in words.
        known: all joints by name.
        held: positions of joints that are not given, others are 0; None where each must be given.
    """
    origin = np.eye(4) if joint.origin is None else np.asarray(joint.origin, dtype=np.float64)
    if not np.isfinite(origin).all():
        raise KinematicsError(f"joint '{joint.name}' has an origin that is not finite", "correct its <origin>")
    if joint.type == "fixed":
        return JointStep(origin)
    if joint.type not in ("revolute", "continuous", "prismatic"):
        problem = f"joint '{joint.name}', which moves {whose}, is '{joint.type}'"
        raise KinematicsError(problem, "use fixed, revolute, continuous or prismatic joints")
    axis = np.array([1.0, 0.0, 0.0] if joint.axis is None else joint.axis, dtype=np.float64)
    length = np.linalg.norm(axis)
    if not length > 0.0:
        raise KinematicsError(f"joint '{joint.name}' has an axis of length 0", "correct its <axis>")
    kind = "slide" if joint.type == "prismatic" else "turn"
    chain = _drivers(joint, known)
    for driver, factor, offset in chain:
        if driver in joint_names:
            column = joint_names.index(driver)
            return JointStep(origin, kind, axis / length, column, factor, offset)
    if held is None:
        problem = f"joint '{chain[0][0]}' moves {whose}, but its position is not given"
        raise KinematicsError(problem, f"the given joints are {', '.join(joint_names)}")
    driver, factor, offset = next((one for one in chain if one[0] in held), chain[0])
    return JointStep(origin, kind, axis / length, offset=factor * held.get(driver, 0.0) + offset)


def _drivers(joint, known: Mapping) -> list[tuple[str, float, float]]:
    """The joints that move a joint: (name, factor, offset), its position being factor * that one's + offset.

    The joint that mimics no other comes first, and the joint itself last.
    """
    drivers = [(joint.name, 1.0, 0.0)]
    while joint.mimic is not None:
        name, factor, offset = joint.mimic.joint, joint.mimic.multiplier, joint.mimic.offset
        if name not in known:
            cure = f"correct the name or remove <mimic>; its joints are {', '.join(known)}"
            raise KinematicsError(f"joint '{joint.name}' mimics '{name}', which does not exist", cure)
        if any(name == driver for driver, *_ in drivers):
            way = " -> ".join([driver for driver, *_ in drivers] + [name])
            cure = "remove <mimic> from the joint that is driven"
            raise KinematicsError(f"joints mimic each other in a circle ({way})", cure)
        _, outer, rest = drivers[-1]
        inner = 1.0 if factor is None else float(factor)
        more = 0.0 if offset is None else float(offset)
        drivers.append((name, outer * inner, outer * more + rest))
        joint = known[name]
    return drivers[::-1]


def checked_positions(positions, joint_names: tuple[str, ...]) -> np.ndarray:
    """float64 [..., J]. Raises KinematicsError where the last dimension is not J."""
    q = np.asarray(positions, dtype=np.float64)
    if q.ndim < 1 or q.shape[-1] != len(joint_names):
        expected = f"[..., {len(joint_names)}]: {', '.join(joint_names)}"
        raise KinematicsError(f"their shape is {q.shape}; expected {expected}", thing="joint positions")
    return q


def turned(axis: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """Rodrigues' formula: rotations [..., 3, 3] about a unit axis [3] by angles [..., 1]."""
    cross = cross_matrix(axis)
    angle = angle[..., None]
    return np.eye(3) + np.sin(angle) * cross + (1.0 - np.cos(angle)) * (cross @ cross)
