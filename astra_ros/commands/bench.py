"""`astra bench`: how long from a camera image to scores, beside the seed document's plain loop.

Measured twice. Over topics: the imagine node in a process of its own gets a camera's images and plans,
and the time runs from an image's publication to the arrival of the scores that bear its stamp. In one
process: the same request without ROS (pictures scaled and encoded, plans imagined, every critic
asked), in turns with the plain loop, which does it with nothing clever: 50 denoising steps, one plan
after the other, the history encoded again for every frame.
"""

from __future__ import annotations

import argparse
import multiprocessing
import signal
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from astra_ros.commands.arguments import HelpFormat, at_least
from astra_ros.inference import DEFAULT_MODEL


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command line of ``astra bench``."""
    parser.description = __doc__
    parser.formatter_class = HelpFormat
    parser.epilog = (
        "examples:\n"
        "  astra bench --plans 8 --horizon 16 --out docs/results/astra-small/latency.json\n"
        "  astra bench --load --in-process     beside a busy core; without ROS\n"
    )
    parser.add_argument("--model", default=DEFAULT_MODEL, help="shipped name or directory")
    parser.add_argument("--backend", default="torch", help="what runs the model: torch")
    parser.add_argument("--device", default="cpu", help="where it runs: cpu, cuda, cuda:0")
    parser.add_argument("--robot", default="panda", choices=("panda", "kuka"), help="simulated arm")
    parser.add_argument("--plans", type=at_least(1), default=8, help="candidates of a request")
    parser.add_argument("--horizon", type=at_least(1), default=16, help="frames imagined of each")
    parser.add_argument("--runs", type=at_least(1), default=60, help="timed requests, of each kind")
    parser.add_argument("--load", action="store_true", help="with another process keeping one core busy all the while")
    parser.add_argument("--in-process", action="store_true", help="leave out the measurement over topics")
    parser.add_argument("--out", type=Path, default=None, help="result file (JSON)")


def run(args: argparse.Namespace) -> int:
    """Measure, print, and write the result file."""
    # Ends like Ctrl-C, so that the processes that were started are ended too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    from astra_ros.camera.frame_size import to_model_size
    from astra_ros.evaluation.results import check_writable, write_result
    from astra_ros.evaluation.speed import PLAIN_STEPS, measure
    from astra_ros.inference import load_backend
    from astra_ros.ranking.imaginer import Imaginer, ImaginerSettings
    from astra_ros.simulation.arm.candidates import propose
    from astra_ros.simulation.arm.robots import robot_description, robot_spec
    from astra_ros.simulation.arm.world import ArmWorld, ArmWorldSettings

    check_writable(args.out)
    model = load_backend(args.backend, args.model, args.device)
    model.card.check_knows(f"{args.robot}_joints")
    with ArmWorld(ArmWorldSettings(robot=args.robot)) as world:
        world.reset(0)
        image, goal_image = world.render(), world.goal_image()
        plans = [plan for _, plan in propose(world, args.plans, 0)]
    topics = {}
    with _load_on_one_core(args.load):
        if not args.in_process:
            from astra_ros.nodes.client.topic_latency import measure_over_topics

            topics = measure_over_topics(args, image, goal_image, plans)
        imaginer = Imaginer(
            model, ImaginerSettings(horizon=args.horizon, partial_plans=True, action_space=f"{args.robot}_joints")
        )
        imaginer.plan_renders.describe(robot_description(robot_spec(args.robot), coarse=True))
        size = model.card.image_size

        def history():
            return np.stack([to_model_size(image, size)] * model.card.history)

        def request():
            return imaginer.score(history(), plans, None, to_model_size(goal_image, size))

        figures = measure(model, request, history(), args.runs)
    print(f"{args.plans} plans x {args.horizon} frames, {model.card.name}, {args.backend} on {args.device}")
    for name, title in (
        ("image_to_scores", "over topics, image published to scores received"),
        ("plans_to_scores", "over topics, last plan published to scores received"),
        ("request", "in one process, image to scores"),
    ):
        if each := {**topics, **figures}.get(name):
            print(f"  {title}: p50 {each['p50_ms']:.0f} ms, p95 {each['p95_ms']:.0f} ms, p99 {each['p99_ms']:.0f} ms")
    print(
        f"  plain loop ({PLAIN_STEPS} steps, one plan at a time): {figures['plain_loop_ms']:.0f} ms, "
        f"{figures['times_faster_than_plain']:.0f} times slower\n"
        f"{figures['imagined_frames_per_s']:.0f} imagined frames a second, "
        f"{figures['share_of_peak']:.0%} of this machine's matrix-product peak"
    )
    if args.out:
        about = {
            "model": model.card.name,
            "sha256": model.card.sha256[:12],
            **{name: getattr(args, name) for name in ("backend", "device", "plans", "horizon")},
            "loaded_core": args.load,
        }
        write_result(args.out, {**about, **topics, **figures})
    return 0


def _busy() -> None:
    while True:
        pass


@contextmanager
def _load_on_one_core(wanted: bool):
    """Another process that never rests, while the block runs."""
    load = multiprocessing.get_context("spawn").Process(target=_busy, daemon=True)
    if wanted:
        load.start()
    try:
        yield
    finally:
        if wanted:
            load.terminate()
