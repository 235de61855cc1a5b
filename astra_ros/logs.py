"""What the libraries of this package log, handed on to whoever shows it: a node's log, a command's stderr."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class _Hander(logging.Handler):
    def __init__(self, tell: Callable[[str], object], warn: Callable[[str], object]) -> None:
        super().__init__(logging.INFO)
        self._tell, self._warn = tell, warn

    def emit(self, record: logging.LogRecord) -> None:
        (self._warn if record.levelno >= logging.WARNING else self._tell)(record.getMessage())


@contextmanager
def handed_on(tell: Callable[[str], object], warn: Callable[[str], object]) -> Iterator[None]:
    """While the block runs, `tell` gets every informative line of this package, and `warn` every warning and error."""
    log, handler = logging.getLogger("astra_ros"), _Hander(tell, warn)
    level = log.level
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(level)
