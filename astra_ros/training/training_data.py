"""What a training is about to see: checked before the first step, and remembered in its folder."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from pathlib import Path
from typing import NamedTuple

from astra_ros.datasets.dataset import HELD_OUT_FROM, read_footer
from astra_ros.datasets.episode import DatasetError, once_more

LOCK_FILE = ".lock"
_claims: dict[Path, object] = {}
DATA_FILE = "data.json"


class DataFacts(NamedTuple):
    """What all episodes of a training have in common, and which they are."""

    dt_s: float
    size: tuple[int, int]  # (h, w) of a frame
    episodes: int
    sha256: str  # of the episodes' names, tables and videos


def check_episodes(paths) -> DataFacts:
    """Read what every episode says of itself.

    Raises DatasetError where an episode is damaged, or of a bag that cannot be learned from, where they differ, or
    where one is held out for evaluation.
    """
    first = read_footer(paths[0])
    size = tuple(first["frames"][1:3])
    digest = hashlib.sha256()
    for path in paths:
        footer = read_footer(path)
        digest.update(f"{path.name} {footer['video_sha256']}\n".encode() + path.read_bytes())
        if footer["dt_s"] != first["dt_s"]:
            raise DatasetError(
                f"{path}: frames are {footer['dt_s']:g} s apart, those of "
                f"{paths[0].name} {first['dt_s']:g} s; train on episodes of one rate"
            )
        if tuple(footer["frames"][1:3]) != size:
            raise DatasetError(
                f"{path}: frames of {footer['frames'][2]} x {footer['frames'][1]} "
                f"pixels, those of {paths[0].name} of {size[1]} x {size[0]}; train on "
                "episodes of one size"
            )
        if footer["seed"] is not None and footer["seed"] >= HELD_OUT_FROM:
            raise DatasetError(
                f"{path}: seeds from {HELD_OUT_FROM} on are held out for evaluation; "
                "record others with: astra record --first-seed 0"
            )
        if why := footer["source"].get("unfit"):
            raise DatasetError(
                f"{path}: a model would learn nonsense from it ({why}); delete the episodes of that bag, "
                "or import it again as that says, with --force"
            )
        if not path.with_suffix(".mp4").is_file():
            raise DatasetError(
                f"{path}: its video {path.with_suffix('.mp4').name} is missing; delete "
                "the table and record the episode again"
            )
    return DataFacts(first["dt_s"], size, len(paths), digest.hexdigest())


def check_same_data(out: Path, facts: DataFacts, advice: str) -> None:
    """Raises DatasetError where a training folder was begun on other episodes; it ends with `advice`."""
    path = out / DATA_FILE
    if not path.exists():
        return
    try:
        then = json.loads(path.read_text())
        same, count = then["sha256"] == facts.sha256, then["episodes"]
    except (ValueError, KeyError, TypeError) as error:
        raise DatasetError(
            f"{path}: cannot be read ({error}); delete it if the data are still those of before"
        ) from error
    if not same:
        raise DatasetError(
            f"{path}: begun on other episodes ({count} then, {facts.episodes} now); go on with the same data, or "
            f"train into another folder{advice}"
        )


def claim(out: Path, first: bool = True) -> None:
    """Make the folder that is trained in; the `first` process keeps others out of it for as long as it lives.

    Raises DatasetError where it cannot be made, or another training is at work in it.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        if not first or out.resolve() in _claims:
            return
        path = out / LOCK_FILE
        mode = "w" if not path.exists() or os.access(path, os.W_OK) else "r"  # perhaps another user's
        lock = open(path, mode)  # noqa: SIM115  held until the process ends
    except OSError as error:
        raise DatasetError(f"--out {out}: cannot be written ({error}); name another folder") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise DatasetError(
            f"--out {out}: another training is at work there; wait for it, or name another folder"
        ) from error
    except OSError:  # a file system without locks
        pass
    _claims[out.resolve()] = lock


def write_facts(out: Path, folder: Path, facts: DataFacts) -> None:
    """Remember in a training folder what it was begun on. Raises DatasetError where it cannot be written."""
    part = out / f"{DATA_FILE}.part"
    try:
        part.write_text(json.dumps({"folder": str(folder), **facts._asdict()}, indent=1) + "\n")
        os.replace(part, out / DATA_FILE)
    except OSError as error:
        raise DatasetError(f"{part}: cannot be written ({error}). {once_more(error)}") from error
