"""`astra eval`: how good is the imagined video, and does it follow the plan?

On held-out scenes, per action space and horizon: what the autoencoder alone can do (ceiling), the model,
what the model decodes before anything is laid over it, and a copy of the last observed
frame; where the camera's way is known, also that frame moved along by geometry alone. Then two checks of
the actions: the same clips with the motion of another clip, and a probe, trained on real frames alone,
that reads poses from the imagined ones. Scenes that were recorded in a second style are also imagined in
that one: shown a picture of it, with the colours of that picture alone, and not shown one. With --report
also a page with curves and pictures.

Frames in which nothing has changed since the last observed one ask nothing, and copying is infinitely
good there: PSNR and SSIM are over the others. How many were left out is stated, and how well the
model holds still in them.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from astra_ros.backends.lenses import lens_of
from astra_ros.learning import perceptual
from astra_ros.learning.arguments import HelpFormat, at_least
from astra_ros.learning.clips import frames_to_tensor
from astra_ros.learning.dataset import HELD_OUT_FROM, list_episodes, load_episode
from astra_ros.learning.drawings import Drawer
from astra_ros.learning.episode import DatasetError, Episode
from astra_ros.learning.following import Follower
from astra_ros.learning.held_out import HeldOutClips, check_fits
from astra_ros.learning.metrics import auroc, interval, psnr, ssim
from astra_ros.learning.report import write_report
from astra_ros.learning.results import provenance, write_result
from astra_ros.planning.drawings import then_and_now
from astra_ros.planning.moving_camera import MovingCamera
from astra_ros.world_model import reproject
from astra_ros.world_model.denoiser import OutcomeHeads

HORIZONS = (1, 4, 8, 16, 32, 64)
MODEL = 'tiny'              # where none is named: its frames are as large as those of `astra record`
DRIFT = (16, 64)            # frames between which drift is stated
FOLLOWED = 16               # frames whose poses count, from the first on
PROBE_EPISODES = 1000
STILL_DB = 50.0             # above this a frame is the last observed one: nothing to imagine
USABLE_PROBE = 0.5          # share of the real frames whose pose a probe must find
ROWS = {'ceiling': 'autoencoder alone', 'model': 'model', 'decoded': 'model, decoded alone',
        'shuffled': "another plan's motion",
        'geometry': 'moved by geometry', 'copy': 'copy the last frame'}
STYLE_ROWS = {'ceiling': 'autoencoder alone', 'told': 'shown a picture of it', 'matched': 'its colours matched alone',
              'untold': 'not shown one', 'copy': 'copy the last frame'}    # in another style


def imagine_clips(model, clips: HeldOutClips, seed: int) -> dict:
    """What the model makes of every clip, with its own motion and with another's."""
    made: dict[str, list] = {name: [] for name in (
        'ceiling', 'model', 'decoded', 'shuffled', 'geometry', 'error', 'uncertainty')}
    outcomes: dict[str, list] = {}
    for i in tqdm(range(len(clips)), unit='clip', desc=clips.space.name):
        drawings = None
        if clips.drawings is not None:
            drawings = np.stack([clips.drawings[i], clips.shuffled_drawings[i]])
        both = np.stack([clips.actions[i], clips.shuffled[i]])
        travel = None if clips.travel is None else np.stack([clips.travel[i], clips.shuffled_travel[i]])
        imagined = model.imagine(clips.history[i], both, clips.space.name, seed=seed,
                                 drawings=None if drawings is None else drawings[:, 1:], travel=travel)
        true_latents = model.encode(clips.future[i])
        for row, number in (('model', 0), ('shuffled', 1)):
            made[row].append(model.pictures(
                imagined.latents[number], clips.history[i, -1], clips.space.name,
                None if travel is None else travel[number],
                None if drawings is None else then_and_now(drawings[number])))
        if model.card.network.get('compositing'):
            made['decoded'].append(model.decode(imagined.latents[0]))
        made['ceiling'].append(model.decode(true_latents))
        if clips.travel is not None:
            made['geometry'].append(_by_geometry(model.card.moving_cameras[clips.space.name],
                                                 clips.history[i, -1], clips.travel[i]))
        made['error'].append(np.sqrt(np.square(imagined.latents[0] - true_latents).mean((1, 2, 3))))
        made['uncertainty'].append(imagined.uncertainty[0])
        for name, values in imagined.outcomes.items():
            outcomes.setdefault(name, []).append(values[0])
    result = {name: np.stack(values) for name, values in made.items() if values}
    result['copy'] = np.repeat(clips.history[:, -1:], clips.future.shape[1], axis=1)
    result['outcomes'] = {name: np.stack(values) for name, values in outcomes.items()}
    return result


