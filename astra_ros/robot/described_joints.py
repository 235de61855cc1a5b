"""The joints of a robot description and their types, read from the XML alone."""

from __future__ import annotations

from xml.etree import ElementTree

from astra_ros.errors import UserError


class DescriptionError(UserError, ValueError):
    """A text is not a robot description."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem, thing="robot description")


def described_joints(urdf: str | bytes) -> list[ElementTree.Element]:
    """The elements of all joints of a URDF that have a name. Raises DescriptionError."""
    try:
        root = ElementTree.fromstring(urdf)
    except (ElementTree.ParseError, ValueError) as error:
        raise DescriptionError(f"the text is not XML: {error}") from error
    if root.tag != "robot":
        raise DescriptionError(f"its first element is <{root.tag}>, not <robot>")
    return [joint for joint in root.findall("joint") if joint.get("name")]


def joint_types(urdf: str | bytes) -> dict[str, str]:
    """Joint name -> its type in a URDF, such as "revolute". Raises DescriptionError."""
    return {joint.get("name", ""): joint.get("type", "") for joint in described_joints(urdf)}


def continuous_joints(urdf: str | bytes) -> frozenset[str]:
    """Names of the joints that a URDF calls `continuous`; a mimic joint counts by its own type."""
    return frozenset(name for name, kind in joint_types(urdf).items() if kind == "continuous")
