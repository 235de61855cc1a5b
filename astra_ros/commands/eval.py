"""How good the imagined video is, and whether it follows the plan.

Five kinds of figures come from held-out scenes, for each action space and horizon:

  quality   PSNR and SSIM of what the autoencoder alone can do (the ceiling), of the model, of the model's decoded
            frames before observed pixels and the rendered robot are composited over them, and of a copy of the last
            observed frame; for a moving camera also of that frame reprojected by geometry alone
  actions   the same for clips that are imagined with the motion of another clip, and the poses that a pose probe,
            trained on real frames only, reads from the imagined frames
  moving    whether what moves stays visible in the first 16 frames: the share of them in which a detector, trained on
            real frames only, finds the labelled object, and its contrast; without labels the same of regions that moved
  outcomes  the outcome heads against the labels of the episodes
  style     scenes that were recorded in a second style, imagined in that style: with an image of it, with the
            colours of that image only, and without it

PSNR and SSIM leave out frames in which nothing has changed since the last observed frame: there a copy is perfect.
Their share, and the model's PSNR in them, are stated.
"""

from __future__ import annotations

import argparse

from astra_ros.commands.arguments import add_options, refuse_unused, request_of
from astra_ros.evaluation.requests import EvaluationRequest


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        "example:\n"
        "  astra record --out data/held_out --episodes 40 --first-seed 900000 --seconds 17\n"
        "  astra eval --model tiny --data data/held_out --report out/report "
        "--out docs/results/astra-tiny/evaluation.json\n"
    )
    parser.set_defaults(model=EvaluationRequest.model)
    # Arguments that are not given must not replace each other's value.
    model = parser.add_mutually_exclusive_group()
    told = f"shipped name or directory (default: {EvaluationRequest.model})"
    model.add_argument("model", nargs="?", metavar="MODEL", default=argparse.SUPPRESS, help=told)
    model.add_argument("--model", metavar="MODEL", default=argparse.SUPPRESS, help="the same")
    add_options(parser, EvaluationRequest)


def run(args: argparse.Namespace) -> int:
    from astra_ros.evaluation.evaluate import evaluate

    if not args.out and not args.report:
        refuse_unused(args, ["ranking"], "its figures go into files only", "add --report or --out")
    evaluate(request_of(EvaluationRequest, args))
    return 0
