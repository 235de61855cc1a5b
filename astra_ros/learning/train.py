"""`astra train`: first the frame autoencoder, then the dynamics, each resumable at any moment.

The dynamics are trained on true histories first and then, from `--rollout-from` of the steps on,
every other batch on the model's own roll-outs, which is what keeps long imaginations from drifting.
With `--from` both stages start from a model's weights and keep its action spaces.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from astra_ros.backends.torch_backend import usable_device
from astra_ros.learning.arguments import HelpFormat, at_least
from astra_ros.learning.checkpoint import load_checkpoint, save_checkpoint
from astra_ros.learning.clips import LatentDataset, fit_action_space, frames_to_tensor, restyle
from astra_ros.learning.dataset import HELD_OUT_FROM, DatasetError, list_episodes, load_episode
from astra_ros.learning.export import SPACES_FILE, read_spaces, write_model, write_spaces
from astra_ros.learning.losses import one_step_loss, rollout_loss
from astra_ros.planning.actions import ActionSpace
from astra_ros.world_model import Astra, AstraConfig, preset

CHECKPOINT_EVERY = 200
STAGES = ('autoencoder', 'dynamics')


@dataclass(frozen=True)
class TrainSettings:
    """How to train; the seed document's figures are those of `--preset paper`."""

    autoencoder_steps: int = 6000
    autoencoder_batch: int = 32
    autoencoder_rate: float = 1e-3
    dynamics_steps: int = 6000
    dynamics_batch: int = 16
    dynamics_rate: float = 5e-4
    warmup_steps: int = 200
    weight_decay: float = 0.01
    clip_norm: float = 1.0
    average_decay: float = 0.998
    rollout_from: float = 0.5
    horizon: int = 16
    seed: int = 0


SETTINGS_HELP = {
    'autoencoder_steps': 'optimiser steps of the autoencoder; 0 leaves it as it is, see --from',
    'autoencoder_batch': 'frames a step',
    'autoencoder_rate': 'peak learning rate of AdamW',
    'dynamics_steps': 'optimiser steps of the dynamics',
    'dynamics_batch': 'clips a step',
    'dynamics_rate': 'peak learning rate of AdamW',
    'warmup_steps': 'steps in which the rate rises to its peak; then a cosine lets it fall',
    'weight_decay': 'of AdamW',
    'clip_norm': 'largest norm of the gradient',
    'average_decay': 'of the moving average of the weights, which is the model that is written',
    'rollout_from': "share of the steps after which every other batch is the model's own roll-out",
    'horizon': 'frames of a clip that are predicted',
    'seed': 'of the first weights, the batches and the noise',
}
PAPER_SETTINGS = TrainSettings(autoencoder_rate=1e-4, dynamics_rate=1e-4, dynamics_batch=16,
                               warmup_steps=5000, rollout_from=1.0)


def learning_rate(step: int, steps: int, peak: float, warmup: int) -> float:
    """Linear warm-up, then a cosine down to 2 % of the peak."""
    if step < warmup:
        return peak * (step + 1) / warmup
    progress = (step - warmup) / max(1, steps - warmup)
    return peak * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, progress))))


@contextmanager
def _stop_signals() -> Iterator[list[int]]:
    """A list that SIGINT and SIGTERM fill instead of interrupting a step; a second one interrupts."""
    came: list[int] = []

    def note(number: int, _) -> None:
        came.append(number)
        if len(came) > 1:
            raise KeyboardInterrupt

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Stage:
    """One training stage: optimiser, moving average, checkpoints, progress."""

    def __init__(self, name: str, module: nn.Module, folder: Path, steps: int, rate: float,
                 settings: TrainSettings, config: AstraConfig, device: torch.device):
        self.name, self.module, self.steps, self.rate = name, module, steps, rate
        self.settings, self.config, self.device = settings, config, device
        self.path = folder / f'{name}.safetensors'
        self.average = copy.deepcopy(module).requires_grad_(False)
        self.optimizer = torch.optim.AdamW(module.parameters(), lr=rate, betas=(0.9, 0.99),
                                           weight_decay=settings.weight_decay)
        self.generator = torch.Generator().manual_seed(settings.seed)
        self.step = 0
        if self.path.exists():
            self.step = load_checkpoint(self.path, module, self.average, self.optimizer,
                                        self.generator, self._identity())

    def _identity(self) -> dict:
        """What a checkpoint must agree with: all settings but the other stage's own."""
        others = tuple(f'{name}_' for name in STAGES if name != self.name)
        return {**{name: value for name, value in asdict(self.settings).items()
                   if not name.startswith(others)},
                'stage': self.name, 'model': self.config.to_dict()}

    def run(self, loss_of) -> nn.Module:
        """Train to the last step with `loss_of(step, generator) -> (loss, parts)`."""
        log = self.path.with_suffix('.jsonl')
        low_precision = torch.autocast(self.device.type, torch.bfloat16)
        bar = tqdm(range(self.step, self.steps), initial=self.step, total=self.steps,
                   desc=self.name, unit='step', mininterval=2)
        self.module.train()
        running: dict[str, float] = {}
        with _stop_signals() as stop, bar:
            self._loop(loss_of, bar, running, low_precision, log, stop)
        if not self.path.exists():      # no steps asked for: the weights are those it began with
            self._save(0)
        return self.average.eval()

    def _loop(self, loss_of, bar, running: dict[str, float], low_precision, log: Path,
              stop: list[int]) -> None:
        for self.step in bar:
            for group in self.optimizer.param_groups:
                group['lr'] = learning_rate(self.step, self.steps, self.rate,
                                            self.settings.warmup_steps)
            with low_precision:
                loss, parts = loss_of(self.step, self.generator)
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(self.module.parameters(), self.settings.clip_norm)
            self.optimizer.step()
            self._follow()
            for name, value in parts.items():
                running[name] = 0.98 * running.get(name, float(value)) + 0.02 * float(value)
            if self.step % 20 == 0:
                bar.set_postfix({name: f'{value:.4f}' for name, value in running.items()})
            done = self.step + 1
            stopping = bool(stop)
            if done % CHECKPOINT_EVERY == 0 or done == self.steps or stopping:
                self._save(done)
                with open(log, 'a') as file:
                    file.write(json.dumps({'step': done, **running}) + '\n')
            if stopping and (done < self.steps or self.name != STAGES[-1]):
                bar.write(f'stopped after step {done} of {self.steps}, all saved; '
                          'the same command goes on from here')
                raise KeyboardInterrupt

    def _save(self, done: int) -> None:
        save_checkpoint(self.path, self.module, self.average, self.optimizer, self.generator, done,
                        self._identity())

    @torch.no_grad()
    def _follow(self) -> None:
        """The moving average takes a step; fast at first, so that it is no ballast early on."""
        decay = min(self.settings.average_decay, (1 + self.step) / (10 + self.step))
        torch._foreach_lerp_(list(self.average.parameters()), list(self.module.parameters()),
                             1 - decay)
        for mine, theirs in zip(self.average.buffers(), self.module.buffers()):
            mine.copy_(theirs)


