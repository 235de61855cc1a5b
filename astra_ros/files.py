"""Writing files so that a stop or a full disk never leaves half of one under its name."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from astra_ros.errors import UserError

_PART = re.compile(r"\..+\.(?P<pid>\d+)\.part(\.\w+)?")


class OutputError(UserError):
    """A file or folder cannot be written."""

    @classmethod
    def of(cls, path: object, error: Exception, done: str = "") -> OutputError:
        """The error of a write that failed. ``done`` was written before, as "3 episodes are recorded"."""
        reason = getattr(error, "strerror", None) or str(error)
        full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or "No space left" in str(error)
        cure = f"{'free some disk space' if full else 'remove the cause'}, then repeat the command"
        return cls(f"cannot be written ({reason})" + (done and f"; {done}"), thing=path, cure=cure)


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to; it takes its place when the block ends, and is deleted if that raises."""
    with atomic_writes(path) as (part,):
        yield part


@contextmanager
def atomic_writes(*paths: Path) -> Iterator[list[Path]]:
    """As `atomic_write`, for files that belong together. They take their places in the order given."""
    parts = [path.with_name(f".{path.name}.{os.getpid()}.part{path.suffix}") for path in paths]
    try:
        yield parts
        for part in parts:
            with open(part, "rb+") as file:
                os.fsync(file.fileno())
        for part, path in zip(parts, paths):
            os.replace(part, path)
    except BaseException:
        for part in parts:
            part.unlink(missing_ok=True)
        raise


def remove_stale_parts(folder: Path) -> None:
    """Delete the unfinished files of processes that no longer run. Those of running processes stay."""
    for part in folder.glob(".*"):
        match = _PART.fullmatch(part.name)
        if match and not Path("/proc", match["pid"]).exists():
            part.unlink(missing_ok=True)


def user_cache() -> Path:
    """This package's folder in the user's cache. It may be missing; a user without a home has none."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(base):  # the XDG base directory specification ignores relative ones
        home = os.path.expanduser("~")
        base = os.path.join(home if os.path.isabs(home) else os.devnull, ".cache")
    return Path(base) / "astra_ros"
