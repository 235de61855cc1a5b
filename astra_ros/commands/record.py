"""Record a data set from the simulator.

An episode is some seconds of play: good behaviour and bad, failures, collisions, random motion. Seeds name the
episodes: a stopped recording goes on where it was, and the same command makes the same files again. An episode has
two or three files; the README.md that is written beside them says what is in them.
"""

from __future__ import annotations

import argparse
import multiprocessing
import signal
import sys

from astra_ros.commands.arguments import add_options, refuse_unused, request_of
from astra_ros.datasets.dataset import HELD_OUT_FROM, list_episodes
from astra_ros.datasets.record import RecordRequest, record, robots_of
from astra_ros.simulation.worlds import WORLDS, default_worlds


def add_arguments(parser: argparse.ArgumentParser) -> None:
    robots = {world: ", ".join(spec.robots) for world, spec in WORLDS.items()}
    parser.epilog = (
        "worlds and their robots:\n"
        + "".join(f"  {world:9} {names}\n" for world, names in robots.items())
        + "\nexamples:\n"
        "  astra record --out data/train --episodes 700\n"
        "  astra record --out data/styles --episodes 75 --two-styles\n"
        "  astra record --out data/drive --worlds drive --episodes 2000 --workers 8\n"
        f"  astra record --out data/held_out --episodes 40 --first-seed {HELD_OUT_FROM} --seconds 17\n"
    )
    parser.add_argument(
        "--worlds",
        nargs="+",
        default=None,
        choices=list(WORLDS),
        help=f"simulated worlds (default: {', '.join(default_worlds())})",
    )
    parser.add_argument(
        "--robots", nargs="+", default=None, metavar="ROBOT", help="only these of their robots (default: all)"
    )
    add_options(parser, RecordRequest)
    parser.set_defaults(workers=multiprocessing.cpu_count())


def run(args: argparse.Namespace) -> int:
    if args.ray_address:
        refuse_unused(args, ["workers"], "Ray decides how many work", "leave it out, or leave --ray out")
    args.robots = robots_of(args.worlds, args.robots)
    # Ends like Ctrl-C, so that the workers are ended too.
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        made = record(request_of(RecordRequest, args))
    finally:
        signal.signal(signal.SIGTERM, before)
    print(f"{made} episodes recorded, {len(list_episodes(args.folder))} in {args.folder}", file=sys.stderr)
    return 0
