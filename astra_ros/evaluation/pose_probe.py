"""A small network that reads poses from pictures, to check whether an imagined robot is where the
plan said. Trained on real frames only; it never sees the world model."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from astra_ros.datasets.episode import DatasetError
from astra_ros.training.clips import frames_to_tensor
from astra_ros.training.precision import mixed_precision

ROWS = 64
PROBE_VERSION = 2  # of network and training; kept probes of another are not used


class PoseProbe(nn.Module):
    """Pictures [N, 3 * F, h, w] in 0..1, F of them one behind the other, -> numbers [N, P].

    One picture of a fixed camera tells where an arm's tool is; two of a moving one tell how it moved
    in between.
    """

    def __init__(self, frames: int, centre: Tensor, spread: Tensor):
        super().__init__()
        self.features = {1: _place_features, 2: MotionFeatures}[frames]()
        self.head = nn.Sequential(nn.Flatten(), nn.LazyLinear(128), nn.SiLU(), nn.Linear(128, len(centre)))
        self.register_buffer("centre", centre)
        self.register_buffer("spread", spread)

    def forward(self, frames: Tensor) -> Tensor:
        return self.centre + self.spread * self.head(self.features(frames))


def _place_features() -> nn.Module:
    return nn.Sequential(
        nn.PixelUnshuffle(2),
        nn.Conv2d(12, 32, 3, 2, 1),
        nn.SiLU(),
        nn.Conv2d(32, 64, 3, 2, 1),
        nn.SiLU(),
        nn.Conv2d(64, 64, 3, 1, 1),
        nn.SiLU(),
    )


class MotionFeatures(nn.Module):
    """Two pictures [N, 6, h, w] -> how the view moved between them, [N, 64, h / 8, w / 8].

    The same convolutions look at both, every place of the first is compared with those around it in
    the second (after FlowNetC, arXiv 1504.06852), and what is found is read together with the first
    picture, which tells how far away things are. Two pictures that are only put behind each other
    taught a network of this size hardly any motion.
    """

    REACH = 3  # cells of four pixels that a place is compared with, each way
    SCALE = 4.0  # of the cosines that comparing gives, to weigh as much as the looks beside them

    def __init__(self):
        super().__init__()
        self.look = nn.Sequential(
            nn.PixelUnshuffle(2),
            nn.Conv2d(12, 32, 3, 1, 1),
            nn.SiLU(),
            nn.Conv2d(32, 64, 3, 2, 1),
            nn.SiLU(),
            nn.Conv2d(64, 64, 3, 1, 1),
        )
        places = (2 * self.REACH + 1) ** 2
        self.read = nn.Sequential(
            nn.Conv2d(places + 64, 64, 1),
            nn.SiLU(),
            nn.Conv2d(64, 64, 3, 2, 1),
            nn.SiLU(),
            nn.Conv2d(64, 64, 3, 1, 1),
            nn.SiLU(),
        )

    def forward(self, frames: Tensor) -> Tensor:
        looks = self.look(torch.cat(frames.chunk(2, dim=1)))
        first, second = F.normalize(looks, dim=1).chunk(2)
        rows, cols = first.shape[-2:]
        wide = F.pad(second, 4 * (self.REACH,))
        alike = torch.stack(
            [
                (first * wide[..., y : y + rows, x : x + cols]).sum(1)
                for y in range(2 * self.REACH + 1)
                for x in range(2 * self.REACH + 1)
            ],
            dim=1,
        )
        return self.read(torch.cat([self.SCALE * alike, first], dim=1))


def train_probe(
    frames: np.ndarray,
    targets: np.ndarray,
    picks: np.ndarray,
    steps: int,
    mirrored: Sequence[float] | None = None,
    batch: int = 64,
    seed: int = 0,
) -> PoseProbe:
    """A trained probe of `targets` [N, P], one for each row of `picks`.

    Args: `frames` uint8 [M, h, w, 3]; `picks` int [N, F], the frames that a target is read from;
    `mirrored` [P], by what a target is to be multiplied where left and right are exchanged, if that
    makes another true example of it.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        truth = torch.from_numpy(targets).float()
        probe = PoseProbe(picks.shape[1], truth.mean(0), truth.std(0).clamp_min(1e-4))
        probe(stacked(frames[picks[:1]]))
        optimizer = torch.optim.AdamW(probe.parameters(), lr=2e-3)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, steps)
        generator = torch.Generator().manual_seed(seed)
        for _ in tqdm(range(steps), desc="train the pose probe", unit="step", leave=False):
            rows = torch.randint(len(picks), (batch,), generator=generator)
            x, wanted = stacked(frames[picks[rows.numpy()]]), truth[rows]
            if mirrored is not None:
                other = torch.rand(batch, generator=generator) < 0.5
                x = torch.where(other[:, None, None, None], x.flip(-1), x)
                wanted = torch.where(other[:, None], wanted * torch.tensor(mirrored), wanted)
            x = x + 0.02 * torch.randn(x.shape, generator=generator)
            with mixed_precision("cpu"):
                read = probe(x)
            loss = ((read - wanted) / probe.spread).abs().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return probe.eval()


def save_probe(path: Path, probe: PoseProbe, field: np.ndarray) -> None:
    """Keep a trained probe and the size of its field, to measure other models alike.

    Raises OSError where it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    try:
        save_file({**probe.state_dict(), "field": torch.from_numpy(field)}, str(part))
    except SafetensorError as error:
        part.unlink(missing_ok=True)
        raise OSError(str(error)) from error
    part.chmod(0o644)  # made private, but other users may evaluate too
    os.replace(part, path)


def load_probe(path: Path) -> tuple[PoseProbe, np.ndarray]:
    """Inverse of `save_probe`. Raises DatasetError where the file is damaged."""
    try:
        state = load_file(str(path))
        field = state.pop("field").numpy()
        pictures = len(field)  # a place has one size, a motion two: of the way and of the turn
        probe = PoseProbe(pictures, state["centre"], state["spread"])
        probe.load_state_dict(state)
    except (SafetensorError, OSError, KeyError, RuntimeError) as error:
        raise DatasetError(
            f"{path}: no probe that can be read ({error}); delete it, and it is trained again"
        ) from error
    return probe.eval(), field


def small(frames: np.ndarray) -> np.ndarray:
    """uint8 [N, h, w, 3], made smaller where they are higher than ROWS: enough to read a pose from."""
    rows, cols = frames.shape[1:3]
    if rows <= ROWS:
        return frames
    size = (4 * round(cols * ROWS / rows / 4), ROWS)  # width first; a multiple of the cells
    return np.stack([cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in frames])


def stacked(frames: np.ndarray) -> Tensor:
    """uint8 [N, F, h, w, 3] -> float [N, 3 * F, h, w] in 0..1."""
    return frames_to_tensor(frames).flatten(1, 2)
