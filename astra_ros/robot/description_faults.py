"""Find the first fault of a text that should be a robot description, named by its elements."""

from __future__ import annotations

from xml.etree import ElementTree

# Attributes of URDF that hold numbers.
NUMBERS = ["xyz", "rpy", "lower", "upper", "effort", "velocity", "size", "radius", "length", "scale", "multiplier"]


def xml_fault(urdf: str | bytes) -> str:
    """The first XML error, such as "mismatched tag: line 7, column 2"; '' where the text is XML.

    An undeclared prefix, as a converter leaves it, is not a fault: it hides neither links nor joints.
    """
    try:
        ElementTree.fromstring(urdf.strip())
    except ElementTree.ParseError as error:
        return "" if "unbound prefix" in str(error) else str(error)
    except ValueError as error:  # an unknown encoding
        return str(error)
    return ""


def fault(urdf: str | bytes) -> str:
    """The first element or attribute that is missing or wrong; '' where nothing is found."""
    try:
        root = ElementTree.fromstring(urdf.strip())
    except (ElementTree.ParseError, ValueError) as error:
        return f"the text is not XML: {error}"
    if root.tag != "robot":
        return f"its first element is <{root.tag}>, not <robot>"
    if not root.get("name"):
        return "<robot> has no name"
    for kind in ("link", "joint"):
        for number, element in enumerate(root.findall(kind), 1):
            if not element.get("name"):
                return f"{kind} number {number} has no name"
    for joint in root.findall("joint"):
        name = joint.get("name")
        if not joint.get("type"):
            return f"joint '{name}' has no type"
        for end in ("parent", "child"):
            carrier = joint.find(end)
            if carrier is None or not carrier.get("link"):
                return f"joint '{name}' has no {end} link"
    for element in [*root.findall("joint"), *root.findall("link")]:
        for part in element.iter():
            if wrong := _not_a_number(part):
                return f"{element.tag} '{element.get('name')}': {wrong}"
    return ""


def _not_a_number(element: ElementTree.Element) -> str:
    for key in NUMBERS:
        for word in (element.get(key) or "").split():
            try:
                float(word)
            except ValueError:
                return f"{key} of <{element.tag}> is '{element.get(key)}', expected numbers"
    return ""
