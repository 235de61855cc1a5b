"""Actions to condition vectors, one per imagined frame."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from astra_ros.world_model.config import AstraConfig
from astra_ros.world_model.layers import start_at_zero


def _mlp(width: int) -> nn.Sequential:
    return nn.Sequential(nn.SiLU(), nn.Linear(width, 2 * width), nn.SiLU(), nn.Linear(2 * width, width))


class ActionConditionEncoder(nn.Module):
    """A plan's actions [.., H, A] -> condition vectors [.., H, D], by a mixture of action experts.

    Every action space (one robot's actions) has its own input layer, since its numbers have their own meaning. The
    temporal convolution is causal: a frame depends on its own action and the two before it, never on later ones. So the
    prefix of a plan imagines the same prefix.

    Each action then goes through the expert of its modality (joints, twist, camera motion) and through a shared one;
    their outputs are added. This is the mixture of action experts of the Astra paper (arXiv 2512.08931), with the known
    modality in place of a learned gate. Experts start at zero, so a modality that is added to a trained model starts
    with what the shared expert knows. Without `modalities` in the config there is only the shared expert.
    """

    KERNEL = 3

    def __init__(self, config: AstraConfig):
        super().__init__()
        width = config.hidden_dim
        self.action_dims = config.action_dims
        self.modalities = config.modalities
        self.embeddings = nn.ModuleList(nn.Linear(dim, width) for dim in config.action_dims)
        self.temporal_conv = nn.Conv1d(width, width, self.KERNEL)
        self.mlp = _mlp(width)
        experts = {name: _mlp(width) for name in dict.fromkeys(config.modalities)}
        for expert in experts.values():
            start_at_zero(expert[-1])
        self.experts = nn.ModuleDict(experts)
        self.no_action = nn.Parameter(torch.zeros(width))

    def forward(self, actions: Tensor, space: int) -> Tensor:
        """`actions` [..., H, A] of action space number `space` -> [..., H, D].

        Raises ValueError if the space is unknown or A does not fit it.
        """
        if not 0 <= space < len(self.embeddings):
            raise ValueError(f"action space {space}: the model has {len(self.embeddings)}")
        expected = self.action_dims[space]
        if actions.shape[-1] != expected:
            raise ValueError(f"actions have {actions.shape[-1]} numbers a step, action space {space} takes {expected}")
        embedded = self.embeddings[space](actions)
        lead = embedded.shape[:-2]
        signal = embedded.reshape(-1, *embedded.shape[-2:]).transpose(1, 2)
        mixed = self.temporal_conv(F.pad(signal, (self.KERNEL - 1, 0))).transpose(1, 2)
        mixed = embedded + mixed.reshape(*lead, *mixed.shape[-2:])
        condition = self.mlp(mixed)
        if self.modalities:
            condition = condition + self.experts[self.modalities[space]](mixed)
        return condition

    def of_many(self, actions: Tensor, spaces: Tensor) -> Tensor:
        """A batch of several spaces: `actions` [B, H, A], `spaces` [B] -> [B, H, D].

        A is that of the widest space; the extra columns of narrower spaces are not read.
        """
        parts, places = [], []
        for space in spaces.unique().tolist():
            rows = (spaces == space).nonzero().squeeze(1)
            parts.append(self(actions[rows, :, : self.action_dims[space]], space))
            places.append(rows)
        return torch.cat(parts)[torch.cat(places).argsort()]

    def unconditional(self, *shape: int) -> Tensor:
        """The condition that means "no action is known", for action-free guidance: [*shape, D]."""
        return self.no_action.expand(*shape, -1)
