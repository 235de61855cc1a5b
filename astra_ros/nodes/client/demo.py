"""A simulated arm's plans: imagined, scored, and then executed for comparison.

The demo starts the same nodes with the same parameters as ``ros2 launch astra_ros imagine.launch.py``.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from astra_ros.files import OutputError
from astra_ros.inference import ARMS_MODEL, DEFAULT_MODEL, ModelCard
from astra_ros.inference.card import model_directory
from astra_ros.nodes.client.node_specs import ARGUMENTS, PARAMS_FILE, NodeSpec, node_specs
from astra_ros.nodes.client.processes import NodeProcesses, ros_environment
from astra_ros.ranking.imaginer import RankingSettings
from astra_ros.resources import resource_path
from astra_ros.settings import MOST_SEED, setting
from astra_ros.simulation.arm.robots import ROBOTS

if TYPE_CHECKING:
    from astra_ros.critics.scoring import PlanScore
    from astra_ros.nodes.client.demo_client import Executed
    from astra_ros.views.imagined_plans import ImaginedPlans

HORIZON = RankingSettings().horizon
# The scores hardly differ where the best is less than this above the median.
HARDLY = 0.03


@dataclass(frozen=True)
class DemoRequest:
    robot: str = setting("panda", "the arm", choices=tuple(sorted(ROBOTS)))
    out: Path = setting(Path("out"), "folder for the pictures")
    seed: int = setting(
        int(ARGUMENTS["seed"].default),
        "the scene and the plans; the shipped models were trained in scenes below 700, from 2000 to 100640, "
        "and astra-arms from 200000 to 201089",
        0,
        MOST_SEED,
    )
    plans: int = setting(8, "number of candidate plans", 1)
    model: str | None = setting(
        None, f"shipped name or directory (default: {DEFAULT_MODEL}; of an arm with --loop {ARMS_MODEL})"
    )
    domain: int | None = setting(
        None,
        "ROS_DOMAIN_ID of the demo, to watch it with ros2 tools (default: an unused one)",
        choices=range(233),
        metavar="0..232",
    )
    device: str | None = setting(None, "cpu, cuda, cuda:0 (default: cpu)")

    def node_specs(self) -> list[NodeSpec]:
        """The nodes of the launch file. Plans are sent on request, and all imagined frames are published at once."""
        changes = {
            "imagine": {"candidates.keep": self.plans, "playback_rate": 0.0, "horizon": HORIZON},
            "plan_source": {"count": self.plans, "period_s": 0.0},
        }
        asked = {"robot": self.robot, "seed": str(self.seed), "model": self.model or "", "device": self.device or ""}
        specs = node_specs(asked)
        return [replace(spec, parameters={**spec.parameters, **changes.get(spec.executable, {})}) for spec in specs]


def demo(request: DemoRequest) -> None:
    """Show the demo.

    Raises UserError where the folder cannot be made, the model does not know the robot, or a node fails.
    """
    progress = Progress()
    os.environ.update(ros_environment(request.domain))
    try:
        request.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"the folder cannot be made ({error})", thing=request.out, cure="name another") from error
    ModelCard.read(model_directory(request.model or DEFAULT_MODEL)).check_knows(f"{request.robot}_joints")
    with NodeProcesses(request.out / "log", os.environ) as processes, processes.log_in_errors("imagine"):
        try:
            for spec in request.node_specs():
                processes.start(spec, resource_path(PARAMS_FILE))
            _show(request, processes, progress)
        finally:
            progress.close()


def _show(request: DemoRequest, processes: NodeProcesses, progress: Progress) -> None:
    progress.say("starting the robot, the planner and the world model")
    from astra_ros.nodes.client.demo_client import DemoClient
    from astra_ros.views.imagined_plans import ImaginedPlans

    def watch() -> None:
        processes.check()
        progress.tick()

    client = DemoClient(watch)
    try:
        kinds = client.propose(request.plans)
        progress.say(f"imagining {request.plans} plans")
        client.until(lambda: client.sees_imagined_frame, "the first imagined frame")
        first_s = progress.seconds
        client.until(lambda: len(client.scores) == request.plans, f"{request.plans} scores")
        client.until(lambda: client.dt_s, "the model's status")
        scores = client.scores
        camera = client.camera_at(client.source_s)
        imagined = client.imagined_videos(HORIZON)
        # As fast as possible, with a frame at every imagined moment.
        client.set_parameter("simulator", "camera.rate_hz", 1 / client.dt_s)
        client.set_parameter("simulator", "real_time_factor", 0.0)
        executed = []
        for index, plan in enumerate(client.plans[-request.plans :]):
            progress.say(f"executing plan {index + 1} of {request.plans} for comparison")
            executed.append(client.execute(plan, HORIZON))
    finally:
        client.close()
    progress.say("drawing")
    notes = [
        f"{kind}: {round(100 * each.progress)} % of the way to the goal"
        + (", touched the obstacle" if each.collision else "")
        for kind, each in zip(kinds, executed)
    ]
    plans = ImaginedPlans(imagined, scores, client.dt_s, np.stack([each.frames for each in executed]), notes)
    drawn = _draw(request, plans, camera, client.goal)
    progress.close()
    _report(scores, kinds, executed)
    ended = f"all done after {progress.seconds:.1f} s. See {' and '.join(map(str, drawn))}."
    print(f"\nFirst imagined frame {first_s:.1f} s after the start, {ended}")


def _draw(request: DemoRequest, plans: ImaginedPlans, camera: np.ndarray, goal: np.ndarray | None) -> list[Path]:
    import cv2

    from astra_ros.views.contact_sheet import contact_sheet
    from astra_ros.views.video import side_by_side, write_mp4

    model = model_directory(request.model or DEFAULT_MODEL).name
    title = f"What Astra ({model}) imagines for each plan of the {request.robot}, scene {request.seed}"
    picture = request.out / "contact_sheet.png"
    cv2.imwrite(str(picture), contact_sheet(plans, camera, goal, title)[..., ::-1])
    video = write_mp4(request.out / "imagined.mp4", side_by_side(plans, title), 1 / plans.dt_s)
    return [video, picture]


def _report(scores: Sequence[PlanScore], kinds: Sequence[str], executed: Sequence[Executed]) -> None:
    """Print the score table, with what each plan was meant to be and what then happened."""
    from astra_ros.views.table import score_table

    outcomes = [each.outcome for each in executed]
    truth = {
        "kind": kinds,
        "progress": [each.progress for each in executed],
        "collided": [each.collision for each in executed],
        "outcome": outcomes,
    }
    print(score_table(scores, truth, colour=sys.stdout.isatty(), reasons=False))
    best = next((k for k, s in enumerate(scores) if s.rank == 0 and s.verdict != "vetoed"), None)
    average = f"the average plan's outcome is {np.mean(outcomes):.2f}, the best possible one's {max(outcomes):.2f}"
    if best is None:
        print(f"\nAstra vetoes every plan; {average}.")
    else:
        print(f"\nAstra chooses {scores[best].name}, whose outcome is {outcomes[best]:.2f}; {average}.")
        if scores[best].score - np.median([score.score for score in scores]) < HARDLY:
            print("The scores hardly differ here: the model sees little to choose between these plans.")
    print("goal to smoothness: the cost from each critic; score = exp(-sum of the costs). What then happened:")
    print("progress, share of the object's way to the goal; collided; outcome, progress less 1 for a collision.")
    print("The model states the places of object and tool beside the pictures; distances come from those places.")


class Progress:
    """A line with the current step and the time since the start; one line a step where there is no terminal."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._what = ""
        self._live = sys.stderr.isatty()
        self._drawn_s = 0.0

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began

    def say(self, what: str) -> None:
        """Begin another step."""
        self._what = what
        if not self._live:
            print(f"[{self.seconds:5.1f} s] {what}", file=sys.stderr, flush=True)
        self._drawn_s = 0.0
        self.tick()

    def tick(self) -> None:
        if self._live and self.seconds - self._drawn_s > 0.1:
            self._drawn_s = self.seconds
            print(f"\r\033[K[{self.seconds:5.1f} s] {self._what} ...", end="", file=sys.stderr, flush=True)

    def close(self) -> None:
        if self._live:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
        self._live = False
