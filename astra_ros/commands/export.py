"""Write what a training has learned so far as a model that the nodes load: weights and card."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        "examples, also while training still runs:\n  astra export --run runs/tiny --out models/astra-tiny\n"
    )
    parser.add_argument("--run", type=Path, default=Path("runs/tiny"), help="training folder of `astra train --out`")
    parser.add_argument("--out", type=Path, required=True, help="directory of the model")
    parser.add_argument(
        "--history-noise",
        type=float,
        help="level put on the newest latents at inference, in standard deviations (default: that of training). Less "
        "can be sharper; try it on scenes that are used neither for training nor for evaluation",
    )
    parser.add_argument("--name", help="name of the model (default: that of the directory)")


def run(args: argparse.Namespace) -> int:
    from astra_ros.inference import ModelError
    from astra_ros.inference.torch_style_file import STYLE_FILE, read_style
    from astra_ros.training.export import export_run

    model = export_run(args.run, args.out, args.name or args.out.name, args.history_noise)
    if (args.out / STYLE_FILE).exists():  # it belongs to the model that was there
        try:
            read_style(args.out, model.autoencoder.half().float())
        except ModelError as error:
            print(f"note: {error}")
    if model.compositor is None:
        print(
            "note: the compositor is trained last and is not there yet: images will be as the autoencoder decodes them"
        )
    print(f"model written to {args.out}")
    return 0
