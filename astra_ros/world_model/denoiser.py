"""The denoising transformer: noisy latents of a chunk, what came before, conditions -> the clean ones."""

from __future__ import annotations

from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from astra_ros.outcomes import EVENTS, OBJECT_POSITION, POSITIONS, TOOL_POSITION
from astra_ros.world_model.config import RENDER_CHANNELS, AstraConfig
from astra_ros.world_model.layers import Attention, ConditionedBlock, ScalarEmbedding, start_at_zero
from astra_ros.world_model.moved_latent import MovedLatent
from astra_ros.world_model.object_token import ObjectToken
from astra_ros.world_model.reprojection import not_moved
from astra_ros.world_model.rollout import Denoised, FrameContext
from astra_ros.world_model.temporal import Patchify


class Memory(NamedTuple):
    """The observed history, encoded once per request and shared by its plans."""

    keys_values: list[tuple[Tensor, Tensor]]  # of the whole history, for every block
    observed: Tensor  # [B, C, h, w] its last latent


class DenoisingTransformer(nn.Module):
    """DiT (Peebles & Xie 2023) over the tokens of one frame.

    The two newest latents are concatenated to the noisy one on channels, so that each token can read the
    motion. The observed history is attended to as memory; its keys and values are projected once per
    request. In flow mode the prediction is a residual: the newest and the last observed latent, moved
    (`MovedLatent`), plus the network's own output.
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
        self.robot_tokens = RobotRenderTokens(config) if config.drawing else None
        self.object_token = ObjectToken(config) if config.object_token else None
        self.time = ScalarEmbedding(width, scale=1000.0)
        self.history_noise = ScalarEmbedding(width, scale=1000.0)
        self.age = ScalarEmbedding(width, scale=1.0)
        self.modulation = nn.Linear(width, ConditionedBlock.PARTS * width)
        self.blocks = nn.ModuleList(
            ConditionedBlock(width, config.num_heads, config.adapter_rank, config.time_attention)
            for _ in range(config.num_layers)
        )
        self.norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, token_dim)
        self.error = nn.Linear(width, 1)
        self.moved = None
        if self.residual and config.displacements:
            self.moved = MovedLatent(config, self.patchify)
        nn.init.normal_(self.modulation.weight, std=0.02)
        nn.init.zeros_(self.modulation.bias)
        start_at_zero(self.out)

    def project_memory(self, memory_BMD: Tensor, observed: Tensor) -> Memory:
        """Keys and values of the history for every block, beside its last latent [B, C, h, w]."""
        blocks = cast("list[ConditionedBlock]", self.blocks)
        return Memory([block.memory_attention.project(memory_BMD) for block in blocks], observed)

    def forward(self, noisy: Tensor, time: Tensor, frame: FrameContext, memory: Memory) -> Denoised:
        """Denoise N chunks of F frames for each of B requests.

        Args: `noisy` [B, N, F, C, h, w], the latents at `time` [B, N, F], 0 noise .. 1 clean; `memory` from
        `project_memory`. All may have size 1 in place of N, as the parts of `frame`. Where `frame.reprojected` is
        None, the last observed latent takes its place.
        """
        chunks = frame.condition.shape[1:3]
        reprojected = frame.reprojected
        if reprojected is None:
            reprojected = not_moved(memory.observed)[:, None, None]
        seen = [noisy, frame.newest.unsqueeze(2), frame.before.unsqueeze(2)]
        x = self._embedded([*seen, reprojected] if self.reprojection else seen) + self.position
        if self.robot_tokens is not None:
            x = x + (self.robot_tokens.unknown if frame.robot_tokens is None else frame.robot_tokens)
        x = x.expand(-1, *chunks, -1, -1)
        places, cells = None, x.shape[3]
        if self.object_token is not None:
            token, places = self.object_token(memory.observed, frame.condition)
            x = torch.cat([x, token.to(x.dtype)], dim=3)
        x = x.flatten(1, 2)
        known = self.time(time) + self.history_noise(frame.history_noise).unsqueeze(2) + self.age(frame.age)
        condition = F.silu(frame.condition + known).flatten(1, 2)
        shared = self.modulation(condition)
        for block, key_value in zip(self.blocks, memory.keys_values):
            x = block(x, condition, shared, key_value, chunks[1])
        features = x = self.norm(x).unflatten(1, chunks)
        if places is not None:
            x = features[..., :cells, :]
            features = torch.cat([features, F.pad(places, (0, features.shape[-1] - places.shape[-1]))], dim=3)
        tokens = self.out(x).float()
        if self.moved is not None:
            tokens = tokens + self.moved(x, frame.clean.unsqueeze(2), reprojected[..., :-1, :, :])
        prediction = self.patchify.inverse(tokens)
        if self.moved is None and self.residual:
            prediction = prediction + frame.newest.unsqueeze(2)
        return Denoised(prediction, self.error(x).squeeze(-1).float(), features)

    def _embedded(self, latents: list[Tensor]) -> Tensor:
        """Latents [B, N, F, c, h, w], as if concatenated on channels, as tokens [B, N, F, L, D].

        Each has its own part of the matrix, so that one that plans or frames share is multiplied once for all.
        """
        tokens = [self.patchify(each) for each in latents]
        weights = self.embed.weight.split([each.shape[-1] for each in tokens], dim=1)
        x = F.linear(tokens[0], weights[0], self.embed.bias)
        for each, weight in zip(tokens[1:], weights[1:]):
            x = x + F.linear(each, weight)
        return x


class RobotRenderTokens(nn.Module):
    """Kinematic conditioning: the robot, rendered along the plan as the camera will see it, as tokens.

    Where URDF and camera are known, the robot's own motion is geometry. Each token gets the pixels of the
    render under it (`robot/renderer.py`: coverage, nearness, part). The layer starts at zero; `unknown`
    stands for frames without a render.
    """

    def __init__(self, config: AstraConfig):
        super().__init__()
        self.cell = config.cell
        self.embed = nn.Linear(RENDER_CHANNELS * self.cell**2, config.hidden_dim)
        self.unknown = nn.Parameter(torch.zeros(config.hidden_dim))
        start_at_zero(self.embed)

    def forward(self, renders: Tensor, known: Tensor | None = None) -> Tensor:
        """`renders` [B, N, 3, h, w] in 0..1, or as bytes, and which of the B are `known` [B] -> [B, N, L, D]."""
        (rows, cols), cell = (size // self.cell for size in renders.shape[-2:]), self.cell
        cells = renders.reshape(-1, RENDER_CHANNELS, rows, cell, cols, cell).permute(0, 2, 4, 1, 3, 5)
        cells = cells.reshape(*renders.shape[:2], rows * cols, -1)
        weight = self.embed.weight
        if renders.dtype == torch.uint8:  # bytes are moved faster, and bfloat16 holds them exactly
            cells, weight = cells.to(weight.dtype), weight / 255
        tokens = F.linear(cells, weight, self.embed.bias)
        if known is None:
            return tokens
        return torch.where(known[:, None, None, None], tokens, self.unknown)


class OutcomeHeads(nn.Module):
    """Reads outcomes from the features of imagined frames: events (logits) and positions (metres)."""

    SIZES = dict.fromkeys(EVENTS, 1) | dict.fromkeys(POSITIONS, 3)

    def __init__(self, config: AstraConfig):
        super().__init__()
        width, self.has_object_token = config.hidden_dim, config.object_token
        unknown = sorted(set(config.outcomes) - set(self.SIZES))
        if unknown:
            raise ValueError(f"unknown outcomes {unknown}; known are {sorted(self.SIZES)}")
        self.names = config.outcomes
        self.query = nn.Parameter(0.02 * torch.randn(1, 4, width))
        self.attention = Attention(width, config.num_heads)
        self.mlp = nn.Sequential(
            nn.Linear((5 if self.has_object_token else 4) * width, width),
            nn.GELU(),
            nn.Linear(width, sum(self.SIZES[name] for name in self.names)),
        )

    def forward(self, features: Tensor) -> dict[str, Tensor]:
        """Features [..., L, D] -> name: [...] logits of an event in the frame's interval, or [..., 3] metres.

        With an object token, L is two more: that token, and a row that begins with the six numbers of its places
        (`ObjectToken.forward`).
        """
        lead, places = features.shape[:-2], features[..., -1, :6].float()
        tokens = features.flatten(0, -3)
        if self.has_object_token:
            tokens = tokens[:, :-1]
        query = self.query.expand(tokens.shape[0], -1, -1)
        pooled = self.attention(query, self.attention.project(tokens)).flatten(1)
        if self.has_object_token:
            pooled = torch.cat([pooled, tokens[:, -1]], dim=1)
        values = self.mlp(pooled).float().unflatten(0, lead)
        parts = values.split([self.SIZES[name] for name in self.names], dim=-1)
        read = {name: part.squeeze(-1) if self.SIZES[name] == 1 else part for name, part in zip(self.names, parts)}
        if self.has_object_token:  # the heads add how far the object was moved, and correct the tool
            for name, place in ((OBJECT_POSITION, places[..., :3]), (TOOL_POSITION, places[..., 3:])):
                if name in read:
                    read[name] = read[name] + place.detach()  # places are learned apart (`places_loss`)
        return read
