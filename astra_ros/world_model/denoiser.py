"""The denoising transformer: one noisy latent, what came before, one condition -> the clean one."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from astra_ros.outcomes import EVENTS, POSITIONS
from astra_ros.world_model.config import AstraConfig
from astra_ros.world_model.layers import Attention, ConditionedBlock, ScalarEmbedding
from astra_ros.world_model.moving import MovedLatent
from astra_ros.world_model.reprojection import not_moved
from astra_ros.world_model.temporal import Patchify


class Memory(NamedTuple):
    """What was really seen, computed once a request and shared by all its plans."""

    keys_values: list[tuple[Tensor, Tensor]]  # of the whole history, for every block
    observed: Tensor  # [B, C, h, w] its last latent


class Denoised(NamedTuple):
    """What one pass of the denoiser gives, for B requests of N frames each."""

    prediction: Tensor  # [B, N, C, h, w] clean latent (flow) or noise (ddpm)
    log_error: Tensor  # [B, N, L] log of the squared error expected at each token
    features: Tensor  # [B, N, L, D] last hidden tokens, read by the outcome heads


class DenoisingTransformer(nn.Module):
    """DiT over the tokens of one frame.

    The two newest latents are joined to the noisy one on channels, so motion is there to be read
    token by token; the observed history is attended to as memory, projected to keys and values
    once a request. In flow mode the prediction is what stays of the newest latent and of the last
    observed one, which geometry has moved already where it can, moved (`MovedLatent`), plus what the
    network makes up.
    """

    def __init__(self, config: AstraConfig):
        super().__init__()
        width = config.hidden_dim
        token_dim = config.latent_channels * config.patch**2
        self.residual = config.process == "flow" and config.residual
        self.patchify = Patchify(config)
        self.reprojection = config.reprojection
        channels = 4 * config.latent_channels + 1 if self.reprojection else 3 * config.latent_channels
        self.embed = nn.Linear(channels * config.patch**2, width)
        self.position = nn.Parameter(0.02 * torch.randn(config.tokens_per_frame, width))
        self.drawing = RobotPicture(config) if config.drawing else None
        self.time = ScalarEmbedding(width, scale=1000.0)
        self.history_noise = ScalarEmbedding(width, scale=1000.0)
        self.age = ScalarEmbedding(width, scale=1.0)
        self.modulation = nn.Linear(width, ConditionedBlock.PARTS * width)
        self.blocks = nn.ModuleList(
            ConditionedBlock(width, config.num_heads, config.adapter_rank) for _ in range(config.num_layers)
        )
        self.norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, token_dim)
        self.error = nn.Linear(width, 1)
        self.moved = None
        if self.residual and config.displacements:
            self.moved = MovedLatent(config, self.patchify)
        nn.init.normal_(self.modulation.weight, std=0.02)
        nn.init.zeros_(self.modulation.bias)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def project_memory(self, memory_BMD: Tensor, observed: Tensor) -> Memory:
        """Keys and values of the history for every block, beside its last latent [B, C, h, w]."""
        return Memory([block.memory_attention.project(memory_BMD) for block in self.blocks], observed)

    def forward(
        self,
        noisy: Tensor,
        newest: Tensor,
        before: Tensor,
        time: Tensor,
        history_noise: Tensor,
        age: Tensor,
        condition: Tensor,
        memory: Memory,
        picture: Tensor | None = None,
        clean: Tensor | None = None,
        reprojected: Tensor | None = None,
    ) -> Denoised:
        """Denoise N frames for each of B requests.

        Args: `noisy`, `newest`, `before` [B, N, C, h, w], the latent at `time` and the two that
        precede it; `time` [B, N] 0 noise .. 1 clean; `history_noise` [B, N] the level put on the
        newest latents; `age` [B, N] frames since the last observed one; `condition` [B, N, D]
        action; `memory` from `project_memory`; `picture` [B, N, L, D] from `RobotPicture`,
        if the model has one; `clean` is `newest` before noise was put on it (`newest` itself if
        None): what is moved, so that the noise is not handed on from frame to frame; `reprojected`
        [B, N, C + 1, h, w] from `reprojected_latents`, the last observed picture from where the camera
        will be (as it is, if None).
        """
        if reprojected is None:
            still = not_moved(memory.observed)[:, None]
            reprojected = still.expand(-1, newest.shape[1], -1, -1, -1)
        seen = [noisy, newest, before, reprojected] if self.reprojection else [noisy, newest, before]
        tokens = self.patchify(torch.cat(seen, dim=-3))
        x = self.embed(tokens) + self.position
        if self.drawing is not None:
            x = x + (self.drawing.unknown if picture is None else picture)
        condition = F.silu(condition + self.time(time) + self.history_noise(history_noise) + self.age(age))
        shared = self.modulation(condition)
        for block, key_value in zip(self.blocks, memory.keys_values):
            x = block(x, condition, shared, key_value)
        x = self.norm(x)
        prediction = self.patchify.inverse(self.out(x)).float()
        if self.moved is not None:
            prediction = prediction + self.moved(x, newest if clean is None else clean, reprojected[:, :, :-1])
        elif self.residual:
            prediction = prediction + newest
        return Denoised(prediction, self.error(x).squeeze(-1).float(), x)


class RobotPicture(nn.Module):
    """Kinematic conditioning: the robot as the camera will see it, drawn along the plan, as tokens.

    Where URDF and camera are known, the robot's own motion is geometry and need not be guessed: each
    token gets the pixels of the drawing that lie under it (`robot/renderer.py`: coverage,
    nearness, which part). It starts at zero, and `unknown` stands for frames without a drawing.
    """

    CHANNELS = 3

    def __init__(self, config: AstraConfig):
        super().__init__()
        self.cell = config.cell
        self.embed = nn.Linear(self.CHANNELS * self.cell**2, config.hidden_dim)
        self.unknown = nn.Parameter(torch.zeros(config.hidden_dim))
        nn.init.zeros_(self.embed.weight)
        nn.init.zeros_(self.embed.bias)

    def forward(self, drawing: Tensor, known: Tensor | None = None) -> Tensor:
        """`drawing` [B, N, 3, h, w] in 0..1 and which of the B are `known` [B] -> [B, N, L, D]."""
        pixels = F.pixel_unshuffle(drawing.flatten(0, 1), self.cell).flatten(2).transpose(1, 2)
        tokens = self.embed(pixels).unflatten(0, drawing.shape[:2])
        if known is None:
            return tokens
        return torch.where(known[:, None, None, None], tokens, self.unknown)


class OutcomeHeads(nn.Module):
    """What the imagined frame says of the world: events (logits) and positions (metres)."""

    SIZES = dict.fromkeys(EVENTS, 1) | dict.fromkeys(POSITIONS, 3)

    def __init__(self, config: AstraConfig):
        super().__init__()
        width = config.hidden_dim
        unknown = sorted(set(config.outcomes) - set(self.SIZES))
        if unknown:
            raise ValueError(f"unknown outcomes {unknown}; known are {sorted(self.SIZES)}")
        self.names = config.outcomes
        self.query = nn.Parameter(0.02 * torch.randn(1, 4, width))
        self.attention = Attention(width, config.num_heads)
        self.mlp = nn.Sequential(
            nn.Linear(4 * width, width), nn.GELU(), nn.Linear(width, sum(self.SIZES[name] for name in self.names))
        )

    def forward(self, features_BNLD: Tensor) -> dict[str, Tensor]:
        """-> name: [B, N] logits of an event in the frame's interval, or [B, N, 3] metres."""
        lead = features_BNLD.shape[:2]
        tokens = features_BNLD.flatten(0, 1)
        query = self.query.expand(tokens.shape[0], -1, -1)
        pooled = self.attention(query, self.attention.project(tokens)).flatten(1)
        values = self.mlp(pooled).float().unflatten(0, lead)
        parts = values.split([self.SIZES[name] for name in self.names], dim=-1)
        return {name: part.squeeze(-1) if self.SIZES[name] == 1 else part for name, part in zip(self.names, parts)}
