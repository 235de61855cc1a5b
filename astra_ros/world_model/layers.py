"""The transformer's parts: attention, feed-forward, embeddings and the conditioned block."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def sinusoidal_embedding(values: Tensor, width: int, max_period: float = 1e4) -> Tensor:
    """[...] numbers -> [..., width] sines and cosines (Vaswani et al. 2017, equation in 3.5)."""
    half = width // 2
    frequencies = torch.exp(-math.log(max_period) * torch.arange(half, device=values.device) / half)
    angles = values.float()[..., None] * frequencies
    return torch.cat([angles.cos(), angles.sin()], dim=-1)


def start_at_zero(layer: nn.Module) -> None:
    """Set all parameters to zero, so that an untrained layer adds nothing."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)


class ScalarEmbedding(nn.Module):
    """A number per frame (denoising time, noise level, age) -> a vector of the model's width."""

    def __init__(self, width: int, scale: float):
        super().__init__()
        self.scale = scale
        self.mlp = nn.Sequential(nn.Linear(128, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, values: Tensor) -> Tensor:
        embedded = sinusoidal_embedding(values * self.scale, 128)
        return self.mlp(embedded.to(next(self.mlp.parameters()).dtype))


def attend(query: Tensor, key: Tensor, value: Tensor, causal: bool = False) -> Tensor:
    """Scaled dot-product attention, [B, heads, L, d] each; `causal`: to no later row than one's own.

    It is written out for bfloat16 on a CPU: there the backward pass of torch's fused kernel (2.13) took
    nine times as long, for the few tokens of a frame. In exported graphs, torch writes it out with query and key
    scaled, and OpenVINO then makes more copies.
    """
    if (query.device.type == "cpu" and query.dtype == torch.bfloat16) or torch.jit.is_tracing():
        weights = query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5
        if causal:
            later = torch.ones(weights.shape[-2:], dtype=torch.bool).triu(1)
            weights = weights.masked_fill(later, -torch.inf)
        return weights.softmax(-1).to(value.dtype) @ value
    return F.scaled_dot_product_attention(query, key, value, is_causal=causal)


class Attention(nn.Module):
    """Multi-head attention. Keys and values may be computed beforehand, from another source."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)

    def split(self, x_BLD: Tensor) -> Tensor:
        batch, length, width = x_BLD.shape
        return x_BLD.view(batch, length, self.heads, width // self.heads).transpose(1, 2)

    def project(self, source_BLD: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values of a source, for many later calls."""
        parts = zip(self.key_value.weight.chunk(2), self.key_value.bias.chunk(2))
        key, value = (F.linear(source_BLD, weight, bias) for weight, bias in parts)
        return self.split(key), self.split(value)

    def forward(self, x_BLD: Tensor, key_value: tuple[Tensor, Tensor] | None = None, causal: bool = False) -> Tensor:
        key, value = self.project(x_BLD) if key_value is None else key_value
        y = attend(self.split(self.query(x_BLD)), key, value, causal)
        return self.out(y.transpose(1, 2).flatten(2))


def feed_forward(width: int, expansion: int = 4) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(width, expansion * width), nn.GELU(approximate="tanh"), nn.Linear(expansion * width, width)
    )


class TransformerBlock(nn.Module):
    """Pre-norm block, for the history."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.mlp = feed_forward(width)

    def forward(self, x_BLD: Tensor) -> Tensor:
        x_BLD = x_BLD + self.attention(self.norm1(x_BLD))
        return x_BLD + self.mlp(self.norm2(x_BLD))


class ConditionedBlock(nn.Module):
    """DiT block (Peebles & Xie 2023) with an action-aware adapter and memory of the history.

    Every frame has one condition vector (its action, denoising time, age), which shifts, scales and gates
    the three sub-layers. All blocks share the large projection (as in PixArt-alpha). Each block adds a
    low-rank adapter, which starts at zero.

    With `time_attention`, each token also attends to the same place in the earlier frames of its chunk, as in
    the temporal layers of video transformers (Bertasius et al. 2021), but causally: what comes later in a plan
    does not change how it begins.
    """

    PARTS = 9  # (shift, scale, gate) for self-attention, memory attention and feed-forward
    TIME_GATE = 0.1  # how much of the time attention is added at the start

    def __init__(self, width: int, heads: int, adapter_rank: int, time_attention: bool = False):
        super().__init__()
        self.norm1 = nn.LayerNorm(width, elementwise_affine=False)
        self.norm2 = nn.LayerNorm(width, elementwise_affine=False)
        self.norm3 = nn.LayerNorm(width, elementwise_affine=False)
        self.attention = Attention(width, heads)
        self.memory_attention = Attention(width, heads)
        self.mlp = feed_forward(width)
        self.adapter_down = nn.Linear(width, adapter_rank)
        self.adapter_up = nn.Linear(adapter_rank, self.PARTS * width)
        start_at_zero(self.adapter_up)
        self.time_attention = None
        if time_attention:
            self.norm_time = nn.LayerNorm(width)
            self.time_attention = Attention(width, heads)
            self.time_gate = nn.Parameter(torch.full((width,), self.TIME_GATE))

    def forward(
        self, x_BNLD: Tensor, condition_BND: Tensor, shared_BNP: Tensor, memory: tuple[Tensor, Tensor], chunk: int = 1
    ) -> Tensor:
        """`shared_BNP`: the shared modulation, PARTS * D numbers a frame. `memory`: keys, values. The N frames
        are chunks of `chunk` frames each, one after the other."""
        batch, frames, tokens, width = x_BNLD.shape
        own = self.adapter_up(F.silu(self.adapter_down(condition_BND)))
        parts = (shared_BNP + own).unsqueeze(2).chunk(self.PARTS, dim=-1)

        y = self.norm1(x_BNLD) * (1 + parts[1]) + parts[0]
        y = self.attention(y.flatten(0, 1)).unflatten(0, (batch, frames))
        x_BNLD = x_BNLD + parts[2] * y

        if self.time_attention is not None:
            y = self.norm_time(x_BNLD).view(-1, chunk, tokens, width).transpose(1, 2).flatten(0, 1)
            y = self.time_attention(y, causal=True).view(-1, tokens, chunk, width).transpose(1, 2)
            x_BNLD = x_BNLD + self.time_gate * y.reshape(x_BNLD.shape)

        # All frames of a request attend to the same memory, so their tokens form one long query.
        y = self.norm2(x_BNLD) * (1 + parts[4]) + parts[3]
        y = self.memory_attention(y.flatten(1, 2), memory).unflatten(1, (frames, tokens))
        x_BNLD = x_BNLD + parts[5] * y

        y = self.norm3(x_BNLD) * (1 + parts[7]) + parts[6]
        return x_BNLD + parts[8] * self.mlp(y)
