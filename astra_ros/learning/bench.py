"""`astra bench`: how long from a camera image to scores, beside the seed document's plain loop.

The request is the real one: pictures scaled and encoded, K plans imagined for H frames, every
critic asked. The plain loop does the same with nothing clever: 50 denoising steps, one plan after
the other, the history encoded again for every frame. Both are timed in this process, in turns.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from tqdm import tqdm

from astra_ros.learning.results import write_result

PLAIN_STEPS = 50


def percentiles(seconds: list[float]) -> dict:
    p50, p95, p99 = np.percentile(seconds, (50, 95, 99))
    return {'p50_ms': 1e3 * p50, 'p95_ms': 1e3 * p95, 'p99_ms': 1e3 * p99, 'runs': len(seconds)}


def matmul_peak_flops(seconds: float = 1.0) -> float:
    """What this machine reaches on a large float32 matrix product, FLOP/s."""
    import torch

    a, b = torch.randn(1024, 1024), torch.randn(1024, 1024)
    for _ in range(3):
        a @ b
    begin, count = time.perf_counter(), 0
    while time.perf_counter() - begin < seconds:
        a @ b
        count += 1
    return 2 * 1024 ** 3 * count / (time.perf_counter() - begin)


def imagination_flops(model, history, actions, modality) -> int:
    """Floating-point operations of one request, counted by torch."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        model.imagine(history, actions, modality)
    return counter.get_total_flops()


def plain_plan_seconds(model, history, actions, modality, frames: int = 1) -> float:
    """Seconds a plan of the plain loop, timed on its first `frames` frames and scaled to all."""
    horizon = actions.shape[1]
    begin = time.perf_counter()
    for index in range(frames):
        model.imagine(history, actions[:1, index:index + 1], modality, steps=PLAIN_STEPS)
    return (time.perf_counter() - begin) * horizon / frames


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = __doc__
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = 'example:\n  astra bench --plans 8 --horizon 16 --out docs/results/latency.json\n'
    parser.add_argument('--model', default='tiny', help='shipped name or directory')
    parser.add_argument('--backend', default='torch',
                        help='what runs the model: torch')
    parser.add_argument('--device', default='cpu',
                        help='where it runs: cpu, cuda, cuda:0')
    parser.add_argument('--robot', default='panda', choices=('panda', 'kuka'),
                        help='simulated arm')
    parser.add_argument('--plans', type=int, default=8,
                        help='candidates of a request')
    parser.add_argument('--horizon', type=int, default=16,
                        help='frames imagined of each')
    parser.add_argument('--runs', type=int, default=60,
                        help='timed requests')
    parser.add_argument('--load', action='store_true',
                        help='with another process keeping one core busy all the while')
    parser.add_argument('--out', type=Path, default=None, help='result file (JSON)')


def _busy() -> None:
    while True:
        pass


def run(args: argparse.Namespace) -> int:
    import multiprocessing

    import torch

    from astra_ros.backends import load_backend
    from astra_ros.pipeline import Imaginer, ImaginerSettings, to_model_size
    from astra_ros.simulation.arm_world import ArmWorld, ArmWorldSettings
    from astra_ros.simulation.candidates import propose

    model = load_backend(args.backend, args.model, args.device)
    imaginer = Imaginer(model, ImaginerSettings(horizon=args.horizon))
    with ArmWorld(ArmWorldSettings(robot=args.robot)) as world:
        world.reset(0)
        image, goal_image = world.render(), world.goal_image()
        plans = [plan for _, plan in propose(world, args.plans, 0)]
    card = model.card

    def request():
        history = np.stack([to_model_size(image, card.image_size)] * card.history)
        return imaginer.score(history, plans, None, to_model_size(goal_image, card.image_size))

    load = None
    if args.load:
        load = multiprocessing.get_context('spawn').Process(target=_busy, daemon=True)
        load.start()
    for _ in range(5):
        prepared = request().prepared
    history = np.stack([to_model_size(image, card.image_size)] * card.history)
    actions = card.action_spaces[prepared.modality].encode(prepared.positions)
    laps: dict[str, list[float]] = {}
    plain = []
    for index in tqdm(range(args.runs), unit='request', desc='bench'):
        for name, seconds in request().timings_s.items():
            laps.setdefault(name, []).append(seconds)
        if index % max(1, args.runs // 5) == 0:
            plain.append(args.plans * plain_plan_seconds(model, history, actions,
                                                         prepared.modality))
    if load is not None:
        load.terminate()
    total = percentiles(laps['total'])
    flops = imagination_flops(model, history, actions, prepared.modality)
    peak = matmul_peak_flops()
    imagine_s = float(np.median(laps['imagine']))
    figures = {
        'model': card.name, 'backend': args.backend, 'device': args.device,
        'plans': args.plans, 'horizon': args.horizon, 'loaded_core': args.load,
        'threads': torch.get_num_threads(),
        'request': total, 'parts_ms': {name: 1e3 * float(np.median(seconds))
                                       for name, seconds in laps.items() if name != 'total'},
        'imagined_frames_per_s': args.plans * args.horizon / imagine_s,
        'plain_loop_ms': 1e3 * float(np.median(plain)),
        'times_faster_than_plain': float(np.median(plain)) / (total['p50_ms'] / 1e3),
        'gflop_per_request': flops / 1e9, 'achieved_gflops': flops / imagine_s / 1e9,
        'matmul_peak_gflops': peak / 1e9, 'share_of_peak': flops / imagine_s / peak}
    print(f'{args.plans} plans x {args.horizon} frames, {card.name}, {args.backend} on '
          f'{args.device}: p50 {total["p50_ms"]:.0f} ms, p95 {total["p95_ms"]:.0f} ms, '
          f'p99 {total["p99_ms"]:.0f} ms\n'
          f'{figures["imagined_frames_per_s"]:.0f} imagined frames a second, '
          f'{figures["share_of_peak"]:.0%} of this machine\'s matrix-product peak\n'
          f'plain loop ({PLAIN_STEPS} steps, one plan at a time): '
          f'{figures["plain_loop_ms"]:.0f} ms, {figures["times_faster_than_plain"]:.0f} times slower')
    if args.out:
        write_result(args.out, figures)
    return 0
