"""How long it takes from a camera image to scores, beside a plain denoising loop.

Over topics: the imagine node runs in a process of its own and gets a camera's images and plans. The time runs from
the publication of an image to the arrival of the scores that bear its stamp.

In one process: the same request without ROS, in turns with the plain loop. The plain loop takes 50 denoising steps,
imagines one plan after the other, and encodes the history again for every frame.
"""

from __future__ import annotations

import argparse
import signal
from functools import partial

from astra_ros.commands.arguments import add_options, request_of
from astra_ros.evaluation.requests import BenchRequest


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        "examples:\n"
        "  astra bench --plans 8 --horizon 16 --out docs/results/astra-small/latency.json\n"
        "  astra bench --load --in-process     beside a busy core; without ROS\n"
    )
    add_options(parser, BenchRequest)
    parser.add_argument("--in-process", action="store_true", help="do not measure over topics")


def run(args: argparse.Namespace) -> int:
    # SIGTERM ends it like Ctrl-C, which also ends the processes that it has started.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    from astra_ros.evaluation.benchmark import bench

    over_topics = None
    if not args.in_process:
        from astra_ros.nodes.client.topic_latency import measure_over_topics

        parameters = {name: getattr(args, name) for name in ("model", "backend", "device", "horizon")}
        over_topics = partial(measure_over_topics, parameters, args.robot, args.runs)
    bench(request_of(BenchRequest, args), over_topics)
    return 0
