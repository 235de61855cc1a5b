"""What `astra bench` reports: the result file's keys, and the table that is printed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from astra_ros.evaluation.results import FLAT

PLAIN_STEPS = 50
SCORES_AGREE = 0.05  # scores are 0 to 1


@dataclass(frozen=True)
class Percentiles:
    p50_ms: float
    p95_ms: float
    p99_ms: float
    runs: int

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Percentiles:
        p50, p95, p99 = (float(1e3 * value) for value in np.percentile(seconds, (50, 95, 99)))
        return cls(p50, p95, p99, len(seconds))

    @property
    def cells(self) -> list[str]:
        return [f"{value:.0f} ms" for value in (self.p50_ms, self.p95_ms, self.p99_ms)]


@dataclass(frozen=True)
class Ratio:
    """How many times faster something is than something else: the median of pairs that ran after one another."""

    median: float
    q25: float
    q75: float

    @classmethod
    def of(cls, slower_s: Sequence[float], faster_s: Sequence[float]) -> Ratio:
        q25, median, q75 = map(float, np.percentile(np.divide(slower_s, faster_s), (25, 50, 75)))
        return cls(median, q25, q75)

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.q25:.2f} to {self.q75:.2f})"


@dataclass(frozen=True)
class Condition:
    """What a request is like: K plans, H frames each, beside a busy core or not.

    Attributes:
        rate_hz: at which requests come, as a robot asks; 0: each when the one before is answered.
    """

    plans: int
    horizon: int
    loaded_core: bool = False
    rate_hz: float = 0.0

    @property
    def frames(self) -> int:
        return self.plans * self.horizon

    def __str__(self) -> str:
        pace = f"at {self.rate_hz:g} Hz" if self.rate_hz else "back to back"
        return f"{self.plans} plans x {self.horizon} frames, {pace}" + (
            ", one core kept busy" if self.loaded_core else ""
        )


@dataclass(frozen=True)
class Timing:
    """One engine's requests under one condition.

    Attributes:
        request: from the image to the scores; at a rate from the moment at which the request was due.
        cpu_ms: the median of the processor time of a request, of all threads together.
        idle_cpu_share: of one core, which the process uses while others are measured: threads that wait must sleep.
        parts_ms: of the request, each the median.
        share_of_peak: of the floating-point rate of large matrix products on the idle machine, in the part that
            imagines.
        answered: share of the requests that were due; the others were dropped because one was under way.
    """

    request: Percentiles
    cpu_ms: float
    idle_cpu_share: float | None
    parts_ms: dict[str, float]
    imagined_frames_per_s: float
    share_of_peak: float
    answered: float | None = None
    times_faster: dict[str, Ratio] = field(default_factory=dict, metadata=FLAT)


@dataclass(frozen=True)
class Measurement:
    """All engines under one condition, in turns."""

    condition: Condition = field(metadata=FLAT)
    engines: dict[str, Timing]


@dataclass(frozen=True)
class OverTopics:
    """The imagine node, from outside.

    Attributes:
        image_to_scores, plans_to_scores: from the publication of an image, and of the last plan, to the scores.
        times_faster: than the older build, from image to scores; medians, not pairs.
    """

    loaded_core: bool
    image_to_scores: Percentiles
    plans_to_scores: Percentiles
    times_faster: dict[str, float] = field(default_factory=dict, metadata=FLAT)


@dataclass(frozen=True)
class EngineFacts:
    """One engine of one build.

    Attributes:
        first_start_s, start_up_s: from the start of the process to the first scores; the second time with warm caches.
        peak_memory_mb: the largest resident memory, after the requests back to back at the first size.
        largest_score_difference: to the first engine's scores of the same plans.
        runs_on: what really runs: runtime and its version, device, precision, threads.
    """

    sha256: str
    first_start_s: float
    start_up_s: float
    peak_memory_mb: float
    gflop_per_request: float
    largest_score_difference: float
    runs_on: str = ""
    over_topics: list[OverTopics] = field(default_factory=list)

    @property
    def scores_agree(self) -> bool:
        return self.largest_score_difference <= SCORES_AGREE


@dataclass(frozen=True)
class FirstEngine:
    """The first engine at the first size, back to back; the keys that result files have always had."""

    threads: int
    request: Percentiles
    parts_ms: dict[str, float]
    imagined_frames_per_s: float
    plain_loop_ms: float
    times_faster_than_plain: float
    gflop_per_request: float
    achieved_gflops: float
    matmul_peak_gflops: float
    share_of_peak: float


@dataclass(frozen=True)
class BenchResult:
    """The result file's keys.

    Attributes:
        backend: the first engine, which the keys beside it are of.
        cannot_run: engine -> why.
        against: the older build: `commit` and its `date`.
        fastest: engine at the first size, back to back, of those whose scores agree with the first one's. Its ratio to
            the older build is ``times_faster_than_COMMIT``.
    """

    model: str
    sha256: str
    backend: str
    device: str
    robot: str
    plans: int
    horizon: int
    loaded_core: bool = False
    image_to_scores: Percentiles | None = None
    plans_to_scores: Percentiles | None = None
    first_engine: FirstEngine = field(kw_only=True, metadata=FLAT)
    fastest: str = field(kw_only=True)
    against: dict[str, str] | None = None
    times_faster: dict[str, float] = field(default_factory=dict, metadata=FLAT)
    engines: dict[str, EngineFacts] = field(kw_only=True)
    cannot_run: dict[str, str] = field(default_factory=dict)
    measurements: list[Measurement] = field(kw_only=True)

    def __str__(self) -> str:
        first = self.first_engine
        blocks = [f"{self.model} on {self.device}, {first.threads} threads"]
        blocks += [_timings(each) for each in self.measurements]
        if len({(each.condition.plans, each.condition.horizon) for each in self.measurements}) > 1:
            blocks.append(_growth(self.measurements))
        blocks.append(_facts(self.engines))
        if topics := _over_topics(self.engines):
            blocks.append(topics)
        wrong = [name for name, facts in self.engines.items() if not facts.scores_agree]
        blocks += [f"{name} gives other scores than {self.backend}" for name in wrong]
        blocks += [f"{name} cannot run here: {reason}" for name, reason in self.cannot_run.items()]
        blocks.append(
            f"plain loop ({PLAIN_STEPS} steps, one plan at a time): {first.plain_loop_ms:.0f} ms, "
            f"{first.times_faster_than_plain:.0f} times slower than {self.backend}\n"
            f"large matrix products on this machine: {first.matmul_peak_gflops:.0f} GFLOP/s"
        )
        blocks += [f"{_title(key)}: {ratio:.2f} ({self.fastest})" for key, ratio in self.times_faster.items()]
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


def _growth(measurements: Sequence[Measurement]) -> str:
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


def _facts(engines: dict[str, EngineFacts]) -> str:
    rows = [
        ["", "start to first scores", "the first time", "peak memory", "GFLOP", "largest score difference", "runs on"]
    ]
    for name, each in engines.items():
        starts = f"{each.start_up_s:.1f} s", f"{each.first_start_s:.1f} s"
        difference = f"{each.largest_score_difference:.4f}"
        numbers = f"{each.peak_memory_mb:.0f} MB", f"{each.gflop_per_request:.1f}", difference
        rows.append([name, *starts, *numbers, each.runs_on])
    return aligned(rows)


def _over_topics(engines: dict[str, EngineFacts]) -> str:
    measured = [(name, each) for name, facts in engines.items() for each in facts.over_topics]
    ratios = list(dict.fromkeys(key for _, each in measured for key in each.times_faster))
    rows = [["over topics", "p50", "p95", "p99", *map(_title, ratios)]]
    for name, each in measured:
        load = ", one core kept busy" if each.loaded_core else ""
        faster = [f"{each.times_faster[key]:.2f}" if key in each.times_faster else "" for key in ratios]
        rows.append([f"{name}, image published to scores received{load}", *each.image_to_scores.cells, *faster])
        blank = [""] * len(ratios)
        rows.append([f"{name}, last plan published to scores received{load}", *each.plans_to_scores.cells, *blank])
    return aligned(rows) if measured else ""


def aligned(rows: Sequence[Sequence[Any]]) -> str:
    """Rows of cells as lines, the first column to the left and the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = []
    for row in rows:
        cells = (cell.rjust(width) if k else cell.ljust(width) for k, (cell, width) in enumerate(zip(row, widths)))
        lines.append("  " + "  ".join(cells).rstrip())
    return "\n".join(lines)
