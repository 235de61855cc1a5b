"""How well whole tasks end, by several ways of choosing among the same candidates.

  arm       panda, kuka: push a cube around an obstacle to its goal; a choice every 4 s
  drive     car: drive along a lane, with obstacles and traffic; a choice every second
  explore   rover: see as much of a house as possible on a way of --distance-m; a choice every 2 s

The planner proposes candidates and knows no obstacle. What chooses among them:

  imagination   the world model's scores, as on a robot
  random        chance
  first-plan    the planner's first plan; of explorers, the way to the nearest frontier
  plan-alone    the critics that read the plan and nothing imagined; of explorers, the map
  physics       arms: the critic `physics` alone, which knows what the planner knows: the arm and the table
  physics-told  the same, told where the obstacle stands; it does not know what the pushed cube will touch
  oracle        the simulator executes every candidate and goes back; the best true outcome of the next 4 s

Every policy plays the same scenes, one scene after the other. A run that is stopped goes on with the same command.
Shares have Wilson intervals, means have bootstrap intervals over episodes. Imagination is compared with every other
policy in the same scenes: shares by McNemar's exact test, numbers by a paired permutation test.
"""

from __future__ import annotations

import argparse

from astra_ros.commands.arguments import add_options, refuse_unused, request_of
from astra_ros.evaluation.closed_loop.request import ROBOTS, ClosedLoopRequest

# world -> the settings that only its robots read
OF_ONE_WORLD = {"arm": ["arm_choices"], "drive": ["drive_choices"], "explore": ["distance_m", "explore_s"]}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        "examples:\n"
        "  astra bench closed-loop --episodes 5                  a first look, all robots\n"
        "  astra bench closed-loop --robots panda --policies imagination plan-alone oracle\n"
    )
    add_options(parser, ClosedLoopRequest)


def run(args: argparse.Namespace) -> int:
    from astra_ros.evaluation.closed_loop.run import closed_loop

    request = request_of(ClosedLoopRequest, args)
    for world, names in OF_ONE_WORLD.items():
        if not any(ROBOTS[robot] == world for robot in request.robots):
            problem = f"none of the robots that act is of the world {world}"
            refuse_unused(args, names, problem, "leave it out, or name more `robots`")
    closed_loop(request)
    return 0
