"""Imagine, score and then execute the plans of a simulated arm.

Starts a simulated robot, a plan source and the imagine node as separate ROS 2 processes, and prints the score of each
plan. Then the simulator executes every plan, and pictures show what was imagined beside what happened.
"""

from __future__ import annotations

import argparse
import signal

from astra_ros.commands.arguments import add_options, request_of
from astra_ros.nodes.client.demo import DemoRequest, demo


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        "examples:\n"
        "  astra demo                     a score table, out/imagined.mp4, out/contact_sheet.png\n"
        "  astra demo --robot kuka        another arm\n"
        "  astra demo --seed 1007 --plans 4  another scene, fewer plans\n"
    )
    add_options(parser, DemoRequest)


def run(args: argparse.Namespace) -> int:
    # SIGTERM ends it like Ctrl-C, which also ends the nodes.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    demo(request_of(DemoRequest, args))
    return 0
