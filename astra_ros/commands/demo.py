"""Imagine, score and then execute the plans of a simulated arm.

Starts a simulated robot, a plan source and the imagine node as separate ROS 2 processes, and prints the score of each
plan. Then the simulator executes every plan, and pictures show what was imagined beside what happened.
"""

from __future__ import annotations

import argparse
import signal
from pathlib import Path

from astra_ros.commands.arguments import HelpFormat, at_least, request_of, take_defaults
from astra_ros.inference import DEFAULT_MODEL
from astra_ros.nodes.client.demo import DemoRequest, demo
from astra_ros.nodes.client.node_specs import ARGUMENTS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = __doc__
    parser.formatter_class = HelpFormat
    parser.epilog = (
        "examples:\n"
        "  astra demo                     a score table, out/imagined.mp4, out/contact_sheet.png\n"
        "  astra demo --robot kuka        another arm\n"
        "  astra demo --seed 1007 --plans 4  another scene, fewer plans\n"
    )
    parser.add_argument("--robot", choices=ARGUMENTS["robot"].choices, help="the arm")
    parser.add_argument("--out", type=Path, help="folder for the pictures")
    parser.add_argument(
        "--seed", type=at_least(0), help="the scene and the plans; the shipped models were trained in scenes below 700"
    )
    parser.add_argument("--plans", type=at_least(1), help="number of candidate plans")
    parser.add_argument("--model", help=f"shipped name or directory (default: {DEFAULT_MODEL})")
    parser.add_argument(
        "--domain",
        type=int,
        choices=range(233),
        metavar="0..232",
        help="ROS_DOMAIN_ID of the demo, to watch it with ros2 tools (default: an unused one)",
    )
    parser.add_argument("--device", help="cpu, cuda, cuda:0 (default: cpu)")
    take_defaults(parser, DemoRequest)


def run(args: argparse.Namespace) -> int:
    # SIGTERM ends it like Ctrl-C, which also ends the nodes.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    demo(request_of(DemoRequest, args))
    return 0
