"""All episodes of a training in the memory of one device, where clips are gathered with one indexing each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

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

    Args:
        episodes: in this list, too, each episode becomes its parts, so that what is moved is freed at once.
    """

    def __init__(self, episodes: list[LatentEpisode], widest: int, device: torch.device):
        self.device = device = _with_room(device, sum(each.bytes for each in episodes))
        counts = [len(each) for each in episodes]
        self.first = _starts(counts, device)  # [E] row of each episode's first frame
        self.spaces = torch.tensor([each.space for each in episodes], device=device)
        latents = _moved(episodes, "latents", device)
        assert latents is not None
        self.latents = latents
        seen = [torch.arange(len(each)) < (each.frames_seen or len(each)) for each in episodes]
        self.seen = torch.cat(seen).to(device)  # bool [R], False where a frame was not recorded
        # One row more than actions, so that rows are those of frames: the last one is never used.
        rows = [F.pad(each.actions, (0, widest - each.actions.shape[1], 0, 1)) for each in episodes]
        self.actions = torch.cat(rows).to(device)
        self.outcomes = {
            name: torch.cat([each.outcomes[name] for each in episodes]).to(device) for name in episodes[0].outcomes
        }
        blank = self.latents.new_zeros((max(counts), *self.latents.shape[2:]), dtype=torch.float32).cpu()
        cells = [blank[: len(each)] if each.object_cells is None else each.object_cells for each in episodes]
        self.object_cells = torch.cat(cells).to(device)
        self.rendered = torch.tensor([each.robot_renders is not None for each in episodes], device=device)
        counts = [0 if each.robot_renders is None else len(each) for each in episodes]
        self.first_render = _starts(counts, device)  # [E] as `first`, in `robot_renders`
        self.robot_renders = _moved(episodes, "robot_renders", device)
        self.episodes = [
            each if each.frames is None else replace(each, frames=each.frames.to(device)) for each in episodes
        ]

    def renders(self, episode_B: Tensor, frame_BH: Tensor) -> Tensor | None:
        """uint8 [B, H, 3, h, w], zeros for an episode without robot renders; None where no episode has any."""
        if self.robot_renders is None:
            return None
        rows = (self.first_render[episode_B][:, None] + frame_BH).clamp_max(len(self.robot_renders) - 1)
        return self.robot_renders[rows] * self.rendered[episode_B][:, None, None, None, None]


def _moved(episodes: list[LatentEpisode], name: str, device: torch.device) -> Tensor | None:
    """A field of the episodes that have it, one after the other in a tensor of which each now has its part; or None.

    They move one by one: all of them twice would not fit into memory.
    """
    having = [index for index, each in enumerate(episodes) if getattr(each, name) is not None]
    if not having:
        return None
    like = getattr(episodes[having[0]], name)
    made = torch.empty((sum(len(episodes[i]) for i in having), *like.shape[1:]), dtype=like.dtype, device=device)
    start = 0
    for index in having:
        each = episodes[index]
        part = made[start : start + len(each)]
        part.copy_(getattr(each, name))
        moved: dict[str, Any] = {name: part}
        episodes[index] = replace(each, **moved)
        start += len(each)
    return made


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
