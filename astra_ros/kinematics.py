"""Where a robot's links go along a plan, from its URDF alone."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence

import numpy as np


class KinematicsError(ValueError):
    """A robot description cannot be used. The message says what was wrong and what to do."""


class LinkKinematics:
    """The chain of joints from a robot's root link to one of its links.

    Fixed, revolute, continuous and prismatic joints; conventions of URDF (http://wiki.ros.org/urdf).

    Args:
        description: the URDF's text, as on ``robot_description``.
        link: the link whose origin is wanted.

    Attributes:
        root: name of the root link, the frame of the positions.
        joint_names: the chain's moving joints, root first.

    Raises:
        KinematicsError: no URDF, no such link, or a joint type that is not known.
    """

    def __init__(self, description: str, link: str) -> None:
        try:
            robot = ElementTree.fromstring(description)
        except ElementTree.ParseError as error:
            raise KinematicsError(
                f"robot_description is no XML ({error}); publish the URDF's text"
            ) from error
        links = {element.get("name") for element in robot.findall("link")}
        if link not in links:
            raise KinematicsError(
                f"robot_description has no link '{link}'; set tool_link to one of: "
                + ", ".join(sorted(links))
            )
        joints = {joint.find("child").get("link"): joint for joint in robot.findall("joint")}
        self._chain: list[tuple[str, str, np.ndarray, np.ndarray]] = []
        while link in joints:
            joint = joints[link]
            self._chain.insert(0, _read(joint))
            link = joint.find("parent").get("link")
        self.root = link
        self.joint_names = tuple(name for name, kind, _, _ in self._chain if kind != "fixed")

    def positions(self, joint_names: Sequence[str], joints: np.ndarray) -> np.ndarray:
        """Origin of the link in the root frame.

        Args:
            joint_names: J names of the columns of ``joints``; those outside the chain are ignored.
            joints: [..., J] rad, or m for prismatic joints.

        Returns:
            float64 [..., 3] m.

        Raises:
            KinematicsError: a joint of the chain has no column.
        """
        if lacking := [name for name in self.joint_names if name not in joint_names]:
            raise KinematicsError(
                f"the way to the tool also needs the joints {', '.join(lacking)}; set tool_link "
                "to a link that the plans' joints move alone"
            )
        joints = np.asarray(joints, dtype=np.float64)
        pose = np.broadcast_to(np.eye(4), (*joints.shape[:-1], 4, 4))
        for name, kind, origin, axis in self._chain:
            pose = pose @ origin
            if kind != "fixed":
                value = joints[..., list(joint_names).index(name)]
                pose = pose @ _motion(kind, axis, value)
        return pose[..., :3, 3].copy()


def _read(joint: ElementTree.Element) -> tuple[str, str, np.ndarray, np.ndarray]:
    """A joint's name, its kind (fixed, turns, slides), its origin [4, 4] and its axis [3]."""
    kinds = {"fixed": "fixed", "revolute": "turns", "continuous": "turns", "prismatic": "slides"}
    name, kind = joint.get("name"), kinds.get(joint.get("type"))
    if kind is None:
        raise KinematicsError(
            f"robot_description: joint '{name}' is of type '{joint.get('type')}'; known are "
            + ", ".join(kinds)
        )
    pose = np.eye(4)
    if (origin := joint.find("origin")) is not None:
        pose[:3, 3] = _numbers(origin.get("xyz", "0 0 0"))
        for index, angle in reversed(list(enumerate(_numbers(origin.get("rpy", "0 0 0"))))):
            pose[:3, :3] = pose[:3, :3] @ _turn(np.eye(3)[index], angle)
    element = joint.find("axis")
    axis = _numbers("1 0 0" if element is None else element.get("xyz", "1 0 0"))
    return name, kind, pose, axis / max(float(np.linalg.norm(axis)), 1e-12)


def _motion(kind: str, axis: np.ndarray, value: np.ndarray) -> np.ndarray:
    """[..., 4, 4] of a joint at value [...]."""
    pose = np.broadcast_to(np.eye(4), (*value.shape, 4, 4)).copy()
    if kind == "slides":
        pose[..., :3, 3] = value[..., None] * axis
    else:
        pose[..., :3, :3] = _turn(axis, value)
    return pose


def _turn(axis: np.ndarray, angle) -> np.ndarray:
    """Rodrigues' formula: [..., 3, 3] of angle [...] around a unit axis [3]."""
    x, y, z = axis
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    angle = np.asarray(angle, dtype=np.float64)[..., None, None]
    return np.eye(3) + np.sin(angle) * cross + (1.0 - np.cos(angle)) * (cross @ cross)


def _numbers(text: str) -> np.ndarray:
    return np.array([float(number) for number in text.split()])
