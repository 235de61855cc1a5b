"""How fast a model imagines: every engine, and an older build, in turns; a plain loop, and the machine's limit."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from astra_ros.evaluation.bench_plot import write_plot
from astra_ros.evaluation.bench_processes import ROOT, BenchError, BenchProcess, BenchScene, NotLoaded, Setup
from astra_ros.evaluation.bench_result import (
    PLAIN_STEPS,
    BenchResult,
    Condition,
    EngineFacts,
    FirstEngine,
    Measurement,
    ModelMeasurement,
    ModelTiming,
    Percentiles,
    Ratio,
    Timing,
)
from astra_ros.evaluation.bench_text import text_of
from astra_ros.evaluation.bench_topics import StartNode, busy_core, with_topics
from astra_ros.evaluation.old_build import OldBuild, old_build
from astra_ros.evaluation.requests import BenchRequest
from astra_ros.evaluation.results import check_writable, write_result
from astra_ros.inference.card import ModelCard, model_directory, shipped_models
from astra_ros.inference.engine import ENGINES
from astra_ros.inference.fastest import AUTO
from astra_ros.registry import UnknownName

_WARMUP_REQUESTS = 3
_SAMPLES = 5  # of the plain loop and of the machine's limit, spread over the requests at the first size
_PEAK_S = 0.2
_VISIT = 10  # requests at a rate that go to one engine before the next one has its turn
_METER = "torch"  # the engine whose operations can be counted, and that runs the plain loop


def bench(request: BenchRequest, start_node: StartNode | None = None) -> BenchResult:
    """Measure, print, and write the result file.

    Raises UserError where the model does not load or does not know the robot, no engine can run, the older build
    cannot be had or fails, or the file cannot be written.
    """
    check_writable(request.out, request.plot)
    conditions = request.conditions()
    for name in request.engines or ():
        if name not in (AUTO, *ENGINES):
            raise UnknownName("engine", name, [AUTO, *ENGINES])
    card, *further = (ModelCard.read(model_directory(model)) for model in (request.model, *(request.models or ())))
    for each in (card, *further):
        each.check_knows(f"{request.robot}_joints")
    with ExitStack() as stack:
        old = stack.enter_context(old_build(request.against, ROOT)) if request.against else None
        scene = BenchScene.of(request.robot, sorted({each.plans for each in conditions}))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        scene.save(folder / "scene.npz")
        with ExitStack() as running:
            run = _Run(request, card, folder, old, running)
            measurements = [run.measure(each) for each in conditions]
            models = run.measure_models([card, *further]) if further else []
            result = run.result(measurements, models)
        if start_node:
            result = with_topics(result, request, scene, old, start_node)
    print(text_of(result))
    if request.out:
        write_result(request.out, result)
    if request.plot:
        write_plot(request.plot, result)
        print(f"picture written to {request.plot}")
    return result


class _Run:
    """The processes of one run.

    Args:
        running: ends the processes.
    """

    def __init__(
        self, request: BenchRequest, card: ModelCard, folder: Path, old: OldBuild | None, running: ExitStack
    ) -> None:
        self._request, self._card, self._old = request, card, old
        self._folder, self._running = folder, running
        self._starts_s: dict[str, tuple[float, float]] = {}
        self._facts: dict[str, Any] = {}
        self._scores: dict[str, np.ndarray] = {}
        self._gflop: dict[str, float] = {}
        self._plain_s: list[float] = []
        self._peaks: list[float] = []
        self._setup = setup = Setup("", request.model, request.device, folder / "scene.npz")
        self._cannot_run: dict[str, str] = {}
        self._engines: dict[str, BenchProcess] = {}
        wanted = list(request.engines or ENGINES)
        with tqdm(total=2 * len(wanted) + bool(old) * 2, unit="start", desc="starting") as bar:
            self.old_name = old.commit if old else ""
            # Before the others: it fails sooner.
            process_of_old = self._start_old(old, setup.scene, bar) if old else None
            for name in wanted:
                try:
                    self._engines[name] = self._start(name, replace(setup, backend=name), bar)
                except BenchError as error:
                    self._cannot_run[name] = error.problem
            if not self._engines:
                reasons = "; ".join(f"{name}: {reason}" for name, reason in self._cannot_run.items())
                raise BenchError(f"no engine can run: {reasons}", thing=f"model '{card.name}'")
            if process_of_old:
                self._engines[self.old_name] = process_of_old
            self._meter = self._engines.get(_METER) or self._start(_METER, replace(setup, backend=_METER), bar)
        # Everything is compared with the older build, or else with the first engine.
        self._reference = self.old_name or next(iter(self._engines))

    def _start(self, name: str, setup: Setup, bar: tqdm) -> BenchProcess:
        """Start twice, so that the second start finds warm caches."""
        size = self._request.plans, self._request.horizon
        first = BenchProcess(name, setup, self._folder, *size)
        first.close()
        bar.update()
        process = BenchProcess(name, setup, self._folder, *size)
        self._running.callback(process.close)
        bar.update()
        self._starts_s[name] = first.start_up_s, process.start_up_s
        return process

    def _start_old(self, old: OldBuild, scene: Path, bar: tqdm) -> BenchProcess:
        """Raises BenchError, also where a directory holds a model that the older build cannot read."""
        request = self._request
        setup = Setup(_METER, request.model, request.device, scene, old.root, self._folder / "cache")
        try:
            return self._start(old.commit, setup, bar)
        except NotLoaded as error:
            if self._card.path != Path(request.model).expanduser():
                raise  # a shipped one, of which it has its own
            # What it would do about it is of no use: this build could not read the model then.
            said = error.problem.partition(";")[0]
            problem = f"'{request.against}' cannot read the model directory '{request.model}' (it says: {said})"
            cure = f"name a shipped model ({', '.join(shipped_models())}): the older build then takes its own weights"
            raise BenchError(problem, thing="against", cure=cure) from error

    def measure(self, condition: Condition) -> Measurement:
        """Have all engines answer requests under a condition, in turns."""
        is_first = not self._facts
        for process in {*self._engines.values(), self._meter}:
            process.ask("size", plans=condition.plans, horizon=condition.horizon)
            for _ in range(_WARMUP_REQUESTS):
                process.ask("request")
        self._count_operations()
        runs = self._request.runs_of(condition)
        total = runs * condition.frames * len(self._engines)
        with busy_core(condition.loaded_core), tqdm(total=total, unit="frame", desc=str(condition)) as bar:
            if condition.rate_hz:
                answers = self._at_rate(condition, runs, bar)
            else:
                answers = self._back_to_back(condition, runs, is_first, bar)
        if is_first:
            self._gflop_of_first = self._gflop
            for name, process in self._engines.items():
                self._facts[name] = process.ask("about")
                self._scores[name] = np.array(process.ask("scores")["scores"])
        timings = {name: self._timing(name, each, condition) for name, each in answers.items()}
        seconds = {name: [answer["seconds"] for answer in each] for name, each in answers.items()}
        for name in timings:
            if name != self._reference:
                ratio = {f"times_faster_than_{self._reference}": Ratio.of(seconds[self._reference], seconds[name])}
                timings[name] = replace(timings[name], times_faster=ratio)
        return Measurement(condition, timings)

    def _count_operations(self) -> None:
        """Of the processes' present size: all engines of this build do what torch counts."""
        own = self._meter.ask("flops")["flops"] / 1e9
        self._gflop = dict.fromkeys(self._engines, own)
        if self.old_name:
            self._gflop[self.old_name] = self._engines[self.old_name].ask("flops")["flops"] / 1e9

    def _back_to_back(self, condition: Condition, runs: int, is_first: bool, bar: tqdm) -> dict[str, list[dict]]:
        answers: dict[str, list[dict]] = {name: [] for name in self._engines}
        order = list(self._engines)
        for index in range(runs):
            for name in order:
                answers[name].append(self._engines[name].ask("request"))
                bar.update(condition.frames)
            order.reverse()
            if is_first and index % math.ceil(runs / _SAMPLES) == 0:
                self._plain_s.append(self._meter.ask("plain_loop", steps=PLAIN_STEPS)["seconds"])
                peak = self._meter.ask("peak", device=self._request.device, seconds=_PEAK_S)
                self._peaks.append(peak["flops_per_s"] / 1e9)
        return answers

    def _at_rate(self, condition: Condition, runs: int, bar: tqdm) -> dict[str, list[dict]]:
        """A few requests at the rate for one engine, then for the next. Each has its time from when it was due."""
        answers: dict[str, list[dict]] = {name: [] for name in self._engines}
        for done in range(0, runs, _VISIT):
            for name, process in self._engines.items():
                due_s = time.perf_counter()
                for _ in range(min(_VISIT, runs - done)):
                    time.sleep(max(0.0, due_s - time.perf_counter()))
                    answer = process.ask("request")
                    seconds = time.perf_counter() - due_s
                    missed = math.floor(seconds * condition.rate_hz)
                    due_s += (1 + missed) / condition.rate_hz
                    answers[name].append({**answer, "seconds": seconds, "missed": missed})
                    bar.update(condition.frames)
        return answers

    def measure_models(self, cards: Sequence[ModelCard]) -> list[ModelMeasurement]:
        """The first model and further ones, at the first size and back to back, in turns."""
        size = {"plans": self._request.plans, "horizon": self._request.horizon}
        own = {name: process for name, process in self._engines.items() if name != self.old_name}
        processes = [own]
        meters = [self._meter]
        with ExitStack() as running:
            for card in tqdm(cards[1:], unit="model", desc="starting further models"):
                setup = replace(self._setup, model=str(card.path))
                started = {}
                for name in dict.fromkeys((*own, _METER)):
                    named = f"{name} with {card.name}"
                    process = BenchProcess(named, replace(setup, backend=name), self._folder, **size)
                    running.callback(process.close)
                    started[name] = process
                processes.append(started)
                meters.append(started[_METER])
            for process in {*own.values(), self._meter}:
                process.ask("size", **size)
            gflops = [meter.ask("flops")["flops"] / 1e9 for meter in meters]
            answers: list[dict[str, list[dict]]] = [{name: [] for name in own} for _ in cards]
            for index in tqdm(range(-_WARMUP_REQUESTS, self._request.runs), unit="round", desc="models"):
                for name in own:
                    for each, of in zip(processes, answers):
                        answer = each[name].ask("request")
                        if index >= 0:
                            of[name].append(answer)
        return [
            ModelMeasurement(
                card.name,
                card.sha256[:12],
                card.image_size,
                gflop,
                {name: _model_timing(of[name], None if of is answers[0] else answers[0][name]) for name in own},
            )
            for card, gflop, of in zip(cards, gflops, answers)
        ]

    def _timing(self, name: str, answers: Sequence[dict], condition: Condition) -> Timing:
        parts_s = _parts_s(answers)
        idle_cpu_s, idle_s = (sum(each[key] for each in answers) for key in ("idle_cpu_s", "idle_s"))
        due = len(answers) + sum(each.get("missed", 0) for each in answers)
        return Timing(
            Percentiles.of([each["seconds"] for each in answers]),
            1e3 * float(np.median([each["cpu_s"] for each in answers])),
            idle_cpu_s / idle_s if len(self._engines) > 1 else None,
            {part: 1e3 * seconds for part, seconds in parts_s.items()},
            condition.frames / parts_s["imagine"],
            self._gflop[name] / parts_s["imagine"] / self._peak,
            len(answers) / due if condition.rate_hz else None,
        )

    @property
    def _peak(self) -> float:
        return float(np.median(self._peaks))

    def result(self, measurements: list[Measurement], models: list[ModelMeasurement]) -> BenchResult:
        request, timings = self._request, measurements[0].engines
        own = [name for name in self._engines if name != self.old_name]
        first = timings[own[0]]
        engines = {name: self._engine_facts(name, own[0]) for name in self._engines}
        right = [name for name in own if engines[name].scores_agree]
        # By pairs, which is steadier than by medians. The reference itself has no ratio.
        fastest = max(
            right, key=lambda name: max((each.median for each in timings[name].times_faster.values()), default=1)
        )
        gflop = self._gflop_of_first[own[0]]
        plain_ms = 1e3 * float(np.median(self._plain_s))
        imagine_s = first.parts_ms["imagine"] / 1e3
        return BenchResult(
            self._card.name,
            self._card.sha256[:12],
            own[0],
            request.device,
            request.robot,
            request.plans,
            request.horizon,
            first_engine=FirstEngine(
                self._facts[own[0]]["threads"],
                first.request,
                first.parts_ms,
                first.imagined_frames_per_s,
                plain_ms,
                plain_ms / first.request.p50_ms,
                gflop,
                gflop / imagine_s,
                self._peak,
                first.share_of_peak,
            ),
            fastest=fastest,
            against={"commit": self._old.commit, "date": self._old.date} if self._old else None,
            times_faster={key: ratio.median for key, ratio in timings[fastest].times_faster.items() if self._old},
            engines=engines,
            cannot_run=self._cannot_run,
            measurements=measurements,
            models=models,
        )

    def _engine_facts(self, name: str, first: str) -> EngineFacts:
        facts = self._facts[name]
        return EngineFacts(
            facts["sha256"][:12],
            *self._starts_s[name],
            facts["peak_memory_mb"],
            self._gflop_of_first[name],
            float(np.abs(self._scores[name] - self._scores[first]).max()),
            facts["runs_on"],
        )


def _parts_s(answers: Sequence[dict]) -> dict[str, float]:
    """The median of each part of the requests."""
    return {part: float(np.median([each["parts_s"][part] for each in answers])) for part in answers[0]["parts_s"]}


def _model_timing(answers: Sequence[dict], of_first: Sequence[dict] | None) -> ModelTiming:
    own, first = ([each["seconds"] for each in of or ()] for of in (answers, of_first))
    parts_ms = {part: 1e3 * seconds for part, seconds in _parts_s(answers).items()}
    return ModelTiming(Percentiles.of(own), parts_ms, Ratio.of(own, first) if first else None)
