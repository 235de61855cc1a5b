"""`astra train`: the frame autoencoder, the dynamics, the compositor, each resumable at any moment.

The dynamics are trained on true histories first and then, from `--rollout-from` of the steps on,
every other batch on the model's own roll-outs, which is what keeps long imaginations from drifting.
With `--from` all stages start from a model's weights and keep its action spaces; with `--autoencoder`
a new network's dynamics start at once, on the latents of a model.

In the folder OUT there are then checkpoints, a line a step (`dynamics.jsonl`), TensorBoard files
(`tensorboard --logdir OUT`), and pictures of imagined beside real frames (`validation/`).
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from astra_ros.commands.arguments import HelpFormat, at_least
from astra_ros.datasets.dataset import list_episodes, load_episode, read_footer, videos_without_table
from astra_ros.datasets.episode import DatasetError
from astra_ros.datasets.robot_renders import Drawer, cameras_of, undrawn_notes
from astra_ros.training import distributed
from astra_ros.training.augmentation import recoloured
from astra_ros.training.clips import Clip, ClipSettings, LatentDataset, frames_to_tensor
from astra_ros.training.compositor_clips import CompositorClips, CompositorLoss
from astra_ros.training.distributed import STRATEGIES, Processes
from astra_ros.training.export import Embodiments, write_embodiments, write_model
from astra_ros.training.initial_model import ABLATIONS, begin, with_drawn
from astra_ros.training.losses import LossWeights, one_step_loss, rollout_loss
from astra_ros.training.settings import SETTINGS_HELP, TrainSettings, settings_for
from astra_ros.training.trainer import STAGES, Stage
from astra_ros.training.training_data import check_episodes, check_same_data, claim, write_facts
from astra_ros.training.validate import Validation, split
from astra_ros.world_model.astra import Astra
from astra_ros.world_model.config import PRESETS, preset
from astra_ros.world_model.digest import digest_of


class AutoencoderLoss(nn.Module):
    """Mean squared error of frames that were encoded, slightly disturbed, and decoded."""

    LATENT_NOISE = 0.05

    def __init__(self, autoencoder: nn.Module):
        super().__init__()
        self.model = autoencoder

    def forward(self, frames: Tensor, noise: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        latents = self.model.encode(frames)
        decoded = self.model.decode_raw(latents + self.LATENT_NOISE * noise)
        loss = (decoded.float() - frames).square().mean()
        return 100 * loss, {"psnr_db": -10 * loss.detach().log10()}


class DynamicsLoss(nn.Module):
    """One step ahead, or the model's own roll-out; see `losses.py`."""

    def __init__(self, model: Astra, settings: TrainSettings, splits: bool = False):
        super().__init__()
        self.model = model
        self.max_history_noise = settings.max_history_noise
        self.weights = LossWeights(object_cells=settings.object_weight)
        self.splits = splits

    def forward(self, clip: Clip, rollout: bool, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        if rollout:
            loss, parts = rollout_loss(self.model, clip, generator, self.weights)
            parts = {"rollout_latent": parts["latent"]}
        else:
            loss, parts = one_step_loss(self.model, clip, generator, self.max_history_noise, self.weights)
        if self.splits:
            # FSDP adds up the gradients that a process has. Robots that only others drew give none
            # here, and the processes would add up different things.
            loss = loss + 0 * sum(p.sum() for p in self.model.action_encoder.parameters())
        return loss, parts


def train_autoencoder(
    paths, model: Astra, settings: TrainSettings, folder: Path, processes: Processes, taken: bool = False
) -> nn.Module:
    """Frames as recorded, and a quarter of them recoloured. One that was `taken` from a model stays that."""
    device = processes.device
    # FSDP cannot split weights that lie in another order.
    order = torch.contiguous_format if processes.splits else torch.channels_last
    module = model.autoencoder.to(device, memory_format=order)
    stage = Stage(
        "autoencoder",
        AutoencoderLoss(module),
        folder,
        settings.autoencoder_steps,
        settings.autoencoder_rate,
        settings,
        model.config,
        processes,
        {"autoencoder_of": hash_of(module)} if taken else None,
    )
    if stage.finished:
        return stage.run(None)
    frames = load_frames(split(paths)[0], processes.first)
    batch_size = processes.share(settings.autoencoder_batch)
    latent_shape = model.config.latent_shape

    def batch_of(_, generator):
        picks = torch.randint(len(frames), (batch_size,), generator=generator)
        batch = frames_to_tensor(frames[picks.numpy()])
        few = len(batch) // 4
        batch[:few] = recoloured(batch[:few], generator)
        noise = torch.randn((batch_size, *latent_shape), generator=generator)
        return batch.to(device), noise.to(device)

    return stage.run(batch_of)


def load_frames(paths, progress: bool) -> np.ndarray:
    """Every frame of the episodes, uint8 [N, h, w, 3], without a second copy of them on the way."""
    shapes = [read_footer(path)["frames"] for path in paths]
    frames = np.empty((sum(shape[0] for shape in shapes), *shapes[0][1:]), np.uint8)
    place = 0
    for path in tqdm(paths, unit="episode", desc="load", disable=not progress):
        episode = load_episode(path)
        frames[place : place + len(episode)] = episode.frames
        place += len(episode)
    return frames


def train_dynamics(
    paths,
    model: Astra,
    autoencoder: nn.Module,
    trained_on: Embodiments,
    settings: TrainSettings,
    folder: Path,
    processes: Processes,
    data_folder: Path,
    compiled: bool = False,
) -> tuple[Astra, Embodiments]:
    """Everything but the autoencoder, on latents. Returns the model and what it is trained on, with the cameras of
    robots that were drawn."""
    config, device = model.config, processes.device
    spaces, cameras = trained_on.spaces, trained_on.cameras_that_move
    model = model.to(device)
    compositor = model.compositor
    model.autoencoder = model.compositor = None  # not trained here, nor stored in this stage's file
    identity = hash_of(autoencoder)
    losses = DynamicsLoss(model, settings, processes.splits)
    stage = Stage(
        "dynamics",
        losses,
        folder,
        settings.dynamics_steps,
        settings.dynamics_rate,
        settings,
        config,
        processes,
        {"autoencoder": identity},
    )
    if compiled:
        if processes.first:
            print("compiling: the first steps take some minutes")
        model.denoiser.compile(dynamic=False)
    if stage.finished:
        astra = stage.run(None)
    else:
        train, aside = split(paths)
        clips = ClipSettings(
            spaces,
            config.temporal_window,
            settings.horizon,
            config.outcomes,
            Drawer(data_folder, config.image_size) if config.drawing else None,
            cameras if config.reprojection and cameras else None,
            settings.starts_every,
        )
        data = LatentDataset(clips, train, autoencoder, processes.first)
        trained_on = with_drawn(trained_on, data.drawn_spaces, train)
        validation = None
        if processes.first:
            write_embodiments(folder, trained_on)
            aside_clips = replace(clips, drawer=Drawer(data_folder, config.image_size) if config.drawing else None)
            validation = Validation(
                LatentDataset(aside_clips, aside, autoencoder), aside, settings.seed, settings.dynamics_steps
            )
        batch_size = processes.share(settings.dynamics_batch)
        rollouts_from = settings.rollout_from * settings.dynamics_steps

        def batch_of(step, generator):
            rollout = config.process == "flow" and step >= rollouts_from and step % 2 == 1
            return data.sample(batch_size, generator).to(device), rollout, generator

        astra = stage.run(batch_of, validation)
    astra.autoencoder, astra.compositor = autoencoder, compositor
    return astra, trained_on


def train_compositor(
    paths,
    astra: Astra,
    trained_on: Embodiments,
    settings: TrainSettings,
    folder: Path,
    processes: Processes,
    data_folder: Path,
) -> Astra:
    """On what the finished dynamics imagine; they are not changed."""
    config, device = astra.config, processes.device
    dynamics = hash_of(astra.denoiser)
    module = astra.compositor.to(device)
    stage = Stage(
        "compositor",
        CompositorLoss(module),
        folder,
        settings.compositor_steps,
        settings.compositor_rate,
        settings,
        config,
        processes,
        {"dynamics": dynamics},
    )
    if stage.finished:
        astra.compositor = stage.run(None)
        return astra
    # Robots that became drawable after the dynamics were trained are not drawn for them now.
    drawer = Drawer(data_folder, config.image_size, trained_on.cameras) if config.drawing else None
    cameras = trained_on.cameras_that_move
    clips = ClipSettings(
        trained_on.spaces,
        config.temporal_window,
        settings.horizon,
        config.outcomes,
        drawer,
        cameras if config.reprojection and cameras else None,
    )
    batch_size = processes.share(settings.compositor_batch)
    data = CompositorClips(
        clips,
        split(paths)[0],
        astra,
        settings.seed + processes.rank,
        batch_size * settings.compositor_steps,
        progress=processes.first,
    )

    def batch_of(_, generator):
        return data.sample(batch_size, generator)

    astra.compositor = stage.run(batch_of)
    return astra


def hash_of(module: nn.Module) -> str:
    """Of the weights, to know whether two stages belong together."""
    return digest_of(module.state_dict())[:16]


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
        "--out", type=Path, default=Path("runs/tiny"), help="checkpoints and logs; training goes on from what is there"
    )
    parser.add_argument(
        "--model", type=Path, default=None, help="where to write the finished model (default: OUT/model)"
    )
    parser.add_argument("--preset", default="tiny", choices=tuple(PRESETS), help="the network's size and process")
    parser.add_argument(
        "--from",
        dest="base",
        default=None,
        metavar="MODEL",
        help="begin with the weights and action spaces of this shipped name or "
        "directory instead of random ones; robots that it does not know are "
        "added, and frames may have another size; --preset is then not used",
    )
    parser.add_argument(
        "--autoencoder",
        default=None,
        metavar="MODEL",
        help="take this model's autoencoder into a new network and leave it as it is: "
        "the dynamics can then be trained at once, and compared with others on the "
        "same latents",
    )
    parser.add_argument(
        "--patch",
        type=at_least(1),
        default=None,
        metavar="CELLS",
        help="latent cells of 8 pixels that a token spans each way (default: the model's "
        "or preset's). Twice as many for frames of twice the size, and a step "
        "takes about as long as before",
    )
    parser.add_argument(
        "--without",
        nargs="+",
        default=[],
        choices=tuple(ABLATIONS),
        metavar="PART",
        help="leave a part of the network out, to see what it is good for: " + ", ".join(ABLATIONS),
    )
    parser.add_argument(
        "--compile",
        action="store_true",
        help="compile the denoiser first (minutes, needs a C++ compiler): about a quarter more steps an hour on a CPU",
    )
    parser.add_argument(
        "--device", default="cuda" if torch.cuda.is_available() else "cpu", help="where it runs: cpu, cuda, cuda:0"
    )
    parser.add_argument(
        "--strategy",
        default="ddp",
        choices=STRATEGIES,
        help="under torchrun: every process keeps all weights (ddp) or a part (fsdp)",
    )
    parser.add_argument("--stage", default="all", choices=(*STAGES, "all"), help="train up to this stage")
    small, paper = asdict(TrainSettings()), asdict(settings_for("paper"))
    for name, text in SETTINGS_HELP.items():
        kind = float
        if isinstance(small[name], int):
            kind = at_least(0 if name.endswith("_steps") or name == "seed" else 1)
        default = f"default {small[name]}" + (f", paper: {paper[name]}" * (paper[name] != small[name]))
        parser.add_argument("--" + name.replace("_", "-"), type=kind, default=None, help=f"{text} ({default})")


