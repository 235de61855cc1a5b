"""Imagine, score and then execute the plans of a simulated arm.

Starts a simulated robot, a plan source and the imagine node as separate ROS 2 processes, and prints the score of each
plan. Then the simulator executes every plan, and pictures show what was imagined beside what happened.

With --loop the arm pushes the cube to the goal, without ROS: it plans pushes from its description, imagines them,
executes the best one, and begins again. With --loop --world drive a car drives along its road like that, with
--loop --world explore a rover maps a house. A film shows what happened beside what was imagined.
"""

from __future__ import annotations

import argparse
import signal
from importlib import import_module

from astra_ros.commands.arguments import OneLineParser, add_options, refuse_unused, request_of
from astra_ros.errors import UserError
from astra_ros.nodes.client.demo import DemoRequest, demo

# world -> the demo of its closed loop, which stands in a file of its name
LOOP_DEMOS = {"arm": "push_demo", "drive": "drive_demo", "explore": "explore_demo"}
ROBOT_OF = {"drive": "car", "explore": "rover"}
_ARM = "it is an arm: leave --world out, and give --robot (make demo ROBOT={0})"
_DRIVE = "give --loop --world drive (make demo LOOP=1 WORLD=drive)"
_EXPLORE = "give --loop --world explore (make demo LOOP=1 WORLD=explore)"
# A robot or world that an option does not take -> what to type instead.
HINTS = {
    "panda": _ARM.format("panda"),
    "kuka": _ARM.format("kuka"),
    "car": f"a car drives in the world drive: {_DRIVE}",
    "rover": f"a rover explores in the world explore: {_EXPLORE}",
    "drone": f"no demo flies it; a rover explores in its world: {_EXPLORE}",
    "arm": "it is the world of panda and kuka, which acts where no other one is named",
    "drive": f"it is the world of a car: {_DRIVE}",
    "explore": f"it is the world of a rover: {_EXPLORE}",
    "pushing": "the arm pushes with --loop, without --world (make demo LOOP=1)",
    "lanes": f"the car takes its planner's paths in the world drive: {_DRIVE}",
}


def add_arguments(parser: OneLineParser) -> None:
    parser.hints = HINTS
    parser.epilog = (
        "examples:\n"
        "  astra demo                     a score table, out/imagined.mp4, out/contact_sheet.png\n"
        "  astra demo --robot kuka        another arm\n"
        "  astra demo --seed 1007 --plans 4  another scene, fewer plans\n"
        "  astra demo --loop              push after push until the cube is at the goal: out/loop.mp4\n"
        "  astra demo --loop --world drive  a car chooses its path once a second: out/drive.mp4\n"
        "  astra demo --loop --world explore  a rover maps a house: out/explore.mp4\n"
    )
    add_options(parser, DemoRequest)
    parser.add_argument("--loop", action="store_true", help="act in a closed loop, without ROS")
    parser.add_argument("--world", choices=tuple(LOOP_DEMOS), default="arm", help="who acts in the closed loop")
    parser.add_argument(
        "--improve-seconds",
        dest="seconds",
        type=float,
        default=0.0,
        help="in the arm's closed loop, look for better plans around the best ones for so long (docs/planning.md)",
    )


def run(args: argparse.Namespace) -> int:
    # SIGTERM ends it like Ctrl-C, which also ends the nodes.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if args.world != "arm" and not args.loop:
        launch = "imagine.launch.py world:=drive" if args.world == "drive" else "explore.launch.py"
        cure = f"add --loop (make: LOOP=1), or run `ros2 launch astra_ros {launch}` for the nodes"
        raise UserError("it acts in the closed loop alone", thing=f"--world {args.world}", cure=cure)
    if args.world != "arm":
        problem = f"{args.robot} does not act in the world {args.world}, whose robot is the {ROBOT_OF[args.world]}"
        refuse_unused(args, ["robot"], problem, "leave it out, or leave --world out")
    if args.world != "arm" or not args.loop:
        problem = "it improves the plans of an arm in the closed loop"
        refuse_unused(args, ["seconds"], problem, "leave it out, or add --loop, without --world")
    if args.loop:
        problem = "the closed loop runs without ROS"
        refuse_unused(args, ["domain"], problem, "leave it out, or leave --loop out")
        name = LOOP_DEMOS[args.world]
        module = import_module(f"astra_ros.evaluation.{name}")
        getattr(module, name)(request_of(module.LoopDemoRequest, args))
        return 0
    demo(request_of(DemoRequest, args))
    return 0
