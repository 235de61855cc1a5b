"""`astra demo`: a simulated robot's plans are imagined, scored, and then really executed.

The same nodes and parameters as ``ros2 launch astra_ros imagine.launch.py``, without needing it.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from astra_ros.inference import DEFAULT_MODEL, ModelCard, ModelError
from astra_ros.inference.base import model_directory
from astra_ros.nodes.client.processes import Processes, ProcessFailed, ros_environment
from astra_ros.nodes.client.system import ARGUMENTS, PARAMS_FILE, NodeSpec, nodes
from astra_ros.ranking.imaginer import ImaginerSettings
from astra_ros.resources import resource_path

HORIZON = ImaginerSettings().horizon
# A best score less than this above the median plan's is hardly a choice.
HARDLY = 0.03


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command line of ``astra demo``."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = (
        "Starts a simulated robot, a plan source and the imagine node as separate ROS 2 processes, "
        "prints what\nAstra thinks of each plan, then executes every plan and draws what was imagined "
        "beside what happened."
    )
    parser.epilog = (
        "examples:\n"
        "  astra demo                     a score table, out/imagined.mp4, out/contact_sheet.png\n"
        "  astra demo --robot kuka        another arm\n"
        "  astra demo --seed 1007 --plans 4  another scene, fewer plans\n"
    )
    robots = ARGUMENTS["robot"].choices
    parser.add_argument("--robot", choices=robots, default="panda", help="the arm")
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder for the pictures")
    parser.add_argument(
        "--seed",
        type=int,
        default=int(ARGUMENTS["seed"].default),
        help="the scene and the plans; the shipped models were trained in scenes below 700 (default: %(default)s)",
    )
    parser.add_argument("--plans", type=int, default=8, help="number of candidate plans")
    parser.add_argument("--model", help=f"a name or a directory (default: {DEFAULT_MODEL})")
    parser.add_argument(
        "--domain",
        type=int,
        choices=range(233),
        metavar="0..232",
        help="ROS_DOMAIN_ID of the demo, to watch it with ros2 tools (default: one of its own)",
    )
    parser.add_argument("--device", help="cpu, cuda, cuda:0 (default: cpu)")


def run(args: argparse.Namespace) -> int:
    """Run the demo; returns the exit code."""
    began = time.monotonic()
    if args.seed < 0 or args.plans < 1:
        print("astra demo: --seed must be >= 0 and --plans >= 1", file=sys.stderr)
        return 2
    os.environ.update(ros_environment(args.domain))
    # Ends like Ctrl-C, so that the nodes are ended too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        args.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        print(f"astra demo: --out {args.out}: cannot be made ({error}); name another folder", file=sys.stderr)
        return 1
    try:
        ModelCard.read(model_directory(args.model or DEFAULT_MODEL)).check_knows(f"{args.robot}_joints")
    except (OSError, ModelError) as error:
        print(f"astra demo: {error}", file=sys.stderr)
        return 1
    progress = Progress(began)
    with Processes(args.out / "log", os.environ) as processes:
        try:
            for spec in demo_nodes(args):
                processes.start(spec, resource_path(PARAMS_FILE))
            _tell_story(args, processes, progress)
        except _expected_errors() as error:
            progress.close()
            print(f"astra demo: {error}", file=sys.stderr)
            if not isinstance(error, ProcessFailed):
                lines = processes.last_lines("imagine")
                print(f"the last lines of the imagine node:\n{lines}", file=sys.stderr)
            return 1
    return 0


def _expected_errors() -> tuple[type[Exception], ...]:
    from astra_ros.bridge import BridgeError
    from astra_ros.nodes.client.demo_client import DemoError
    from astra_ros.views.video import VideoError

    return ProcessFailed, DemoError, BridgeError, VideoError


def demo_nodes(args: argparse.Namespace) -> list[NodeSpec]:
    """The nodes of the launch file; here they wait to be asked, and show all frames at once."""
    asked = {
        "imagine": {"candidates.keep": args.plans, "playback_rate": 0.0, "horizon": HORIZON},
        "plan_source": {"count": args.plans, "period_s": 0.0},
    }
    specs = nodes(
        {"robot": args.robot, "seed": str(args.seed), "model": str(args.model or ""), "device": args.device or ""}
    )
    return [replace(spec, parameters={**spec.parameters, **asked.get(spec.executable, {})}) for spec in specs]


def _tell_story(args: argparse.Namespace, processes: Processes, progress: Progress) -> None:
    """Plans, scores, pictures, reality, table."""
    progress.say("starting the robot, the planner and the world model")
    from astra_ros.nodes.client.demo_client import DemoClient

    client = DemoClient(lambda: (processes.check(), progress.tick()))
    try:
        kinds = client.propose(args.plans)
        progress.say(f"imagining {args.plans} plans")
        client.until(lambda: client.sees_imagined_frame, "the first imagined frame")
        first_s = progress.seconds
        client.until(lambda: len(client.scores) == args.plans, f"{args.plans} scores")
        client.until(lambda: client.dt_s, "the model's status")
        scores = client.scores
        current = client.camera_at(client.source_s)
        imagined = client.imagined_videos(HORIZON)
        # As fast as possible, with exactly the frames that were imagined.
        client.set_parameter("simulator", "camera.rate_hz", 1 / client.dt_s)
        client.set_parameter("simulator", "real_time_factor", 0.0)
        executed = []
        for index, plan in enumerate(client.plans[-args.plans :]):
            progress.say(f"executing plan {index + 1} of {args.plans} for comparison")
            executed.append(client.execute(plan, HORIZON))
        goal = client.goal
    finally:
        client.close()
    progress.say("drawing")
    drawn = _draw(args, client.dt_s, scores, imagined, executed, kinds, current, goal)
    progress.close()
    _report(scores, executed, kinds)
    print(
        f"\nFirst imagined frame {first_s:.1f} s after the start, all done after "
        f"{progress.seconds:.1f} s. See {' and '.join(str(path) for path in drawn)}."
    )


def _draw(args, dt_s, scores, imagined, executed, kinds, current, goal) -> list[Path]:
    import cv2

    from astra_ros.views.contact_sheet import contact_sheet
    from astra_ros.views.imagined_plans import ImaginedPlans
    from astra_ros.views.video import side_by_side, write_mp4

    truth = np.stack([each.frames for each in executed])
    notes = [
        f"{kind}: {round(100 * each.progress)} % of the way to the goal"
        + (", touched the obstacle" if each.collision else "")
        for kind, each in zip(kinds, executed)
    ]
    title = f"What Astra imagines for each plan of the {args.robot}"
    plans = ImaginedPlans(imagined, scores, dt_s, truth, notes)
    sheet = contact_sheet(plans, current, goal, title)
    picture = args.out / "contact_sheet.png"
    cv2.imwrite(str(picture), sheet[..., ::-1])
    video = write_mp4(args.out / "imagined.mp4", side_by_side(plans, title), 1 / dt_s)
    return [video, picture]


def _report(scores, executed, kinds: Sequence[str]) -> None:
    """The score table, with what each plan was meant to be and what then really happened."""
    from astra_ros.views.table import score_table

    truth = {
        "kind": kinds,
        "progress": [each.progress for each in executed],
        "collided": [each.collision for each in executed],
        "outcome": [each.outcome for each in executed],
    }
    print(score_table(scores, truth, colour=sys.stdout.isatty(), reasons=False))
    outcomes = truth["outcome"]
    best = next((k for k, s in enumerate(scores) if s.rank == 0 and s.verdict != "vetoed"), None)
    average = f"the average plan's outcome is {np.mean(outcomes):.2f}, the best possible one's "
    average += f"{max(outcomes):.2f}"
    if best is None:
        print(f"\nAstra vetoes every plan; {average}.")
    else:
        print(f"\nAstra chooses {scores[best].name}, whose outcome is {outcomes[best]:.2f}; {average}.")
        apart = scores[best].score - np.median([score.score for score in scores])
        if apart < HARDLY:
            print("The scores hardly differ here: the model sees little to choose between these plans.")
    print("goal to smoothness: what each critic takes, score = exp(-sum). What then happened: progress, share of")
    print("the object's way to the goal; collided; outcome, progress less 1 for a collision.")


class Progress:
    """A line that says what happens and for how long; plain lines where there is no terminal."""

    def __init__(self, began: float) -> None:
        self._began = began
        self._what = ""
        self._live = sys.stderr.isatty()
        self._drawn_s = 0.0

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self._began

    def say(self, what: str) -> None:
        """Begin another step."""
        self._what = what
        if not self._live:
            print(f"[{self.seconds:5.1f} s] {what}", file=sys.stderr, flush=True)
        self._drawn_s = 0.0
        self.tick()

    def tick(self) -> None:
        """Show that time passes."""
        if self._live and self.seconds - self._drawn_s > 0.1:
            self._drawn_s = self.seconds
            print(f"\r\033[K[{self.seconds:5.1f} s] {self._what} ...", end="", file=sys.stderr, flush=True)

    def close(self) -> None:
        """End the line."""
        if self._live:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
        self._live = False
        self._what = ""


def main(argv: list[str] | None = None) -> int:
    """The demo as a program of its own."""
    parser = argparse.ArgumentParser(prog="astra demo")
    add_arguments(parser)
    return run(parser.parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
