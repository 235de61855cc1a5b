"""All episodes of a training in the memory of one device, where clips are gathered with one indexing each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

MEMORY_SHARE = 0.5  # of a GPU's free memory: the rest is for weights and activations


@dataclass(frozen=True)
class LatentEpisode:
    """An episode of N frames as latents, with what clips are cut from."""

    space: int  # number of the action space
    latents: Tensor  # float16 [N, C, h, w]
    actions: Tensor  # [N - 1, A]
    outcomes: dict[str, Tensor]  # [N] or [N, 3] each, NaN where unknown
    robot_renders: Tensor | None  # uint8 [N, 3, h, w]
    object_cells: Tensor | None  # [N, h, w]
    frames: Tensor | None  # uint8 [N, h, w, 3]; kept only of a moving camera that is known
    motion: np.ndarray  # float64 [N, D]
    dt_s: float
    frames_seen: int | None = None  # as in `Episode`

    def __len__(self) -> int:
        return len(self.latents)

    @property
    def bytes(self) -> int:
        """Memory of its tensors."""
        tensors = (self.latents, self.actions, self.robot_renders, self.object_cells, self.frames)
        return sum(each.nbytes for each in (*tensors, *self.outcomes.values()) if each is not None)


class ResidentEpisodes:
    """The frames of all episodes one after the other, R in all, in a tensor each on `device`.

    `episodes` has the same episodes as parts of these tensors. Without CUDA, or where a GPU has too little memory,
    `device` is the CPU.
    """

    def __init__(self, episodes: Sequence[LatentEpisode], widest: int, device: torch.device):
        self.device = device = _with_room(device, sum(each.bytes for each in episodes))
        counts = [len(each) for each in episodes]
        self.first = _starts(counts, device)  # [E] row of each episode's first frame
        self.spaces = torch.tensor([each.space for each in episodes], device=device)
        self.latents = torch.cat([each.latents for each in episodes]).to(device)
        seen = [torch.arange(len(each)) < (each.frames_seen or len(each)) for each in episodes]
        self.seen = torch.cat(seen).to(device)  # bool [R], False where a frame was not recorded
        parts = self.latents.split(counts)
        episodes = [replace(each, latents=part) for each, part in zip(episodes, parts)]
        # One row more than actions, so that rows are those of frames: the last one is never used.
        rows = [F.pad(each.actions, (0, widest - each.actions.shape[1], 0, 1)) for each in episodes]
        self.actions = torch.cat(rows).to(device)
        self.outcomes = {
            name: torch.cat([each.outcomes[name] for each in episodes]).to(device) for name in episodes[0].outcomes
        }
        blank = self.latents.new_zeros((max(counts), *self.latents.shape[2:]), dtype=torch.float32).cpu()
        cells = [blank[: len(each)] if each.object_cells is None else each.object_cells for each in episodes]
        self.object_cells = torch.cat(cells).to(device)
        rendered = [each.robot_renders for each in episodes if each.robot_renders is not None]
        self.rendered = torch.tensor([each.robot_renders is not None for each in episodes], device=device)
        self.robot_renders = torch.cat(rendered).to(device) if rendered else None
        counts = [0 if each.robot_renders is None else len(each) for each in episodes]
        self.first_render = _starts(counts, device)  # [E] as `first`, in `robot_renders`
        if self.robot_renders is not None:
            views = self.robot_renders.split(counts)
            episodes = [replace(each, robot_renders=view if len(view) else None) for each, view in zip(episodes, views)]
        self.episodes = [
            each if each.frames is None else replace(each, frames=each.frames.to(device)) for each in episodes
        ]

    def renders(self, episode_B: Tensor, frame_BH: Tensor) -> Tensor | None:
        """uint8 [B, H, 3, h, w], zeros for an episode without robot renders; None where no episode has any."""
        if self.robot_renders is None:
            return None
        rows = (self.first_render[episode_B][:, None] + frame_BH).clamp_max(len(self.robot_renders) - 1)
        return self.robot_renders[rows] * self.rendered[episode_B][:, None, None, None, None]


def _starts(counts: list[int], device: torch.device) -> Tensor:
    return torch.tensor(np.cumsum([0, *counts[:-1]]), device=device)


def _with_room(device: torch.device, needed: int) -> torch.device:
    """`device`, or the CPU where too little of its memory is free."""
    if device.type != "cuda":
        return device
    free, _ = torch.cuda.mem_get_info(device)
    if needed <= MEMORY_SHARE * free:
        return device
    print(
        f"note: the episodes take {needed / 2**30:.1f} GiB, {free / 2**30:.1f} are free on {device}; they stay in RAM"
    )
    return torch.device("cpu")
