"""Warns of parameters on the command line that a parameters file overrules, which ROS does silently.

ROS merges all `-p` without a node into one section at the position of the first of them, and of two sections the later
one counts (findings/ros_p_before_a_params_file.sh).
"""

from __future__ import annotations

from collections.abc import Sequence

import yaml
from rclpy.node import Node

from astra_ros.texts import short


def without_node(args: Sequence[str]) -> dict[str, str]:
    """Parameter -> its value as text, of each `-p NAME:=VALUE` without a node; the last one counts."""
    found: dict[str, str] = {}
    ros = False
    for arg, following in zip(args, [*args[1:], ""]):
        if arg in ("--ros-args", "--"):
            ros = arg == "--ros-args"
        elif ros and arg in ("-p", "--param"):
            name, assigned, value = following.partition(":=")
            if assigned and ":" not in name:
                found[name] = value
    return found


def overruled(args: Sequence[str], node: str, in_force: dict[str, object]) -> list[str]:
    """The warnings for a command line, one for each parameter without effect. ``in_force``: the values at the start."""
    said = []
    for name, text in without_node(args).items():
        if name not in in_force or _same(text, in_force[name]):
            continue
        said.append(
            f"parameter '{name}' is {short(str(in_force[name]))}, as a parameters file says: "
            f"'-p {name}:={short(text)}' is without effect, since ROS lets a file's section for this node win over "
            "every -p that names no node where one of these stands before the file; put --params-file first, or write "
            f"'-p {node}:{name}:=...' behind it"
        )
    return said


def warn_of_overruled(node: Node, args: Sequence[str]) -> None:
    """Log each of them once, at the node's start."""
    given = getattr(node, "_parameter_overrides", {})  # rclpy has no public way to ask
    for text in overruled(args, node.get_name(), {name: each.value for name, each in given.items()}):
        node.get_logger().warning(text)


def _same(text: str, value: object) -> bool:
    try:
        wanted = yaml.safe_load(text)
    except yaml.YAMLError:
        wanted = text
    if isinstance(value, str):
        return value in (text, str(wanted))
    if hasattr(value, "__iter__"):
        return isinstance(wanted, list) and list(value) == wanted
    # ROS turns an empty list into None.
    return wanted == value or value is None and wanted in ([], None)
