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
from pathlib import Path

from astra_ros.commands.arguments import HelpFormat, at_least
from astra_ros.datasets.dataset import HELD_OUT_FROM, list_episodes
from astra_ros.datasets.record import IMAGE_SIZE, SECONDS, STYLED_EVERY, RecordRequest, record, robots_of
from astra_ros.simulation.worlds import WORLDS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    robots = {world: ", ".join(spec.robots) for world, spec in WORLDS.items()}
    parser.description = __doc__
    parser.formatter_class = HelpFormat
    parser.epilog = (
        "worlds and their robots:\n"
        + "".join(f"  {world:9} {names}\n" for world, names in robots.items())
        + "\nexamples:\n"
        "  astra record --out data/train --episodes 700\n"
        "  astra record --out data/styles --episodes 75 --two-styles\n"
        "  astra record --out data/drive --worlds drive --episodes 2000 --workers 8\n"
        f"  astra record --out data/held_out --episodes 40 --first-seed {HELD_OUT_FROM} --seconds 17\n"
    )
    parser.add_argument("--out", type=Path, default=Path("data/train"), help="folder of episodes")
    parser.add_argument("--worlds", nargs="+", default=list(WORLDS), choices=list(WORLDS), help="simulated worlds")
    parser.add_argument(
        "--robots", nargs="+", default=None, metavar="ROBOT", help="only these of their robots (default: all)"
    )
    parser.add_argument("--episodes", type=at_least(1), default=700, help="episodes of each robot")
    parser.add_argument(
        "--first-seed", type=at_least(0), default=0, help=f"seeds from {HELD_OUT_FROM} on are for evaluation"
    )
    parser.add_argument(
        "--two-styles",
        action="store_true",
        help=f"only scenes that are played in two styles, one seed in {STYLED_EVERY}: what `astra style` learns from",
    )
    parser.add_argument(
        "--size", type=at_least(16), default=IMAGE_SIZE, help="rows and columns of a frame, pixels; even"
    )
    parser.add_argument(
        "--seconds", type=float, default=SECONDS, help="length of an episode; 17 and more to evaluate 64 frames ahead"
    )
    parser.add_argument(
        "--crf",
        type=at_least(0, 51),
        default=0,
        help="video quality: 0 keeps every bit, 10 halves the files and looks the same (x264's constant rate factor)",
    )
    parser.add_argument(
        "--workers",
        type=at_least(1),
        default=multiprocessing.cpu_count(),
        help="processes side by side (default: one a core)",
    )
    parser.add_argument(
        "--ray",
        default=None,
        metavar="ADDRESS",
        dest="ray_address",
        help="spread the work over a Ray cluster instead, e.g. 'auto' on one of its "
        "machines; 'local' starts one of this machine (needs, in a checkout: pip install '.[cluster]')",
    )


def run(args: argparse.Namespace) -> int:
    request = RecordRequest(
        folder=args.out,
        robots=robots_of(args.worlds, args.robots),
        episodes=args.episodes,
        first_seed=args.first_seed,
        workers=args.workers,
        image_size=args.size,
        crf=args.crf,
        seconds=args.seconds,
        two_styles=args.two_styles,
        ray_address=args.ray_address,
    )
    # Ends like Ctrl-C, so that the workers are ended too.
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        made = record(request)
    finally:
        signal.signal(signal.SIGTERM, before)
    print(f"{made} episodes recorded, {len(list_episodes(args.out))} in {args.out}", file=sys.stderr)
    return 0
