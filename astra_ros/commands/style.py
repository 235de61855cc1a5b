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

from astra_ros.commands.arguments import add_options, request_of
from astra_ros.training.requests import StyleRequest
from astra_ros.training.settings import StyleSettings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        "examples:\n"
        "  astra style runs/mine/model --data data/mine\n"
        "  astra style models/mine --data data/styles       (again to resume)\n\n"
        "then, in Python:\n"
        "  observed = model.restyle(history, image)   # and imagine from these frames\n"
    )
    parser.add_argument("model", metavar="MODEL", help="shipped name or directory; style.safetensors is written there")
    add_options(parser, StyleRequest)
    add_options(parser, StyleSettings)


def run(args: argparse.Namespace) -> int:
    from astra_ros.training.style import train_style

    args.settings = request_of(StyleSettings, args)
    print(f"{train_style(request_of(StyleRequest, args))} written")
    return 0
