"""`astra rank`: is the plan with the best imagined score really the better plan?

In every random scene all candidates are imagined and scored from the camera alone; then the
simulator executes each one. Compared are

  score     the plan that the scores choose (no plan, outcome 0, where all are vetoed)
  random    a random candidate
  oracle    the best candidate by its true outcome

True outcome of a plan: progress - collision. Progress is 1 - d_end / d_start, clipped to -1..1,
d the distance of cube and goal; collision is 1 if arm or cube touched the obstacle, else 0.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from tqdm import tqdm

from astra_ros.learning.arguments import HelpFormat, at_least
from astra_ros.learning.dataset import HELD_OUT_FROM
from astra_ros.learning.drawings import simulated_urdf
from astra_ros.learning.metrics import interval, kendall, mean_rank_violation, spearman
from astra_ros.learning.results import write_result

# Away from the scenes that `astra record` holds out for `astra eval`.
FIRST_SCENE = HELD_OUT_FROM + 50_000


def play_scene(imaginer, world, seed: int, plans: int) -> dict:
    """One scene: scores from imagination, outcomes from the simulator."""
    from astra_ros.pipeline import to_model_size
    from astra_ros.simulation.arm.candidates import propose
    from astra_ros.simulation.arm.rollout import execute

    card = imaginer.model.card
    world.reset(seed)
    frames = [world.render()]
    for _ in range(card.history - 1):
        world.step(card.dt_s)
        frames.append(world.render())
    history = np.stack([to_model_size(frame, card.image_size) for frame in frames])
    goal = to_model_size(world.goal_image(), card.image_size)
    joints_now = dict(zip(world.joint_names, world.state().joint_positions))
    candidates = propose(world, plans, seed)
    result = imaginer.score(history, [plan for _, plan in candidates], joints_now, goal, seed=seed)
    now = world.snapshot()
    truth = []
    for _, plan in candidates:
        world.restore(now)
        truth.append(execute(world, plan, imaginer.settings.horizon, card.dt_s, render=False))
    scores = result.scores
    return {
        'seed': seed,
        'kinds': [kind for kind, _ in candidates],
        'scores': [score.score for score in scores],
        # Vetoed plans come last, in the order of their scores.
        'order': [-score.rank for score in scores],
        'verdicts': [score.verdict for score in scores],
        'raw': {name: [score.critics[name][0] for score in scores] for name in scores[0].critics},
        'chosen': result.best,
        'progress': [rollout.progress for rollout in truth],
        'collision': [bool(rollout.collision) for rollout in truth],
        'outcomes': [rollout.outcome for rollout in truth]}


def summarise(scenes: list[dict]) -> dict:
    """The figures of the table, over scenes."""
    outcomes = [np.array(scene['outcomes']) for scene in scenes]
    chosen = np.array([0.0 if scene['chosen'] is None else outcome[scene['chosen']]
                       for scene, outcome in zip(scenes, outcomes)])
    hit = [scene['chosen'] is not None and scene['collision'][scene['chosen']]
           for scene in scenes]
    rho = np.array([spearman(scene['order'], outcome)
                    for scene, outcome in zip(scenes, outcomes)])
    tau = np.array([kendall(np.array(scene['order']), outcome)
                    for scene, outcome in zip(scenes, outcomes)])
    best = np.array([outcome.max() for outcome in outcomes])
    worst = np.array([outcome.min() for outcome in outcomes])
    choices = {'score': chosen, 'random': np.array([outcome.mean() for outcome in outcomes]),
               'oracle': best}
    collisions = {'score': float(np.mean(hit)),
                  'random': float(np.mean([np.mean(scene['collision']) for scene in scenes])),
                  'oracle': float(np.mean([scene['collision'][int(np.argmax(outcome))]
                                           for scene, outcome in zip(scenes, outcomes)]))}
    vetoed = np.concatenate([np.array(scene['verdicts']) == 'vetoed' for scene in scenes])
    collided = np.concatenate([np.array(scene['collision'], bool) for scene in scenes])
    return {
        'scenes': len(scenes),
        # Vetoes against what then happened: colliding plans that were vetoed, and others that were.
        'vetoed_of_colliding': float(vetoed[collided].mean()) if collided.any() else None,
        'vetoed_of_harmless': float(vetoed[~collided].mean()) if (~collided).any() else None,
        'spearman': float(rho.mean()), 'spearman_95': interval(rho),
        'kendall': float(tau.mean()),
        'mmrv': float(np.mean([mean_rank_violation(np.array(scene['order']), outcome)
                               for scene, outcome in zip(scenes, outcomes)])),
        # How much of the range between a scene's best and worst plan the choice gives away.
        'top1_regret': float(np.mean((best - chosen) / np.maximum(best - worst, 1e-6))),
        'none_accepted': float(np.mean([scene['chosen'] is None for scene in scenes])),
        'outcome': {name: float(values.mean()) for name, values in choices.items()},
        'outcome_95': {name: interval(values) for name, values in choices.items()},
        'collisions': collisions}


def table(robot: str, figures: dict) -> str:
    lines = [f'{robot}: {figures["scenes"]} scenes, Spearman {figures["spearman"]:.3f} '
             f'[{figures["spearman_95"][0]:.3f}, {figures["spearman_95"][1]:.3f}], '
             f'Kendall {figures["kendall"]:.3f}, top-1 regret {figures["top1_regret"]:.1%}',
             f'  {"chosen by":10} {"mean outcome":>13} {"95 % interval":>18} {"collisions":>11}']
    for name, value in figures['outcome'].items():
        low, high = figures['outcome_95'][name]
        lines.append(f'  {name:10} {value:13.3f} {f"[{low:.3f}, {high:.3f}]":>18} '
                     f'{figures["collisions"][name]:11.1%}')
    return '\n'.join(lines)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = __doc__
    parser.formatter_class = HelpFormat
    parser.epilog = ('example:\n'
                     '  astra rank --model tiny --scenes 100 --out docs/results/ranking.json\n')
    parser.add_argument('--model', default='tiny', help='shipped name or directory')
    parser.add_argument('--backend', default='torch',
                        help='what runs the model: torch')
    parser.add_argument('--device', default='cpu',
                        help='where it runs: cpu, cuda, cuda:0')
    parser.add_argument('--robots', nargs='+', default=['panda', 'kuka'],
                        choices=('panda', 'kuka'), help='simulated arms')
    parser.add_argument('--scenes', type=at_least(1), default=100, help='scenes of each robot')
    parser.add_argument('--plans', type=at_least(1), default=8, help='candidates a scene')
    parser.add_argument('--first-seed', type=int, default=FIRST_SCENE,
                        help="the first scene's seed")
    parser.add_argument('--out', type=Path, default=None, help='result file (JSON)')
    parser.add_argument('--raw', type=Path, default=None, help='every scene, for a closer look')


def run(args: argparse.Namespace) -> int:
    import json

    from astra_ros.backends import load_backend
    from astra_ros.pipeline import Imaginer, ImaginerSettings
    from astra_ros.simulation.arm.world import ArmWorld, ArmWorldSettings

    model = load_backend(args.backend, args.model, args.device)
    imaginer = Imaginer(model)
    everything, figures = {}, {}
    for robot in args.robots:
        imaginer.drawings.describe(simulated_urdf(robot))
        imaginer.configure(ImaginerSettings(action_space=f'{robot}_joints'), {})
        with ArmWorld(ArmWorldSettings(robot=robot)) as world:
            scenes = [play_scene(imaginer, world, seed, args.plans) for seed in
                      tqdm(range(args.first_seed, args.first_seed + args.scenes), unit='scene',
                           desc=f'rank {robot}')]
        everything[robot], figures[robot] = scenes, summarise(scenes)
        print(table(robot, figures[robot]))
    if args.raw:
        args.raw.write_text(json.dumps(everything))
    if args.out:
        write_result(args.out, {'model': imaginer.model.card.name,
                                'sha256': imaginer.model.card.sha256[:12],
                                'plans': args.plans, 'robots': figures})
    return 0
