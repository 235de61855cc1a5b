"""Where the tool goes when the joints move: forward kinematics from a robot description."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np


class KinematicsError(ValueError):
    """A robot description cannot be used. The message says what was wrong and what to do."""


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

    def __init__(
        self,
        urdf: str,
        tool_link: str,
        joint_names: Sequence[str],
        base_link: str | None = None,
    ) -> None:
        robot = _parse(urdf)
        links = [link.name for link in robot.links]
        for what, link in (("tool_link", tool_link), ("base_link", base_link)):
            if link is not None and link not in links:
                raise KinematicsError(
                    f"robot description: {what} '{link}' is not a link; it has {', '.join(links)}"
                )
        self.joint_names = tuple(joint_names)
        joints = {joint.name: joint for joint in robot.joints}
        if unknown := [name for name in self.joint_names if name not in joints]:
            raise KinematicsError(
                f"robot description: it has no joint {', '.join(unknown)}; its joints are "
                f"{', '.join(joints)}"
            )
        chain = _chain(robot, tool_link, base_link)
        self.base_link = chain[0].parent if chain else tool_link
        self.tool_link = tool_link
        self._steps = [self._step(joint, joints) for joint in chain]

    def _step(self, joint, joints) -> tuple[np.ndarray, str, np.ndarray, int, float, float]:
        """(origin [4, 4], type, axis [3], column, factor, offset) of one joint of the chain."""
        origin = np.eye(4) if joint.origin is None else np.asarray(joint.origin, dtype=np.float64)
        if joint.type == "fixed":
            return origin, "fixed", np.zeros(3), -1, 0.0, 0.0
        if joint.type not in ("revolute", "continuous", "prismatic"):
            raise KinematicsError(
                f"robot description: joint '{joint.name}' on the way to '{self.tool_link}' is "
                f"'{joint.type}'; supported are fixed, revolute, continuous and prismatic"
            )
        driver, factor, offset = joint.name, 1.0, 0.0
        if joint.mimic is not None:
            driver = joint.mimic.joint
            factor = 1.0 if joint.mimic.multiplier is None else float(joint.mimic.multiplier)
            offset = 0.0 if joint.mimic.offset is None else float(joint.mimic.offset)
        if driver not in self.joint_names:
            raise KinematicsError(
                f"robot description: joint '{driver}' moves the tool '{self.tool_link}', but its "
                f"position is not given; the given joints are {', '.join(self.joint_names)}"
            )
        axis = np.array([1.0, 0.0, 0.0] if joint.axis is None else joint.axis, dtype=np.float64)
        length = np.linalg.norm(axis)
        if not length > 0.0:
            raise KinematicsError(
                f"robot description: joint '{joint.name}' has an axis of length 0"
            )
        return origin, joint.type, axis / length, self.joint_names.index(driver), factor, offset

    def __call__(self, positions) -> np.ndarray:
        """Tool positions.

        Args:
            positions: [..., J] rad (m for a prismatic joint), in the order of ``joint_names``.

        Returns:
            float64 [..., 3] m, in the frame of ``base_link``.

        Raises:
            KinematicsError: the last dimension is not J.
        """
        q = np.asarray(positions, dtype=np.float64)
        if q.ndim < 1 or q.shape[-1] != len(self.joint_names):
            raise KinematicsError(
                f"joint positions have shape {q.shape}; expected [..., {len(self.joint_names)}]: "
                f"{', '.join(self.joint_names)}"
            )
        # From the tool backwards only a point has to be carried, not a whole pose.
        point = np.zeros(q.shape[:-1] + (3,))
        for origin, kind, axis, column, factor, offset in reversed(self._steps):
            if kind != "fixed":
                value = factor * q[..., column, None] + offset
                if kind == "prismatic":
                    point = point + value * axis
                else:
                    point = _rotate(point, axis, value)
            point = point @ origin[:3, :3].T + origin[:3, 3]
        return point


def _rotate(point: np.ndarray, axis: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """Rodrigues' formula: points [..., 3] about a unit axis [3] by angles [..., 1]."""
    along = (point @ axis)[..., None] * axis
    across = np.cross(np.broadcast_to(axis, point.shape), point)
    return along + np.cos(angle) * (point - along) + np.sin(angle) * across


def _parse(urdf: str):
    """The robot of a URDF text, as yourdfpy reads it."""
    try:
        from yourdfpy import URDF
    except ImportError as error:
        raise KinematicsError(
            "reading a robot description needs the package yourdfpy: pip install yourdfpy"
        ) from error
    try:
        robot = URDF.load(
            io.BytesIO(urdf.encode()),
            build_scene_graph=False,
            build_collision_scene_graph=False,
            load_meshes=False,
            load_collision_meshes=False,
        ).robot
    except Exception as error:  # lxml and yourdfpy raise many kinds for text that is no URDF
        raise KinematicsError(
            f"robot description: it cannot be read as URDF ({error!r})"
        ) from error
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
        raise KinematicsError(
            f"robot description: link '{tool_link}' does not hang on '{base_link}', but on '{link}'"
        )
    return chain[::-1]
