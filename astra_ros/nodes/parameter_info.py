"""The parameters that a settings dataclass becomes. Without ROS."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ParameterInfo:
    """One parameter, named with its namespaces, such as "collision.weight".

    Attributes:
        default: its value; a tuple stands for a list.
        limits: (lowest, highest value), both included; None: no limits.
        off: the meaning of 0, where 0 is allowed although the values just above it are not; else ''.
    """

    name: str
    default: Any
    description: str
    limits: tuple[float, float] | None = None
    off: str = ""

    @property
    def type(self) -> str:
        """Its type in ROS, such as "double" or "string array"."""
        if isinstance(self.default, (tuple, list)):
            # An empty list is one of names.
            return f"{_TYPES[type(self.default[0]) if self.default else str]} array"
        return _TYPES[type(self.default)]


_TYPES = {bool: "bool", int: "integer", float: "double", str: "string"}


def join(prefix: str, name: str) -> str:
    """A parameter's name in a namespace; '' is no namespace."""
    return f"{prefix}.{name}" if prefix else name


def parameters_of(settings, prefix: str = "") -> Iterator[ParameterInfo]:
    """The parameters of a settings dataclass: ``<prefix>.<field>``, a namespace for a dataclass in it, none for
    None."""
    for field in dataclasses.fields(settings):
        name, value = join(prefix, field.name), getattr(settings, field.name)
        if dataclasses.is_dataclass(value):
            yield from parameters_of(value, name)
        elif value is not None:
            said = field.metadata
            yield ParameterInfo(name, value, said.get("description", ""), said.get("range"), said.get("off", ""))
