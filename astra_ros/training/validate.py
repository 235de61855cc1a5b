"""Validation during a training: imagined beside real frames, on episodes that are not trained on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from astra_ros.datasets.dataset import load_episode
from astra_ros.training.clips import LatentDataset, frames_to_tensor, imagine_clips, to_bytes
from astra_ros.training.training_log import TrainingLog, psnr_db
from astra_ros.views.filmstrips import filmstrips
from astra_ros.world_model.astra import Astra

CLIPS = 6  # of each action space
SHOWN = (1, 2, 4, 8, 12, 16)


class Validation:
    """Clips of every action space beside what the camera really saw."""

    def __init__(self, data: LatentDataset, paths: list[Path], seed: int):
        self.data = data
        horizon = data.settings.horizon
        picks = data.picks(np.random.default_rng(seed), CLIPS)
        self.picks = [pick for group in picks.values() for pick in group]
        frames = [load_episode(path).frames for path in paths]
        self.truth = np.stack([frames[i][start + 1 : start + 1 + horizon] for i, start in self.picks])
        self.newest = np.stack([frames[i][start] for i, start in self.picks])

    @torch.inference_mode()
    def __call__(self, model: Astra, step: int, log: TrainingLog) -> None:
        horizon = self.data.settings.horizon
        shown: list[tuple[str, np.ndarray]] = []
        figures: dict[str, list[float]] = {}
        clip = self.data.clip(*zip(*self.picks)).to(self.data.device)
        for row, (index, _) in enumerate(self.picks):
            space = self.data.space_of(index).name
            latents = imagine_clips(model, clip.row(row))
            imagined = self.data.autoencoder.decode(latents[0]).movedim(1, -1).cpu()
            truth = frames_to_tensor(self.truth[row]).movedim(1, -1)
            psnr = psnr_db(imagined, truth)
            for at in (1, 8, horizon):
                if at <= horizon:
                    figures.setdefault(f"psnr_{at}_{space}", []).append(float(psnr[at - 1]))
            if row % CLIPS < 2:
                steps = [h - 1 for h in SHOWN if h <= horizon]
                now = self.newest[row][None]
                shown += [
                    (f"{space}: seen", np.concatenate([now, self.truth[row][steps]])),
                    ("imagined", np.concatenate([now, to_bytes(imagined[steps]).numpy()])),
                ]
        log.figures(step, figures)
        heads = ["now", *(f"+{h} frames" for h in SHOWN if h <= horizon)]
        log.image(step, filmstrips(shown, heads, gap_every=2))
