"""Mixed precision in training: bfloat16 where the machine computes in it, float32 elsewhere."""

from __future__ import annotations

import torch


def has_bfloat16(device: torch.device | str) -> bool:
    """Whether a device computes in bfloat16, rather than imitating it.

    A CPU without AVX-512 imitates: its convolutions took forty times as long as in float32 (AMD EPYC
    with AVX2, torch 2.13). GPUs have it from NVIDIA's Ampere on.
    """
    if torch.device(device).type == 'cuda':
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.backends.cpu.get_cpu_capability() == 'AVX512'


def mixed_precision(device: torch.device | str) -> torch.autocast:
    """A context for forward passes: bfloat16 where the device has it, else as the weights are."""
    return torch.autocast(torch.device(device).type, torch.bfloat16, enabled=has_bfloat16(device))
