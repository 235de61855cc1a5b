"""What arguments of a launch file are, and which values they take. Without ROS."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from astra_ros.errors import UserError

_NAMESPACE = re.compile(r"/?[A-Za-z][A-Za-z0-9_]*(/[A-Za-z][A-Za-z0-9_]*)*")


class ArgumentError(UserError, ValueError):
    """A launch argument is unknown, or has a value that it cannot have."""


@dataclass(frozen=True)
class Argument:
    """An argument of a launch file; without `choices` any text is possible."""

    default: str
    description: str
    choices: tuple[str, ...] = ()


def values_of(table: Mapping[str, Argument], given: Mapping[str, str]) -> dict[str, str]:
    """The value of every argument of the table; arguments that are not given have their defaults.

    Raises ArgumentError for an unknown argument or a value that is not one of its choices.
    """
    values = {name: argument.default for name, argument in table.items()}
    for name, value in given.items():
        if name not in table:
            raise ArgumentError("unknown argument", thing=name, cure=f"choose from {', '.join(table)}")
        if table[name].choices and value not in table[name].choices:
            raise ArgumentError(f"'{value}'", thing=name, cure=f"choose from {', '.join(table[name].choices)}")
        values[name] = value
    return values


def simulates(table: Mapping[str, Argument], values: Mapping[str, str]) -> bool:
    """The argument `sim`. Raises ArgumentError where it is false, and an argument of the simulator was given."""
    if values["sim"] == "true":
        return True
    for name in ("world", "robot", "seed"):
        if name in table and values[name] != table[name].default:
            raise ArgumentError("it is the simulator's", thing=name, cure="leave it out, or leave sim:=false out")
    return False


def namespace_of(values: Mapping[str, str]) -> str:
    """The argument `namespace` without a leading slash; '' for none. Raises ArgumentError."""
    namespace = values["namespace"]
    if namespace and not _NAMESPACE.fullmatch(namespace):
        cure = "give names of letters, digits and _ with / between them"
        raise ArgumentError(f"'{namespace}'", thing="namespace", cure=cure)
    return namespace.strip("/")


def seed_of(values: Mapping[str, str]) -> int:
    """The argument `seed` as a number. Raises ArgumentError."""
    if not re.fullmatch(r"[0-9]+", values["seed"]):
        raise ArgumentError(f"'{values['seed']}'", thing="seed", cure="give a whole number, 0 or more")
    return int(values["seed"])


def beside(topic: str, name: str) -> str:
    """The topic of this name in the same namespace as another, such as a camera's info beside its images."""
    folder, slash, _ = topic.rpartition("/")
    return f"{folder}{slash}{name}"
