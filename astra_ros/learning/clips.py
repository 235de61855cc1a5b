"""A recorded dataset as latents in memory, cut into clips for training and evaluation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from astra_ros.learning.dataset import DatasetError, Episode, load_episode
from astra_ros.planning.actions import ActionSpace
from astra_ros.world_model.autoencoder import FrameAutoencoder


def fit_action_space(name: str, episodes: Sequence[Episode]) -> ActionSpace:
    """Scales of a robot's joints, measured on its episodes' commands."""
    joints = episodes[0].joint_names
    positions = np.concatenate([episode.commanded for episode in episodes])
    steps = np.concatenate([np.diff(episode.commanded, axis=0) for episode in episodes])
    floor = 0.02    # rad: a joint that hardly moved must not be blown up to unit variance
    return ActionSpace(
        name=name, joint_names=joints,
        position_mean=tuple(positions.mean(0).round(6).tolist()),
        position_std=tuple(np.maximum(positions.std(0), floor).round(6).tolist()),
        step_std=tuple(np.maximum(steps.std(0), floor).round(6).tolist()))


def frames_to_tensor(frames: np.ndarray) -> Tensor:
    """uint8 [..., h, w, 3] -> float [..., 3, h, w] in 0..1."""
    return torch.from_numpy(np.ascontiguousarray(frames)).movedim(-1, -3).float() / 255


def restyle(frames: Tensor, generator: torch.Generator) -> Tensor:
    """Frames [N, 3, h, w] under another light: one random gain per colour, and a gamma."""
    gain = 0.6 + 0.6 * torch.rand(1, 3, 1, 1, generator=generator)
    gamma = 0.7 + 0.8 * torch.rand(1, generator=generator)
    return (frames.pow(gamma) * gain).clamp(0, 1)


@dataclass(frozen=True)
class Clip:
    """B clips of one action space: T history frames and H frames to predict.

    Latents come as a whole run of T + H frames; frame T - 1 is the newest observed one.
    """

    latents: Tensor               # [B, T + H, C, h, w] as recorded
    restyled: Tensor              # the same under another light
    actions: Tensor               # [B, H, A]
    outcomes: dict[str, Tensor]   # of the H frames, [B, H] 0/1 or [B, H, 3] m
    modality: int


class LatentDataset:
    """Every episode of every robot as latents, plus actions and labels.

    Two latents a frame: as recorded and under another light (for the style encoder).
    """

    def __init__(self, spaces: Sequence[ActionSpace], window: int, horizon: int):
        self.spaces = list(spaces)
        self.window = window
        self.horizon = horizon
        self.modalities: list[int] = []
        self.latents: list[Tensor] = []
        self.restyled: list[Tensor] = []
        self.actions: list[Tensor] = []
        self.outcomes: list[dict[str, Tensor]] = []

    @torch.inference_mode()
    def encode(self, paths: Iterable[Path], autoencoder: FrameAutoencoder,
               device: torch.device, seed: int = 0) -> None:
        """Add the episodes of `paths`. Raises DatasetError where joints fit no action space."""
        generator = torch.Generator().manual_seed(seed)
        by_joints = {space.joint_names: index for index, space in enumerate(self.spaces)}
        autoencoder.eval()
        for path in tqdm(list(paths), unit='episode', desc='encode'):
            episode = load_episode(path)
            if episode.joint_names not in by_joints:
                raise DatasetError(f'{path}: joints {episode.joint_names} fit none of the action '
                                   f'spaces {[space.name for space in self.spaces]}')
            if len(episode) <= self.horizon:
                raise DatasetError(f'{path}: {len(episode)} frames are too few for a horizon of '
                                   f'{self.horizon}; record longer episodes')
            modality = by_joints[episode.joint_names]
            frames = frames_to_tensor(episode.frames)
            both = torch.cat([frames, restyle(frames, generator)]).to(device)
            latents = autoencoder.encode(both).cpu()
            self.latents.append(latents[:len(frames)])
            self.restyled.append(latents[len(frames):])
            self.modalities.append(modality)
            self.actions.append(torch.from_numpy(self.spaces[modality].encode(episode.commanded)))
            self.outcomes.append({
                'obstacle_contact': torch.from_numpy(episode.obstacle_contact).float(),
                'object_contact': torch.from_numpy(episode.object_contact).float(),
                'object_position': torch.from_numpy(episode.object_position),
                'tool_position': torch.from_numpy(episode.tool_position)})

    def clip(self, episodes: Sequence[int], starts: Sequence[int]) -> Clip:
        """Clips whose newest observed frame is `starts[i]` of episode `episodes[i]`.

        Before an episode begins the scene stood still: its first frame is repeated.
        """
        runs = [(index, torch.arange(start - self.window + 1, start + self.horizon + 1).clamp_min(0))
                for index, start in zip(episodes, starts)]
        future = slice(self.window, None)
        return Clip(
            latents=torch.stack([self.latents[i][run] for i, run in runs]),
            restyled=torch.stack([self.restyled[i][run] for i, run in runs]),
            actions=torch.stack([self.actions[i][run[future] - 1] for i, run in runs]),
            outcomes={name: torch.stack([self.outcomes[i][name][run[future]] for i, run in runs])
                      for name in self.outcomes[0]},
            modality=self.modalities[episodes[0]])

    def sample(self, batch: int, generator: torch.Generator) -> Clip:
        """`batch` random clips of one random action space."""
        first = int(torch.randint(len(self.latents), (1,), generator=generator))
        same = [i for i, modality in enumerate(self.modalities)
                if modality == self.modalities[first]]
        picks = torch.randint(len(same), (batch,), generator=generator)
        episodes = [same[int(pick)] for pick in picks]
        starts = [int(torch.randint(len(self.latents[i]) - self.horizon, (1,), generator=generator))
                  for i in episodes]
        return self.clip(episodes, starts)
