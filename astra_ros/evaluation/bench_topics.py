"""The part of `astra bench` over topics: the imagine nodes of engines and of an older build, one after the other."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from astra_ros.evaluation.bench_processes import BenchScene
from astra_ros.evaluation.bench_result import BenchResult, NodeFacts, OverTopics, Percentiles
from astra_ros.evaluation.bench_worker import peak_memory_mb
from astra_ros.evaluation.old_build import OldBuild
from astra_ros.evaluation.requests import BenchRequest

_OLD_ENGINE = "torch"  # of the older build


class TopicTimes(Protocol):
    """Seconds of the requests to a node.

    Attributes:
        from_image_s: from the publication of the image whose stamp the scores bear.
        from_plans_s: from the publication of the last plan; empty where requests overlap.
        asked: number of requests, of which some may have had no answer.
    """

    @property
    def from_image_s(self) -> Sequence[float]: ...

    @property
    def from_plans_s(self) -> Sequence[float]: ...

    @property
    def asked(self) -> int: ...


class RunningNode(Protocol):
    """The imagine node as a process of its own; ``start_up_s`` from the process's start to the first scores."""

    pid: int
    start_up_s: float

    def ask(self, runs: int, rate_hz: float = 0.0) -> TopicTimes:
        """Requests that get `runs` answers: each after the answer to the one before, or at a rate."""

    def ask_beside_images(self, runs: int) -> Sequence[float]:
        """Seconds from an image, with the plans right behind it, to the scores, less those that the model took."""


# Engine, what the requests consist of, their number of plans, and the folder of the build that the node is started from
# (None: this one). The node ends with the context.
StartNode = Callable[[str, BenchScene, int, Path | None], AbstractContextManager[RunningNode]]


@dataclass
class _Seen:
    """What was measured of one engine's nodes; `times` by condition: a busy core or not, and a rate."""

    times: dict[tuple[bool, float], list[TopicTimes]] = field(default_factory=dict)
    added_s: list[float] = field(default_factory=list)
    start_up_s: list[float] = field(default_factory=list)
    peak_memory_mb: float = 0.0


def with_topics(
    result: BenchResult, request: BenchRequest, scene: BenchScene, old: OldBuild | None, start_node: StartNode
) -> BenchResult:
    """The result with the times over topics, of nodes with the engines that were named, or with the first one and the
    fastest one, and of the older build's node.

    Every node runs twice, for one half of the requests each, so that slow minutes meet all of them.
    """
    named = dict.fromkeys(request.engines or (result.backend, result.fastest))
    names = [name for name in (*named, *([old.commit] if old else [])) if name in result.engines]
    seen = {name: _Seen() for name in names}
    conditions = [(load, rate) for load in request.loads for rate in request.rates]
    for runs in filter(None, (request.runs - request.runs // 2, request.runs // 2)):
        for name in names:
            build = old.root if old and name == old.commit else None
            engine = _OLD_ENGINE if build else name
            with start_node(engine, scene, request.plans, build) as node:
                seen[name].start_up_s.append(node.start_up_s)
                for load, rate in conditions:
                    with busy_core(load):
                        seen[name].times.setdefault((load, rate), []).append(node.ask(runs, rate))
                seen[name].added_s += node.ask_beside_images(runs)
                seen[name].peak_memory_mb = max(seen[name].peak_memory_mb, peak_memory_mb(node.pid))
        names.reverse()
    engines = dict(result.engines)
    for name, each in seen.items():
        topics = [_over_topics(each.times[condition], *condition) for condition in conditions]
        if old and name != old.commit:
            topics = [_compared(of, seen[old.commit], old.commit, each) for of in topics]
        facts = NodeFacts(each.start_up_s[-1], each.peak_memory_mb, Percentiles.of(each.added_s))
        engines[name] = replace(engines[name], over_topics=topics, node=facts)
    first = engines[result.backend].over_topics[0]
    return replace(
        result, engines=engines, image_to_scores=first.image_to_scores, plans_to_scores=first.plans_to_scores
    )


def _over_topics(times: Sequence[TopicTimes], load: bool, rate: float) -> OverTopics:
    from_image_s = _joined(times)
    from_plans_s = [seconds for each in times for seconds in each.from_plans_s]
    answered = len(from_image_s) / sum(each.asked for each in times) if rate else None
    plans = Percentiles.of(from_plans_s) if from_plans_s else None
    return OverTopics(load, rate, Percentiles.of(from_image_s), plans, answered)


def _compared(topics: OverTopics, old: _Seen, commit: str, own: _Seen) -> OverTopics:
    condition = topics.loaded_core, topics.rate_hz
    faster = np.median(_joined(old.times[condition])) / np.median(_joined(own.times[condition]))
    return replace(topics, times_faster={f"times_faster_than_{commit}": float(faster)})


def _joined(times: Sequence[TopicTimes]) -> list[float]:
    return [seconds for each in times for seconds in each.from_image_s]


@contextmanager
def busy_core(wanted: bool) -> Iterator[None]:
    """Another process that keeps one core busy while the block runs; it ends with this one."""
    busy = f"import os\nwhile os.getppid() == {os.getpid()}: sum(range(10**6))"
    process = subprocess.Popen([sys.executable, "-c", busy]) if wanted else None
    try:
        yield
    finally:
        if process:
            process.kill()
            process.wait()
