"""How a model does while it trains: imagined beside real, on episodes that it does not train on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn

from astra_ros.datasets.dataset import load_episode
from astra_ros.training.clips import LatentDataset, frames_to_tensor
from astra_ros.training.training_log import TrainingLog
from astra_ros.views.filmstrips import filmstrips
from astra_ros.world_model import Astra, imagine_latents

CLIPS = 6  # of each action space
SHOWN = (1, 2, 4, 8, 12, 16)
EVERY = 1000  # steps; imagining takes some seconds


def split(paths: list[Path], share: int = 50) -> tuple[list[Path], list[Path]]:
    """(training, validation): every `share`-th episode of each action space is set aside.

    By place in the sorted list, so that it is the same in every run on the same data. A space of
    fewer episodes than `share` gives its last one, one of a single episode trains and validates.
    """
    train, aside = [], []
    for group in by_space(paths).values():
        mine = group[share - 1 :: share] or group[-1:]
        aside += mine
        train += [path for path in group if path not in mine] or mine
    return train, aside


def by_space(paths: list[Path]) -> dict[str, list[Path]]:
    """Episodes' files by action space, each in the order of the list."""
    groups: dict[str, list[Path]] = {}
    for path in paths:
        groups.setdefault(path.stem.rpartition("_")[0], []).append(path)
    return groups


class Validation:
    """Clips of every action space, and what the camera really saw; `last` is the last step."""

    def __init__(
        self, data: LatentDataset, paths: list[Path], autoencoder: nn.Module, device: torch.device, seed: int, last: int
    ):
        self.last = last
        self.data, self.autoencoder, self.device = data, autoencoder, device
        data.encode(paths, autoencoder, device)
        rng = np.random.default_rng(seed)
        self.picks: list[tuple[int, int]] = []
        for space in sorted(set(data.space_of)):
            own = [i for i, number in enumerate(data.space_of) if number == space]
            self.picks += [
                (int(i), int(rng.integers(len(data.latents[i]) - data.horizon))) for i in rng.choice(own, CLIPS)
            ]
        frames = [load_episode(path).frames for path in paths]
        self.truth = np.stack([frames[i][start + 1 : start + 1 + data.horizon] for i, start in self.picks])
        self.newest = np.stack([frames[i][start] for i, start in self.picks])

    @torch.inference_mode()
    def __call__(self, model: Astra, step: int, log: TrainingLog) -> None:
        if step % EVERY and step != self.last:
            return
        shown, figures = [], {}
        clip = self.data.clip(*zip(*self.picks)).to(self.device)
        window = self.data.window
        for row, (index, _) in enumerate(self.picks):
            number = self.data.space_of[index]
            space = self.data.spaces[number]
            robot_renders = None
            if clip.robot_renders is not None and clip.drawn[row]:
                robot_renders = clip.robot_renders[row : row + 1, None].float() / 255
            reprojected = None
            if clip.reprojected is not None and clip.way_known[row]:
                reprojected = clip.reprojected[row : row + 1, None]
            made = imagine_latents(
                model,
                clip.latents[row : row + 1, :window],
                clip.actions[row : row + 1, None, :, : space.dim],
                number,
                robot_renders=robot_renders,
                reprojected=reprojected,
                generator=torch.Generator(self.device).manual_seed(0),
            )
            imagined = self.autoencoder.decode(made.latents[0, 0]).movedim(1, -1).cpu()
            truth = frames_to_tensor(self.truth[row]).movedim(1, -1)
            psnr = -10 * (imagined - truth).square().mean((1, 2, 3)).clamp_min(1e-10).log10()
            for horizon in (1, 8, self.data.horizon):
                if horizon <= len(psnr):
                    figures.setdefault(f"psnr_{horizon}_{space.name}", []).append(float(psnr[horizon - 1]))
            if row % CLIPS < 2:
                at = [h - 1 for h in SHOWN if h <= len(truth)]
                now = self.newest[row][None]
                shown += [
                    (f"{space.name}: seen", np.concatenate([now, self.truth[row][at]])),
                    ("imagined", np.concatenate([now, _pixels(imagined[at])])),
                ]
        log.figures(step, {name: float(np.mean(values)) for name, values in figures.items()})
        heads = ["now", *(f"+{h} frames" for h in SHOWN if h <= self.data.horizon)]
        log.picture(step, filmstrips(shown, heads, gap_every=2))


def _pixels(frames: torch.Tensor) -> np.ndarray:
    return (frames.clamp(0, 1) * 255).round().to(torch.uint8).numpy()
