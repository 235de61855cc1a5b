"""A settings dataclass as the parameters of a node.

Names, types, defaults, descriptions and ranges come from the dataclass, and its ``__post_init__`` checks a new value.
So every default and every rule stands in one place.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection
from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.exceptions import InvalidParameterValueException
from rclpy.node import Node
from rclpy.parameter import Parameter

from astra_ros.nodes.parameter_info import join, parameters_of


class SettingsParameters:
    """Declares settings as parameters, holds their values, and refuses bad changes; see `parameters_of` for names."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._defaults: dict[str, Any] = {}
        self._values: dict[str, Any] = {}
        self._settings: dict[str, Any] = {}
        self.on_change = lambda: None
        """Called after a change, without arguments; read the new values from here."""
        node.add_on_set_parameters_callback(self._judge)
        node.add_post_set_parameters_callback(self._take)

    def declare(self, prefix: str, default, read_only: tuple[str, ...] = ()):
        """Declare a dataclass's fields and return it with the values that the node was given.

        ``read_only`` fields can be set at the start only. Raises ValueError for a value of the wrong type or a refused
        one.
        """
        for info in parameters_of(default, prefix):
            fixed = info.name.rpartition(".")[2] in read_only
            # Types are checked below: rclpy would refuse 2 where 2.0 is meant.
            descriptor = ParameterDescriptor(description=info.description, read_only=fixed, dynamic_typing=True)
            if info.limits:
                _set_range(descriptor, info.default, info.limits)
            default_value = list(info.default) if isinstance(info.default, (tuple, list)) else info.default
            try:
                declared = self._node.declare_parameter(info.name, default_value, descriptor)
            except InvalidParameterValueException as error:  # out of range; the dataclass also names the unit
                given = self._given[info.name].value if info.name in self._given else info.default
                _built(prefix, default, {info.name: _from_ros(info.name, given, info.default)})
                raise ValueError(f"{info.name} is {given}: {error}") from error
            self._values[info.name] = _from_ros(info.name, declared.value, info.default)
        self._defaults[prefix] = default
        self._settings[prefix] = _built(prefix, default, self._values)
        return self._settings[prefix]

    def given(self, name: str, default: Any) -> Any:
        """The value that the node was started with, for a parameter on which the defaults of others depend."""
        return self._given[name].value if name in self._given else default

    def warn_of_unknown(self, unused: Collection[str] = ()) -> None:
        """Warn of given parameters that are not declared (most likely typing errors), except in namespaces that are
        known and ``unused``."""
        for name in sorted(set(self._given)):
            known = name.startswith("qos_overrides.") or name.partition(".")[0] in unused
            if not known and not self._node.has_parameter(name):
                text = f"parameter '{name}' is given, but this node has none of that name; it is ignored"
                self._node.get_logger().warning(text)

    @property
    def _given(self) -> dict[str, Parameter]:
        """The values that the node was started with."""
        return getattr(self._node, "_parameter_overrides", {})  # rclpy has no public way to ask

    def __getitem__(self, prefix: str):
        """The settings declared under ``prefix``, with their present values."""
        return self._settings[prefix]

    def _judge(self, parameters: list[Parameter]) -> SetParametersResult:
        try:
            self._with(parameters)
        except (TypeError, ValueError) as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    def _take(self, parameters: list[Parameter]) -> None:
        values, settings = self._with(parameters)
        if settings != self._settings:
            self._values, self._settings = values, settings
            self.on_change()

    def _with(self, parameters: list[Parameter]) -> tuple[dict[str, Any], dict[str, Any]]:
        """All values and all settings, with the given parameters in place of the present ones."""
        values = dict(self._values)
        for parameter in parameters:
            if (name := parameter.name) in values:
                values[name] = _from_ros(name, parameter.value, values[name])
        return values, {prefix: _built(prefix, each, values) for prefix, each in self._defaults.items()}


def _built(prefix: str, default, values: dict[str, Any]):
    """A settings dataclass with the values of its parameters. Where it refuses one, ValueError names the parameter."""
    given = {}
    for field in dataclasses.fields(default):
        name, value = join(prefix, field.name), getattr(default, field.name)
        if name in values:
            given[field.name] = values[name]
        elif dataclasses.is_dataclass(value):
            given[field.name] = _built(name, value, values)
    try:
        return dataclasses.replace(default, **given)
    except ValueError as error:
        raise ValueError(join(prefix, str(error))) from error


def _set_range(descriptor: ParameterDescriptor, value, limits: tuple[float, float]) -> None:
    low, high = limits
    if isinstance(value, int):
        descriptor.integer_range = [IntegerRange(from_value=int(low), to_value=int(high))]
    else:
        descriptor.floating_point_range = [FloatingPointRange(from_value=float(low), to_value=float(high))]


def _from_ros(name: str, value, like):
    """A parameter's value in the type of ``like``; an integer is accepted for a float."""
    if isinstance(like, bool):
        good = isinstance(value, bool)
    elif isinstance(like, int):
        good = isinstance(value, int) and not isinstance(value, bool)
    elif isinstance(like, float):
        good = isinstance(value, (int, float)) and not isinstance(value, bool)
        value = float(value) if good else value
    elif isinstance(like, (tuple, list)):
        value = () if value is None else value  # what ROS makes of [] in a params file
        good = not isinstance(value, (str, bytes)) and hasattr(value, "__iter__")
        value = tuple(value) if good else value
        like = like or ("name",)  # an empty default is one of names
        if good:
            good = isinstance(like[0], str) or len(value) == len(like)
            value = tuple(_from_ros(name, item, like[0]) for item in value) if good else value
    else:
        good = isinstance(value, str)
    if good and isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"parameter '{name}' is {value}; expected a finite number")
    if not good:
        kind = type(like).__name__
        if isinstance(like, (tuple, list)):
            kind = "names" if isinstance(like[0], str) else f"{len(like)} values"
        raise ValueError(f"parameter '{name}' is {value!r}; expected {kind}, such as {like!r}")
    return value
