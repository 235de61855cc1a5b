"""A small network that reads the tool's position from one picture, to check whether an imagined
arm is where the plan said. Trained on real frames only; it never sees the world model."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from astra_ros.learning.clips import frames_to_tensor


class PoseProbe(nn.Module):
    """Frames [N, 3, 64, 64] in 0..1 -> tool position [N, 3] m, world frame."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.PixelUnshuffle(2), nn.Conv2d(12, 32, 3, 2, 1), nn.SiLU(),
            nn.Conv2d(32, 64, 3, 2, 1), nn.SiLU(), nn.Conv2d(64, 64, 3, 1, 1), nn.SiLU(),
            nn.Flatten(), nn.LazyLinear(128), nn.SiLU(), nn.Linear(128, 3))
        self.register_buffer('centre', torch.tensor([0.5, 0.0, 0.15]))

    def forward(self, frames: Tensor) -> Tensor:
        return self.centre + 0.2 * self.features(frames)


def train_probe(frames: np.ndarray, positions: np.ndarray, steps: int = 1500, batch: int = 64,
                seed: int = 0) -> PoseProbe:
    """`frames` uint8 [N, h, w, 3], `positions` [N, 3] m -> a trained probe."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        probe = PoseProbe()
        probe(frames_to_tensor(frames[:1]))
        optimizer = torch.optim.AdamW(probe.parameters(), lr=2e-3)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, steps)
        generator = torch.Generator().manual_seed(seed)
        target = torch.from_numpy(positions).float()
        for _ in range(steps):
            picks = torch.randint(len(frames), (batch,), generator=generator)
            x = frames_to_tensor(frames[picks.numpy()])
            x = x + 0.02 * torch.randn(x.shape, generator=generator)
            loss = (probe(x) - target[picks]).abs().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return probe.eval()
