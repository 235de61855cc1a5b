"""The episodes that a training reads: checked before the first step, and recorded in its folder."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from astra_ros.datasets.dataset import HELD_OUT_FROM, space_of
from astra_ros.datasets.episode import DatasetError
from astra_ros.files import OutputError, atomic_write
from astra_ros.training.errors import TrainingError

LOCK_FILE = ".lock"
DATA_FILE = "data.json"
_claims: dict[Path, object] = {}


@dataclass(frozen=True)
class TrainingData:
    """Episodes of one rate and frame size. Their footers are read once, here."""

    folder: Path
    footers: Mapping[Path, dict]  # an episode's table -> its footer, in order of name
    sha256: str  # of the episodes' names, tables and videos, branches included
    branches: Mapping[Path, dict] = field(default_factory=dict)  # as `footers`; outcomes alone are learned from these

    @property
    def paths(self) -> list[Path]:
        return list(self.footers)

    @property
    def dt_s(self) -> float:
        return next(iter(self.footers.values()))["dt_s"]

    @property
    def size(self) -> tuple[int, int]:
        """(h, w) of a frame."""
        return _size(next(iter(self.footers.values())))

    def split(self) -> tuple[dict[Path, dict], dict[Path, dict]]:
        """(training, validation) footers; see `split`."""
        train, aside = split(self.paths)
        return {path: self.footers[path] for path in train}, {path: self.footers[path] for path in aside}


def check_episodes(folder: Path, footers: Mapping[Path, dict], branches: bool = False) -> TrainingData:
    """Raises DatasetError where an episode is damaged, unfit or held out for evaluation, or where episodes differ.

    Also where one is a branch, or with `branches` where one is not.
    """
    name, first = next((path.name, footer) for path, footer in footers.items())
    size = _size(first)
    digest = hashlib.sha256()
    for path, footer in footers.items():
        digest.update(f"{path.name} {footer['video_sha256']}\n".encode() + path.read_bytes())
        if footer["dt_s"] != first["dt_s"]:
            problem = f"its frames are {footer['dt_s']:g} s apart, those of {name} {first['dt_s']:g} s"
            raise DatasetError(problem, thing=path, cure="train on episodes of one rate")
        if _size(footer) != size:
            problem = f"its frames have {pixels(_size(footer))}, those of {name} {pixels(size)}"
            raise DatasetError(problem, thing=path, cure="train on episodes of one frame size")
        if footer["seed"] is not None and footer["seed"] >= HELD_OUT_FROM:
            problem = f"seeds from {HELD_OUT_FROM} on are held out for evaluation"
            raise DatasetError(problem, thing=path, cure="record others, with lower seeds")
        if (footer.get("frames_seen") is not None) != branches:
            problem = "all of its frames were seen, so it is no branch" if branches else "a branch, not an episode"
            raise DatasetError(problem, thing=path, cure="give episodes as `data`, and branches as `branches`")
        if why := footer["source"].get("unfit"):
            cure = "delete the episodes of that bag, or replace them by importing it again as that says"
            raise DatasetError(f"a model cannot learn from it ({why})", thing=path, cure=cure)
        if not path.with_suffix(".mp4").is_file():
            problem = f"its video {path.with_suffix('.mp4').name} is missing"
            raise DatasetError(problem, thing=path, cure="delete the table and record the episode again")
    return TrainingData(folder, dict(footers), digest.hexdigest())


def with_branches(data: TrainingData, folder: Path, footers: Mapping[Path, dict]) -> TrainingData:
    """The data and the outcomes of branches. Raises DatasetError as `check_episodes`, and where they do not fit."""
    branches = check_episodes(folder, footers, branches=True)
    path = next(iter(footers))
    if (branches.dt_s, branches.size) != (data.dt_s, data.size):
        problem = f"its frames have {pixels(branches.size)} and are {branches.dt_s:g} s apart, those of {data.folder} "
        problem += f"have {pixels(data.size)} and are {data.dt_s:g} s apart"
        raise DatasetError(problem, thing=path, cure="record branches like the episodes")
    known = {(space_of(footer), tuple(footer["motion_names"])) for footer in data.footers.values()}
    for path, footer in footers.items():
        if (space_of(footer), tuple(footer["motion_names"])) not in known:
            what = f"{space_of(footer)} with the motion {', '.join(footer['motion_names'])}"
            problem = f"there is no episode of {what} in {data.folder}"
            raise DatasetError(problem, thing=path, cure="record episodes of that robot, too")
    both = hashlib.sha256(f"{data.sha256} {branches.sha256}".encode()).hexdigest()
    return replace(data, branches=dict(footers), sha256=both)


def check_long_enough(path: Path, frames: int, horizon: int) -> None:
    """Raises DatasetError where an episode of so many frames has no clip of `horizon` frames to predict."""
    if frames <= horizon:
        problem = f"{frames} frames are too few for a horizon of {horizon}"
        raise DatasetError(problem, thing=path, cure="record longer episodes, or lower `horizon`")


def pixels(size: tuple[int, int]) -> str:
    """A frame size (h, w) as text."""
    return f"{size[1]} x {size[0]} pixels"


def _size(footer: dict) -> tuple[int, int]:
    return footer["frames"][1], footer["frames"][2]


def split(paths: Iterable[Path], share: int = 50) -> tuple[list[Path], list[Path]]:
    """(training, validation): every `share`-th episode of each action space is set aside.

    The place in the sorted list decides, so every run on the same data sets the same ones aside. A space of fewer
    episodes than `share` gives its last one. A single episode is both trained on and validated with.
    """
    train, aside = [], []
    for group in by_space(paths).values():
        mine = group[share - 1 :: share] or group[-1:]
        aside += mine
        train += [path for path in group if path not in mine] or mine
    return train, aside


def by_space(paths: Iterable[Path]) -> dict[str, list[Path]]:
    """Action space -> tables of its episodes, in the given order."""
    groups: dict[str, list[Path]] = {}
    for path in paths:
        groups.setdefault(path.stem.rpartition("_")[0], []).append(path)
    return groups


def check_same_data(out: Path, data: TrainingData) -> None:
    """Raises TrainingError where a training folder was begun on other episodes."""
    path = out / DATA_FILE
    if not path.exists():
        return
    try:
        then = json.loads(path.read_text())
        same, counts = then["sha256"] == data.sha256, (then["episodes"], then.get("branches", 0))
    except (ValueError, KeyError, TypeError) as error:
        cure = "delete it if the data are the same as before"
        raise TrainingError(f"cannot be read ({error})", thing=path, cure=cure) from error
    if not same:
        now = _counted(len(data.footers), len(data.branches))
        problem = f"this training was begun on other episodes ({_counted(*counts)} then, {now} now)"
        raise TrainingError(problem, thing=path, cure="go on with the same data, or train into another folder")


def _counted(episodes: int, branches: int) -> str:
    return f"{episodes} and {branches} branches" if branches else str(episodes)


def claim(out: Path, first: bool = True) -> None:
    """Make the training folder. The `first` process locks it for as long as it lives.

    Raises OutputError where the folder cannot be made, TrainingError where another training has locked it.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        if not first or out.resolve() in _claims:
            return
        path = out / LOCK_FILE
        # Another user may own the file. The lock is held until the process ends.
        lock = open(path, "w" if not path.exists() or os.access(path, os.W_OK) else "r")  # noqa: SIM115
    except OSError as error:
        raise OutputError.of(out, error) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        cure = "wait for it, or name another folder"
        raise TrainingError("another training is running there", thing=out, cure=cure) from error
    except OSError:  # a file system without locks
        pass
    _claims[out.resolve()] = lock


def write_facts(out: Path, data: TrainingData) -> None:
    """Record in a training folder on which episodes it was begun. Raises OutputError."""
    facts = {"dt_s": data.dt_s, "size": data.size, "episodes": len(data.footers), "sha256": data.sha256}
    if data.branches:
        facts["branches"] = len(data.branches)
    try:
        with atomic_write(out / DATA_FILE) as part:
            part.write_text(json.dumps({"folder": str(data.folder), **facts}, indent=1) + "\n")
    except OSError as error:
        raise OutputError.of(out / DATA_FILE, error) from error
