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
from pathlib import Path

from astra_ros.commands.arguments import HelpFormat, add_engine_arguments, at_least, request_of, take_defaults
from astra_ros.evaluation.benchmark import BenchRequest, bench


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = __doc__
    parser.formatter_class = HelpFormat
    parser.epilog = (
        "examples:\n"
        "  astra bench --plans 8 --horizon 16 --out docs/results/astra-small/latency.json\n"
        "  astra bench --load --in-process     beside a busy core; without ROS\n"
    )
    parser.add_argument("--model", help="shipped name or directory")
    add_engine_arguments(parser)
    parser.add_argument("--robot", choices=("panda", "kuka"), help="simulated arm")
    parser.add_argument("--plans", type=at_least(1), help="candidate plans of a request")
    parser.add_argument("--horizon", type=at_least(1), help="frames imagined of each plan")
    parser.add_argument("--runs", type=at_least(1), help="timed requests of each kind")
    parser.add_argument("--load", action="store_true", help="keep one core busy with another process meanwhile")
    parser.add_argument("--in-process", action="store_true", help="do not measure over topics")
    parser.add_argument("--out", type=Path, help="result file (JSON)")
    take_defaults(parser, BenchRequest)


def run(args: argparse.Namespace) -> int:
    # SIGTERM ends it like Ctrl-C, which also ends the processes that it has started.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    over_topics = None
    if not args.in_process:
        from astra_ros.nodes.client.topic_latency import LatencyRequest, measure_over_topics

        over_topics = partial(measure_over_topics, request_of(LatencyRequest, args))
    bench(request_of(BenchRequest, args), over_topics)
    return 0
