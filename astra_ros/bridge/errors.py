"""The error of messages."""

from __future__ import annotations

from astra_ros.errors import UserError


class BridgeError(UserError, ValueError):
    """A message cannot be used. ``thing`` is its topic.

    Attributes:
        found: the value that is wrong, or None.
        expected: the value that would be right, or None.
    """

    def __init__(
        self, problem: str, *, thing: str = "", cure: str = "", found: object = None, expected: object = None
    ) -> None:
        super().__init__(problem, thing=thing, cure=cure)
        self.found, self.expected = found, expected