def train_autoencoder(paths, model: Astra, settings: TrainSettings, folder: Path,
                      device: torch.device) -> nn.Module:
    """Frames as recorded, and a quarter of them under another light; mean squared error."""
    module = model.autoencoder.to(device, memory_format=torch.channels_last)
    stage = Stage('autoencoder', module, folder, settings.autoencoder_steps,
                  settings.autoencoder_rate, settings, model.config, device)
    if stage.step == stage.steps:
        return stage.run(None)
    frames = np.concatenate([load_episode(path).frames for path in tqdm(paths, desc='load')])

    def loss_of(_, generator):
        picks = torch.randint(len(frames), (settings.autoencoder_batch,), generator=generator)
        batch = frames_to_tensor(frames[picks.numpy()])
        few = len(batch) // 4
        batch[:few] = restyle(batch[:few], generator)
        batch = batch.to(device)
        latents = module.encode(batch)
        noise = torch.randn(latents.shape, generator=generator).to(device)
        decoded = module.decode_raw(latents + 0.05 * noise)
        loss = (decoded.float() - batch).square().mean()
        return 100 * loss, {'psnr_db': -10 * loss.detach().log10()}

    return stage.run(loss_of)


def train_dynamics(paths, model: Astra, autoencoder: nn.Module, spaces: list[ActionSpace],
                   settings: TrainSettings, folder: Path, device: torch.device,
                   compiled: bool = False) -> Astra:
    """Everything but the autoencoder, on latents."""
    config = model.config
    model = model.to(device)
    model.autoencoder = nn.Identity()      # not trained here, nor stored in this stage's file
    stage = Stage('dynamics', model, folder, settings.dynamics_steps, settings.dynamics_rate,
                  settings, config, device)
    if compiled:
        model.denoiser.compile(dynamic=False)
    if stage.step == stage.steps:
        stage.run(None)
    else:
        data = LatentDataset(spaces, config.temporal_window, settings.horizon)
        data.encode(paths, autoencoder, device, settings.seed)
        rollouts_from = settings.rollout_from * settings.dynamics_steps

        def loss_of(step, generator):
            clip = data.sample(settings.dynamics_batch, generator)
            clip = type(clip)(clip.latents.to(device), clip.restyled.to(device),
                              clip.actions.to(device),
                              {name: value.to(device) for name, value in clip.outcomes.items()},
                              clip.modality)
            if config.process == 'flow' and step >= rollouts_from and step % 2:
                loss, parts = rollout_loss(model, clip, generator)
                return loss, {f'rollout_{name}': value for name, value in parts.items()
                              if name == 'latent'}
            return one_step_loss(model, clip, generator)

        stage.run(loss_of)
    astra = stage.average.eval()
    astra.autoencoder = autoencoder
    return astra


def measure_spaces(paths) -> list[ActionSpace]:
    """One action space per robot in the data."""
    by_robot: dict[str, list] = {}
    for path in paths:
        episode = load_episode(path)
        by_robot.setdefault(episode.robot, []).append(episode)
    spaces = [fit_action_space(f'{robot}_joints', episodes)
              for robot, episodes in sorted(by_robot.items(), reverse=True)]
    return spaces


