"""Read a robot description (URDF) with yourdfpy, and walk its tree of joints."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterable

from astra_ros.errors import UserError
from astra_ros.robot.description_faults import fault, xml_fault
from astra_ros.texts import short

CORRECT_IT = "correct the description, or make it again"


class KinematicsError(UserError, ValueError):
    """A robot description cannot be used, or joint positions do not fit it."""

    def __init__(self, problem: str, cure: str = "", thing: str = "robot description") -> None:
        super().__init__(problem, thing=thing, cure=cure)


def parse_urdf(urdf: str | bytes):
    """yourdfpy's ``Robot`` of a URDF, without its meshes; raises KinematicsError.

    The XML declaration says how bytes are encoded.
    """
    try:
        from yourdfpy import URDF
    except ImportError as error:
        raise KinematicsError("the package yourdfpy is not installed", "run: pip install yourdfpy") from error
    # yourdfpy reads broken XML up to the fault and logs the rest line by line, so XML is checked first.
    if found := xml_fault(urdf):
        raise KinematicsError(f"the text is not XML: {short(found)}", CORRECT_IT)
    log = logging.getLogger("yourdfpy")
    before = log.level
    log.setLevel(logging.CRITICAL)
    try:
        text = io.BytesIO(urdf if isinstance(urdf, bytes) else urdf.encode())
        robot = URDF.load(text, build_scene_graph=False, load_meshes=False).robot
    except Exception as error:  # lxml and yourdfpy raise many kinds
        raise KinematicsError(f"the text is not URDF: {short(fault(urdf) or repr(error))}", CORRECT_IT) from error
    finally:
        log.setLevel(before)
    if not robot.links:
        raise KinematicsError("it has no links", CORRECT_IT)
    return robot


def known_joints(robot, names: Iterable[str]) -> tuple[str, ...]:
    """The names. Raises KinematicsError where the robot lacks a joint."""
    names, known = tuple(names), [joint.name for joint in robot.joints]
    if unknown := [name for name in names if name not in known]:
        raise KinematicsError(f"it has no joint {', '.join(unknown)}", f"its joints are {', '.join(known)}")
    return names


def joints_between(robot, tool_link: str, base_link: str | None) -> list:
    """The joints from the base link (the root when None) to the tool link, base first."""
    links = [link.name for link in robot.links]
    for what, wanted in (("tool_link", tool_link), ("base_link", base_link)):
        if wanted is not None and wanted not in links:
            raise KinematicsError(f"{what} '{wanted}' is not one of its links", f"its links are {', '.join(links)}")
    above = {joint.child: joint for joint in robot.joints}
    chain, link = [], tool_link
    while link != base_link and link in above:
        chain.append(above[link])
        link = above[link].parent
        if len(chain) > len(above):
            raise KinematicsError("its joints form a loop", "URDF describes trees only; remove a joint of the loop")
    if base_link is not None and link != base_link:
        raise KinematicsError(f"link '{tool_link}' does not hang on '{base_link}', but on '{link}'")
    return chain[::-1]


def joints_in_order(robot) -> list:
    """All joints, each after the joint that carries its parent link. Raises KinematicsError for what is not a tree."""
    below: dict[str, list] = {}
    for joint in robot.joints:
        below.setdefault(joint.parent, []).append(joint)
    children = {joint.child for joint in robot.joints}
    roots = [link.name for link in robot.links if link.name not in children]
    order: list = []
    waiting = roots[:1] if len(children) == len(robot.joints) else []
    while waiting:
        joints = below.get(waiting.pop(0), [])
        order += joints
        waiting += [joint.child for joint in joints]
    if len(roots) != 1 or len(order) != len(robot.joints):
        problem = f"its links are not one tree (links without a parent: {', '.join(roots) or 'none'})"
        raise KinematicsError(problem, "hang every link but the root on one joint")
    return order
