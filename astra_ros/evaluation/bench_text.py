"""The result of `astra bench` as tables in text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from astra_ros.evaluation.bench_result import (
    PLAIN_STEPS,
    BenchResult,
    Condition,
    EngineFacts,
    Measurement,
    ModelMeasurement,
)


def text_of(result: BenchResult) -> str:
    """What is printed."""
    first = result.first_engine
    blocks = [f"{result.model} on {result.device}, {first.threads} threads"]
    blocks += [_timings(each) for each in result.measurements]
    if len({(each.condition.plans, each.condition.horizon) for each in result.measurements}) > 1:
        blocks.append(growth(result.measurements))
    if result.models:
        blocks.append(_models(result.models))
    blocks.append(_facts(result.engines))
    if topics := _over_topics(result.engines):
        blocks.append(topics)
    wrong = [name for name, facts in result.engines.items() if not facts.scores_agree]
    blocks += [f"{name} gives other scores than {result.backend}" for name in wrong]
    blocks += [f"{name} cannot run here: {reason}" for name, reason in result.cannot_run.items()]
    blocks.append(
        f"plain loop ({PLAIN_STEPS} steps, one plan at a time; one frame timed, the others reckoned): "
        f"{first.plain_loop_ms:.0f} ms, {first.times_faster_than_plain:.0f} times slower than {result.backend}\n"
        f"large matrix products on this machine: {first.matmul_peak_gflops:.0f} GFLOP/s"
    )
    blocks += [f"{_title(key)}: {ratio:.2f} ({result.fastest})" for key, ratio in result.times_faster.items()]
    return "\n\n".join(blocks)


def _title(key: str) -> str:
    return key.replace("_", " ")


def _timings(measurement: Measurement) -> str:
    timings = measurement.engines.values()
    ratios = list(dict.fromkeys(key for each in timings for key in each.times_faster))
    paced = measurement.condition.rate_hz > 0
    rows = [["", "p50", "p95", "p99", "processor time", "of peak", *["answered"] * paced, *map(_title, ratios)]]
    for name, each in measurement.engines.items():
        answered = [f"{each.answered:.0%}"] if each.answered is not None else []
        compared = [str(each.times_faster.get(key, "")) for key in ratios]
        rows.append(
            [name, *each.request.cells, f"{each.cpu_ms:.0f} ms", f"{each.share_of_peak:.0%}", *answered, *compared]
        )
    return f"{measurement.condition}\n{aligned(rows)}"


def growth(measurements: Sequence[Measurement]) -> str:
    """The median of every size, and how many times that of the first size."""
    sizes = [each for each in measurements if each.condition == Condition(each.condition.plans, each.condition.horizon)]
    names = list(sizes[0].engines)
    rows = [["plans x frames", *names]]
    for each in sorted(sizes, key=lambda each: (each.condition.horizon, each.condition.plans)):
        cells = []
        for name in names:
            own, first = (of.engines[name].request.p50_ms for of in (each, sizes[0]))
            cells.append(f"{own:.0f} ms ({own / first:.2f})")
        rows.append([f"{each.condition.plans} x {each.condition.horizon}", *cells])
    return f"growth: p50 back to back, and as a multiple of the first size\n{aligned(rows)}"


def _models(models: Sequence[ModelMeasurement]) -> str:
    rows = [["image", "model", "GFLOP", *models[0].engines]]
    for each in models:
        cells = [
            f"{timing.request.p50_ms:.0f} ms"
            + (f" ({timing.times_the_time.median:.2f})" if timing.times_the_time else "")
            for timing in each.engines.values()
        ]
        rows.append(["{1} x {0}".format(*each.image_size), each.model, f"{each.gflop_per_request:.1f}", *cells])
    return (
        f"models, in turns: p50 back to back, and as a multiple of the first model (median of pairs)\n{aligned(rows)}"
    )


def _facts(engines: dict[str, EngineFacts]) -> str:
    rows = [
        ["", "start to first scores", "the first time", "peak memory", "GFLOP", "largest score difference", "runs on"]
    ]
    first = next(iter(engines), None)
    for name, each in engines.items():
        starts = f"{each.start_up_s:.1f} s", f"{each.first_start_s:.1f} s"
        difference = "(reference)" if name == first else f"{each.largest_score_difference:.4f}"
        numbers = f"{each.peak_memory_mb:.0f} MB", f"{each.gflop_per_request:.1f}", difference
        rows.append([name, *starts, *numbers, each.runs_on])
    return aligned(rows)


def _over_topics(engines: dict[str, EngineFacts]) -> str:
    measured = [(name, each) for name, facts in engines.items() for each in facts.over_topics]
    if not measured:
        return ""
    ratios = list(dict.fromkeys(key for _, each in measured for key in each.times_faster))
    rows = [["", "p50", "p95", "p99", "answered", *map(_title, ratios)]]
    for name, each in measured:
        faster = [f"{each.times_faster[key]:.2f}" if key in each.times_faster else "" for key in ratios]
        answered = "" if each.answered is None else f"{each.answered:.0%}"
        rows.append([f"{each}: {name}, image to scores", *each.image_to_scores.cells, answered, *faster])
        if each.plans_to_scores:
            blank = [""] * (1 + len(ratios))
            rows.append([f"{each}: {name}, last plan to scores", *each.plans_to_scores.cells, *blank])
    nodes = [["node", "start to first scores", "peak memory", "ROS adds: p50", "p95", "p99"]]
    for name, facts in engines.items():
        if node := facts.node:
            added = node.ros_adds
            times = [f"{value:.1f} ms" for value in (added.p50_ms, added.p95_ms, added.p99_ms)]
            nodes.append([name, f"{node.start_up_s:.1f} s", f"{node.peak_memory_mb:.0f} MB", *times])
    return f"{aligned(rows)}\n\n{aligned(nodes)}"


def aligned(rows: Sequence[Sequence[Any]]) -> str:
    """Rows of cells as lines, the first column to the left and the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = []
    for row in rows:
        cells = (cell.rjust(width) if k else cell.ljust(width) for k, (cell, width) in enumerate(zip(row, widths)))
        lines.append("  " + "  ".join(cells).rstrip())
    return "\n".join(lines)
