"""What `astra bench` reports: the result file's keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

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
        rate_hz: as in `Condition`.
        image_to_scores, plans_to_scores: from the publication of an image, and of the last plan, to the scores; at a
            rate, plans come while others are imagined, so there is no such time for them.
        answered: at a rate, the share of the requests that had scores of their own.
        times_faster: than the older build, from image to scores; medians, not pairs.
    """

    loaded_core: bool
    rate_hz: float
    image_to_scores: Percentiles
    plans_to_scores: Percentiles | None = None
    answered: float | None = None
    times_faster: dict[str, float] = field(default_factory=dict, metadata=FLAT)

    def __str__(self) -> str:
        pace = f"at {self.rate_hz:g} Hz" if self.rate_hz else "one after the other"
        return f"over topics, {pace}" + ", one core kept busy" * self.loaded_core


@dataclass(frozen=True)
class NodeFacts:
    """The imagine node as a process.

    Attributes:
        start_up_s: from the start of the process to its first scores, with warm caches.
        peak_memory_mb: the largest resident memory.
        ros_adds: from the publication of an image, with the plans right behind it, to the scores, less what the model
            took of it by the node's own account; on the machine without a busy core.
    """

    start_up_s: float
    peak_memory_mb: float
    ros_adds: Percentiles


@dataclass(frozen=True)
class ModelTiming:
    """Requests of the first size, back to back, to one engine with one model.

    Attributes:
        times_the_time: of the first model, by the same engine: the median of pairs that ran after one another; None of
            the first model itself.
    """

    request: Percentiles
    parts_ms: dict[str, float]
    times_the_time: Ratio | None = None


@dataclass(frozen=True)
class ModelMeasurement:
    """One model beside the first one, all engines in turns."""

    model: str
    sha256: str
    image_size: tuple[int, int]
    gflop_per_request: float
    engines: dict[str, ModelTiming]


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
    node: NodeFacts | None = None

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
    models: list[ModelMeasurement] = field(default_factory=list)
