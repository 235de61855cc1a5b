"""Whether imagined video follows the plan: poses that a pose probe reads from it, against the true ones.

For a fixed camera the pose is the position of an arm's tool, m. For a camera on a moving robot it is the motion since
the previous frame: translation (m) and rotation vector (rad) in the camera's optical frame at the previous frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from astra_ros.datasets.dataset import load_episode
from astra_ros.datasets.episode import Episode
from astra_ros.evaluation.pose_probe import (
    PROBE_VERSION,
    PoseProbe,
    as_channels,
    load_probe,
    probe_file,
    save_probe,
    shrunk,
    train_probe,
)
from astra_ros.evaluation.space_figures import PoseFigures
from astra_ros.outcomes import TOOL_POSITION
from astra_ros.rotations import antisymmetric, rotation_matrix

PROBE_STEPS = 3000
MIRRORED = (-1.0, 1.0, 1.0, 1.0, -1.0, -1.0)  # factors of a motion whose images are mirrored, left to right
NEAR_M = 0.05  # a tool's position is near the true one within this distance,
NEAR_SHARE = 0.05  # a motion within this share of the range of motions


def steps_between(poses: np.ndarray) -> np.ndarray:
    """Camera poses [N, 7] -> the motion of each step [N - 1, 6], in the frame it starts from.

    The rotation vector is exact for the axis and small angles: sin(angle) along the axis.
    """
    turn, place = rotation_matrix(poses[:, 3:]), poses[:, :3]
    moved = np.einsum("nji,nj->ni", turn[:-1], np.diff(place, axis=0))
    between = np.einsum("nji,njk->nik", turn[:-1], turn[1:])
    return np.concatenate([moved, antisymmetric(between)], axis=1)


class PoseReader:
    """Reads poses from frames of one robot.

    Attributes:
        tool: poses are a tool's positions; otherwise they are a camera's motions.
        field: range of the poses, m and rad: twice the largest one.
    """

    def __init__(self, probe: PoseProbe, tool: bool, field: np.ndarray):
        self.probe, self.tool, self.field = probe, tool, field

    @classmethod
    def kept_or_trained(cls, paths: Sequence[Path], keep: Path, seed: int = 0) -> PoseReader:
        """The reader that is kept in the folder `keep` for these episodes, or one that is trained on them and kept.

        Prints a note where it cannot be kept. Raises DatasetError where an episode or a kept probe is damaged.
        """
        kept = probe_file(keep, paths, f"{PROBE_VERSION} {PROBE_STEPS} {seed}")
        if kept.exists():
            probe, field = load_probe(kept)
            return cls(probe, len(field) == 1, field)
        space = Path(paths[0]).stem.rpartition("_")[0]
        print(f"{space}: training a pose probe first, once for all models; it is kept in {keep}", flush=True)
        made = cls.trained([_shrunk(load_episode(path)) for path in paths], seed)
        try:
            save_probe(kept, made.probe, made.field)
        except OSError as error:
            print(f"note: {kept}: the pose probe cannot be kept ({error})")
        return made

    @classmethod
    def trained(cls, episodes: Sequence[Episode], seed: int = 0) -> PoseReader:
        """A reader trained on real frames of these episodes, at most `pose_probe.ROWS` high."""
        tool = TOOL_POSITION in episodes[0].labels
        frames = np.concatenate([episode.frames for episode in episodes])
        targets = np.concatenate([cls.poses(episode) for episode in episodes])
        size = np.linalg.norm(targets.reshape(len(targets), -1, 3), axis=-1)
        field = 2 * np.quantile(size, 0.99, axis=0)
        if tool:
            picks = np.arange(len(frames))[:, None]
            return cls(train_probe(frames, targets, picks, PROBE_STEPS, seed=seed), tool, field)
        numbers = np.split(np.arange(len(frames)), np.cumsum([len(episode) for episode in episodes])[:-1])
        picks = np.concatenate([np.stack([own[:-1], own[1:]], axis=1) for own in numbers])
        # Each motion backwards is an example too.
        backwards = (episode.labels["camera_pose"][::-1].astype(np.float64) for episode in episodes)
        targets = np.concatenate([targets, *(steps_between(poses)[::-1] for poses in backwards)])
        picks = np.concatenate([picks, picks[:, ::-1]])
        # A mirrored image is one only for a camera whose principal point is in the middle, as in simulation.
        mirrored = MIRRORED if episodes[0].seed is not None else None
        return cls(train_probe(frames, targets, picks, PROBE_STEPS, mirrored, seed=seed), tool, field)

    @staticmethod
    def can_read(episode: Episode) -> bool:
        """Whether true poses are known."""
        return bool({TOOL_POSITION, "camera_pose"} & set(episode.labels))

    @staticmethod
    def poses(episode: Episode) -> np.ndarray:
        """[N, 3] tool positions, or [N - 1, 6] motions."""
        if TOOL_POSITION in episode.labels:
            return episode.labels[TOOL_POSITION].astype(np.float64)
        return steps_between(episode.labels["camera_pose"].astype(np.float64))

    @torch.inference_mode()
    def read(self, before: np.ndarray, frames: np.ndarray) -> np.ndarray:
        """Poses [N, H, P] in frames uint8 [N, H, h, w, 3] that follow `before` [N, h, w, 3]."""
        clips, horizon = frames.shape[:2]
        before, frames = shrunk(before), shrunk(frames.reshape(-1, *frames.shape[2:]))
        frames = frames.reshape(clips, horizon, *frames.shape[1:])
        if self.tool:
            images = frames.reshape(-1, 1, *frames.shape[2:])
        else:
            run = np.concatenate([before[:, None], frames], axis=1)
            images = np.stack([run[:, :-1], run[:, 1:]], axis=2).reshape(-1, 2, *frames.shape[2:])
        read = [self.probe(as_channels(part)) for part in np.array_split(images, max(1, len(images) // 256))]
        return torch.cat(read).numpy().reshape(clips, horizon, -1)

    def figures(self, read: np.ndarray, true: np.ndarray) -> PoseFigures:
        """The distance of poses that were read [N, H, P] from the true ones."""
        away = np.linalg.norm((read - true).reshape(*read.shape[:-1], -1, 3), axis=-1)
        if self.tool:
            return PoseFigures(mean_error_m=float(away.mean()), near=float((away < NEAR_M).mean()))
        near = (away <= np.maximum(NEAR_SHARE * self.field, [NEAR_M, 0])).all(-1)
        metres, radians = (float(each.mean()) for each in np.moveaxis(away, -1, 0))
        return PoseFigures(mean_error_m=metres, mean_error_rad=radians, near=float(near.mean()))


def _shrunk(episode: Episode) -> Episode:
    return replace(episode, frames=shrunk(episode.frames))
