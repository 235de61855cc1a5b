"""Does the imagined video do what the plan said? Poses read from it, against the true ones.

A fixed camera shows where an arm's tool is: the pose is the tool's position, m. A camera on a moving
robot shows how it moved since the frame before: the pose is that motion, translation (m) and
rotation vector (rad) in the camera's optical frame of the frame before.
"""

from __future__ import annotations

import hashlib
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
    load_probe,
    save_probe,
    small,
    stacked,
    train_probe,
)
from astra_ros.outcomes import TOOL_POSITION
from astra_ros.rotations import antisymmetric, rotation_matrix

PROBE_STEPS = 3000
MIRRORED = (-1.0, 1.0, 1.0, 1.0, -1.0, -1.0)  # a motion seen with left and right exchanged
NEAR_M = 0.05  # a tool this near to where it was is where the plan said,
NEAR_SHARE = 0.05  # a motion if it is off by this share of the range of motions


def steps_between(poses: np.ndarray) -> np.ndarray:
    """Camera poses [N, 7] -> the motion of each step [N - 1, 6], in the frame it starts from.

    The rotation vector is exact for the axis and small angles: sin(angle) along the axis.
    """
    turn, place = rotation_matrix(poses[:, 3:]), poses[:, :3]
    moved = np.einsum("nji,nj->ni", turn[:-1], np.diff(place, axis=0))
    between = np.einsum("nji,njk->nik", turn[:-1], turn[1:])
    return np.concatenate([moved, antisymmetric(between)], axis=1)


class Follower:
    """Reads poses from frames of one robot."""

    def __init__(self, probe: PoseProbe, tool: bool, field: np.ndarray):
        self.probe = probe
        self.tool = tool  # whether poses are a tool's positions, or a camera's motions
        self.field = field  # m, rad: twice the largest motion, there and back

    @classmethod
    def kept_or_trained(cls, paths: Sequence[Path], keep: Path, seed: int = 0) -> Follower:
        """Trained on real frames of some episodes; kept in the folder `keep`, and found there again.

        Where it cannot be kept this is said, and the figures come all the same. Raises DatasetError
        where an episode or a kept probe is damaged.
        """
        digest = hashlib.sha256(f"{PROBE_VERSION} {PROBE_STEPS} {seed}".encode())
        for path in paths:
            digest.update(path.name.encode() + path.read_bytes())  # its footer has the video's sha256
        space = Path(paths[0]).stem.rpartition("_")[0]
        kept = keep / f"{space}_{digest.hexdigest()[:12]}.safetensors"
        if kept.exists():
            probe, field = load_probe(kept)
            return cls(probe, len(field) == 1, field)
        print(
            f"{space}: a pose probe is trained first, once for all models; it is kept in {keep} (--no-probe does "
            "without)",
            flush=True,
        )
        made = cls.trained([_small(load_episode(path)) for path in paths], seed)
        try:
            save_probe(kept, made.probe, made.field)
        except OSError as error:
            print(f"note: {kept}: the pose probe is not kept ({error})")
        return made

    @classmethod
    def trained(cls, episodes: Sequence[Episode], seed: int = 0) -> Follower:
        """Trained on real frames of these episodes, of at most `probe.ROWS` rows."""
        tool = TOOL_POSITION in episodes[0].labels
        frames = np.concatenate([episode.frames for episode in episodes])
        targets = np.concatenate([cls.poses(episode) for episode in episodes])
        size = np.linalg.norm(targets.reshape(len(targets), -1, 3), axis=-1)
        field = 2 * np.quantile(size, 0.99, axis=0)
        if tool:
            picks = np.arange(len(frames))[:, None]
            return cls(train_probe(frames, targets, picks, PROBE_STEPS, seed=seed), tool, field)
        starts = np.cumsum([0, *(len(episode) for episode in episodes[:-1])])
        picks = np.concatenate(
            [
                start + np.stack([np.arange(len(episode) - 1), np.arange(1, len(episode))], axis=1)
                for start, episode in zip(starts, episodes)
            ]
        )
        # The way back is an example too.
        back = np.concatenate(
            [steps_between(episode.labels["camera_pose"][::-1].astype(np.float64))[::-1] for episode in episodes]
        )
        # A mirror image is one only if the camera looks along the middle of its picture.
        mirrored = MIRRORED if episodes[0].seed is not None else None
        probe = train_probe(
            frames,
            np.concatenate([targets, back]),
            np.concatenate([picks, picks[:, ::-1]]),
            PROBE_STEPS,
            mirrored,
            seed=seed,
        )
        return cls(probe, tool, field)

    @staticmethod
    def can_read(episode: Episode) -> bool:
        """Whether true poses are known, to train on and to compare with."""
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
        before, frames = small(before), small(frames.reshape(-1, *frames.shape[2:]))
        frames = frames.reshape(clips, horizon, *frames.shape[1:])
        if self.tool:
            pictures = frames.reshape(-1, 1, *frames.shape[2:])
        else:
            run = np.concatenate([before[:, None], frames], axis=1)
            pictures = np.stack([run[:, :-1], run[:, 1:]], axis=2).reshape(-1, 2, *frames.shape[2:])
        read = [self.probe(stacked(part)) for part in np.array_split(pictures, max(1, len(pictures) // 256))]
        return torch.cat(read).numpy().reshape(clips, horizon, -1)

    def figures(self, read: np.ndarray, true: np.ndarray) -> dict:
        """How far the poses are apart, and in which share of the frames they are near."""
        away = np.linalg.norm((read - true).reshape(*read.shape[:-1], -1, 3), axis=-1)
        if self.tool:
            return {"mean_error_m": float(away.mean()), "near": float((away < NEAR_M).mean())}
        near = (away <= np.maximum(NEAR_SHARE * self.field, [NEAR_M, 0])).all(-1)
        return {
            "mean_error_m": float(away[..., 0].mean()),
            "mean_error_rad": float(away[..., 1].mean()),
            "near": float(near.mean()),
        }


def _small(episode: Episode) -> Episode:
    return replace(episode, frames=small(episode.frames))
