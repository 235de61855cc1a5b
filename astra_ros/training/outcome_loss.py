"""The losses of outcomes and of places, and what each part of a loss weighs."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from astra_ros.outcomes import EVENTS, NEAREST_OBSTACLE, OBJECT_POSITION, TOOL_POSITION
from astra_ros.training.clips import Clip
from astra_ros.training.settings import TrainSettings
from astra_ros.world_model.astra import Astra

# Errors of positions below this count by their square, larger ones by their size.
UNIT_M = 0.05
FINE_UNIT_M = 0.02  # of object and tool in networks with an object token


class LossWeights(NamedTuple):
    object_cells: float = 0.0  # extra weight of the cells that show the object; every cell has 1
    moved: float = 0.0  # extra weight of the cells that change from what is known of them beforehand
    error: float = 0.03  # the expected-error head
    events: float = 0.2  # the heads of contacts and of leaving the road
    positions: float = 0.2  # the heads of object and tool
    nearest_obstacle: float = 0.01  # jumps from one obstacle to another, so it can hardly be predicted

    @classmethod
    def of_settings(cls, settings: TrainSettings) -> LossWeights:
        usual, more = cls(), settings.outcome_weight
        return cls(
            settings.object_weight,
            settings.moved_weight,
            usual.error,
            more * usual.events,
            more * usual.positions,
            more * usual.nearest_obstacle,
        )

    def of(self, outcome: str) -> float:
        if outcome in EVENTS:
            return self.events
        return self.nearest_obstacle if outcome == NEAREST_OBSTACLE else self.positions


def places_loss(model: Astra, every_condition: Tensor, clip: Clip, weights: LossWeights) -> dict[str, Tensor]:
    """What an object token learns of its own: the object's place in every frame, the tool's after every action.

    `every_condition` [B, H, D]: the conditions of all actions of the clips.
    """
    token = model.denoiser.object_token
    parts: dict[str, Tensor] = {}
    if token is None:
        return parts
    if clip.object_places is not None:
        known = clip.object_places.isfinite().all(-1)
        if clip.seen is not None:
            known[:, -clip.actions.shape[1] :] &= clip.seen[:, None]
        if known.any():
            place = token.locate(clip.latents[known])[0]
            parts["object_seen"] = outcome_loss(OBJECT_POSITION, place, clip.object_places[known], weights, fine=True)
    if TOOL_POSITION in clip.outcomes:
        tool, truth = token.tool_after(every_condition), clip.outcomes[TOOL_POSITION]
        parts["tool_planned"] = outcome_loss(TOOL_POSITION, tool, truth, weights, fine=True)
    return parts


def outcome_loss(name: str, value: Tensor, truth: Tensor, weights: LossWeights, fine: bool = False) -> Tensor:
    """The loss of one head over the frames with a label; 0 without such frames. `fine`: with an object token."""
    known = truth.isfinite()
    truth = torch.where(known, truth, 0)
    if name in EVENTS:
        loss = F.binary_cross_entropy_with_logits(value, truth, reduction="none")
    else:
        unit = FINE_UNIT_M if fine and name != NEAREST_OBSTACLE else UNIT_M
        # Further than 1 m away, the unit grows with the distance.
        scale = unit * truth.norm(dim=-1, keepdim=True).clamp_min(1.0)
        loss = F.smooth_l1_loss(value / scale, truth / scale, reduction="none")
    return weights.of(name) * (loss * known).sum() / known.sum().clamp_min(1)
