"""Result files: every figure with the command, commit, machine and date that it comes from."""

from __future__ import annotations

import json
import os
import platform
import shlex
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path

from astra_ros.datasets.episode import DatasetError, once_more


def _output(*command: str) -> str:
    try:
        return subprocess.run(
            command, capture_output=True, text=True, check=True, cwd=Path(__file__).parent
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next(
        (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.processor()
    )


def provenance() -> dict:
    """What was run, of which commit, where and when."""
    # What is measured: the code and the models, not the result files that this run may write.
    changed = _output(
        "git", "status", "--porcelain", "--", ":/astra_ros", ":/models", ":/setup.py", ":/constraints.txt"
    )
    command = ["astra", *sys.argv[1:]]
    return {
        "command": shlex.join(command),
        "commit": _output("git", "rev-parse", "--short", "HEAD") + ("+" if changed else ""),
        "machine": f"{_processor()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d"),
    }


def check_writable(*paths: Path | None) -> None:
    """Raises DatasetError where a file could not be written later; makes its folder. To be asked before the work."""
    for path in paths:
        if path is None:
            continue
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            was_there = path.exists()
            with open(path, "a"):
                pass
            if not was_there:
                path.unlink()
        except OSError as error:
            raise DatasetError(f"{path}: cannot be written ({error}); name another file") from error


def write_json(path: Path, values, indent: int | None = 1) -> None:
    """Raises DatasetError where that cannot be done."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values, indent=indent) + "\n")
    except OSError as error:
        raise DatasetError(f"{path}: cannot be written ({error}). {once_more(error)}") from error


def write_result(path: Path, figures: dict) -> None:
    """Write `figures` and their provenance as JSON. Raises DatasetError where that cannot be done."""
    write_json(path, {**provenance(), **figures})
    print(f"figures written to {path}")