def colours_matched(frames: np.ndarray, picture: np.ndarray) -> np.ndarray:
    """Frames uint8 [T, h, w, 3] whose colours have the mean and the spread, channel by channel, of those of `picture`
    [h, w, 3]: what can be had of a look without knowing what is seen (after Reinhard et al. 2001, in RGB)."""
    own, wanted = frames.astype(np.float32), picture.astype(np.float32)
    spread = wanted.std((0, 1)) / np.maximum(own[-1].std((0, 1)), 1)
    matched = (own - own[-1].mean((0, 1))) * spread + wanted.mean((0, 1))
    return matched.round().clip(0, 255).astype(np.uint8)


def imagine_styled(model, clips: HeldOutClips, seed: int) -> tuple[dict, dict[str, np.ndarray]] | None:
    """Is the other look imagined that a picture shows? Figures, and the first clip to look at; None where no scene
    was recorded in a second style, or the model cannot take one on.

    PSNR against the recording in that style, in dB, mean over clips: of what is decoded when the observed frames are
    given the look of a picture first (`told`), when only the mean and spread of their colours are made those of the
    picture (`matched`), and from the frames as observed (`untold`); of the autoencoder alone, and of a copy of the
    last frame. Of the clip there are rows uint8 [1 + H, h, w, 3]: first what was given, then what came of it.
    """
    if not clips.styles or not model.can_restyle:
        return None
    quality: dict[str, list] = {name: [] for name in STYLE_ROWS}
    shown: dict[str, np.ndarray] = {}
    for i, (look, future) in tqdm(clips.styles.items(), unit='clip', desc=f'{clips.space.name}, other styles'):
        drawings = None if clips.drawings is None else clips.drawings[i:i + 1, 1:]
        travel = None if clips.travel is None else clips.travel[i:i + 1]
        observed = clips.history[i]
        histories = {'told': model.restyle(observed, look), 'matched': colours_matched(observed, look),
                     'untold': observed}
        made = {name: model.decode(model.imagine(
            history, clips.actions[i:i + 1], clips.space.name, seed=seed, drawings=drawings, travel=travel).latents[0])
            for name, history in histories.items()}
        if not shown:
            shown['restyled'] = np.concatenate([look[None], future])
            shown |= {name: np.concatenate([histories[name][-1:], made[name]]) for name in histories}
        made |= {'ceiling': model.decode(model.encode(future)), 'copy': np.repeat(observed[-1:], len(future), 0)}
        for name in STYLE_ROWS:
            quality[name].append(psnr(made[name].astype(np.float32) / 255, future.astype(np.float32) / 255))
    length = clips.future.shape[1]
    at = min(16, length) - 1

    def gained(over: str) -> dict:
        gain = (np.array(quality['told']) - quality[over])[:, at]
        return {'mean': float(gain.mean()), 'interval_95': interval(gain)}

    return {'clips': len(clips.styles), 'psnr_db': {
        name: {str(h): float(np.mean([curve[h - 1] for curve in curves])) for h in HORIZONS if h <= length}
        for name, curves in quality.items()},
        'gain_db': {'horizon': at + 1, **gained('untold')}, 'gain_over_matched_db': gained('matched')}, shown


