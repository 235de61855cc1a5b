"""How fast a model imagines, in this process: one request, the plain loop, and the machine's limit."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode
from tqdm import tqdm

from astra_ros.inference.conditioning import Conditioning
from astra_ros.training.flops import matmul_peak_flops

PLAIN_STEPS = 50


def percentiles(seconds: list[float]) -> dict:
    p50, p95, p99 = np.percentile(seconds, (50, 95, 99))
    return {"p50_ms": 1e3 * p50, "p95_ms": 1e3 * p95, "p99_ms": 1e3 * p99, "runs": len(seconds)}


def imagination_flops(model, history, conditioning) -> int:
    """Floating-point operations of one request, counted by torch."""
    with FlopCounterMode(display=False) as counter:
        model.imagine(history, conditioning)
    return counter.get_total_flops()


def plain_plan_seconds(model, history, conditioning, frames: int = 1) -> float:
    """Seconds a plan of the plain loop, timed on its first `frames` frames and scaled to all."""
    begin = time.perf_counter()
    for index in range(frames):
        one = Conditioning(conditioning.space, conditioning.actions[:1, index : index + 1])
        model.imagine(history, one, steps=PLAIN_STEPS)
    return (time.perf_counter() - begin) * conditioning.horizon / frames


def measure(model, request: Callable, history, runs: int) -> dict:
    """`runs` requests and, in between, the plain loop on the same plans.

    Args: `request()` serves one and returns the pipeline's `Result`; `history` its frames.
    """
    for _ in range(5):
        result = request()
    conditioning = Conditioning(result.conditioning.space, result.conditioning.actions)
    plans, horizon = conditioning.plans, conditioning.horizon
    laps: dict[str, list[float]] = {}
    plain = []
    for index in tqdm(range(runs), unit="request", desc="in this process"):
        for name, seconds in request().timings_s.items():
            laps.setdefault(name, []).append(seconds)
        if index % max(1, runs // 5) == 0:
            plain.append(plans * plain_plan_seconds(model, history, conditioning))
    total = percentiles(laps.pop("total"))
    flops = imagination_flops(model, history, conditioning)
    peak = matmul_peak_flops(str(model.device))
    imagine_s = float(np.median(laps["imagine"]))
    return {
        "threads": torch.get_num_threads(),
        "request": total,
        "parts_ms": {name: 1e3 * float(np.median(seconds)) for name, seconds in laps.items()},
        "imagined_frames_per_s": plans * horizon / imagine_s,
        "plain_loop_ms": 1e3 * float(np.median(plain)),
        "times_faster_than_plain": float(np.median(plain)) / (total["p50_ms"] / 1e3),
        "gflop_per_request": flops / 1e9,
        "achieved_gflops": flops / imagine_s / 1e9,
        "matmul_peak_gflops": peak / 1e9,
        "share_of_peak": flops / imagine_s / peak,
    }
