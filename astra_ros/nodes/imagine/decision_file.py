"""Decision records in a file of bounded size, a JSON object a line. Without ROS."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from astra_ros.files import OutputError
from astra_ros.settings import check_ranges, setting


@dataclass(frozen=True)
class DecisionFileSettings:
    """Where decision records are kept."""

    file: str = setting(
        "", "file to which each request adds its decision record, a JSON object a line; '': records are published only"
    )
    max_mb: float = setting(
        10.0, "size in MB at which the file is put aside as <file>.1 and a new one begins", 0.001, 1e6, "MB"
    )
    keep: int = setting(3, "number of files that are put aside; older ones are deleted", 0, 1000, "files")

    def __post_init__(self) -> None:
        check_ranges(self)


class DecisionFile:
    """Appends lines to a file, and puts it aside before it becomes too large."""

    def __init__(self) -> None:
        self._begun: Path | None = None  # the file that this process writes to

    def write(self, line: str, settings: DecisionFileSettings) -> None:
        """Append a line. Nothing is written where the settings name no file. Raises OutputError."""
        if not settings.file:
            return
        path = Path(settings.file).expanduser()
        data = line.encode() + b"\n"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            size = path.stat().st_size if path.exists() else 0
            if size and size + len(data) > settings.max_mb * 1e6:
                _put_aside(path, settings.keep)
            elif size and self._begun != path and not _ends_with_a_line(path):
                data = b"\n" + data  # a process that was killed left half a line
            with open(path, "ab") as file:
                file.write(data)
            self._begun = path
        except OSError as error:
            self._begun = None
            problem = f"decision records cannot be written ({error.strerror or error})"
            cure = "free some disk space, or set decisions.file to a file that can be written"
            raise OutputError(problem, thing=path, cure=cure) from error


def _put_aside(path: Path, keep: int) -> None:
    """Rename ``path`` to ``path.1``, that to ``path.2`` and so on; the last one is replaced."""
    if not keep:
        path.unlink()
        return
    aside = [path, *(path.with_name(f"{path.name}.{number}") for number in range(1, keep + 1))]
    for newer, older in reversed(list(zip(aside, aside[1:]))):
        if newer.exists():
            os.replace(newer, older)


def _ends_with_a_line(path: Path) -> bool:
    with open(path, "rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read() == b"\n"