def _by_geometry(camera: MovingCamera, frame: np.ndarray, travel: np.ndarray) -> np.ndarray:
    """A picture from where the camera goes, without any network: uint8 [H, h, w, 3]."""
    views, _ = reproject(frames_to_tensor(frame[None]), torch.from_numpy(travel)[None],
                         lens_of(camera, frame.shape[:2]))
    return (views[0] * 255).round().to(torch.uint8).movedim(1, -1).numpy()


def evaluate(clips: HeldOutClips, made: dict, follower: Follower | None,
             measures: perceptual.Measures) -> dict:
    """All figures of one action space."""
    truth = clips.future.astype(np.float32) / 255
    length = truth.shape[1]
    horizons = [h for h in HORIZONS if h <= length]
    seen = {name: made[name].astype(np.float32) / 255 for name in ROWS if name in made}
    quality = {name: psnr(frames, truth) for name, frames in seen.items()}
    changed = quality['copy'] < STILL_DB
    figures: dict = {'clips': len(clips), 'still': _still(quality, changed), 'psnr_db': {}, 'ssim': {},
                     'psnr_curve_db': {}}
    for name, frames in seen.items():
        figures['psnr_db'][name] = {str(h): _mean(quality[name], changed, h) for h in horizons}
        figures['psnr_curve_db'][name] = [round(_mean(quality[name], changed, h + 1), 3)
                                          for h in range(length)]
        figures['ssim'][name] = {
            str(h): float(ssim(frames[:, h - 1], truth[:, h - 1])[_counted(changed, h)].mean())
            for h in horizons}
    if follower is not None:
        first = min(FOLLOWED, length)
        read = {'real frames': clips.future, **{name: made[name] for name in seen}}
        figures['following'] = {name: follower.figures(
            follower.read(clips.history[:, -1], frames[:, :first]), clips.poses[:, :first])
            for name, frames in read.items()}
        figures['following_frames'] = first
    if any(measures):
        figures |= perceptual.figures(measures, seen, truth, horizons)
    at = min(16, length) - 1
    gain = (quality['model'] - quality['copy'])[_counted(changed, at + 1), at]
    figures['gain_over_copy_db'] = {'horizon': at + 1, 'mean': float(gain.mean()),
                                    'interval_95': interval(gain)}
    if 'decoded' in quality:
        bare = (quality['decoded'] - quality['copy'])[_counted(changed, at + 1), at]
        figures['gain_over_copy_db']['decoded'] = float(bare.mean())
    if length >= DRIFT[1]:
        first, last = (_mean(quality['model'], changed, h) for h in DRIFT)
        figures['drift_db'] = first - last
    figures['latent_rmse'] = {str(h): float(made['error'][:, h - 1].mean()) for h in horizons}
    figures['uncertainty_correlation'] = float(
        np.corrcoef(made['error'].ravel(), made['uncertainty'].ravel())[0, 1])
    figures['events'] = {name: _event(made['outcomes'][name], clips.labels[name])
                         for name in OutcomeHeads.EVENTS
                         if name in made['outcomes'] and name in clips.labels}
    if 'object_position' in made['outcomes'] and 'object_position' in clips.labels:
        away = np.linalg.norm((made['outcomes']['object_position']
                               - clips.labels['object_position'])[..., :2], axis=-1)
        figures['object_error_m'] = {str(h): float(np.nanmean(away[:, h - 1])) for h in horizons}
    return figures


def _counted(changed: np.ndarray, horizon: int) -> np.ndarray:
    """Which clips count at a horizon: those that have changed by then, or all where none has."""
    here = changed[:, horizon - 1]
    return here if here.any() else np.ones_like(here)


def _mean(values: np.ndarray, changed: np.ndarray, horizon: int) -> float:
    return float(values[_counted(changed, horizon), horizon - 1].mean())


def _still(quality: dict[str, np.ndarray], changed: np.ndarray) -> dict:
    """What was left out: how many frames are as the last observed one, and the model's PSNR there."""
    still = ~changed
    return {'share': float(still.mean()),
            'psnr_db': float(quality['model'][still].mean()) if still.any() else None}


