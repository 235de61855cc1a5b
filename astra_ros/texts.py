"""Foreign text quoted in messages: a name of 100,000 characters must not push out the rest of the message.

Names come from messages, files and parameters, and may hold anything. Where an error quotes one, it
quotes ``short(name)`` or ``listed(names)``, so that the sentence around it, and the cure at its end, stay.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

NAME = 80
TEXT = 2000
MOST_NAMES = 24


def short(name: object, most: int = NAME) -> str:
    """Shorten a name to about ``most`` characters, its beginning and end, without control characters."""
    text = str(name)
    if len(text) > most:
        head = most * 2 // 3
        text = f"{text[:head]}...[{len(text)} characters]...{text[head - most :]}"
    return text if text.isprintable() else "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def one_line(text: object) -> str:
    """A text of several lines, such as the error of a YAML parser, as one."""
    return " ".join(str(text).split())


def listed(names: Iterable[object], most: int = MOST_NAMES) -> str:
    """Names to be quoted, with commas; after ``most`` only how many more there are."""
    names = list(names)
    text = ", ".join(short(name) for name in names[:most])
    return f"{text} and {len(names) - most} more" if len(names) > most else text


def with_names(text: str, names: Mapping[str, str]) -> str:
    """A text with the settings that stand in backquotes, such as `force`, under the names that users give them."""
    return re.sub(r"`(\w+)`", lambda found: names.get(found[1], found[0]), text)


def bounded(text: str, most: int = TEXT) -> str:
    """Cut a long text in the middle: the cure stands at its end."""
    if len(text) <= most:
        return text
    half = most // 2
    return f"{text[:half]} ...[{len(text) - 2 * half} characters left out]... {text[-half:]}"
