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
from dataclasses import fields, replace
from pathlib import Path

from astra_ros.commands.arguments import HelpFormat, at_least
from astra_ros.training.distributed import STRATEGIES, default_device
from astra_ros.training.initial_model import ABLATIONS, PRESET_NAMES, InitialModel
from astra_ros.training.settings import TrainSettings, settings_for
from astra_ros.training.train import STAGES, TrainRequest, train


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = __doc__
    parser.formatter_class = HelpFormat
    parser.epilog = (
        "examples:\n"
        "  astra train --data data/train --out runs/tiny        (again to resume)\n"
        "  astra train --data data/train --out runs/quick --autoencoder-steps 200 "
        "--dynamics-steps 200 --compositor-steps 200\n"
        "  astra train --from tiny --data data/mine --out runs/mine\n"
        "  torchrun --nproc-per-node 4 -m astra_ros.cli train --data data/train --preset paper\n"
    )
    parser.add_argument(
        "--data",
        type=Path,
        default=Path("data/train"),
        help="folder of episodes from `astra record` or `astra import-bag`",
    )
    parser.add_argument(
        "--out", type=Path, default=Path("runs/tiny"), help="checkpoints and logs; training goes on from them"
    )
    parser.add_argument("--model", type=Path, default=None, help="folder of the finished model (default: OUT/model)")
    parser.add_argument("--preset", default="tiny", choices=PRESET_NAMES, help="the network's size and process")
    parser.add_argument(
        "--from",
        dest="base",
        default=None,
        metavar="MODEL",
        help="start with the weights and action spaces of this shipped name or directory instead of random weights. "
        "Robots that the model does not know are added, and frames may have another size; --preset is not used",
    )
    parser.add_argument(
        "--autoencoder",
        default=None,
        metavar="MODEL",
        help="take the autoencoder of this model into a new network and keep it unchanged. The dynamics are trained at "
        "once, and can be compared with others on the same latents",
    )
    parser.add_argument(
        "--patch",
        type=at_least(1),
        default=None,
        metavar="CELLS",
        help="rows and columns of latent cells, 8 pixels each, of a token (default: the model's or preset's). With "
        "twice as many for frames of twice the size, a step takes about as long as before",
    )
    parser.add_argument(
        "--without",
        nargs="+",
        default=[],
        choices=tuple(ABLATIONS),
        metavar="PART",
        help="leave a part of the network out, to measure what it contributes: " + ", ".join(ABLATIONS),
    )
    parser.add_argument(
        "--compile",
        action="store_true",
        help="compile the denoiser first (minutes, needs a C++ compiler): about a quarter more steps an hour on a CPU",
    )
    parser.add_argument("--device", default=default_device(), help="cpu, cuda or cuda:N")
    parser.add_argument(
        "--strategy",
        default="ddp",
        choices=STRATEGIES,
        help="under torchrun: every process keeps all weights (ddp) or a part of them (fsdp)",
    )
    parser.add_argument("--stage", default="all", choices=(*STAGES, "all"), help="train up to this stage")
    paper = settings_for("paper")
    for item in fields(TrainSettings):
        whole = at_least(0 if item.name.endswith("_steps") or item.name == "seed" else 1)
        default, other = item.default, getattr(paper, item.name)
        told = f"default {default}" if default == other else f"default {default}, paper: {other}"
        parser.add_argument(
            "--" + item.name.replace("_", "-"),
            type=whole if isinstance(default, int) else float,
            default=None,
            help=f"{item.metadata['help']} ({told})",
        )


def request_of(args: argparse.Namespace) -> TrainRequest:
    base = settings_for(args.preset)
    if args.autoencoder and args.autoencoder_steps is None:
        args.autoencoder_steps = 0
    names = (item.name for item in fields(TrainSettings))
    given = {name: getattr(args, name) for name in names if getattr(args, name) is not None}
    return TrainRequest(
        data=args.data,
        out=args.out,
        settings=replace(base, **given),
        initial=InitialModel(args.preset, args.base, args.autoencoder, args.patch, tuple(args.without)),
        model=args.model,
        compiled=args.compile,
        device=args.device,
        strategy=args.strategy,
        last_stage=STAGES[-1] if args.stage == "all" else args.stage,
    )


def run(args: argparse.Namespace) -> int:
    if model := train(request_of(args)):
        print(f"model written to {model}")
    return 0
