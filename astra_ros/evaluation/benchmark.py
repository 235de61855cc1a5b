"""How fast a model imagines: a request in this process, a plain loop, and the machine's limit."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode
from tqdm import tqdm

from astra_ros.camera.frame_size import to_model_size
from astra_ros.evaluation.requests import BenchRequest
from astra_ros.evaluation.results import FLAT, check_writable, write_result
from astra_ros.inference import WorldModel, load_world_model
from astra_ros.inference.conditioning import Conditioning
from astra_ros.plans.joint_plan import JointPlan
from astra_ros.ranking.imaginer import Imaginer, RankingSettings, Result
from astra_ros.simulation.arm.candidates import propose
from astra_ros.simulation.arm.robots import robot_description, robot_spec
from astra_ros.simulation.arm.world import ArmWorld, ArmWorldSettings
from astra_ros.training.flops import matmul_peak_flops

PLAIN_STEPS = 50
_WARMUP_REQUESTS = 5

# Image and goal image, both uint8 [h, w, 3], and the plans -> seconds from an image to its scores, and from the last
# plan to the scores, one of each a run.
OverTopics = Callable[[np.ndarray, np.ndarray, Sequence[JointPlan]], tuple[list[float], list[float]]]


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

    def __str__(self) -> str:
        return f"p50 {self.p50_ms:.0f} ms, p95 {self.p95_ms:.0f} ms, p99 {self.p99_ms:.0f} ms"


@dataclass(frozen=True)
class InProcess:
    """What was measured in this process; `request` is from the image to the scores, of the parts the median.

    Attributes:
        imagined_frames_per_s: latents, in the part that imagines.
        share_of_peak: of the floating-point operations that a large matrix product reaches here.
    """

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
    """The result file's keys; latencies over topics only where they were measured."""

    model: str
    sha256: str
    backend: str
    device: str
    plans: int
    horizon: int
    loaded_core: bool
    image_to_scores: Percentiles | None = None
    plans_to_scores: Percentiles | None = None
    in_process: InProcess = field(kw_only=True, metadata=FLAT)

    def __str__(self) -> str:
        latencies = {
            "over topics, image published to scores received": self.image_to_scores,
            "over topics, last plan published to scores received": self.plans_to_scores,
            "in one process, image to scores": self.in_process.request,
        }
        lines = [f"{self.plans} plans x {self.horizon} frames, {self.model}, {self.backend} on {self.device}"]
        lines += [f"  {title}: {latency}" for title, latency in latencies.items() if latency]
        return "\n".join(lines) + (
            f"\n  plain loop ({PLAIN_STEPS} steps, one plan at a time): {self.in_process.plain_loop_ms:.0f} ms, "
            f"{self.in_process.times_faster_than_plain:.0f} times slower\n"
            f"{self.in_process.imagined_frames_per_s:.0f} imagined frames a second, "
            f"{self.in_process.share_of_peak:.0%} of this machine's matrix-product peak"
        )


def bench(request: BenchRequest, over_topics: OverTopics | None = None) -> BenchResult:
    """Measure, print, and write the result file.

    Raises UserError where the model does not load or does not know the robot, or the file cannot be written.
    """
    check_writable(request.out)
    model = load_world_model(request.backend, request.model, request.device)
    card = model.card
    card.check_knows(f"{request.robot}_joints")
    with ArmWorld(ArmWorldSettings(robot=request.robot)) as world:
        world.reset(0)
        image, goal_image = world.render(), world.goal_image()
        plans = [plan for _, plan in propose(world, request.plans, 0)]
    with _busy_core(request.load):
        latencies_s = over_topics(image, goal_image, plans) if over_topics else ()
        space = f"{request.robot}_joints"
        imaginer = Imaginer(model, RankingSettings(request.horizon, partial_plans=True, action_space=space))
        imaginer.plan_renders.describe(robot_description(robot_spec(request.robot), coarse=True))

        def history() -> np.ndarray:
            return np.stack([to_model_size(image, card.image_size)] * card.history)

        def serve() -> Result:
            return imaginer.score(history(), plans, None, to_model_size(goal_image, card.image_size))

        in_process = measure(model, serve, history(), request)
    asked = request.backend, request.device, request.plans, request.horizon, request.load
    over_topics_ms = map(Percentiles.of, latencies_s)
    result = BenchResult(card.name, card.sha256[:12], *asked, *over_topics_ms, in_process=in_process)
    print(result)
    if request.out:
        write_result(request.out, result)
    return result


def measure(model: WorldModel, serve: Callable[[], Result], history: np.ndarray, request: BenchRequest) -> InProcess:
    """Time requests and, in between, the plain loop on the same plans.

    `history` are the frames of a request, uint8 [T, h, w, 3].
    """
    for _ in range(_WARMUP_REQUESTS):
        result = serve()
    # The plain loop has the actions and nothing else.
    actions = Conditioning(result.conditioning.space, result.conditioning.actions)
    parts_s: dict[str, list[float]] = {}
    plain_s = []
    for index in tqdm(range(request.runs), unit="request", desc="in this process"):
        for name, seconds in serve().timings_s.items():
            parts_s.setdefault(name, []).append(seconds)
        if index % max(1, request.runs // 5) == 0:
            plain_s.append(plain_loop_seconds(model, history, actions))
    total = Percentiles.of(parts_s.pop("total"))
    plain_ms = 1e3 * float(np.median(plain_s))
    gflop = imagination_flops(model, history, actions) / 1e9
    peak = matmul_peak_flops(request.device) / 1e9
    imagine_s = float(np.median(parts_s["imagine"]))
    return InProcess(
        threads=torch.get_num_threads(),
        request=total,
        parts_ms={name: 1e3 * float(np.median(seconds)) for name, seconds in parts_s.items()},
        imagined_frames_per_s=actions.plans * actions.horizon / imagine_s,
        plain_loop_ms=plain_ms,
        times_faster_than_plain=plain_ms / total.p50_ms,
        gflop_per_request=gflop,
        achieved_gflops=gflop / imagine_s,
        matmul_peak_gflops=peak,
        share_of_peak=gflop / imagine_s / peak,
    )


def imagination_flops(model: WorldModel, history: np.ndarray, conditioning: Conditioning) -> int:
    """Floating-point operations of one request, counted by torch."""
    with FlopCounterMode(display=False) as counter:
        model.imagine(history, conditioning)
    return counter.get_total_flops()


def plain_loop_seconds(model: WorldModel, history: np.ndarray, conditioning: Conditioning) -> float:
    """Seconds that the plain loop takes: timed on one frame of one plan, times the number of frames and plans."""
    began = time.perf_counter()
    model.imagine(history, conditioning.subset([0]).cut(1), steps=PLAIN_STEPS)
    return (time.perf_counter() - began) * conditioning.horizon * conditioning.plans


@contextmanager
def _busy_core(wanted: bool) -> Iterator[None]:
    """Another process that keeps one core busy while the block runs."""
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"]) if wanted else None
    try:
        yield
    finally:
        if process:
            process.kill()
            process.wait()
