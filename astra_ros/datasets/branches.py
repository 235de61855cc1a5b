"""Plans executed in the simulator and undone: what comes of each, without pictures.

An episode shows one plan from each moment. What tells a good plan from a bad one is what the others would have brought
from there, and pictures are what takes most of the time. A branch is an episode of its own: some frames up to a moment,
then the labels of one plan, whose frames were not seen. ``astra train --branches`` learns outcomes from it.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from astra_ros.camera.frame_size import to_model_size
from astra_ros.datasets.episode import Episode
from astra_ros.errors import UserError
from astra_ros.plans.durations import PLAN_S, STEP_S
from astra_ros.simulation.worlds import World

PLAN_STEPS = round(PLAN_S / STEP_S)
HISTORY = 4  # frames before a branch, as many as models look at
FRAMES = HISTORY + PLAN_STEPS
PROPOSED = 8  # plans of which some are branches
CHOICES, TRIED, MADE = "choices", "plans", "branches"  # keys of `Episode.siblings`
# Of a world, beside what other recording asks for.
NEEDED = ("propose", "command", "referee", "snapshot", "restore", "between")
BEST_SHARE = 0.7  # of behaviours that are the best of the branches, the others any of them


@dataclass(frozen=True)
class _Moment:
    frame: np.ndarray | None
    motion: np.ndarray
    labels: dict[str, np.ndarray]


class Branches:
    """Plays one scene much as a closed loop does, and makes its branches.

    At each choice ``count`` plans are tried; then one of them, not always the best, is executed for 1 to 4 s, and what
    the loop does between its choices follows. Nothing ends it before.
    """

    def __init__(self, world: World, seed: int, image_size: int, count: int) -> None:
        """Raises UserError where the world cannot try plans."""
        if lacking := [name for name in NEEDED if not hasattr(world, name)]:
            problem = f"it has no {', '.join(lacking)}, so no plan can be tried in it"
            raise UserError(problem, thing=f"world {world.embodiment.world}", cure="record without branches")
        self._world, self._seed, self._size, self._count = world, seed, (image_size, image_size), count
        self._past: deque[_Moment] = deque(maxlen=HISTORY)

    def of(self, choices: int) -> list[Episode]:
        """The branches of so many choices; of a choice where the world proposes nothing, none.

        Each says of how many choices and plans its scene comes (`CHOICES`, `TRIED`), and how many branches that gave
        (`MADE`).
        """
        made = list(self._played(choices))
        siblings = {CHOICES: choices, TRIED: self._count, MADE: len(made)}
        return [replace(branch, siblings=siblings) for branch in made]

    def _played(self, choices: int) -> Iterator[Episode]:
        world, random = self._world, np.random.default_rng([self._seed, 21])
        world.reset(self._seed)
        self._look()
        self._play(HISTORY - 1)
        for _ in range(choices):
            proposals = world.propose(PROPOSED, int(random.integers(2**31 - 2)))
            tried = [proposals[int(i)] for i in random.permutation(len(proposals))[: self._count]]
            outcomes = []
            for kind, plan in tried:
                episode, outcome = self._branch(kind, plan)
                outcomes.append(outcome)
                yield episode
            if tried:
                best = random.random() < BEST_SHARE
                world.command(tried[int(np.argmax(outcomes)) if best else int(random.integers(len(tried)))][1])
            else:
                world.play(random, PLAN_S)
            self._play(round(int(random.integers(1, round(PLAN_S) + 1)) / STEP_S))
            if (way := world.between()) is not None:
                world.command(way)
                self._play(math.ceil(way.duration_s / STEP_S) + 1)

    def _play(self, steps: int) -> None:
        for step in range(steps):
            self._world.step(STEP_S)
            self._look(seen=step >= steps - HISTORY)

    def _look(self, seen: bool = True) -> None:
        frame = to_model_size(self._world.render(), self._size) if seen else None
        self._past.append(_Moment(frame, self._world.motion(), self._world.labels()))

    def _branch(self, kind: str, plan: Any) -> tuple[Episode, float]:
        """What comes of a plan, and its true outcome; the world stays at this moment."""
        world, past = self._world, list(self._past)
        here, referee, then = world.snapshot(), world.referee(), []
        world.command(plan)
        for _ in range(PLAN_STEPS):
            world.step(STEP_S)
            referee.watch()
            then.append(_Moment(past[-1].frame, world.motion(), world.labels()))
        world.restore(here)
        moments, body = [*past, *then], world.embodiment
        labels = {name: column([moment.labels[name] for moment in moments]) for name in moments[0].labels}
        frames = [moment.frame for moment in moments if moment.frame is not None]  # all: branches begin where it looked
        episode = Episode(
            np.stack(frames),
            np.array([moment.motion for moment in moments], np.float32),
            labels,
            body.motion_names,
            body.modality,
            body.world,
            body.robot,
            STEP_S,
            kind,
            self._seed,
            scene=world.scene(),
            camera=world.camera(),
            frames_seen=HISTORY,
        )
        return episode, referee.verdict().outcome


def column(values: list) -> np.ndarray:
    """The values of a label, frame by frame, as an episode keeps them."""
    made = np.array(values)
    return made if made.dtype == bool else made.astype(np.float32)
