"""Settings dataclasses whose fields know their meaning and their range.

Both stand in the field and nowhere else: the range is checked here, and both are shown by ROS parameters and docs.
"""

from __future__ import annotations

from dataclasses import field, fields
from typing import Any

from astra_ros.errors import UserError

MOST_SEED = 2**31 - 2  # OMPL takes no larger one


class SettingError(UserError, ValueError):
    """A setting has a value that cannot be used. The problem names it, so ``thing`` is ''."""

    def __init__(self, name: str, value: object, cure: str) -> None:
        super().__init__(f"{name} is {value}", cure=cure)
        self.name, self.value = name, value


def setting(
    default: Any,
    description: str,
    low: float | None = None,
    high: float | None = None,
    unit: str = "",
    off: str = "",
    **more: Any,
) -> Any:
    """A field of a settings or request dataclass.

    Args:
        default: immutable.
        description: its meaning in one or two sentences, with its unit.
        low, high: limits, both included; None: no limits.
        unit: named after the limits, such as "s".
        off: the meaning of 0, where 0 is allowed although it is below ``low``.
        more: of the field's argument on a command line: `flag`, `choices`, `metavar`.
    """
    metadata: dict[str, Any] = {"description": description, **more}
    if low is not None:
        metadata |= {"range": (low, high), "unit": unit}
    if off:
        metadata |= {"range": (0, high), "off": off, "least": low}
    return field(default=default, metadata=metadata)


class CheckedSettings:
    """Base of dataclasses whose fields keep to their ranges; see ``check_ranges``."""

    def __post_init__(self) -> None:
        check_ranges(self)


def check_ranges(settings) -> None:
    """Raises SettingError for the first field that is outside its range or NaN."""
    for item in fields(settings):
        if not (limits := item.metadata.get("range")):
            continue
        value, off = getattr(settings, item.name), item.metadata.get("off")
        low = item.metadata.get("least", limits[0])
        if not low <= value <= limits[1] and not (off and value == 0):  # refuses NaN too
            least = f"0 ({off}) or {_number(low)}" if off else _number(low)
            cure = f"give {least} to {_number(limits[1])} {item.metadata['unit']}".rstrip()
            raise SettingError(item.name, _number(value), cure)


def _number(value: int | float) -> str:
    return str(value) if isinstance(value, int) else f"{value:g}"
