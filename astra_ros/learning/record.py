"""`astra record`: many seeded episodes from the simulator, with workers side by side.

An episode is a few seconds of play: pushes good and bad, misses, collisions, random motion. Seeds
name the episodes, so a stopped recording goes on where it was and anyone can make the same again.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
from pathlib import Path

import numpy as np
from tqdm import tqdm

from astra_ros.learning.arguments import HelpFormat, at_least
from astra_ros.learning.dataset import HELD_OUT_FROM, Episode, episode_path, save_episode

DT_S = 0.25
FRAMES = 33                     # two plans of four seconds, and the frame before them
IMAGE_SIZE = (64, 64)
ROBOTS = ('panda', 'kuka')


def record_episode(world, seed: int, image_size: tuple[int, int] = IMAGE_SIZE) -> Episode:
    """Reset `world` to `seed` and play for FRAMES frames."""
    from astra_ros.pipeline import to_model_size
    from astra_ros.simulation.candidates import propose, random_play

    rng = np.random.default_rng([seed, 7])
    world.reset(seed)
    span_s = (FRAMES - 1) * DT_S
    frames, states, kinds = [], [], []
    plan_ends_s = 0.0

    def capture():
        frames.append(to_model_size(world.render(), image_size))
        states.append(world.state())

    capture()
    for index in range(FRAMES - 1):
        if index * DT_S >= plan_ends_s - 1e-9:
            if rng.random() < 0.35:
                kind, plan = 'random_play', random_play(world, span_s / 2, int(rng.integers(2**31)))
            else:
                proposals = propose(world, 2, int(rng.integers(2**31)))
                kind, plan = proposals[int(rng.integers(len(proposals)))]
            world.command(plan)
            kinds.append(kind)
            plan_ends_s += span_s / 2
        world.step(DT_S)
        capture()

    def column(name, dtype=np.float32):
        return np.array([getattr(state, name) for state in states], dtype)

    return Episode(
        np.stack(frames), column('commanded_positions'), column('joint_positions'),
        column('object_position'), column('tool_position'), column('obstacle_contact', bool),
        column('object_contact', bool), states[0].goal_position.astype(np.float32),
        states[0].obstacle_position.astype(np.float32), tuple(world.joint_names),
        world.settings.robot, '+'.join(kinds), seed, DT_S)


def _work(job: tuple[str, str, list[int]]) -> int:
    """Record one robot's seeds into a folder; a worker process runs this."""
    from astra_ros.simulation.arm_world import ArmWorld, ArmWorldSettings

    folder, robot, seeds = job
    world = ArmWorld(ArmWorldSettings(robot=robot))
    for seed in seeds:
        save_episode(episode_path(Path(folder), robot, seed), record_episode(world, seed))
    world.close()
    return len(seeds)


def record(folder: Path, robots, episodes: int, first_seed: int, workers: int) -> int:
    """Record what is missing; returns the number of episodes made."""
    folder.mkdir(parents=True, exist_ok=True)
    jobs = []
    for robot in robots:
        seeds = [seed for seed in range(first_seed, first_seed + episodes)
                 if not episode_path(folder, robot, seed).exists()]
        jobs += [(str(folder), robot, seeds[i:i + 5]) for i in range(0, len(seeds), 5)]
    total = sum(len(seeds) for _, _, seeds in jobs)
    with (tqdm(total=total, unit='episode', desc=f'record {folder}') as bar,
          multiprocessing.get_context('spawn').Pool(workers) as pool):
        for made in pool.imap_unordered(_work, jobs):
            bar.update(made)
    return total


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = __doc__
    parser.formatter_class = HelpFormat
    parser.epilog = (
        'examples:\n'
        '  astra record --out data/train --episodes 500\n'
        f'  astra record --out data/held_out --episodes 40 --first-seed {HELD_OUT_FROM}\n')
    parser.add_argument('--out', type=Path, default=Path('data/train'), help='folder of episodes')
    parser.add_argument('--robots', nargs='+', default=list(ROBOTS), choices=ROBOTS,
                        help='simulated arms')
    parser.add_argument('--episodes', type=at_least(1), default=500, help='episodes of each robot')
    parser.add_argument('--first-seed', type=at_least(0), default=0,
                        help=f'seeds from {HELD_OUT_FROM} on are for evaluation')
    parser.add_argument('--workers', type=at_least(1), default=multiprocessing.cpu_count(),
                        help='processes side by side (default: one a core)')


def run(args: argparse.Namespace) -> int:
    made = record(args.out, args.robots, args.episodes, args.first_seed, args.workers)
    print(f'{made} episodes recorded, {len(list(args.out.glob("episode_*.npz")))} in {args.out}',
          file=sys.stderr)
    return 0