def _event(probability: np.ndarray, happened: np.ndarray) -> dict:
    """A head's probabilities [N, H] against what happened: in which clips, and in which frames.

    An AUROC is None where the event happened in all of them, or in none.
    """
    ever = happened.any(1)
    return {'base_rate': float(ever.mean()), 'auroc': auroc(probability.max(1), ever),
            'auroc_frames': auroc(probability.ravel(), happened.ravel()),
            'mean_probability': float(probability.mean()),
            'mean_frequency': float(happened.mean())}


def overall(spaces: dict[str, dict]) -> dict:
    """The mean over worlds of what the README's table of goals asks for; arms count once."""
    by_world: dict[str, list[dict]] = {}
    for figures in spaces.values():
        by_world.setdefault(figures['world'], []).append(figures)

    def mean(value_of) -> float | None:
        worlds = [[value_of(figures) for figures in group] for group in by_world.values()]
        if any(value is None for group in worlds for value in group):
            return None
        return float(np.mean([np.mean(group) for group in worlds]))

    def at_16(figures, metric, row):
        return figures.get(metric, {}).get(row, {}).get('16')

    def lost_when_shuffled(figures):
        rows = [at_16(figures, 'psnr_db', row) for row in ('model', 'shuffled')]
        return None if None in rows else rows[0] - rows[1]

    def told(figures):
        gain = figures.get('style', {}).get('gain_db', {})
        return gain['mean'] if gain.get('horizon') == 16 else None

    def near(figures, row):
        if figures.get('following_frames') != FOLLOWED:
            return None
        return figures['following'][row]['near']

    return {
        'worlds': sorted(by_world),
        'ceiling_psnr_db': mean(lambda f: at_16(f, 'psnr_db', 'ceiling')),
        'gain_over_copy_db': mean(lambda f: f['gain_over_copy_db']['mean']),
        'ssim': mean(lambda f: at_16(f, 'ssim', 'model')),
        'lpips': mean(lambda f: at_16(f, 'lpips', 'model')),
        'lpips_copy': mean(lambda f: at_16(f, 'lpips', 'copy')),
        'fvd': mean(lambda f: f.get('fvd', {}).get('model')),
        'lost_when_shuffled_db': mean(lost_when_shuffled),
        'near': mean(lambda f: near(f, 'model')),
        # The same of what is decoded, before anything is laid over it; scores see no more.
        'gain_over_copy_decoded_db': mean(lambda f: f['gain_over_copy_db'].get('decoded')),
        'ssim_decoded': mean(lambda f: at_16(f, 'ssim', 'decoded')),
        'near_decoded': mean(lambda f: near(f, 'decoded')),
        'near_real': mean(lambda f: near(f, 'real frames')),
        'near_shuffled': mean(lambda f: near(f, 'shuffled')),
        'style_told_db': mean(told),
        'drift_db': mean(lambda f: f.get('drift_db'))}


