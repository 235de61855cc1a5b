"""The joints of a robot description and their types, by the XML text alone."""

from __future__ import annotations

from xml.etree import ElementTree


class DescriptionError(ValueError):
    """A text that is no robot description. The message says what it is."""


def described_joints(urdf: str | bytes) -> list[ElementTree.Element]:
    """The elements of all joints of a URDF that have a name.

    Raises:
        DescriptionError: the text is no URDF.
    """
    try:
        root = ElementTree.fromstring(urdf)
    except (ElementTree.ParseError, ValueError) as error:
        raise DescriptionError(f"no XML: {error}") from error
    if root.tag != "robot":
        raise DescriptionError(f"no URDF but <{root.tag}>")
    return [joint for joint in root.findall("joint") if joint.get("name")]


def joint_types(urdf: str | bytes) -> dict[str, str]:
    """Joint name -> its type in a URDF, such as "revolute".

    Raises:
        DescriptionError: the text is no URDF.
    """
    return {joint.get("name"): joint.get("type", "") for joint in described_joints(urdf)}


def continuous_joints(urdf: str | bytes) -> frozenset[str]:
    """Names of the joints that a URDF calls `continuous`. One that mimics another counts by its own type.

    Raises:
        DescriptionError: the text is no URDF.
    """
    return frozenset(name for name, kind in joint_types(urdf).items() if kind == "continuous")
