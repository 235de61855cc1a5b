"""Settings dataclasses whose fields know their range: checked here, shown by ROS parameters.

The limits of a field stand in its ``metadata["range"]`` and nowhere else.
"""

from __future__ import annotations

from dataclasses import field, fields
from typing import Any


def limited(default: int | float, low: float, high: float, unit: str = "", off: str = ""):
    """A settings field that is held between two limits, both included.

    Args:
        unit: said after the limits, such as "s".
        off: what 0 means, where 0 is allowed although it is below ``low``.
    """
    metadata: dict[str, Any] = {"range": (low, high), "unit": unit}
    if off:
        metadata |= {"range": (0, high), "off": off, "least": low}
    return field(default=default, metadata=metadata)


def setting(default: Any, description: str, low: float | None = None, high: float | None = None):
    """A settings field with a description that names its unit, and with limits, both included, if they are given."""
    metadata: dict[str, Any] = {"description": description}
    if low is not None:
        metadata |= {"range": (low, high), "unit": ""}
    return field(default=default, metadata=metadata)


def check_ranges(settings) -> None:
    """Raises ValueError for the first field that is outside its range, or not a number."""
    for item in fields(settings):
        if not (limits := item.metadata.get("range")):
            continue
        value, off = getattr(settings, item.name), item.metadata.get("off")
        low = item.metadata.get("least", limits[0])
        if not low <= value <= limits[1] and not (off and value == 0):  # also refuses NaN
            least = f"0 ({off}) or {_number(low)}" if off else _number(low)
            text = f"{item.name} is {_number(value)}; give {least} to {_number(limits[1])} {item.metadata['unit']}"
            raise ValueError(text.rstrip())


def _number(value: int | float) -> str:
    return str(value) if isinstance(value, int) else f"{value:g}"
