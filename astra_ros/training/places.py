"""What an object token learns first, by itself: where the object is in a frame, where each action takes the tool."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from astra_ros.outcomes import OBJECT_POSITION, TOOL_POSITION
from astra_ros.training.clips import LatentDataset
from astra_ros.training.outcome_loss import FINE_UNIT_M
from astra_ros.training.trainer import Losses
from astra_ros.world_model.astra import Astra
from astra_ros.world_model.object_token import ObjectToken

OUT_OF_SIGHT_M = 3.0  # an object that fell off the table falls on


class PlacesLoss(Losses[ObjectToken]):
    """Smooth L1 of both places. Each frame and each action is looked at alone, so a step is short."""

    def forward(
        self, latents: Tensor, objects: Tensor, conditions: Tensor, tools: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        parts = {
            "object": _error(self.model.locate(latents)[0], objects),
            "tool": _error(self.model.tool_after(conditions), tools),
        }
        return parts["object"] + parts["tool"], {name: part.detach() for name, part in parts.items()}


def _error(made: Tensor, truth: Tensor) -> Tensor:
    return F.smooth_l1_loss(made / FINE_UNIT_M, truth / FINE_UNIT_M)


class LabelledPlaces:
    """Frames with the object's label, and actions with that of the tool after it; of recorded episodes."""

    ACTIONS_A_FRAME = 4  # an action is much less work than a frame

    @torch.no_grad()
    def __init__(self, data: LatentDataset, model: Astra):
        resident = data.resident
        labels = {  # False for NaN
            name: resident.outcomes.get(name, torch.zeros(0, 3)).norm(dim=-1) < OUT_OF_SIGHT_M
            for name in (OBJECT_POSITION, TOOL_POSITION)
        }
        self.latents, self.objects = resident.latents, resident.outcomes.get(OBJECT_POSITION)
        self.rows = labels[OBJECT_POSITION].nonzero().squeeze(1)
        self.rows = self.rows[resident.seen[self.rows]]
        conditions, tools = [], []
        for first, episode in zip(resident.first.tolist(), data.episodes):
            known = labels[TOOL_POSITION][first + 1 : first + len(episode)]
            if known.any():
                actions = episode.actions[None].to(data.device).float()
                made = model.action_encoder(actions, episode.space)[0]
                conditions.append(made.to(resident.device)[known])
                tools.append(resident.outcomes[TOOL_POSITION][first + 1 : first + len(episode)][known])
        self.conditions = torch.cat(conditions) if conditions else None
        self.tools = torch.cat(tools) if tools else None

    def __bool__(self) -> bool:
        return len(self.rows) > 0 and self.conditions is not None

    def sample(self, batch: int, generator: torch.Generator) -> tuple[Tensor, ...]:
        """(latents, objects, conditions, tools) as `PlacesLoss` takes them."""
        assert self.conditions is not None and self.tools is not None and self.objects is not None
        rows = self.rows[torch.randint(len(self.rows), (batch,), generator=generator)]
        picks = torch.randint(len(self.tools), (self.ACTIONS_A_FRAME * batch,), generator=generator)
        return self.latents[rows].float(), self.objects[rows], self.conditions[picks], self.tools[picks]
