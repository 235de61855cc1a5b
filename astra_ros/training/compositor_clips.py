"""What a trained model imagines of its own training clips, beside what was seen: for its compositor."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from astra_ros.datasets.dataset import load_episode
from astra_ros.inference.torch_lenses import lens_of
from astra_ros.training.clips import LatentDataset, frames_to_tensor
from astra_ros.training.validate import by_space
from astra_ros.world_model import Astra, imagine_latents, last_seen
from astra_ros.world_model.compositor import Compositor

CLIPS = 100  # of each action space, at most
EPISODES = 50  # of each action space, at most
AT_ONCE = 20  # clips that are imagined together
DRAWN_COUNTS = 3  # a clip whose robot is drawn is taken so many times as often: painting is the harder part
UNDRAWN = 0.25  # share of the frames for which the robot's drawing is withheld
ENOUGH_DB = 30.0  # pictures that are this good count less than their share of decibels


class Rollouts:
    """Roll-outs of clips of each action space, as bytes.

    Of each clip of H frames: decoded [H, 3, h, w], seen last [H, 3, h, w] and known [H, 1, h, w] (one frame of
    both where the camera stands still), the robot renders [1 + H, 3, h, w] or None, true [H, 3, h, w].
    `frames` says how many a training will ask for: of no space more are made.
    """

    def __init__(
        self,
        data: LatentDataset,
        paths: list[Path],
        astra: Astra,
        device: torch.device,
        seed: int,
        frames: int,
        progress: bool = True,
    ):
        rng = np.random.default_rng(seed)
        chosen = [
            group[int(i)]
            for group in by_space(paths).values()
            for i in rng.choice(len(group), min(EPISODES, len(group)), replace=False)
        ]
        data.encode(chosen, astra.autoencoder, device, progress)
        episodes = [load_episode(path) for path in chosen]
        self.clips: list[tuple[Tensor | None, ...]] = []
        self.horizon, self.device = data.horizon, device
        clips = min(CLIPS, math.ceil(frames / data.horizon))
        jobs = list(self._jobs(data, rng, clips))
        for number, picks in tqdm(jobs, unit="batch", desc="imagine", disable=not progress):
            decoded = self._imagine(data, astra, number, picks, device)
            for row, (index, start) in enumerate(picks):
                real = episodes[index].frames
                newest = frames_to_tensor(real[start]).to(device)
                travel, lens = data.travel(index, start), None
                if travel is not None:
                    lens = lens_of(data.cameras[number], real.shape[1:3], device)
                    travel = torch.from_numpy(travel[0]).to(device)
                seen, known = last_seen(
                    newest, 1 if travel is None else data.horizon, travel, lens, data.spaces[number].moves_camera
                )
                robot_renders = data.robot_renders[index]
                if robot_renders is not None:
                    robot_renders = robot_renders[start : start + 1 + data.horizon]
                truth = torch.from_numpy(real[start + 1 : start + 1 + data.horizon]).movedim(-1, 1)
                self.clips.append((*(_bytes(part) for part in (decoded[row], seen, known)), robot_renders, truth))
        self.often = [
            number for number, clip in enumerate(self.clips) for _ in range(1 if clip[3] is None else DRAWN_COUNTS)
        ]

    @staticmethod
    def _jobs(data: LatentDataset, rng: np.random.Generator, clips: int) -> Iterator[tuple[int, list[tuple[int, int]]]]:
        """(action space, clips to imagine together), a clip as (episode, newest frame)."""
        for number in sorted(set(data.space_of)):
            own = [index for index, space in enumerate(data.space_of) if space == number]
            picks = [
                (int(index), int(rng.integers(len(data.latents[index]) - data.horizon)))
                for index in rng.choice(own, clips)
            ]
            # What is known of one and not of another cannot go through the network together.
            for known in sorted({_known(data, pick[0]) for pick in picks}):
                alike = [pick for pick in picks if _known(data, pick[0]) == known]
                for first in range(0, len(alike), AT_ONCE):
                    yield number, alike[first : first + AT_ONCE]

    @staticmethod
    @torch.inference_mode()
    def _imagine(
        data: LatentDataset, astra: Astra, number: int, picks: list[tuple[int, int]], device: torch.device
    ) -> Tensor:
        """Decoded frames of clips of one action space, all drawn or none, [B, H, 3, h, w]."""
        clip = data.clip(*zip(*picks)).to(device)
        robot_renders = reprojected = None
        if clip.robot_renders is not None and clip.drawn.all():
            robot_renders = clip.robot_renders[:, None].float() / 255
        if clip.reprojected is not None and clip.way_known.all():
            reprojected = clip.reprojected[:, None]
        made = imagine_latents(
            astra,
            clip.latents[:, : data.window],
            clip.actions[:, None, :, : data.spaces[number].dim],
            number,
            robot_renders=robot_renders,
            reprojected=reprojected,
            generator=torch.Generator(device).manual_seed(0),
        )
        frames = astra.autoencoder.decode(made.latents[:, 0].flatten(0, 1))
        return frames.unflatten(0, (len(picks), data.horizon))

    def sample(self, batch: int, generator: torch.Generator) -> tuple[Tensor, ...]:
        """(decoded, seen, known, robot, truth) of random frames, each [batch, channels, h, w] in 0..1."""
        picks = torch.randint(len(self.often) * self.horizon, (batch,), generator=generator).tolist()
        drawn = torch.rand(batch, generator=generator) >= UNDRAWN
        frames = [
            self._frame(self.often[pick // self.horizon], pick % self.horizon, bool(shown))
            for pick, shown in zip(picks, drawn)
        ]
        return tuple(torch.stack(part).to(self.device).float() / 255 for part in zip(*frames))

    def _frame(self, clip: int, at: int, shown: bool) -> tuple[Tensor, ...]:
        decoded, seen, known, robot_renders, truth = self.clips[clip]
        if robot_renders is None or not shown:
            robot = truth.new_zeros(2 * Compositor.DRAWING, *truth.shape[-2:])
        else:
            robot = torch.cat([robot_renders[1 + at], robot_renders[0]])
        last = min(at, len(seen) - 1)
        return decoded[at], seen[last], known[last], robot, truth[at]


def _bytes(pictures: Tensor) -> Tensor:
    return (pictures * 255).round().to(torch.uint8).cpu()


def _known(data: LatentDataset, episode: int) -> tuple[bool, bool]:
    """Whether the robot is drawn, and whether a moving camera's way is known."""
    return (data.robot_renders[episode] is not None, data.cameras is not None and data.frames[episode] is not None)


class CompositorLoss(nn.Module):
    """Squared error, relative to what each picture's is now: the mean of decibels, more or less."""

    def __init__(self, compositor: Compositor):
        super().__init__()
        self.model = compositor

    def forward(
        self, decoded: Tensor, seen: Tensor, known: Tensor, robot: Tensor, truth: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        def error(pictures):
            return (pictures.float() - truth).square().mean((1, 2, 3))

        own = error(self.model(decoded, seen, known, robot))
        loss = (own / (own.detach() + 10 ** (-ENOUGH_DB / 10))).mean()
        gain = 10 * (error(decoded) / own.detach().clamp_min(1e-8)).clamp_min(1e-8).log10()
        return loss, {"psnr_db": -10 * own.detach().clamp_min(1e-8).log10().mean(), "gain_db": gain.mean()}
