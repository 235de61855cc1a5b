"""A small network that reads poses from frames. It is trained on real frames only, never on imagined ones."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
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
from astra_ros.files import atomic_write
from astra_ros.training.clips import frames_to_tensor
from astra_ros.training.precision import mixed_precision

ROWS = 64
PROBE_VERSION = 2  # of network and training; kept probes of other versions are not used


class PoseProbe(nn.Module):
    """Frames [N, 3 * F, h, w] in 0..1, F joined on channels, -> poses [N, P].

    One frame of a fixed camera shows the position of an arm's tool. Two frames of a moving camera show its motion.
    """

    def __init__(self, frames: int, centre: Tensor, spread: Tensor):
        super().__init__()
        self.features = {1: _position_features, 2: MotionFeatures}[frames]()
        self.head = nn.Sequential(nn.Flatten(), nn.LazyLinear(128), nn.SiLU(), nn.Linear(128, len(centre)))
        self.register_buffer("centre", centre)
        self.register_buffer("spread", spread)

    def forward(self, frames: Tensor) -> Tensor:
        return self.centre + self.spread * self.head(self.features(frames))


def _convolutions(*layers: nn.Conv2d) -> list[nn.Module]:
    """An activation after each convolution."""
    return [module for layer in layers for module in (layer, nn.SiLU())]


def _position_features() -> nn.Module:
    return nn.Sequential(
        nn.PixelUnshuffle(2),
        *_convolutions(nn.Conv2d(12, 32, 3, 2, 1), nn.Conv2d(32, 64, 3, 2, 1), nn.Conv2d(64, 64, 3, 1, 1)),
    )


class MotionFeatures(nn.Module):
    """Two frames [N, 6, h, w] -> features of the motion between them, [N, 64, h / 8, w / 8].

    The same convolutions see both frames. Every cell of the first frame is correlated with those around it in the
    second (after FlowNetC, arXiv 1504.06852). The correlations are read together with the features of the first
    frame, which show how far away things are. Joined on channels alone, two frames taught a network of this size
    hardly any motion.
    """

    REACH = 3  # cells of four pixels, in each direction
    SCALE = 4.0  # of the correlations, so that they weigh as much as the features beside them

    def __init__(self):
        super().__init__()
        layers = _convolutions(nn.Conv2d(12, 32, 3, 1, 1), nn.Conv2d(32, 64, 3, 2, 1), nn.Conv2d(64, 64, 3, 1, 1))
        self.see = nn.Sequential(nn.PixelUnshuffle(2), *layers[:-1])
        offsets = (2 * self.REACH + 1) ** 2
        self.read = nn.Sequential(
            *_convolutions(nn.Conv2d(offsets + 64, 64, 1), nn.Conv2d(64, 64, 3, 2, 1), nn.Conv2d(64, 64, 3, 1, 1))
        )

    def forward(self, frames: Tensor) -> Tensor:
        seen = self.see(torch.cat(frames.chunk(2, dim=1)))
        first, second = F.normalize(seen, dim=1).chunk(2)
        rows, cols = first.shape[-2:]
        wide = F.pad(second, 4 * (self.REACH,))
        offsets = range(2 * self.REACH + 1)
        correlations = [(first * wide[..., y : y + rows, x : x + cols]).sum(1) for y in offsets for x in offsets]
        return self.read(torch.cat([self.SCALE * torch.stack(correlations, dim=1), first], dim=1))


def train_probe(
    frames: np.ndarray,
    targets: np.ndarray,
    picks: np.ndarray,
    steps: int,
    mirrored: Sequence[float] | None = None,
    batch: int = 64,
    seed: int = 0,
) -> PoseProbe:
    """A probe trained to read targets.

    Args:
        frames: uint8 [M, h, w, 3].
        targets: [N, P], one for each row of `picks`.
        picks: int [N, F], the frames that a target is read from.
        mirrored: [P] factors of a target whose frames are mirrored, left to right; None where a mirrored example
            would be wrong.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        truth = torch.from_numpy(targets).float()
        probe = PoseProbe(picks.shape[1], truth.mean(0), truth.std(0).clamp_min(1e-4))
        probe(as_channels(frames[picks[:1]]))

        def loss_of(generator: torch.Generator) -> Tensor:
            rows = torch.randint(len(picks), (batch,), generator=generator)
            x, wanted = as_channels(frames[picks[rows.numpy()]]), truth[rows]
            if mirrored is not None:
                other = torch.rand(batch, generator=generator) < 0.5
                x = torch.where(other[:, None, None, None], x.flip(-1), x)
                wanted = torch.where(other[:, None], wanted * torch.tensor(mirrored), wanted)
            x = x + 0.02 * torch.randn(x.shape, generator=generator)
            with mixed_precision("cpu"):
                read = probe(x)
            return ((read - wanted) / probe.spread).abs().mean()

        fit(probe, loss_of, steps, seed, "train the pose probe")
    return probe.eval()


def fit(network: nn.Module, loss_of: Callable[[torch.Generator], Tensor], steps: int, seed: int, title: str) -> None:
    """Train a network by the loss of a batch that is drawn by a generator."""
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, steps)
    generator = torch.Generator().manual_seed(seed)
    for _ in tqdm(range(steps), desc=title, unit="step", leave=False):
        loss = loss_of(generator)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()


def probe_file(keep: Path, paths: Sequence[Path], about: str, kind: str = "") -> Path:
    """The file in the folder `keep` of a probe that was trained on these episodes; `about` says how."""
    digest = hashlib.sha256(about.encode())
    for path in paths:
        digest.update(path.name.encode() + path.read_bytes())  # its footer has the video's sha256
    space = Path(paths[0]).stem.rpartition("_")[0]
    return keep / f"{space}{kind}_{digest.hexdigest()[:12]}.safetensors"


def save_probe(path: Path, probe: PoseProbe, field: np.ndarray) -> None:
    """Keep a trained probe and the range of its poses, so that other models are measured by the same one.

    Raises OSError where it cannot be written.
    """
    save_weights(path, {**probe.state_dict(), "field": torch.from_numpy(field)})


def save_weights(path: Path, weights: dict[str, Tensor]) -> None:
    """Raises OSError where the file cannot be written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as part:
        try:
            save_file(weights, str(part))
        except SafetensorError as error:
            raise OSError(str(error)) from error
        part.chmod(0o644)  # the file is private when it is made, but other users may evaluate too


def load_probe(path: Path) -> tuple[PoseProbe, np.ndarray]:
    """Inverse of `save_probe`. Raises DatasetError where the file is damaged."""
    try:
        state = load_file(str(path))
        field = state.pop("field").numpy()
        frames = len(field)  # a position has one range, a motion two: of translation and rotation
        probe = PoseProbe(frames, state["centre"], state["spread"])
        probe.load_state_dict(state)
    except (SafetensorError, OSError, KeyError, RuntimeError) as error:
        cure = "delete it, and it is trained again"
        raise DatasetError(f"not a pose probe ({error})", thing=path, cure=cure) from error
    return probe.eval(), field


def shrunk(frames: np.ndarray) -> np.ndarray:
    """Frames uint8 [N, h, w, 3], at most ROWS high: enough to read a pose from."""
    rows, cols = frames.shape[1:3]
    if rows <= ROWS:
        return frames
    size = (4 * round(cols * ROWS / rows / 4), ROWS)  # width first; a multiple of the cells
    return np.stack([cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in frames])


def as_channels(frames: np.ndarray) -> Tensor:
    """uint8 [N, F, h, w, 3] -> float [N, 3 * F, h, w] in 0..1."""
    return frames_to_tensor(frames).flatten(1, 2)
