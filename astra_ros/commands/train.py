"""Train a world model: the frame autoencoder, the dynamics, the compositor. Each can be stopped and resumed.

The dynamics are first trained on recorded histories. From `--rollout-from` of the steps on, every other batch is a
rollout of the model itself, which keeps long imaginations from drifting. With `--from`, all stages start from a
model's weights and keep its action spaces. With `--autoencoder`, the dynamics of a new network are trained at once, on
the latents of a model.

The folder OUT then holds checkpoints, a line for each step (`dynamics.jsonl`), TensorBoard files
(`tensorboard --logdir OUT`), and images of imagined beside real frames (`validation/`).
"""

from __future__ import annotations

import argparse
import os
from dataclasses import fields, replace

from astra_ros.commands.arguments import add_options, at_least, refuse_unused, request_of
from astra_ros.training.errors import TrainingError
from astra_ros.training.requests import InitialModel, TrainRequest
from astra_ros.training.settings import TrainSettings, settings_for


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        "examples:\n"
        "  astra train --data data/train --out runs/tiny        (again to resume)\n"
        "  astra train --data data/train --out runs/quick --autoencoder-steps 200 "
        "--dynamics-steps 200 --compositor-steps 200\n"
        "  astra train --from tiny --data data/mine --out runs/mine\n"
        "  astra train --from tiny --data data/mine --out runs/mine --minutes 30\n"
        "  astra train --from tiny --one-pass --data data/train --out runs/one-pass\n"
        "  torchrun --nproc-per-node 4 -m astra_ros.cli train --data data/train --preset paper\n"
    )
    add_options(parser, TrainRequest)
    add_options(parser, InitialModel)
    paper = settings_for("paper")
    for item in fields(TrainSettings):
        default, other = item.default, getattr(paper, item.name)
        told = f"default {default}" if default == other else f"default {default}, paper: {other}"
        parser.add_argument(
            "--" + item.name.replace("_", "-"),
            type=at_least(*item.metadata["range"]) if isinstance(default, int) else float,
            help=f"{item.metadata['description']} ({told})",
        )


def run(args: argparse.Namespace) -> int:
    from astra_ros.training.train import train

    if args.base:
        refuse_unused(args, ["preset"], f"the network is that of '{args.base}'")
    elif args.preset == "paper":
        problem = "the preset paper is not trained by flow matching"
        refuse_unused(args, ["moved_weight"], problem)
    if not args.branches:
        refuse_unused(args, ["branch_share"], "there are no branches", "leave it out, or add --branches")
    if args.one_pass:
        refuse_unused(args, ["rollout_from"], "one pass is trained without rollouts")
    if args.stage in ("autoencoder", "dynamics") or args.compositor_steps == 0 or "compositor" in args.without:
        refuse_unused(args, ["lpips_weights"], "no compositor is trained")
        if args.preset == "paper" and not args.base:
            refuse_unused(
                args, ["object_weight"], "no compositor is trained, and the preset paper not by flow matching"
            )
    if "WORLD_SIZE" not in os.environ:
        refuse_unused(args, ["strategy"], "one process keeps all weights", "leave it out, or start with torchrun")
    if args.autoencoder and args.autoencoder_steps is None:
        args.autoencoder_steps = 0
    names = (item.name for item in fields(TrainSettings))
    given = {name: getattr(args, name) for name in names if getattr(args, name) is not None}
    steps = [name for name, value in given.items() if name.endswith("_steps") and name != "warmup_steps" and value]
    if given.get("minutes") and steps:
        flags = ", ".join("--" + name.replace("_", "-") for name in steps)
        cure = "leave one of them out; 0 steps leave a stage out"
        raise TrainingError(f"the training cannot end by the clock and after {flags}", thing="minutes", cure=cure)
    args.settings = replace(settings_for(args.preset), **given)
    args.initial = request_of(InitialModel, args)
    if model := train(request_of(TrainRequest, args)):
        print(f"model written to {model}")
    return 0