def table(name: str, figures: dict) -> str:
    horizons = list(figures['psnr_db']['model'])
    lines = [f'{name}: {figures["clips"]} held-out clips',
             f'  {"PSNR dB (SSIM)":22}' + ''.join(f'{f"{h} frames":>15}' for h in horizons)]
    for row in figures['psnr_db']:
        title = ROWS[row]
        cells = ''.join(f'{figures["psnr_db"][row][h]:8.2f} ({figures["ssim"][row][h]:.2f})'
                        for h in horizons)
        lines.append(f'  {title:22}{cells}')
    if figures['still']['share']:
        lines.append(f'  left out, since nothing had changed: {figures["still"]["share"]:.1%} of the '
                     f'frames; the model reaches {figures["still"]["psnr_db"]:.1f} dB there')
    if 'following' in figures:
        lines.append(f'  pose read from the first {figures["following_frames"]} frames: ' + ', '.join(
            f'{ROWS.get(row, row)} {values["mean_error_m"] * 100:.1f} cm ({values["near"]:.0%} near)'
            for row, values in figures['following'].items()))
        seen = figures['following']['real frames']['near']
        if seen < USABLE_PROBE:
            lines.append(f'  (the probe finds only {seen:.0%} of the poses in real frames: its figures '
                         'say little; give it more --probe-data)')
    for event, values in figures['events'].items():
        tells = ', '.join(f'AUROC {values[key]:.2f} ({what})' for key, what in (
            ('auroc', 'in which clips'), ('auroc_frames', 'in which frames')) if values[key] is not None)
        tells = tells or f'in {values["base_rate"]:.0%} of the clips, so nothing to tell apart'
        lines.append(f'  {event}: {tells}; mean probability {values["mean_probability"]:.3f} where '
                     f'it happens in {values["mean_frequency"]:.3f} of the frames')
    if 'style' in figures:
        lines.append(f'  in another style, {figures["style"]["clips"]} clips, decoded alone, PSNR dB:')
        lines += [f'  {STYLE_ROWS[row]:22}' + ''.join(f'{values[h]:8.2f}{"":7}' for h in horizons)
                  for row, values in figures['style']['psnr_db'].items()]
    if 'drift_db' in figures:
        lines.append(f'  drift: {figures["drift_db"]:.2f} dB lost from frame {DRIFT[0]} to {DRIFT[1]}')
    return '\n'.join(lines)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = __doc__
    parser.formatter_class = HelpFormat
    parser.epilog = ('example:\n'
                     '  astra record --out data/held_out --episodes 40 --first-seed 900000 --seconds 17\n'
                     '  astra eval --model tiny --data data/held_out --report out/report '
                     '--out docs/results/astra-tiny/evaluation.json\n')
    parser.add_argument('model', nargs='?', default=None, metavar='MODEL', help='shipped name or directory '
                        f'(default: {MODEL})')
    parser.add_argument('--model', default=None, dest='model_named', metavar='MODEL', help='the same')
    parser.add_argument('--backend', default='torch', help='what runs the model: torch')
    parser.add_argument('--device', default='cpu', help='where it runs: cpu, cuda, cuda:0')
    parser.add_argument('--data', type=Path, default=Path('data/held_out'),
                        help='folder of held-out episodes from `astra record`')
    parser.add_argument('--probe-data', type=Path, default=Path('data/train'),
                        help='episodes that the pose probes are trained on')
    parser.add_argument('--probes', type=Path, default=None, metavar='FOLDER',
                        help='where trained pose probes are kept, to be there when another model is '
                             'evaluated (default: PROBE_DATA/probes)')
    parser.add_argument('--no-probe', action='store_true',
                        help='without the poses read from the frames: much quicker, where no probe is '
                             'kept from before')
    parser.add_argument('--spaces', nargs='+', default=None, metavar='SPACE',
                        help='only these action spaces (default: all that data and model share)')
    parser.add_argument('--clips-per-episode', type=at_least(1), default=3,
                        help='clips cut from each episode')
    parser.add_argument('--horizon', type=at_least(1), default=None,
                        help='frames to imagine (default: as the shortest episode allows, at most '
                             f'{HORIZONS[-1]})')
    parser.add_argument('--seed', type=int, default=0,
                        help='of the noise and of where clips start')
    parser.add_argument('--no-drawings', action='store_true',
                        help='imagine without the robot drawn along the plan')
    parser.add_argument('--no-reprojection', action='store_true',
                        help='imagine without the last picture as it will look from where a moving '
                             'camera will be')
    perceptual.add_arguments(parser)
    parser.add_argument('--ranking', type=Path, default=None, metavar='FILE',
                        help='result file of `astra rank` of the same model: its figures into the report too')
    parser.add_argument('--out', type=Path, default=None, help='result file (JSON)')
    parser.add_argument('--report', type=Path, default=None, metavar='FOLDER',
                        help='write report.md and report.html with curves and pictures there')


def figures_of_rank(path: Path, card) -> dict:
    """How well scores choose, from a result file of `astra rank`; a DatasetError if it is none of this model."""
    try:
        result = json.loads(path.read_text())
        figures = {name: result['overall'][name] for name in ('worlds', 'spearman', 'top1_regret')}
        measured = result['sha256']
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(f'--ranking {path}: not a result file of `astra rank --out` '
                           f'({type(error).__name__}: {error})') from error
    if measured != card.sha256[:12]:
        raise DatasetError(f"--ranking {path}: of weights {measured}, those of '{card.name}' are "
                           f'{card.sha256[:12]}; rank this model')
    return figures


