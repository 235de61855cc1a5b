"""The error of messages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from astra_ros.errors import UserError


class BridgeError(UserError, ValueError):
    """A message cannot be used. ``thing`` is its topic."""


@contextmanager
def about(topic: str) -> Iterator[None]:
    """Errors in the block become those of a topic."""
    try:
        yield
    except UserError as error:
        raise BridgeError(error.problem, thing=topic, cure=error.cure) from error
