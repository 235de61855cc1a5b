"""`astra train`: first the frame autoencoder, then the dynamics, each resumable at any moment.

The dynamics are trained on true histories first and then, from `--rollout-from` of the steps on,
every other batch on the model's own roll-outs, which is what keeps long imaginations from drifting.
With `--from` both stages start from a model's weights and keep its action spaces.

In the folder OUT there are then checkpoints, a line a step (`dynamics.jsonl`), TensorBoard files
(`tensorboard --logdir OUT`), and pictures of imagined beside real frames (`validation/`).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from astra_ros.learning import distributed
from astra_ros.learning.arguments import HelpFormat, at_least
from astra_ros.learning.clips import (
    Clip,
    LatentDataset,
    frames_to_tensor,
    measure,
    restyle,
)
from astra_ros.learning.dataset import HELD_OUT_FROM, list_episodes, load_episode, read_footer
from astra_ros.learning.distributed import STRATEGIES, Processes
from astra_ros.learning.drawings import Drawer, cameras_of, held_joints_of
from astra_ros.learning.episode import DatasetError
from astra_ros.learning.export import (
    SPACES_FILE,
    Embodiments,
    read_embodiments,
    write_embodiments,
    write_model,
)
from astra_ros.learning.losses import one_step_loss, rollout_loss
from astra_ros.learning.settings import SETTINGS_HELP, TrainSettings, settings_for
from astra_ros.learning.stage import STAGES, Stage
from astra_ros.learning.validate import Validation, split
from astra_ros.planning.modalities import ActionSpace
from astra_ros.world_model import PRESETS, Astra, preset


DATA_FILE = 'data.json'


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
        return 100 * loss, {'psnr_db': -10 * loss.detach().log10()}


class DynamicsLoss(nn.Module):
    """One step ahead, or the model's own roll-out; see `losses.py`."""

    def __init__(self, model: Astra, max_history_noise: float, splits: bool = False):
        super().__init__()
        self.model = model
        self.max_history_noise = max_history_noise
        self.splits = splits

    def forward(self, clip: Clip, rollout: bool,
                generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        if rollout:
            loss, parts = rollout_loss(self.model, clip, generator)
            parts = {'rollout_latent': parts['latent']}
        else:
            loss, parts = one_step_loss(self.model, clip, generator, self.max_history_noise)
        if self.splits:
            # FSDP adds up the gradients that a process has. Robots that only others drew give none
            # here, and the processes would add up different things.
            loss = loss + 0 * sum(p.sum() for p in self.model.action_encoder.parameters())
        return loss, parts


def train_autoencoder(paths, model: Astra, settings: TrainSettings, folder: Path,
                      processes: Processes) -> nn.Module:
    """Frames as recorded, and a quarter of them restyled."""
    device = processes.device
    # FSDP cannot split weights that lie in another order.
    order = torch.contiguous_format if processes.splits else torch.channels_last
    module = model.autoencoder.to(device, memory_format=order)
    stage = Stage('autoencoder', AutoencoderLoss(module), folder, settings.autoencoder_steps,
                  settings.autoencoder_rate, settings, model.config, processes)
    if stage.finished:
        return stage.run(None)
    frames = load_frames(split(paths)[0], processes.first)
    batch_size = processes.share(settings.autoencoder_batch)
    latent_shape = model.config.latent_shape

    def batch_of(_, generator):
        picks = torch.randint(len(frames), (batch_size,), generator=generator)
        batch = frames_to_tensor(frames[picks.numpy()])
        few = len(batch) // 4
        batch[:few] = restyle(batch[:few], generator)
        noise = torch.randn((batch_size, *latent_shape), generator=generator)
        return batch.to(device), noise.to(device)

    return stage.run(batch_of)


def load_frames(paths, progress: bool) -> np.ndarray:
    """Every frame of the episodes, uint8 [N, h, w, 3], without a second copy of them on the way."""
    shapes = [read_footer(path)['frames'] for path in paths]
    frames = np.empty((sum(shape[0] for shape in shapes), *shapes[0][1:]), np.uint8)
    place = 0
    for path in tqdm(paths, unit='episode', desc='load', disable=not progress):
        episode = load_episode(path)
        frames[place:place + len(episode)] = episode.frames
        place += len(episode)
    return frames


def train_dynamics(paths, model: Astra, autoencoder: nn.Module, spaces: Sequence[ActionSpace],
                   settings: TrainSettings, folder: Path, processes: Processes, data_folder: Path,
                   compiled: bool = False) -> Astra:
    """Everything but the autoencoder, on latents."""
    config, device = model.config, processes.device
    model = model.to(device)
    model.autoencoder = nn.Identity()      # not trained here, nor stored in this stage's file
    identity = hash_of(autoencoder)
    losses = DynamicsLoss(model, settings.max_history_noise, processes.splits)
    stage = Stage('dynamics', losses, folder, settings.dynamics_steps,
                  settings.dynamics_rate, settings, config, processes, {'autoencoder': identity})
    if compiled:
        if processes.first:
            print('compiling: the first steps take some minutes')
        model.denoiser.compile(dynamic=False)
    if stage.finished:
        astra = stage.run(None)
    else:
        def dataset():
            drawer = Drawer(data_folder, config.image_size) if config.drawing else None
            return LatentDataset(spaces, config.temporal_window, settings.horizon, config.outcomes,
                                 drawer)

        train, aside = split(paths)
        data = dataset()
        data.encode(train, autoencoder, device, settings.seed, progress=processes.first)
        validation = Validation(dataset(), aside, autoencoder, device, settings.seed,
                                settings.dynamics_steps) if processes.first else None
        batch_size = processes.share(settings.dynamics_batch)
        rollouts_from = settings.rollout_from * settings.dynamics_steps

        def batch_of(step, generator):
            rollout = config.process == 'flow' and step >= rollouts_from and step % 2 == 1
            return data.sample(batch_size, generator).to(device), rollout, generator

        astra = stage.run(batch_of, validation)
    astra.autoencoder = autoencoder
    return astra


class DataFacts(NamedTuple):
    """What all episodes of a training have in common, and which they are."""

    dt_s: float
    size: tuple[int, int]     # (h, w) of a frame
    episodes: int
    sha256: str               # of the episodes' names and videos


def check_episodes(paths) -> DataFacts:
    """Read what every episode says of itself.

    Raises DatasetError where an episode is damaged, where they differ, or where one is held out for
    evaluation.
    """
    first = read_footer(paths[0])
    size = tuple(first['frames'][1:3])
    digest = hashlib.sha256()
    for path in paths:
        footer = read_footer(path)
        digest.update(f'{path.name} {footer["video_sha256"]}\n'.encode())
        if footer['dt_s'] != first['dt_s']:
            raise DatasetError(f'{path}: frames are {footer["dt_s"]:g} s apart, those of '
                               f'{paths[0].name} {first["dt_s"]:g} s; train on episodes of one rate')
        if tuple(footer['frames'][1:3]) != size:
            raise DatasetError(f'{path}: frames of {footer["frames"][2]} x {footer["frames"][1]} '
                               f'pixels, those of {paths[0].name} of {size[1]} x {size[0]}; train on '
                               'episodes of one size')
        if footer['seed'] is not None and footer['seed'] >= HELD_OUT_FROM:
            raise DatasetError(f'{path}: seeds from {HELD_OUT_FROM} on are held out for evaluation; '
                               'record others with: astra record --first-seed 0')
        if not path.with_suffix('.mp4').is_file():
            raise DatasetError(f'{path}: its video {path.with_suffix(".mp4").name} is missing; delete '
                               'the table and record the episode again')
    return DataFacts(first['dt_s'], size, len(paths), digest.hexdigest())


def check_same_data(out: Path, facts: DataFacts) -> None:
    """Raises DatasetError where a training folder was begun on other episodes."""
    path = out / DATA_FILE
    if not path.exists():
        return
    then = json.loads(path.read_text())
    if then['sha256'] != facts.sha256:
        raise DatasetError(
            f'{path}: begun on {then["episodes"]} episodes that are not the {facts.episodes} of now; go '
            f'on with the same data, or train into another folder (with --from {out / "model"} to '
            'begin with what was learned here)')


def begin(args: argparse.Namespace, paths, dt_s: float, size: tuple[int, int],
          processes: Processes) -> tuple[Astra, Embodiments]:
    """The network before its first step, and what it is trained on.

    Raises ModelError where `--from` names no model, DatasetError where the folder's action spaces
    are another model's, or where that model's frames are of another rate or size.
    """
    stored = None
    if (args.out / SPACES_FILE).exists():
        stored = read_embodiments(args.out)
        if stored.dt_s != dt_s:
            raise DatasetError(f'{args.out / SPACES_FILE}: begun with frames {stored.dt_s:g} s apart, '
                               f'those of {args.data} are {dt_s:g} s apart; train into another folder')
    if args.base:
        if args.without:
            raise DatasetError("--without changes a new network; '--from' keeps the network of its model")
        model, trained_on = from_model(args.base, paths, dt_s, size)
        if stored and stored.spaces[:len(trained_on.spaces)] != trained_on.spaces:
            raise DatasetError(f"{args.out / SPACES_FILE}: not the action spaces of '{args.base}'; "
                               'train into another folder')
    else:
        config = preset(args.preset)
        if stored:
            spaces, outcomes = stored.spaces, stored.outcomes
        else:
            spaces, outcomes = measure(paths, config.outcomes)
        config = replace(config, image_size=size,
                         action_dims=tuple(space.dim for space in spaces),
                         modalities=tuple(space.modality for space in spaces))
        model = Astra(replace(config, **network_changes(args)))
        trained_on = Embodiments(tuple(spaces), dt_s, outcomes)
    if model.config.drawing:
        cameras = {**trained_on.cameras, **cameras_of(paths)}
        trained_on = replace(trained_on, cameras=cameras,
                             held_joints={**held_joints_of(cameras), **trained_on.held_joints})
    if processes.first:
        write_embodiments(args.out, trained_on)
    processes.wait()
    return model, trained_on


def from_model(base: str, paths, dt_s: float,
               size: tuple[int, int]) -> tuple[Astra, Embodiments]:
    """A trained model, with input layers for the robots in the data that it does not know yet.

    Its own action spaces keep their scales and their numbers; new ones come behind them.
    """
    from astra_ros.backends import load_backend

    loaded = load_backend('torch', str(base), 'cpu')
    card, model = loaded.card, loaded.model
    if card.dt_s != dt_s:
        raise DatasetError(f"{paths[0]}: frames are {dt_s:g} s apart, those of '{base}' "
                           f'{card.dt_s:g} s; record or import at its rate')
    if card.image_size != size:
        raise DatasetError(f"{paths[0]}: frames of {size[1]} x {size[0]} pixels, '{base}' takes "
                           f'{card.image_size[1]} x {card.image_size[0]}; record or import with that '
                           'size')
    spaces = list(card.action_spaces.values())
    found, labelled = measure(paths, model.config.outcomes)
    for space in found:
        known = card.action_spaces.get(space.name)
        if known is None:
            spaces.append(space)
        elif known.motion_names != space.motion_names:
            raise DatasetError(f"{paths[0].parent}: {space.name} moves {space.motion_names}, that of "
                               f"'{base}' {known.motion_names}; give the robot another name")
    grown = replace(model.config, action_dims=tuple(space.dim for space in spaces))
    if grown.modalities:
        grown = replace(grown, modalities=tuple(space.modality for space in spaces))
    astra = Astra(grown)
    missing, unexpected = astra.load_state_dict(model.state_dict(), strict=False)
    new = [name for name in missing
           if not name.startswith(('action_encoder.embeddings.', 'action_encoder.experts.'))]
    if new or unexpected:
        raise DatasetError(f"'{base}': its weights lack {new} and have {list(unexpected)} too many")
    # What a head learned of a robot is not kept up by recordings without labels.
    outcomes = {**card.outcomes, **labelled}
    return astra, Embodiments(tuple(spaces), dt_s, outcomes, card.cameras, card.held_joints)


def hash_of(module: nn.Module) -> str:
    """Of the weights, to know whether two stages belong together."""
    digest = hashlib.sha256()
    for name, value in sorted(module.state_dict().items()):
        digest.update(name.encode() + value.detach().float().cpu().numpy().tobytes())
    return digest.hexdigest()[:16]


ABLATIONS = {'experts': {'modalities': ()}, 'drawing': {'drawing': False},
             'residual': {'residual': False}}


def network_changes(args: argparse.Namespace) -> dict:
    """Settings of the network that the command line changes from the preset's."""
    changes: dict = {}
    for name in args.without:
        changes |= ABLATIONS[name]
    return changes


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = __doc__
    parser.formatter_class = HelpFormat
    parser.epilog = (
        'examples:\n'
        '  astra train --data data/train --out runs/tiny        (again to resume)\n'
        '  astra train --data data/train --out runs/quick --autoencoder-steps 200 '
        '--dynamics-steps 200\n'
        '  astra train --from tiny --data data/mine --out runs/mine\n'
        '  torchrun --nproc-per-node 4 -m astra_ros.cli train --data data/train --preset paper\n')
    parser.add_argument('--data', type=Path, default=Path('data/train'),
                        help='folder of episodes from `astra record` or `astra import-bag`')
    parser.add_argument('--out', type=Path, default=Path('runs/tiny'),
                        help='checkpoints and logs; training goes on from what is there')
    parser.add_argument('--model', type=Path, default=None,
                        help='where to write the finished model (default: OUT/model)')
    parser.add_argument('--preset', default='tiny', choices=tuple(PRESETS),
                        help="the network's size and process")
    parser.add_argument('--from', dest='base', default=None, metavar='MODEL',
                        help='begin with the weights and action spaces of this shipped name or '
                             'directory instead of random ones; robots that it does not know are '
                             'added; --preset is then not used')
    parser.add_argument('--without', nargs='+', default=[], choices=tuple(ABLATIONS),
                        metavar='PART',
                        help='leave a part of the network out, to see what it is good for: '
                             + ', '.join(ABLATIONS))
    parser.add_argument('--compile', action='store_true',
                        help='compile the denoiser first (minutes, needs a C++ compiler): about a '
                             'quarter more steps an hour on a CPU')
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu',
                        help='where it runs: cpu, cuda, cuda:0')
    parser.add_argument('--strategy', default='ddp', choices=STRATEGIES,
                        help='under torchrun: every process keeps all weights (ddp) or a part (fsdp)')
    parser.add_argument('--stage', default='all', choices=(*STAGES, 'all'),
                        help='train one stage only')
    small, paper = asdict(TrainSettings()), asdict(settings_for('paper'))
    for name, text in SETTINGS_HELP.items():
        kind = at_least(0 if name.endswith('_steps') or name == 'seed' else 1) if isinstance(small[name], int) else float
        default = f'default {small[name]}' + (f', paper: {paper[name]}' * (paper[name] != small[name]))
        parser.add_argument('--' + name.replace('_', '-'), type=kind, default=None,
                            help=f'{text} ({default})')


