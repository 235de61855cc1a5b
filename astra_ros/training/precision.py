"""Mixed precision in training: bfloat16 where the machine has fast kernels for it, float32 elsewhere."""

from __future__ import annotations

import torch


def has_bfloat16(device: torch.device | str) -> bool:
    """Whether a device has fast kernels for bfloat16.

    On CPUs oneDNN has them from AVX-512 on; without, convolutions took forty times as long as in
    float32 (AMD EPYC with AVX2, torch 2.13). GPUs have them from NVIDIA's Ampere on.
    """
    device = torch.device(device)
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    return torch.backends.cpu.get_cpu_capability() == "AVX512"


def mixed_precision(device: torch.device | str) -> torch.autocast:
    """A context for forward passes: bfloat16 where the device has it, else as the weights are."""
    return torch.autocast(torch.device(device).type, torch.bfloat16, enabled=has_bfloat16(device))
