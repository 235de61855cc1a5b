"""Result files: figures as JSON, with the command, commit, machine and date that they come from."""

from __future__ import annotations

import json
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from astra_ros.files import OutputError, atomic_write

# Metadata of a dataclass's field: in JSON its values stand beside those of the other fields.
FLAT = {"flat": True}


def _git(words: str) -> str:
    command = ["git", *words.split()]
    try:
        return subprocess.check_output(command, text=True, stderr=subprocess.DEVNULL, cwd=Path(__file__).parent).strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())


def provenance() -> dict[str, str]:
    """The command, the commit, the machine and the date."""
    # Changes of the code and the models count, changes of the result files that this run writes do not.
    changed = _git("status --porcelain -- :/astra_ros :/models :/setup.py :/constraints.txt")
    return {
        "command": shlex.join(["astra", *sys.argv[1:]]),
        "commit": _git("rev-parse --short HEAD") + ("+" if changed else ""),
        "machine": f"{_processor()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d"),
    }


def check_writable(*paths: Path | None) -> None:
    """Make the folders of result files and try to open the files, before the work that they are the result of.

    Raises OutputError where a file cannot be written.
    """
    for path in paths:
        if path is None:
            continue
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            existed = path.exists()
            with open(path, "a"):
                pass
            if not existed:
                path.unlink()
        except OSError as error:
            raise OutputError(f"cannot be written ({error})", thing=path, cure="name another file") from error


def as_json(value: Any) -> Any:
    """Results as JSON: dataclasses become dicts. A field that is None, and is so by default, is left out."""
    if is_dataclass(value):
        values: dict[str, Any] = {}
        for field in fields(value):
            item = getattr(value, field.name)
            if item is not None or field.default is not None:
                values |= as_json(item) if field.metadata == FLAT else {field.name: as_json(item)}
        return values
    if isinstance(value, Mapping):
        return {key: as_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_json(item) for item in value]
    return value


def write_json(path: Path, values: Any, indent: int | None = 1) -> None:
    """Raises OutputError where the file cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as part:
            part.write_text(json.dumps(as_json(values), indent=indent) + "\n")
    except OSError as error:
        raise OutputError.of(path, error) from error


def write_result(path: Path, result: Any) -> None:
    """Write a result and its provenance as JSON. Raises OutputError where the file cannot be written."""
    write_json(path, {**provenance(), **as_json(result)})
    print(f"figures written to {path}")