def run(args: argparse.Namespace) -> int:
    base = settings_for(args.preset)
    given = {name: getattr(args, name) for name in asdict(base) if getattr(args, name) is not None}
    settings = TrainSettings(**{**asdict(base), **given})
    paths = list_episodes(args.data)
    facts = check_episodes(paths)
    check_same_data(args.out, facts)
    if args.compile and not (os.environ.get('CXX') or shutil.which('g++')):
        raise DatasetError('--compile: needs a C++ compiler; install g++, or leave --compile away')
    meant = preset(args.preset).image_size
    if not args.base and meant != facts.size and 'paper' != args.preset:
        print(f"note: preset '{args.preset}' is meant for frames of {meant[1]} x {meant[0]} pixels; "
              f'those of {args.data} have {facts.size[1]} x {facts.size[0]}, so the model will too')
    processes = distributed.start(args.device, args.strategy)
    try:
        for name in ('autoencoder_batch', 'dynamics_batch'):
            processes.share(getattr(settings, name))
        args.out.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(settings.seed)
        model, trained_on = begin(args, paths, facts.dt_s, facts.size, processes)
        if processes.first:
            (args.out / DATA_FILE).write_text(json.dumps(
                {'folder': str(args.data), **facts._asdict()}, indent=1) + '\n')
        autoencoder = train_autoencoder(paths, model, settings, args.out, processes)
        if args.stage == 'autoencoder':
            return 0
        astra = train_dynamics(paths, model, autoencoder, trained_on.spaces, settings, args.out,
                               processes, args.data, args.compile)
        if processes.first:
            if args.base and not model.config.drawing and cameras_of(paths):
                print(f"note: '{args.base}' has no kinematic conditioning; where the robot could be "
                      'drawn was not used')
            target = args.model or args.out / 'model'
            write_model(target, astra, trained_on, (args.model or args.out).name)
            print(f'model written to {target}')
    finally:
        distributed.stop()
    return 0
