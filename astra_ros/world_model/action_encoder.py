"""Actions to condition vectors, one per imagined frame."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from astra_ros.world_model.config import AstraConfig


class ActionConditionEncoder(nn.Module):
    """A plan's actions [.., H, A] -> condition vectors [.., H, D].

    Every action space (modality) has its own input layer, since its numbers mean something else;
    what follows is shared. The temporal convolution is causal: a frame is conditioned on its own
    action and the two before it, never on later ones, so a plan's prefix imagines the same prefix.
    """

    KERNEL = 3

    def __init__(self, config: AstraConfig):
        super().__init__()
        width = config.hidden_dim
        self.action_dims = config.action_dims
        self.embeddings = nn.ModuleList(nn.Linear(dim, width) for dim in config.action_dims)
        self.temporal_conv = nn.Conv1d(width, width, self.KERNEL)
        self.mlp = nn.Sequential(nn.SiLU(), nn.Linear(width, 2 * width), nn.SiLU(),
                                 nn.Linear(2 * width, width))
        self.no_action = nn.Parameter(torch.zeros(width))

    def forward(self, actions: Tensor, modality: int) -> Tensor:
        """`actions` [..., H, A] of action space number `modality` -> [..., H, D].

        Raises ValueError if the space is unknown or A does not fit it.
        """
        if not 0 <= modality < len(self.embeddings):
            raise ValueError(f'modality {modality}: the model has {len(self.embeddings)}')
        expected = self.action_dims[modality]
        if actions.shape[-1] != expected:
            raise ValueError(f'actions have {actions.shape[-1]} numbers a step, '
                             f'modality {modality} takes {expected}')
        embedded = self.embeddings[modality](actions)
        lead = embedded.shape[:-2]
        signal = embedded.reshape(-1, *embedded.shape[-2:]).transpose(1, 2)
        mixed = self.temporal_conv(F.pad(signal, (self.KERNEL - 1, 0))).transpose(1, 2)
        return self.mlp(embedded + mixed.reshape(*lead, *mixed.shape[-2:]))

    def unconditional(self, *shape: int) -> Tensor:
        """The condition that means "no action is known", for action-free guidance: [*shape, D]."""
        return self.no_action.expand(*shape, -1)
