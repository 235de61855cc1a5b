"""What is wrong with a text that is no robot description, in words of the description."""

from __future__ import annotations

from xml.etree import ElementTree


def no_xml(urdf: str | bytes) -> str:
    """Where a text breaks off or is no XML, as "mismatched tag: line 7, column 2"; '' where it is XML.

    A prefix that nothing declares, as a converter leaves it, is no fault: it hides no link and no joint.
    """
    try:
        ElementTree.fromstring(urdf.strip())
    except ElementTree.ParseError as error:
        return "" if "unbound prefix" in str(error) else str(error)
    except ValueError as error:  # an encoding that is not known
        return str(error)
    return ""


def fault(urdf: str | bytes) -> str:
    """The first thing that a description lacks for a reader to understand it; '' where nothing is found."""
    if found := no_xml(urdf):
        return f"it is no XML: {found}"
    try:
        root = ElementTree.fromstring(urdf.strip())
    except ElementTree.ParseError as error:
        return f"it is no XML: {error}"
    if root.tag != "robot":
        return f"its first element is <{root.tag}>, not <robot>"
    if not root.get("name"):
        return "<robot> has no name"
    for kind in ("link", "joint"):
        for number, element in enumerate(root.findall(kind), 1):
            if not element.get("name"):
                return f"the {kind} that comes as number {number} has no name"
    for joint in root.findall("joint"):
        name = joint.get("name")
        if not joint.get("type"):
            return f"joint '{name}' has no type"
        for end in ("parent", "child"):
            element = joint.find(end)
            if element is None or not element.get("link"):
                return f"joint '{name}' has no {end} link"
    for element in [*root.findall("joint"), *root.findall("link")]:
        for part in element.iter():
            if wrong := _no_number(part):
                return f"{element.tag} '{element.get('name')}': {wrong}"
    return ""


def _no_number(element: ElementTree.Element) -> str:
    for key in (
        "xyz",
        "rpy",
        "lower",
        "upper",
        "effort",
        "velocity",
        "size",
        "radius",
        "length",
        "scale",
        "multiplier",
    ):
        for word in (element.get(key) or "").split():
            try:
                float(word)
            except ValueError:
                return f"{key} of <{element.tag}> is '{element.get(key)}', expected numbers"
    return ""
