"""A node's parameters as text, for its ``--help``."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping

from astra_ros.nodes.parameter_info import ParameterInfo, parameters_of


def shown(value: object) -> str:
    """A default as one writes it in YAML."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (tuple, list)):
        return "[" + ", ".join(map(str, value)) + "]"
    return "''" if value == "" else str(value)


def meaning(info: ParameterInfo) -> str:
    """What a parameter is for, and what 0 means where that is special."""
    told = "0:" in info.description or "; 0 " in info.description
    return f"{info.description}; 0: {info.off}" if info.off and not told else info.description


def help_text(settings: Mapping[str, object], width: int = 100) -> str:
    """Name, default and range of each parameter, and below that the meaning.

    Args:
        settings: namespace -> default settings, a dataclass each.
    """
    infos = (info for prefix, each in settings.items() for info in parameters_of(each, prefix))
    return "\n".join(line for info in infos for line in _lines(info, width))


def _lines(info: ParameterInfo, width: int) -> Iterator[str]:
    limits = "" if info.limits is None else "  ({:g} to {:g})".format(*info.limits)
    yield f"  {info.name}: {shown(info.default)}{limits}"
    yield from textwrap.wrap(meaning(info), width, initial_indent=" " * 6, subsequent_indent=" " * 6)