def check_episodes(paths) -> float:
    """Seconds between the frames of all episodes.

    Raises DatasetError where they differ, or where an episode is held out for evaluation.
    """
    dt_s = load_episode(paths[0]).dt_s
    for path in paths:
        episode = load_episode(path)
        if episode.dt_s != dt_s:
            raise DatasetError(f'{path}: frames are {episode.dt_s:g} s apart, those of {paths[0].name} '
                               f'{dt_s:g} s; train on episodes of one rate')
        if episode.seed >= HELD_OUT_FROM:
            raise DatasetError(f'{path}: seeds from {HELD_OUT_FROM} on are held out for evaluation; '
                               'record others with: astra record --first-seed 0')
    return dt_s


def begin(args: argparse.Namespace, paths, dt_s: float) -> tuple[Astra, list[ActionSpace]]:
    """The network before its first step, and what its actions mean.

    Raises ModelError where `--from` names no model, DatasetError where the folder's action spaces
    are another model's, or where that model's frames are not `dt_s` apart.
    """
    stored = None
    if (args.out / SPACES_FILE).exists():
        stored, before_s = read_spaces(args.out)
        if before_s != dt_s:
            raise DatasetError(f'{args.out / SPACES_FILE}: begun with frames {before_s:g} s apart, those '
                               f'of {args.data} are {dt_s:g} s apart; train into another folder')
    if args.base:
        from astra_ros.backends import load_backend

        base = load_backend('torch', str(args.base), 'cpu')
        model, spaces = base.model.train().requires_grad_(True), list(base.card.action_spaces.values())
        if stored not in (None, spaces):
            raise DatasetError(f"{args.out / SPACES_FILE}: not the action spaces of '{args.base}'; "
                               'train into another folder')
        if base.card.dt_s != dt_s:
            raise DatasetError(f"{paths[0]}: frames are {dt_s:g} s apart, those of '{args.base}' "
                               f'{base.card.dt_s:g} s; record episodes at its rate')
    else:
        spaces = stored or measure_spaces(paths)
        model = Astra(AstraConfig.from_dict({**preset(args.preset).to_dict(), 'action_dims':
                                             tuple(space.dim for space in spaces)}))
    write_spaces(args.out, spaces, dt_s)
    return model, spaces


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = __doc__
    parser.formatter_class = HelpFormat
    parser.epilog = (
        'examples:\n'
        '  astra train --data data/train --out runs/tiny        (again to resume)\n'
        '  astra train --data data/train --out runs/quick --autoencoder-steps 200 '
        '--dynamics-steps 200\n'
        '  astra train --from tiny --data my/episodes --out runs/mine --autoencoder-steps 0\n')
    parser.add_argument('--data', type=Path, default=Path('data/train'),
                        help='folder of episodes from `astra record`')
    parser.add_argument('--out', type=Path, default=Path('runs/tiny'),
                        help='checkpoints and logs; training goes on from what is there')
    parser.add_argument('--model', type=Path, default=None,
                        help='where to write the finished model (default: OUT/model)')
    parser.add_argument('--preset', default='tiny', choices=('tiny', 'paper'),
                        help="the network's size and process")
    parser.add_argument('--from', dest='base', default=None, metavar='MODEL',
                        help='begin with the weights and action spaces of this shipped name or '
                             'directory instead of random ones; --preset is then not used')
    parser.add_argument('--compile', action='store_true',
                        help='compile the denoiser first (minutes, needs a C++ compiler): about a '
                             'quarter more steps an hour on a CPU')
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu',
                        help='where it runs: cpu, cuda, cuda:0')
    parser.add_argument('--stage', default='all', choices=(*STAGES, 'all'),
                        help='train one stage only')
    small, paper = asdict(TrainSettings()), asdict(PAPER_SETTINGS)
    for name, text in SETTINGS_HELP.items():
        kind = at_least(0 if 'step' in name or name == 'seed' else 1) if isinstance(small[name], int) else float
        default = f'default {small[name]}' + (f', paper: {paper[name]}' * (paper[name] != small[name]))
        parser.add_argument('--' + name.replace('_', '-'), type=kind, default=None,
                            help=f'{text} ({default})')


def run(args: argparse.Namespace) -> int:
    base = PAPER_SETTINGS if args.preset == 'paper' else TrainSettings()
    given = {name: getattr(args, name) for name in asdict(base) if getattr(args, name) is not None}
    settings = TrainSettings(**{**asdict(base), **given})
    paths = list_episodes(args.data)
    dt_s = check_episodes(paths)
    args.out.mkdir(parents=True, exist_ok=True)
    device = usable_device(args.device)
    torch.manual_seed(settings.seed)
    model, spaces = begin(args, paths, dt_s)
    autoencoder = train_autoencoder(paths, model, settings, args.out, device)
    if args.stage == 'autoencoder':
        return 0
    astra = train_dynamics(paths, model, autoencoder, spaces, settings, args.out, device,
                           args.compile)
    target = args.model or args.out / 'model'
    write_model(target, astra, spaces, dt_s=dt_s,
                name=(args.model or args.out).name)
    print(f'model written to {target}')
    return 0
