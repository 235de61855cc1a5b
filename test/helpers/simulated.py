"""Worlds that are played in another process, and plans that are proposed and executed."""

import os
import subprocess
import sys
from pathlib import Path

from astra_ros.simulation.rollout import execute

ROOT = Path(__file__).parents[2]


def fresh_digest(module: Path, *words: str) -> str:
    """What `digest(*words)` of a test module gives in a new process."""
    code = f"import sys; from {module.stem} import digest; print('digest', digest(*sys.argv[1:]))"
    path = os.pathsep.join(map(str, (ROOT, module.parent, Path(__file__).parent)))
    fresh = subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    return fresh.stdout.split("digest ")[1].split()[0]


def outcomes_of(world, propose, count):
    """Of plans in six scenes: the best outcome of each scene, all outcomes, and kind -> rollouts."""
    best, everything, by_kind = [], [], {}
    for seed in range(6):
        world.reset(seed)
        start = world.snapshot()
        outcomes = []
        for kind, plan in propose(world, count, seed):
            world.restore(start)
            rollout = execute(world, plan, render=False)
            outcomes.append(rollout.verdict.outcome)
            by_kind.setdefault(kind, []).append(rollout)
        best.append(max(outcomes))
        everything += outcomes
    return best, everything, by_kind
