"""Where a robot goes when its joints move: forward kinematics from a robot description."""

from __future__ import annotations

import io
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from astra_ros.robot.description_faults import fault, no_xml
from astra_ros.rotations import cross_matrix
from astra_ros.texts import short


class KinematicsError(ValueError):
    """A robot description cannot be used. The message says what was wrong and what to do."""


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
    axis: np.ndarray | None = None
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

    Built from a URDF (parsed by yourdfpy, without meshes): the joints from the base link to the
    tool link are folded into one chain of numpy matrices.

    Args:
        urdf: the robot description, XML text, e.g. of the topic ``robot_description``.
        tool_link: link whose origin is the tool.
        joint_names: J names, the order of the joint positions. Every moving joint between base and
            tool must be among them; others, such as fingers, are accepted and have no effect.
        base_link: frame of the positions; the URDF's root when None.

    Raises:
        KinematicsError: yourdfpy is not installed, the text is no URDF, a link or joint is unknown,
            or a joint on the way is of an unsupported type.
    """

    def __init__(self, urdf: str, tool_link: str, joint_names: Sequence[str], base_link: str | None = None) -> None:
        robot = parse_urdf(urdf)
        links = [link.name for link in robot.links]
        for what, link in (("tool_link", tool_link), ("base_link", base_link)):
            if link is not None and link not in links:
                raise KinematicsError(f"robot description: {what} '{link}' is not a link; it has {', '.join(links)}")
        self.joint_names = _known_joints(robot, joint_names)
        chain = _chain(robot, tool_link, base_link)
        self.base_link = chain[0].parent if chain else tool_link
        self.tool_link = tool_link
        whose = f"the tool '{tool_link}'"
        known = {joint.name: joint for joint in robot.joints}
        self._steps = [_step(joint, self.joint_names, whose, known) for joint in chain]

    def __call__(self, positions) -> np.ndarray:
        """Tool positions.

        Args:
            positions: [..., J] rad (m for a prismatic joint), in the order of ``joint_names``.

        Returns:
            float64 [..., 3] m, in the frame of ``base_link``.

        Raises:
            KinematicsError: the last dimension is not J.
        """
        q = _checked_positions(positions, self.joint_names)
        # From the tool backwards only a point has to be carried, not a whole pose.
        point = np.zeros(q.shape[:-1] + (3,))
        for step in reversed(self._steps):
            if step.kind == "slide":
                point = point + step.value(q) * step.axis
            elif step.kind == "turn":
                point = _rotate(point, step.axis, step.value(q))
            point = point @ step.origin[:3, :3].T + step.origin[:3, 3]
        return point


class LinkPoses:
    """Poses of all links of a robot, for any number of joint positions at once.

    Args:
        urdf: the robot description, XML text or the bytes of its file.
        joint_names: J names, the order of the joint positions.
        held: joint name -> rad or m of moving joints that are not in ``joint_names``; those in
            neither stay at 0. A joint that mimics another follows it, and so along a chain of them.

    Attributes:
        robot: the parsed description (yourdfpy's ``Robot``).
        base_link: the URDF's root, the frame of the poses.
        link_names: L names, base first, every link after its parent.
        chain_depth: int [L], how many moving joints lie between the base and each link.

    Raises:
        KinematicsError: yourdfpy is not installed, the text is no URDF or no tree, a joint is
            unknown, or of an unsupported type.
    """

    def __init__(self, urdf: str | bytes, joint_names: Sequence[str], held: Mapping[str, float] | None = None) -> None:
        self.robot = parse_urdf(urdf)
        self.joint_names = _known_joints(self.robot, joint_names)
        held = dict(held or {})
        _known_joints(self.robot, held)
        joints = _from_the_base(self.robot)
        self.base_link = joints[0].parent if joints else self.robot.links[0].name
        self.link_names = (self.base_link, *(joint.child for joint in joints))
        depth = {self.base_link: 0}
        known = {joint.name: joint for joint in joints}
        self._steps: list[tuple[int, JointStep]] = []
        for joint in joints:
            step = _step(joint, self.joint_names, f"the link '{joint.child}'", known, held)
            depth[joint.child] = depth[joint.parent] + (step.kind != "fixed")
            self._steps.append((self.link_names.index(joint.parent), step))
        self.chain_depth = np.array([depth[name] for name in self.link_names])

    def __call__(self, positions) -> np.ndarray:
        """Link poses.

        Args:
            positions: [..., J] rad (m for a prismatic joint), in the order of ``joint_names``.

        Returns:
            float64 [..., L, 4, 4] m, the pose of each link in the frame of ``base_link``.

        Raises:
            KinematicsError: the last dimension is not J.
        """
        q = _checked_positions(positions, self.joint_names)
        flat = q.reshape(int(np.prod(q.shape[:-1])), q.shape[-1])
        poses = np.zeros((len(self.link_names), len(flat), 4, 4))
        poses[0] = np.eye(4)
        for index, (parent, step) in enumerate(self._steps, start=1):
            pose = poses[parent] @ step.origin
            if step.kind == "slide":
                pose[:, :3, 3] += pose[:, :3, :3] @ step.axis * step.value(flat)
            elif step.kind == "turn":
                pose[:, :3, :3] = pose[:, :3, :3] @ _turn(step.axis, step.value(flat))
            poses[index] = pose
        return np.moveaxis(poses, 0, 1).reshape(q.shape[:-1] + poses.shape[:1] + (4, 4))


def _step(
    joint, joint_names: tuple[str, ...], whose: str, known: Mapping, held: Mapping[str, float] | None = None
) -> JointStep:
    """One joint of a description.

    Args:
        joint: of yourdfpy's ``Robot``.
        joint_names: whose positions are given.
        whose: what it moves, in words.
        known: all joints by name.
        held: positions of joints that are not given, others are 0; None where each must be given.
    """
    origin = np.eye(4) if joint.origin is None else np.asarray(joint.origin, dtype=np.float64)
    if not np.isfinite(origin).all():
        raise KinematicsError(f"robot description: joint '{joint.name}' has an origin that is not finite; correct it")
    if joint.type == "fixed":
        return JointStep(origin)
    if joint.type not in ("revolute", "continuous", "prismatic"):
        raise KinematicsError(
            f"robot description: joint '{joint.name}' on the way to {whose} is "
            f"'{joint.type}'; supported are fixed, revolute, continuous and prismatic"
        )
    axis = np.array([1.0, 0.0, 0.0] if joint.axis is None else joint.axis, dtype=np.float64)
    length = np.linalg.norm(axis)
    if not length > 0.0:
        raise KinematicsError(f"robot description: joint '{joint.name}' has an axis of length 0")
    kind = "slide" if joint.type == "prismatic" else "turn"
    chain = _drivers(joint, known)
    for driver, factor, offset in chain:
        if driver in joint_names:
            column = joint_names.index(driver)
            return JointStep(origin, kind, axis / length, column, factor, offset)
    if held is None:
        raise KinematicsError(
            f"robot description: joint '{chain[0][0]}' moves {whose}, but its "
            f"position is not given; the given joints are {', '.join(joint_names)}"
        )
    driver, factor, offset = next((one for one in chain if one[0] in held), chain[0])
    return JointStep(origin, kind, axis / length, offset=factor * held.get(driver, 0.0) + offset)


def _drivers(joint, known: Mapping) -> list[tuple[str, float, float]]:
    """Which joints move a joint: (name, factor, offset) with position = factor * that one's + offset.

    The joint that mimics no other comes first, and the joint itself last.

    Raises:
        KinematicsError: a joint mimics one that is not there, or itself over others.
    """
    drivers = [(joint.name, 1.0, 0.0)]
    while joint.mimic is not None:
        name, factor, offset = joint.mimic.joint, joint.mimic.multiplier, joint.mimic.offset
        if name not in known:
            raise KinematicsError(
                f"robot description: joint '{joint.name}' mimics '{name}', which is no joint of it; "
                f"correct the name, or take <mimic> out; its joints are {', '.join(known)}"
            )
        if any(name == driver for driver, *_ in drivers):
            way = " -> ".join([driver for driver, *_ in drivers] + [name])
            raise KinematicsError(
                f"robot description: joints mimic each other in a circle ({way}); take <mimic> out "
                "of the one that is moved"
            )
        _, outer, rest = drivers[-1]
        inner = 1.0 if factor is None else float(factor)
        more = 0.0 if offset is None else float(offset)
        drivers.append((name, outer * inner, outer * more + rest))
        joint = known[name]
    return drivers[::-1]


def _known_joints(robot, names) -> tuple[str, ...]:
    """The names, all of which must be joints of the robot."""
    known = [joint.name for joint in robot.joints]
    if unknown := [name for name in names if name not in known]:
        raise KinematicsError(
            f"robot description: it has no joint {', '.join(unknown)}; its joints are {', '.join(known)}"
        )
    return tuple(names)


def _checked_positions(positions, joint_names: tuple[str, ...]) -> np.ndarray:
    q = np.asarray(positions, dtype=np.float64)
    if q.ndim < 1 or q.shape[-1] != len(joint_names):
        raise KinematicsError(
            f"joint positions have shape {q.shape}; expected [..., {len(joint_names)}]: {', '.join(joint_names)}"
        )
    return q


def _rotate(point: np.ndarray, axis: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """Rodrigues' formula: points [..., 3] about a unit axis [3] by angles [..., 1]."""
    along = (point @ axis)[..., None] * axis
    across = np.cross(np.broadcast_to(axis, point.shape), point)
    return along + np.cos(angle) * (point - along) + np.sin(angle) * across


def _turn(axis: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """Rodrigues' formula: rotations [N, 3, 3] about a unit axis [3] by angles [N, 1]."""
    cross = cross_matrix(axis)
    angle = angle[..., None]
    return np.eye(3) + np.sin(angle) * cross + (1.0 - np.cos(angle)) * (cross @ cross)


def parse_urdf(urdf: str | bytes):
    """The robot of a URDF, as yourdfpy reads it, without its meshes; of bytes, the encoding is what the XML says.

    Raises:
        KinematicsError: yourdfpy is not installed, or the text is no URDF.
    """
    try:
        from yourdfpy import URDF
    except ImportError as error:
        raise KinematicsError("reading a robot description needs the package yourdfpy: pip install yourdfpy") from error
    # yourdfpy would go on without what lies behind the fault, and tell it line by line.
    if found := no_xml(urdf):
        raise KinematicsError(
            f"robot description: it cannot be read as URDF: it is no XML: {short(found)}; correct it, or make it again"
        )
    # What it tells is told below, in words of the description.
    log = logging.getLogger("yourdfpy")
    before = log.level
    log.setLevel(logging.CRITICAL)
    try:
        robot = URDF.load(
            io.BytesIO(urdf if isinstance(urdf, bytes) else urdf.encode()),
            build_scene_graph=False,
            build_collision_scene_graph=False,
            load_meshes=False,
            load_collision_meshes=False,
        ).robot
    except Exception as error:  # lxml and yourdfpy raise many kinds for text that is no URDF
        what = short(fault(urdf) or repr(error))
        raise KinematicsError(
            f"robot description: it cannot be read as URDF: {what}; correct it, or make it again"
        ) from error
    finally:
        log.setLevel(before)
    if not robot.links:
        raise KinematicsError("robot description: it has no links")
    return robot


def _chain(robot, tool_link: str, base_link: str | None) -> list:
    """The joints from the base (the root when None) to the tool, base first."""
    above = {joint.child: joint for joint in robot.joints}
    chain, link = [], tool_link
    while link != base_link and link in above:
        chain.append(above[link])
        link = above[link].parent
        if len(chain) > len(above):
            raise KinematicsError("robot description: its joints form a loop")
    if base_link is not None and link != base_link:
        raise KinematicsError(f"robot description: link '{tool_link}' does not hang on '{base_link}', but on '{link}'")
    return chain[::-1]


def _from_the_base(robot) -> list:
    """All joints, each after the one that carries its parent link."""
    below: dict[str, list] = {}
    for joint in robot.joints:
        below.setdefault(joint.parent, []).append(joint)
    children = {joint.child for joint in robot.joints}
    roots = [link.name for link in robot.links if link.name not in children]
    order, waiting = [], roots[:1] if len(children) == len(robot.joints) else []
    while waiting:
        joints = below.get(waiting.pop(0), [])
        order += joints
        waiting += [joint.child for joint in joints]
    if len(roots) != 1 or len(order) != len(robot.joints):
        raise KinematicsError(
            "robot description: it is no tree; expected one link that hangs on no other (found "
            f"{', '.join(roots) or 'none'}) and one joint on which each other link hangs"
        )
    return order
