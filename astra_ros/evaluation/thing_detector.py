"""A small network that says where a labelled thing is in a frame. It is trained on real frames only.

It looks at small patches. For every real frame there is a second one in which the thing is painted over with what
surrounds it. So the network must see the thing itself, and cannot guess its place from the robot beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from astra_ros.datasets.dataset import load_episode
from astra_ros.datasets.episode import DatasetError, Episode
from astra_ros.datasets.object_cells import object_cells, pixels_of
from astra_ros.evaluation.pose_probe import as_channels, fit, probe_file, save_weights, shrunk
from astra_ros.training.precision import mixed_precision

DETECTOR_VERSION = 1  # of network and training; kept detectors of other versions are not used
DETECTOR_EPISODES = 60
DETECTOR_FRAMES = 1500
DETECTOR_STEPS = 600
CELL = 4  # pixels
BATCH = 32
PAINTED = 0.1  # radius of what is painted over, in heights of the frame
POSITIVE_WEIGHT = 20.0  # of the few cells that show a thing
FALSE_ALARMS = 0.05  # share of the frames without a thing in which it is found all the same


class ThingDetector(nn.Module):
    """Frames [N, 3, h, w] in 0..1 -> how much each cell looks like the thing, logits [N, h / 4, w / 4].

    Attributes:
        limit: the thing is found where a logit is above it.
    """

    def __init__(self) -> None:
        super().__init__()
        convolutions = [nn.Conv2d(3 * CELL**2, 32, 3, 1, 1), nn.Conv2d(32, 32, 3, 1, 1), nn.Conv2d(32, 32, 3, 1, 1)]
        layers = [module for layer in convolutions for module in (layer, nn.SiLU())]
        self.see = nn.Sequential(nn.PixelUnshuffle(CELL), *layers, nn.Conv2d(32, 1, 1))
        self.limit: Tensor
        self.register_buffer("limit", torch.zeros(()))

    def forward(self, frames: Tensor) -> Tensor:
        return self.see(frames)[:, 0]

    @torch.inference_mode()
    def look(self, frames: np.ndarray) -> np.ndarray:
        """How far each cell of frames uint8 [M, h, w, 3] is above the limit: float32 [M, rows, cols].

        They are shrunk to the size at which probes look.
        """
        frames = shrunk(frames)
        parts = np.array_split(frames, max(1, len(frames) // 64))
        logits = torch.cat([self(as_channels(part[:, None])) for part in parts])
        return (logits - self.limit).numpy()


def kept_or_trained(paths: Sequence[Path], label: str, keep: Path, seed: int = 0) -> ThingDetector:
    """The detector of the thing that a label places: kept in the folder `keep`, or trained and kept there.

    Prints a note where it cannot be kept. Raises DatasetError where an episode or a kept detector is damaged.
    """
    paths = paths[:DETECTOR_EPISODES]
    kept = probe_file(keep, paths, f"{DETECTOR_VERSION} {DETECTOR_STEPS} {seed}", f"_{label}")
    if kept.exists():
        return _load(kept)
    space = Path(paths[0]).stem.rpartition("_")[0]
    print(f"{space}: training a detector of '{label}' first, once for all models; it is kept in {keep}", flush=True)
    detector = train_detector([load_episode(path) for path in paths], label, seed)
    try:
        save_weights(kept, detector.state_dict())
    except OSError as error:
        print(f"note: {kept}: the detector cannot be kept ({error})")
    return detector


def _load(path: Path) -> ThingDetector:
    detector = ThingDetector()
    try:
        detector.load_state_dict(load_file(str(path)))
    except (SafetensorError, OSError, RuntimeError) as error:
        raise DatasetError(f"not a detector ({error})", thing=path, cure="delete it; it is trained again") from error
    return detector.eval()


def train_detector(episodes: Sequence[Episode], label: str, seed: int = 0) -> ThingDetector:
    """A detector trained on real frames. The last fifth of the episodes sets its limit.

    Raises DatasetError where an episode does not tell where the thing is.
    """
    every = max(1, sum(map(len, episodes)) // DETECTOR_FRAMES)
    made = [_examples(episode, label, every) for episode in tqdm(episodes, desc="paint over", leave=False)]
    apart = max(1, len(made) // 5)
    learned = made[:-apart] or made
    frames, cells = (np.concatenate([part for each in learned for part in each[kind]]) for kind in (0, 1))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        detector = ThingDetector()
        wanted, weight = torch.from_numpy(cells), torch.tensor(POSITIVE_WEIGHT)

        def loss_of(generator: torch.Generator) -> Tensor:
            rows = torch.randint(len(frames), (BATCH,), generator=generator)
            x = as_channels(frames[rows.numpy()][:, None])
            x = x + 0.02 * torch.randn(x.shape, generator=generator)
            with mixed_precision("cpu"):
                logits = detector(x)
            return F.binary_cross_entropy_with_logits(logits.float(), wanted[rows], pos_weight=weight)

        fit(detector, loss_of, DETECTOR_STEPS, seed, "train the detector")
    detector.eval()
    painted = np.concatenate([images[1] for images, _ in made[-apart:]])
    highest = detector.look(painted).max((1, 2))
    detector.limit.fill_(float(np.quantile(highest, 1 - FALSE_ALARMS)))
    return detector


def _examples(episode: Episode, label: str, every: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Frames of an episode, and the same with the thing painted over; and the cells [n, rows, cols] of each."""
    frames = np.ascontiguousarray(shrunk(episode.frames[::every]))
    rows, cols = frames.shape[1:3]
    pixels = pixels_of(episode, label, (rows, cols))
    cells = object_cells(episode, (rows // CELL, cols // CELL), label)
    if pixels is None or cells is None:
        raise DatasetError(f"does not tell where '{label}' is in its frames", thing=episode.title)
    cells, painted = cells[::every], frames.copy()
    for frame, place in zip(painted, pixels[::every]):
        if np.isfinite(place).all():
            # A place far outside the frame stays outside it, at numbers that OpenCV can hold.
            across, down = np.clip(place, -2 * cols, 2 * cols).round().astype(int).tolist()
            mask = cv2.circle(np.zeros((rows, cols), np.uint8), (across, down), round(PAINTED * rows), 255, -1)
            frame[:] = cv2.inpaint(frame, mask, 3, cv2.INPAINT_TELEA)
    return [frames, painted], [cells, np.zeros_like(cells)]