def _say_what_is_odd(args: argparse.Namespace, facts) -> None:
    """Notes on data that can be trained on, though perhaps not as it was meant."""
    if lost := videos_without_table(args.data):
        print(
            f"note: {len(lost)} videos in {args.data} have lost their table and are left out, first "
            f"{lost[0].name}; record or import them again, or delete them",
            file=sys.stderr,
        )
    meant = preset(args.preset).image_size
    if not args.base and meant != facts.size and "paper" != args.preset:
        print(
            f"note: preset '{args.preset}' is meant for frames of {meant[1]} x {meant[0]} pixels; "
            f"those of {args.data} have {facts.size[1]} x {facts.size[0]}, so the model will too",
            file=sys.stderr,
        )


def run(args: argparse.Namespace) -> int:
    base = settings_for(args.preset)
    given = {name: getattr(args, name) for name in asdict(base) if getattr(args, name) is not None}
    if args.autoencoder:
        if given.get("autoencoder_steps"):
            raise DatasetError("--autoencoder takes a finished one; leave --autoencoder-steps away")
        if args.base:
            raise DatasetError("--autoencoder is for a new network; '--from' brings its model's own")
        given["autoencoder_steps"] = 0
    try:
        settings = TrainSettings(**{**asdict(base), **given})
    except ValueError as error:
        raise DatasetError(str(error)) from error
    paths = list_episodes(args.data)
    facts = check_episodes(paths)
    check_same_data(
        args.out, facts, " (astra export makes a model of what was learned here, and --from begins with it)"
    )
    if args.compile and not (os.environ.get("CXX") or shutil.which("g++")):
        raise DatasetError("--compile: needs a C++ compiler; install g++, or leave --compile away")
    processes = distributed.start(args.device, args.strategy)
    try:
        if processes.first:
            _say_what_is_odd(args, facts)
        for name in ("autoencoder_batch", "dynamics_batch", "compositor_batch"):
            processes.share(getattr(settings, name))
        claim(args.out, processes.first)
        torch.manual_seed(settings.seed)
        model, trained_on = begin(args, paths, facts.dt_s, facts.size, processes)
        if processes.first:
            write_facts(args.out, args.data, facts)
            if model.config.drawing and args.stage != "autoencoder":
                for text in undrawn_notes(args.data, paths, model.config.image_size):
                    print(f"note: {text}", file=sys.stderr)
        autoencoder = train_autoencoder(paths, model, settings, args.out, processes, taken=bool(args.autoencoder))
        if args.stage == "autoencoder":
            return 0
        astra, trained_on = train_dynamics(
            paths, model, autoencoder, trained_on, settings, args.out, processes, args.data, args.compile
        )
        if astra.compositor is not None and args.stage != "dynamics":
            astra = train_compositor(paths, astra, trained_on, settings, args.out, processes, args.data)
        if processes.first:
            if args.base and not model.config.drawing and cameras_of(paths):
                print(f"note: '{args.base}' has no kinematic conditioning; where the robot could be drawn was not used")
            if args.stage == "dynamics":
                astra.compositor = None
            target = args.model or args.out / "model"
            write_model(target, astra, trained_on, (args.model or args.out).name)
            print(f"model written to {target}")
    finally:
        distributed.stop()
    return 0
