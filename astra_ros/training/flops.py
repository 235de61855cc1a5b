"""The floating-point rate that a device reaches, to state a speed as a share of it."""

from __future__ import annotations

import time

import torch


def matmul_peak_flops(device: str | torch.device, seconds: float = 1.0, dtype: torch.dtype = torch.float32) -> float:
    """FLOP/s that the device reaches on large matrix products, measured for `seconds`."""
    size = 1024 if torch.device(device).type == "cpu" else 8192
    a, b = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))

    def products(many: int) -> None:
        for _ in range(many):
            c = a @ b
        c[0, 0].item()  # waits for the device

    products(3)
    begin, count, many = time.perf_counter(), 0, 8
    while time.perf_counter() - begin < seconds:
        products(many)
        count += many
    return 2 * size**3 * count / (time.perf_counter() - begin)