def follower_of(folder: Path, space: str, keep: Path) -> Follower:
    """The pose probe of an action space, trained on episodes of a folder."""
    try:
        return Follower.kept_or_trained(list_episodes(folder, space)[:PROBE_EPISODES], keep)
    except DatasetError as error:
        raise DatasetError(f'--probe-data: {error}') from error


def run(args: argparse.Namespace) -> int:
    from astra_ros.backends import load_backend

    if args.model and args.model_named:
        raise DatasetError(f'{args.model} and --model {args.model_named}: give one of the two')
    model = load_backend(args.backend, args.model or args.model_named or MODEL, args.device)
    card = model.card
    wanted = args.spaces or list(card.action_spaces)
    if unknown := [space for space in wanted if space not in card.action_spaces]:
        raise DatasetError(f"--spaces: the model '{card.name}' does not know {', '.join(unknown)}; it "
                           f"knows {', '.join(card.action_spaces)}")
    by_space: dict[str, list[Episode]] = {}
    skipped: set[str] = set()
    for path in list_episodes(args.data):
        space = path.stem.rpartition('_')[0]
        if space in wanted:
            episode = load_episode(path, restyled=True)
            check_fits(episode, card)
            by_space.setdefault(space, []).append(episode)
        else:
            skipped.add(space)
    if not by_space:
        raise DatasetError(f"{args.data}: no episode of {', '.join(wanted)}; record some with: "
                           f'astra record --out {args.data} --first-seed {HELD_OUT_FROM} --seconds 17')
    if unknown := sorted(skipped - set(card.action_spaces)):
        print(f"note: '{card.name}' does not know {', '.join(unknown)}; not evaluated")
    if any(episode.restyled is not None for group in by_space.values() for episode in group) and not model.can_restyle:
        print(f"note: '{card.name}' cannot take on the look of a picture, so no scene is imagined in its second style; "
              f'train that with: astra style {card.path}')
    measures = perceptual.load(args, args.device)
    ranked = figures_of_rank(args.ranking, card) if args.ranking else {}
    figures, shown, in_style = {}, {}, {}
    horizons = {space: args.horizon or min(HORIZONS[-1], min(map(len, episodes)) - 1)
                for space, episodes in by_space.items()}
    for horizon in horizons.values():       # all that can be refused, before the work
        perceptual.check(measures, horizon)
    for space, episodes in sorted(by_space.items()):
        horizon = horizons[space]
        drawer = None
        if card.network.get('drawing') and not args.no_drawings:
            drawer = Drawer(args.data, card.image_size)
        clips = HeldOutClips(episodes, card, horizon, args.clips_per_episode, args.seed, drawer,
                             reprojected=not args.no_reprojection)
        follower = None
        if clips.poses is not None and not args.no_probe:
            follower = follower_of(args.probe_data, space, args.probes or args.probe_data / 'probes')
        made = imagine_clips(model, clips, args.seed)
        figures[space] = {'world': episodes[0].world, 'drawn': clips.drawings is not None,
                          'reprojected': clips.travel is not None,
                          **evaluate(clips, made, follower, measures)}
        if (styled := imagine_styled(model, clips, args.seed)) is not None:
            figures[space]['style'], in_style[space] = styled
        shown[space] = {'truth': clips.future[:3], **{name: made[name][:3] for name in ROWS if name in made}}
        print(table(space, figures[space]), flush=True)
    result = {'model': card.name, 'sha256': card.sha256[:12], 'data': str(args.data),
              'dt_s': card.dt_s, 'overall': overall(figures), 'spaces': figures}
    if ranked:
        result['ranking'] = ranked
    if args.out:
        write_result(args.out, result)
    if args.report:
        write_result(args.report / 'evaluation.json', result)
        write_report(args.report, {**provenance(), **result}, shown, in_style)
    return 0
