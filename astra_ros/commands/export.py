"""Write what a training has learned so far as a model that the nodes load, or a model as graphs for other engines.

With --engine onnx, a model's network is written as ONNX files, which the backends onnx and openvino run. They lie in
the user's cache, or in the folder `onnx` of the model where that exists. A node exports by itself what it does not
find, if torch and onnx are installed; it takes about ten seconds.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from astra_ros.commands.arguments import refuse_unused
from astra_ros.errors import UserError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        "examples, also while training still runs:\n"
        "  astra export --run runs/tiny --out models/astra-tiny\n"
        "  astra export --engine onnx --model small\n"
    )
    parser.add_argument("--run", type=Path, default=Path("runs/tiny"), help="training folder of `astra train --out`")
    parser.add_argument(
        "--out", type=Path, help="directory of the model; with --engine of the ONNX files (default: where nodes look)"
    )
    parser.add_argument(
        "--history-noise",
        type=float,
        help="level put on the newest latents at inference, in standard deviations (default: that of training). Less "
        "can be sharper; try it on scenes that are used neither for training nor for evaluation",
    )
    parser.add_argument("--name", help="name of the model (default: that of the directory)")
    parser.add_argument("--engine", choices=("onnx",), help="write the graphs of --model in this format")
    parser.add_argument("--model", help="with --engine: shipped name or directory")


def run(args: argparse.Namespace) -> int:
    if args.engine:
        refuse_unused(args, ["run", "name", "history_noise"], "--engine writes the graphs of --model")
        return _export_graphs(args)
    refuse_unused(args, ["model"], "is read with --engine only", "add --engine onnx, or leave it out")
    if not args.out:
        raise UserError("is missing", thing="out", cure="give the directory that the model is written to")
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


def _export_graphs(args: argparse.Namespace) -> int:
    if not args.model:
        raise UserError("is missing", thing="model", cure="name a shipped one ('small') or a directory")
    from astra_ros.inference.card import ModelCard, model_directory
    from astra_ros.inference.torch_export import export_network

    print(f"ONNX files written to {export_network(ModelCard.read(model_directory(args.model)), args.out)}")
    return 0
