"""Validation during a training: imagined beside real frames, on episodes that are not trained on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from astra_ros.datasets.dataset import load_episode
from astra_ros.training.clips import LatentDataset, frames_to_tensor, imagine_clips
from astra_ros.training.training_log import TrainingLog
from astra_ros.views.filmstrips import filmstrips
from astra_ros.world_model.astra import Astra

CLIPS = 6  # of each action space
SHOWN = (1, 2, 4, 8, 12, 16)
EVERY = 1000  # steps between validations, which take some seconds


class Validation:
    """Clips of every action space beside what the camera really saw; `last` is the last training step."""

    def __init__(self, data: LatentDataset, paths: list[Path], seed: int, last: int):
        self.data, self.last = data, last
        horizon = data.settings.horizon
        picks = data.picks(np.random.default_rng(seed), CLIPS)
        self.picks = [pick for group in picks.values() for pick in group]
        frames = [load_episode(path).frames for path in paths]
        self.truth = np.stack([frames[i][start + 1 : start + 1 + horizon] for i, start in self.picks])
        self.newest = np.stack([frames[i][start] for i, start in self.picks])

    @torch.inference_mode()
    def __call__(self, model: Astra, step: int, log: TrainingLog) -> None:
        if step % EVERY and step != self.last:
            return
        horizon = self.data.settings.horizon
        shown: list[tuple[str, np.ndarray]] = []
        figures: dict[str, list[float]] = {}
        clip = self.data.clip(*zip(*self.picks)).to(self.data.device)
        for row, (index, _) in enumerate(self.picks):
            space = self.data.space_of(index).name
            latents = imagine_clips(model, clip.row(row))
            imagined = self.data.autoencoder.decode(latents[0]).movedim(1, -1).cpu()
            truth = frames_to_tensor(self.truth[row]).movedim(1, -1)
            psnr = -10 * (imagined - truth).square().mean((1, 2, 3)).clamp_min(1e-10).log10()
            for at in (1, 8, horizon):
                if at <= horizon:
                    figures.setdefault(f"psnr_{at}_{space}", []).append(float(psnr[at - 1]))
            if row % CLIPS < 2:
                steps = [h - 1 for h in SHOWN if h <= horizon]
                now = self.newest[row][None]
                shown += [
                    (f"{space}: seen", np.concatenate([now, self.truth[row][steps]])),
                    ("imagined", np.concatenate([now, _pixels(imagined[steps])])),
                ]
        log.figures(step, {name: float(np.mean(values)) for name, values in figures.items()})
        heads = ["now", *(f"+{h} frames" for h in SHOWN if h <= horizon)]
        log.image(step, filmstrips(shown, heads, gap_every=2))


def _pixels(frames: torch.Tensor) -> np.ndarray:
    return (frames.clamp(0, 1) * 255).round().to(torch.uint8).numpy()
