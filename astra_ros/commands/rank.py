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

The table also says where ranking is lost. `true contact` is the order if the truth stood in the place of imagined
contacts, and so for the other parts; with `true all`, only the scoring loses. `without imagination` is the order by the
critics that read the plan alone. The mean scores of the generators of candidates are compared with their mean outcomes,
as published evaluations compare policies.

With --calibrate, the probabilities of contact are fitted to what happened (Platt scaling), for each action space. The
fit is written into the model's card, and the critic `collision` reads calibrated probabilities from then on. The limit
for `collision.veto_above` follows from --miss-rate; it holds for the probabilities as they are printed with it.
"""

from __future__ import annotations

import argparse

from astra_ros.commands.arguments import add_options, request_of
from astra_ros.evaluation.requests import RankRequest


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = "example:\n  astra rank --model tiny --scenes 100 --out docs/results/astra-tiny/ranking.json\n"
    add_options(parser, RankRequest)


def run(args: argparse.Namespace) -> int:
    from astra_ros.evaluation.rank import rank

    rank(request_of(RankRequest, args))
    return 0
