"""Whether a strategy finds the plan that imagining every frame of every plan finds, and in what time.

In every random scene the same candidates are imagined three times, in turns: all of them in full, all of them by the
strategy, and the first few in full. The simulator does not execute them: what counts is the full score. The table says

  kept       share of the scenes in which the strategy chooses the plan that the full ranking chooses
  regret     how much lower the full score of the chosen plan is than the best plan's; scores are 0 to 1
  tau        Kendall's correlation of the strategy's ranking with the full one
  first      kept and tau of the first look, before any plan was refined, where the strategy has one
  refined    plans that were imagined in full, the mean
  time       as a share of the full request's, and as a multiple of the small request's: medians of pairs

The last images are encoded, and the object in the goal image is found, before the clock starts.
"""

from __future__ import annotations

import argparse
from dataclasses import fields

from astra_ros.commands.arguments import add_options, refuse_unused, request_of
from astra_ros.evaluation.requests import StrategyRequest
from astra_ros.ranking.strategies import ALL_AT_ONCE, StrategySettings

STRATEGY_SETTINGS = [item.name for item in fields(StrategySettings)]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        "examples:\n"
        "  astra strategies --scenes 20 --backend openvino\n"
        "  astra strategies --coarse-stride 8 --refined-plans 12 --robots car rover\n"
    )
    add_options(parser, StrategyRequest)


def run(args: argparse.Namespace) -> int:
    from astra_ros.evaluation.compare_strategies import compare_strategies

    if args.strategy == ALL_AT_ONCE:
        refuse_unused(args, STRATEGY_SETTINGS, "that strategy imagines every frame of every plan")
    compare_strategies(request_of(StrategyRequest, args))
    return 0
