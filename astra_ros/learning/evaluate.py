"""`astra eval`: how good is the imagined video, and does it follow the plan?

On held-out scenes, per robot and horizon, always three rows: what the autoencoder alone can do
(ceiling), the model, and a copy of the last observed frame. Then two checks of the actions: the
same clips with the motion of another clip, from where the arm is, and a probe, trained on real frames, that reads the tool's
position from the imagined ones.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from astra_ros.learning.arguments import HelpFormat, at_least
from astra_ros.learning.dataset import DatasetError, Episode, list_episodes, load_episode
from astra_ros.learning.probe import PoseProbe, train_probe
from astra_ros.learning.results import write_result

HORIZONS = (1, 4, 8, 16)
# A frame follows the plan when the probed tool is this near to where the plan really took it.
FOLLOWS_M = 0.05


def psnr(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Peak signal-to-noise ratio of each frame, dB; frames [..., h, w, 3] in 0..1."""
    return -10 * np.log10(np.maximum(np.square(a - b).mean((-3, -2, -1)), 1e-10))


def ssim(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Structural similarity of each frame [N, h, w, 3] in 0..1, by torchmetrics."""
    from torchmetrics.functional.image import structural_similarity_index_measure

    x, y = (torch.from_numpy(frames).movedim(-1, -3).float() for frames in (a, b))
    return structural_similarity_index_measure(x, y, data_range=1.0, reduction='none').numpy()


def auroc(probability: np.ndarray, happened: np.ndarray) -> float | None:
    """Chance that a clip where it happened has the higher probability; None if all are alike."""
    from astra_ros.learning.rank import ranks

    positive = happened.astype(bool)
    if positive.all() or not positive.any():
        return None
    many, few = (~positive).sum(), positive.sum()
    return float((ranks(probability)[positive].sum() - few * (few - 1) / 2) / (few * many))


class Clips:
    """Clips of one robot: history, the actions that follow, and what the camera then saw."""

    def __init__(self, episodes: list[Episode], card, horizon: int, each: int, seed: int):
        spaces = [space for space in card.action_spaces.values()
                  if space.joint_names == episodes[0].joint_names]
        if not spaces:
            raise SystemExit(f"the model '{card.name}' knows no action space with the joints "
                             f'{episodes[0].joint_names}')
        self.space = spaces[0]
        # Anywhere in the episode: plans last as long as the horizon and end where they began, so
        # clips that start with a plan would end on nearly the picture they began with.
        rng = np.random.default_rng(seed)
        picks = [(episode, start) for episode in episodes
                 for start in rng.integers(0, len(episode) - horizon, each)]

        def runs(field, first, last):
            return np.stack([getattr(episode, field)[
                np.maximum(np.arange(start + first, start + last + 1), 0)]
                for episode, start in picks])

        self.history = runs('frames', 1 - card.history, 0)
        self.future = runs('frames', 1, horizon)
        self.commanded = runs('commanded', 0, horizon)
        self.actions = self.space.encode(self.commanded)
        self.tool = runs('tool_position', 1, horizon)
        self.contact = runs('obstacle_contact', 1, horizon)
        self.object = runs('object_position', 1, horizon)


def evaluate(model, episodes: list[Episode], probe: PoseProbe, each: int, seed: int) -> dict:
    """All figures of one robot."""
    horizon = max(HORIZONS)
    clips = Clips(episodes, model.card, horizon, each, seed)
    count = len(clips.history)
    # Another clip's motion, begun where the arm is: a plan that was not carried out here.
    other = np.roll(clips.commanded, each, axis=0)
    shuffled = clips.space.encode(other - other[:, :1] + clips.commanded[:, :1])
    pixels = {'ceiling': [], 'model': [], 'copy': [], 'shuffled': []}
    uncertainty, contact, position, error = [], [], [], []
    for i in tqdm(range(count), unit='clip', desc=clips.space.name):
        both = np.stack([clips.actions[i], shuffled[i]])
        made = model.imagine(clips.history[i], both, clips.space.name, seed=seed)
        true_latents = model.encode(clips.future[i])
        pixels['model'].append(model.decode(made.latents[0]))
        pixels['shuffled'].append(model.decode(made.latents[1]))
        pixels['ceiling'].append(model.decode(true_latents))
        pixels['copy'].append(np.repeat(clips.history[i][-1:], horizon, 0))
        error.append(np.sqrt(np.square(made.latents[0] - true_latents).mean((1, 2, 3))))
        uncertainty.append(made.uncertainty[0])
        contact.append(made.outcomes['obstacle_contact'][0])
        position.append(made.outcomes['object_position'][0])
    truth = clips.future.astype(np.float32) / 255
    frames = {name: np.stack(values).astype(np.float32) / 255 for name, values in pixels.items()}
    figures: dict = {'clips': count, 'psnr_db': {}, 'ssim': {}}
    for name, made in frames.items():
        quality = psnr(made, truth)
        figures['psnr_db'][name] = {str(h): float(quality[:, h - 1].mean()) for h in HORIZONS}
        figures['ssim'][name] = {str(h): float(ssim(made[:, h - 1], truth[:, h - 1]).mean())
                                 for h in HORIZONS}
    error, uncertainty = np.stack(error), np.stack(uncertainty)
    figures['latent_rmse'] = {str(h): float(error[:, h - 1].mean()) for h in HORIZONS}
    figures['uncertainty_correlation'] = float(np.corrcoef(error.ravel(), uncertainty.ravel())[0, 1])
    ever = clips.contact.any(1)
    figures['contact'] = {
        'base_rate': float(ever.mean()),
        'auroc': auroc(np.stack(contact).max(1), ever),
        'mean_probability': float(np.stack(contact).mean()),
        'mean_frequency': float(clips.contact.mean())}
    figures['object_error_m'] = {
        str(h): float(np.linalg.norm(np.stack(position)[:, h - 1, :2]
                                     - clips.object[:, h - 1, :2], axis=-1).mean())
        for h in HORIZONS}
    figures['following'] = following(probe, frames, truth, clips.tool)
    return figures


@torch.inference_mode()
def following(probe: PoseProbe, frames: dict[str, np.ndarray], truth: np.ndarray,
              tool: np.ndarray) -> dict:
    """Probed tool position against the real one, m, and the share of frames that are near."""
    figures = {}
    for name, made in {'real frames': truth, **frames}.items():
        read = probe(torch.from_numpy(made.reshape(-1, *made.shape[2:])).movedim(-1, -3))
        away = np.linalg.norm(read.numpy().reshape(tool.shape) - tool, axis=-1)
        figures[name] = {'mean_error_m': float(away.mean()),
                         'within_5_cm': float((away < FOLLOWS_M).mean())}
    return figures


def table(robot: str, figures: dict) -> str:
    lines = [f'{robot}: {figures["clips"]} held-out clips',
             f'  {"PSNR dB (SSIM)":16}' + ''.join(f'{f"{h} frames":>16}' for h in HORIZONS)]
    for name in figures['psnr_db']:
        cells = ''.join(f'{figures["psnr_db"][name][str(h)]:9.2f} ({figures["ssim"][name][str(h)]:.2f})'
                        for h in HORIZONS)
        lines.append(f'  {name:16}{cells}')
    lines.append('  tool read from the frames: ' + ', '.join(
        f'{name} {values["mean_error_m"] * 100:.1f} cm ({values["within_5_cm"]:.0%} within 5 cm)'
        for name, values in figures['following'].items()))
    contact = figures['contact']
    lines.append(f'  obstacle contact: AUROC {contact["auroc"]}, '
                 f'mean probability {contact["mean_probability"]:.3f} where it happens in '
                 f'{contact["mean_frequency"]:.3f} of frames; '
                 f'expected error follows the real one with r = '
                 f'{figures["uncertainty_correlation"]:.2f}')
    return '\n'.join(lines)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = __doc__
    parser.formatter_class = HelpFormat
    parser.epilog = ('example:\n'
                     '  astra record --out data/held_out --episodes 40 --first-seed 900000\n'
                     '  astra eval --model tiny --data data/held_out '
                     '--out docs/results/evaluation.json\n')
    parser.add_argument('--model', default='tiny', help='shipped name or directory')
    parser.add_argument('--backend', default='torch',
                        help='what runs the model: torch')
    parser.add_argument('--device', default='cpu',
                        help='where it runs: cpu, cuda, cuda:0')
    parser.add_argument('--data', type=Path, default=Path('data/held_out'),
                        help='folder of episodes from `astra record`')
    parser.add_argument('--probe-data', type=Path, default=Path('data/train'),
                        help='episodes that the pose probe is trained on')
    parser.add_argument('--clips-per-episode', type=at_least(1), default=3,
                        help='clips cut from each episode')
    parser.add_argument('--seed', type=int, default=0,
                        help='of the noise and of where clips start')
    parser.add_argument('--out', type=Path, default=None, help='result file (JSON)')


def run(args: argparse.Namespace) -> int:
    from astra_ros.backends import load_backend

    model = load_backend(args.backend, args.model, args.device)
    by_robot: dict[str, list[Episode]] = {}
    for path in list_episodes(args.data):
        episode = load_episode(path)
        by_robot.setdefault(episode.robot, []).append(episode)
    figures = {}
    for robot, episodes in sorted(by_robot.items(), reverse=True):
        try:
            seen = [load_episode(path) for path in list_episodes(args.probe_data, robot)[:200]]
        except DatasetError as error:
            raise DatasetError(f'--probe-data: {error}') from error
        probe = train_probe(np.concatenate([episode.frames for episode in seen]),
                            np.concatenate([episode.tool_position for episode in seen]))
        figures[robot] = evaluate(model, episodes, probe, args.clips_per_episode, args.seed)
        print(table(robot, figures[robot]))
    if args.out:
        write_result(args.out, {'model': model.card.name, 'sha256': model.card.sha256[:12],
                                'robots': figures})
    return 0
