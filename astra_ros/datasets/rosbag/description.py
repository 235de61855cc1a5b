"""The robot's description, which is copied beside the episodes: kinematic conditioning renders the robot from it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from astra_ros.datasets.rosbag.errors import BagError
from astra_ros.datasets.rosbag.import_settings import BagSettings
from astra_ros.datasets.rosbag.recording import Recording
from astra_ros.robot.described_joints import DescriptionError
from astra_ros.robot.kinematics import KinematicsError, LinkPoses
from astra_ros.robot.limits import beyond, position_limits
from astra_ros.robot.shapes import convex_parts, mesh_notes, odd_sizes


def read_urdf(path: Path, joints: tuple[str, ...], notes: list[str]) -> bytes:
    """The bytes of a robot's description. Notes what keeps the robot with these `joints` from being rendered.

    Raises BagError where it is not a URDF.
    """
    try:
        data = path.read_bytes()
        root = ElementTree.fromstring(data)
    except OSError as error:
        cure = "set urdf to a file; in a YAML file, a relative path starts beside that file"
        raise BagError(error.strerror or str(error), thing=path, cure=cure) from error
    except ElementTree.ParseError as error:
        raise BagError(f"not a URDF: {error}", thing=path) from error
    is_xacro = b"www.ros.org/wiki/xacro" in data and any("xacro" in element.tag for element in root.iter())
    if root.tag != "robot" or is_xacro:
        kind = "xacro" if root.tag == "robot" else f"<{root.tag}>"
        cure = "make a URDF with: ros2 run xacro xacro FILE > robot.urdf"
        raise BagError(f"not a URDF but {kind}", thing=path, cure=cure)
    known = {joint.get("name") for joint in root.findall("joint")}
    if missing := [name for name in joints if name not in known]:
        notes.append(f"{path.name}: has no joint {', '.join(missing)}, so the robot cannot be rendered with it")
    if joints:
        present = tuple(name for name in joints if name in known)
        notes += [f"{path.name}: {text}" for text in _what_is_odd(data, present)]
    return data


def _what_is_odd(urdf: bytes, joints: tuple[str, ...]) -> list[str]:
    """Notes about missing or odd meshes, which training would meet only later."""
    try:
        robot = LinkPoses(urdf, joints).robot
        return mesh_notes(robot) + odd_sizes(convex_parts(robot))
    except KinematicsError as error:
        found = str(error).removeprefix("robot description: ")
        return [
            f"{found}. Until then training does not render the robot, and a model follows its plans less exactly; the "
            "episodes are whole, and training looks for the meshes again"
        ]


def description_of(settings: BagSettings, recording: Recording) -> tuple[str, str | bytes]:
    """(source, the robot's description): that of the settings, else that of the bag; '' without one."""
    if settings.urdf is not None:  # problems of the file are raised where it is copied
        return settings.urdf.name, settings.urdf.read_bytes() if settings.urdf.is_file() else ""
    return "robot_description in the bag" if recording.description else "", recording.description


def beyond_limits(settings: BagSettings, recording: Recording, stored: Mapping[str, np.ndarray]) -> list[str]:
    """A note for each joint whose positions are far beyond the limits of the robot's description.

    Args:
        stored: joint -> its positions [N], rad or m.
    """
    source, text = description_of(settings, recording)
    try:
        limits = position_limits(text) if text else {}
    except DescriptionError:
        return []
    return [f"{source}: {each}; {each.cure()}" for each in beyond(limits, stored)]


def check_base(path: Path, urdf: bytes, camera_pose: dict | None) -> None:
    """Raises BagError where tf gives the camera in another frame than the one that the robot is rendered in."""
    wanted = (camera_pose or {}).get("from_tf")
    robot = ElementTree.fromstring(urdf)
    children = {child.get("link") for child in robot.findall("joint/child")}
    roots = [link.get("name") for link in robot.findall("link") if link.get("name") not in children]
    if wanted and roots and wanted not in roots:
        problem = f"from_tf is '{wanted}', but the robot is rendered from the root of {path.name}, '{roots[0]}'"
        raise BagError(problem, thing="camera_pose", cure=f"write from_tf: {roots[0]}")
