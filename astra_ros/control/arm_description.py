"""What a planner needs of an arm's description: which joints move, turn without end or are held, and which links hang
on each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from xml.etree import ElementTree

import numpy as np

from astra_ros.control.planning_errors import NoJointLimit, NoMovableJoints, PlanningError
from astra_ros.robot.urdf import joints_between, parse_urdf

DESCRIPTION = "robot description"
MOVING = ("revolute", "continuous", "prismatic")


def movable_joints(urdf: str, tool_link: str) -> tuple[str, ...]:
    """The joints that move a tool link, base first; joints that mimic others are left out.

    Raises KinematicsError for a description or link that cannot be used, NoMovableJoints where nothing moves.
    """
    chain = joints_between(parse_urdf(urdf), tool_link, None)
    names = tuple(joint.name for joint in chain if joint.type in MOVING and joint.mimic is None)
    if not names:
        raise NoMovableJoints(f"no joint moves the link '{tool_link}'", thing=DESCRIPTION, cure="name another link")
    return names


def check_joints(robot, planned: tuple[str, ...]) -> None:
    """Raises where Pinocchio would guess or fail."""
    by_name = {joint.name: joint for joint in robot.joints}
    moving = [name for name in planned if by_name[name].type in MOVING]
    if not moving:
        cure = "name revolute, continuous or prismatic joints"
        raise NoMovableJoints("none of its planned joints can move", thing=DESCRIPTION, cure=cure)
    if fixed := [name for name in planned if name not in moving]:
        problem = f"the planned joint '{fixed[0]}' is '{by_name[fixed[0]].type}'"
        raise NoMovableJoints(problem, thing=DESCRIPTION, cure="plan joints that move")
    for joint in robot.joints:
        if joint.type in ("revolute", "prismatic") and joint.limit is None:
            problem = f"the {joint.type} joint '{joint.name}' has no <limit>"
            cure = "give it one, or make it fixed (or continuous)"
            raise NoJointLimit(problem, thing=DESCRIPTION, cure=cure, joint=joint.name)
        if joint.mimic is not None and (joint.name in planned or joint.mimic.joint in planned):
            problem = f"joint '{joint.name}' mimics '{joint.mimic.joint}', and one of them is planned"
            raise PlanningError(problem, thing=DESCRIPTION, cure="plan arms whose joints move one by one")


def held_positions(robot, planned: tuple[str, ...], held: Mapping[str, float]) -> dict[str, float]:
    """Positions of all moving joints that are not planned; a mimic joint follows the one that drives it."""
    by_name = {joint.name: joint for joint in robot.joints}

    def position(name: str, depth: int = 0) -> float:
        mimic = by_name[name].mimic
        if mimic is None or mimic.joint not in by_name or depth > len(by_name):
            value = float(held.get(name, 0.0))
            return value if np.isfinite(value) else 0.0
        factor = 1.0 if mimic.multiplier is None else float(mimic.multiplier)
        return factor * position(mimic.joint, depth + 1) + float(mimic.offset or 0.0)

    moving = [joint for joint in robot.joints if joint.type in MOVING]
    return {joint.name: position(joint.name) for joint in moving if joint.name not in planned}


def neighbours(robot, shaped: set[str]) -> set[frozenset[str]]:
    """Pairs of links with shapes that hang on each other by a joint, or by links without shapes."""
    above = {joint.child: joint.parent for joint in robot.joints}
    pairs = set()
    for link in shaped:
        parent = above.get(link)
        while parent is not None and parent not in shaped:
            parent = above.get(parent)
        if parent is not None:
            pairs.add(frozenset((link, parent)))
    return pairs


def with_bounded_joints(urdf: str) -> str:
    """The description with continuous joints as revolute ones: Pinocchio has two numbers for a continuous joint."""
    root = _root(urdf)
    for joint in root.findall("joint"):
        if joint.get("type") == "continuous":
            joint.set("type", "revolute")
            limit = joint.find("limit")
            limit = ElementTree.SubElement(joint, "limit") if limit is None else limit
            for name, value in {"lower": "-1e3", "upper": "1e3"}.items():
                limit.set(name, value)
            for name in ("effort", "velocity"):
                limit.set(name, limit.get(name, "0"))
    return ElementTree.tostring(root, encoding="unicode")


def _root(urdf: str) -> ElementTree.Element:
    try:
        return ElementTree.fromstring(urdf.strip())
    except ElementTree.ParseError as error:  # such as an undeclared prefix, which yourdfpy takes
        raise PlanningError(f"the text is not XML: {error}", thing=DESCRIPTION, cure="correct it") from error


def which_are_continuous(urdf: str, names: Sequence[str]) -> np.ndarray:
    """Which of the joints are continuous: bool [J]."""
    kinds = {joint.get("name"): joint.get("type") for joint in _root(urdf).findall("joint")}
    return np.array([kinds.get(name) == "continuous" for name in names])
