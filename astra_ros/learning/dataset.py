"""Recorded episodes on disk: one NPZ file each, readable with numpy alone.

An episode of N frames, `dt_s` apart, holds

| key | type | meaning |
|---|---|---|
| frames | uint8 [N, h, w, 3] | RGB |
| commanded | float32 [N, J] | rad, joint positions commanded at each frame's time |
| measured | float32 [N, J] | rad, joint positions reached |
| object_position, tool_position | float32 [N, 3] | m, world frame |
| obstacle_contact, object_contact | bool [N] | touched in the interval that ends at the frame |
| goal_position, obstacle_position | float32 [3] | m, world frame |
| joint_names | str [J] | |
| robot, behaviour | str | |
| seed | int64 | of the scene |
| dt_s | float64 | seconds between frames |
"""

from __future__ import annotations

import os
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

# Seeds from here on are held out for evaluation: training refuses them.
HELD_OUT_FROM = 900_000

_NAME = re.compile(r'episode_(?P<robot>\w+)_(?P<seed>\d{6,})\.npz')
_KEYS = ('frames', 'commanded', 'measured', 'object_position', 'tool_position',
         'obstacle_contact', 'object_contact', 'goal_position', 'obstacle_position',
         'joint_names', 'robot', 'behaviour', 'seed', 'dt_s')


class DatasetError(RuntimeError):
    """A dataset or an episode that cannot be used; names the file and what to do."""


@dataclass(frozen=True)
class Episode:
    """One recorded episode; fields as in the module's table."""

    frames: np.ndarray
    commanded: np.ndarray
    measured: np.ndarray
    object_position: np.ndarray
    tool_position: np.ndarray
    obstacle_contact: np.ndarray
    object_contact: np.ndarray
    goal_position: np.ndarray
    obstacle_position: np.ndarray
    joint_names: tuple[str, ...]
    robot: str
    behaviour: str
    seed: int
    dt_s: float

    def __len__(self) -> int:
        return len(self.frames)


def episode_path(folder: Path, robot: str, seed: int) -> Path:
    return folder / f'episode_{robot}_{seed:06d}.npz'


def save_episode(path: Path, episode: Episode) -> None:
    """Write whole or not at all: a killed recorder leaves no half file under the final name."""
    part = path.with_suffix('.part')
    with open(part, 'wb') as file:
        np.savez_compressed(file, **{key: getattr(episode, key) for key in _KEYS})
    os.replace(part, path)


def load_episode(path: Path) -> Episode:
    """Raises DatasetError where the file is damaged or lacks something."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            missing = [key for key in _KEYS if key not in stored]
            if missing:
                raise DatasetError(f'{path}: lacks {missing}; record this episode again')
            values = {key: stored[key] for key in _KEYS}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise DatasetError(
            f'{path}: damaged ({error}); delete the file and record it again') from error
    return Episode(**{
        **values,
        'joint_names': tuple(str(name) for name in values['joint_names']),
        'robot': str(values['robot']), 'behaviour': str(values['behaviour']),
        'seed': int(values['seed']), 'dt_s': float(values['dt_s'])})


def list_episodes(folder: str | Path, robot: str | None = None) -> list[Path]:
    """Episode files in order of name. Raises DatasetError where there are none."""
    folder = Path(folder)
    found = sorted(path for path in folder.glob('episode_*.npz')
                   if (match := _NAME.fullmatch(path.name))
                   and robot in (None, match['robot']))
    if not found:
        raise DatasetError(f"no episodes{f' of {robot}' if robot else ''} in '{folder}'; "
                           f'make some with: astra record --out {folder}')
    return found
