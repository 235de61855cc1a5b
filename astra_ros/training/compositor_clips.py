"""What a trained model imagines of its own training clips, beside what was seen: its compositor learns from this."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from astra_ros.datasets.dataset import load_episode
from astra_ros.inference.torch_camera import inverse_depth_camera
from astra_ros.training.clips import ClipSettings, LatentDataset, frames_to_tensor, imagine_clips, to_bytes
from astra_ros.training.precision import mixed_precision
from astra_ros.training.training_data import by_space
from astra_ros.world_model.astra import Astra
from astra_ros.world_model.config import RENDER_CHANNELS
from astra_ros.world_model.reprojection import last_seen

CLIPS = 500  # at most, of all action spaces together; each has the same share
EPISODES = 500  # likewise
AT_ONCE = 20  # clips that are imagined together
RENDERED_COUNTS = 3  # how often a clip with robot renders is taken beside one without: it is harder to learn
RENDER_DROPPED = 0.25  # share of the frames whose robot renders are withheld


@dataclass(frozen=True)
class ImaginedClip:
    """A clip of H imagined frames beside the truth, as bytes.

    `seen` and `known` hold one frame where the camera stands still, else H.
    """

    decoded: Tensor  # [H, 3, h, w] the autoencoder's reconstruction of the imagined latents
    seen: Tensor  # [H or 1, 3, h, w] the newest observed frame, seen from each future camera pose
    known: Tensor  # [H or 1, 1, h, w] 255 where `seen` shows something
    robot_renders: Tensor | None  # [1 + H, 3, h, w] of the newest observed frame and the H that follow
    truth: Tensor  # [H, 3, h, w]
    object: Tensor  # [H, 1, h / p, w / p] 255 in the cells where a labelled object is, or was when last observed

    def frame(self, at: int, rendered: bool) -> tuple[Tensor, ...]:
        """(decoded, seen, known, robot, truth, object) of a frame; without its robot renders if not `rendered`."""
        robot = self.truth.new_zeros(2 * RENDER_CHANNELS, *self.truth.shape[-2:])
        if rendered and self.robot_renders is not None:
            robot = torch.cat([self.robot_renders[1 + at], self.robot_renders[0]])
        last = min(at, len(self.seen) - 1)
        return self.decoded[at], self.seen[last], self.known[last], robot, self.truth[at], self.object[at]


class CompositorClips:
    """What a model imagines of random clips of each action space.

    At most `frames` frames of a space are imagined: a training does not ask for more.
    """

    def __init__(
        self, settings: ClipSettings, paths: list[Path], astra: Astra, seed: int, frames: int, progress: bool = True
    ):
        rng, groups = np.random.default_rng(seed), by_space(paths).values()
        most = EPISODES // len(groups)
        chosen = [
            group[int(i)] for group in groups for i in rng.choice(len(group), min(most, len(group)), replace=False)
        ]
        data = LatentDataset(settings, chosen, astra.autoencoder, progress)
        frames_of = [load_episode(path).frames for path in chosen]
        self.horizon, self.device = settings.horizon, data.device
        self.clips: list[ImaginedClip] = []
        jobs = list(_batches(data, rng, min(CLIPS // len(groups), math.ceil(frames / settings.horizon))))
        for picks in tqdm(jobs, unit="batch", desc="imagine", disable=not progress):
            with torch.inference_mode():
                with mixed_precision(self.device):
                    latents = imagine_clips(astra, data.clip(*zip(*picks)).to(self.device)).float()
                # in 32 bits, as when the model is used
                decoded = astra.autoencoder.decode(latents.flatten(0, 1)).unflatten(0, latents.shape[:2])
            self.clips += [
                self._clip(data, index, start, frames_of[index], decoded[row])
                for row, (index, start) in enumerate(picks)
            ]
        self.often = [
            number
            for number, clip in enumerate(self.clips)
            for _ in range(1 if clip.robot_renders is None else RENDERED_COUNTS)
        ]

    def _clip(self, data: LatentDataset, index: int, start: int, frames: np.ndarray, decoded: Tensor) -> ImaginedClip:
        space, way, cameras = data.space_of(index), data.camera_poses(index, start), data.settings.cameras
        poses = view = None
        if way is not None and cameras is not None:
            view = inverse_depth_camera(cameras[space.name], frames.shape[1:3], self.device)
            poses = torch.from_numpy(way[0]).to(self.device)
        newest = frames_to_tensor(frames[start]).to(self.device)
        steps = 1 if poses is None else self.horizon
        seen, known = last_seen(newest, steps, poses, view, space.moves_camera)
        renders, future = data.episodes[index].robot_renders, slice(start + 1, start + 1 + self.horizon)
        cells = data.episodes[index].object_cells
        if cells is None:
            cells = torch.zeros(len(frames), 1, 1)
        return ImaginedClip(
            to_bytes(decoded),
            to_bytes(seen),
            to_bytes(known),
            None if renders is None else renders[start : start + 1 + self.horizon].cpu(),
            torch.from_numpy(frames[future]).movedim(-1, 1),
            to_bytes(torch.maximum(cells[future], cells[start]))[:, None],
        )

    def sample(self, batch: int, generator: torch.Generator) -> tuple[Tensor, ...]:
        """(decoded, seen, known, robot, truth, object) of random frames, each [batch, channels, h, w] in 0..1.

        `object` is as large as an image here, too.
        """
        picks = torch.randint(len(self.often) * self.horizon, (batch,), generator=generator).tolist()
        rendered = torch.rand(batch, generator=generator) >= RENDER_DROPPED
        frames = [
            self.clips[self.often[pick // self.horizon]].frame(pick % self.horizon, bool(shown))
            for pick, shown in zip(picks, rendered)
        ]
        shape = frames[0][0].shape[-2:]
        whole = [(*parts, F.interpolate(cells[None], size=shape)[0]) for *parts, cells in frames]
        return tuple(torch.stack(part).to(self.device).float() / 255 for part in zip(*whole))


def _batches(data: LatentDataset, rng: np.random.Generator, clips: int) -> Iterator[list[tuple[int, int]]]:
    """Clips to imagine together, as (episode, newest frame): of one action space, with the same conditions known."""
    for picks in data.picks(rng, clips).values():
        for known in sorted({_known(data, pick[0]) for pick in picks}):
            alike = [pick for pick in picks if _known(data, pick[0]) == known]
            for first in range(0, len(alike), AT_ONCE):
                yield alike[first : first + AT_ONCE]


def _known(data: LatentDataset, index: int) -> tuple[bool, bool]:
    """Whether an episode has robot renders, and camera poses."""
    episode = data.episodes[index]
    return episode.robot_renders is not None, episode.frames is not None
