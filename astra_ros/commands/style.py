"""Teach a trained model to take on the look (light, colours) of an image of the scene.

A network of its own gives the observed frames the look of the image before anything is imagined. It is trained on the
model's latents, of scenes that `astra record` played in two styles, and of recoloured ones. The model itself does not
change, nor do its figures: MODEL/style.safetensors is added to it. The training can be stopped at any moment; the same
command resumes it.

The folder OUT then holds the checkpoint, a line for each step (`style.jsonl`), TensorBoard files, and images of scenes
that were set aside (`validation/`).
"""

from __future__ import annotations

import argparse
from dataclasses import fields
from pathlib import Path

from astra_ros.commands.arguments import HelpFormat, at_least
from astra_ros.training.distributed import default_device
from astra_ros.training.settings import StyleSettings
from astra_ros.training.style import StyleRequest, train_style


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = __doc__
    parser.formatter_class = HelpFormat
    parser.epilog = (
        "examples:\n"
        "  astra style runs/mine/model --data data/mine\n"
        "  astra style models/mine --data data/styles       (again to resume)\n\n"
        "then, in Python:\n"
        "  observed = model.restyle(history, image)   # and imagine from these frames\n"
    )
    parser.add_argument("model", metavar="MODEL", help="shipped name or directory; style.safetensors is written there")
    parser.add_argument(
        "--data",
        type=Path,
        default=Path("data/train"),
        help="folder of episodes from `astra record`, of the model's frame size",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=None,
        help="checkpoint and logs; training goes on from them (default: runs/MODEL-style)",
    )
    parser.add_argument(
        "--replace",
        action="store_true",
        help="train although the model has a style.safetensors that fits it, and replace that at the end",
    )
    parser.add_argument("--device", default=default_device(), help="cpu, cuda or cuda:N")
    for item in fields(StyleSettings):
        kind = at_least(0 if item.name == "seed" else 1) if isinstance(item.default, int) else float
        flag = "--" + item.name.replace("_", "-")
        parser.add_argument(flag, type=kind, default=item.default, help=item.metadata["help"])


def request_of(args: argparse.Namespace) -> StyleRequest:
    settings = StyleSettings(**{item.name: getattr(args, item.name) for item in fields(StyleSettings)})
    return StyleRequest(args.model, args.data, args.out, settings, args.replace, args.device)


def run(args: argparse.Namespace) -> int:
    print(f"{train_style(request_of(args))} written")
    return 0
