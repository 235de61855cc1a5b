"""An input that does not come."""

from __future__ import annotations

from collections.abc import Callable


class Missed:
    """Logs once that something is missed, and once that it comes again.

    Args:
        warn, tell: lines of the log.
    """

    def __init__(self, warn: Callable[[str], None], tell: Callable[[str], None]) -> None:
        self._warn, self._tell = warn, tell
        self._missed = False

    def see(self, missed: bool, text: str, comes: str) -> None:
        """Note whether it is missed now.

        Args:
            text: what to say of it; '' where somebody else does.
            comes: what to say when it is there; '' where there is nothing to say.
        """
        if missed == self._missed:
            return
        self._missed = missed
        if missed and text:
            self._warn(text)
        elif not missed and comes:
            self._tell(comes)
