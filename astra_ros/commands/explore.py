"""How much of a house a rover sees in a fixed distance, by several ways of choosing where to go.

  nearest   the nearest frontier, the usual baseline
  random    a random candidate motion: ways to frontiers, turns
  map       the candidate that the map alone values most; unknown places count as free as far as the camera sees
  imagined  the candidate whose imagined video extends the map most
  oracle    the candidate whose real outcome is worth most, which only a simulator can know

Every policy explores the same houses. An episode ends after --distance-m metres. What `imagined` learns of reading
imagined pictures is kept from house to house.
"""

from __future__ import annotations

import argparse

from astra_ros.commands.arguments import add_options, request_of
from astra_ros.evaluation.requests import ExploreRequest


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = "example:\n  astra explore --houses 20 --out docs/results/astra-small/exploration.json\n"
    add_options(parser, ExploreRequest)


def run(args: argparse.Namespace) -> int:
    from astra_ros.evaluation.exploring import explore

    explore(request_of(ExploreRequest, args))
    return 0
