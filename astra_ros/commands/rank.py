"""Whether the plan with the best imagined score really is the better plan.

In every random scene all candidates are imagined and scored from the camera alone; then the simulator executes each
of them. Three choices are compared:

  score     the plan with the best score; the robot stands still where all plans are vetoed
  random    a random candidate
  oracle    the candidate with the best true outcome

The true outcome of a plan, higher is better:

  arm       progress - collision: the share of the way from cube to goal that was covered, minus 1 if
            arm or cube touched the obstacle
  drive     progress - collision - off_road / 2: way along the road, as a share of that of a car at 6 m/s
  explore   gain - collision: floor seen for the first time, 14 m^2 are 1

Scenes are left out that begin in contact, or in which every plan has the same outcome. The goal is given as a user
would give it: to the arm by a goal image, to the car by the critics `progress` and `off_road`, to rover and drone by
the critic `curiosity`.

The table also says where ranking is lost. In the row `true contact`, the truth replaces the imagined contacts; `true
all` replaces every part, so the scoring causes what is still lost there. `without imagination` orders plans by the
critics that read the plan alone. The last lines compare mean scores and mean outcomes of the generators of candidates,
as published evaluations compare policies, and say how true the probabilities of contact are.

--calibrate fits these probabilities to the outcomes, for each action space (Platt scaling), and writes the fit into the
model's card. The critic `collision` then reads calibrated probabilities. The printed `collision.veto_above` follows
from --miss-rate. It holds for the probabilities that the same line describes.
"""

from __future__ import annotations

import argparse

from astra_ros.commands.arguments import add_options, refuse_unused, request_of
from astra_ros.evaluation.requests import RankRequest


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = "example:\n  astra rank --model tiny --scenes 100 --out docs/results/astra-tiny/ranking.json\n"
    add_options(parser, RankRequest)


def run(args: argparse.Namespace) -> int:
    from astra_ros.evaluation.rank import rank

    if not args.critics:
        refuse_unused(args, ["obstacles"], "no critic reads them", "add --critics physics, or leave it out")
    rank(request_of(RankRequest, args))
    return 0
