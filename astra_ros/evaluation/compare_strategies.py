"""Scenes in which the same plans are imagined in full and by a strategy, in turns."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import fields
from typing import Any

from tqdm import tqdm

from astra_ros.datasets.record import FINER
from astra_ros.datasets.robot_renders import simulated_urdf
from astra_ros.errors import UserError
from astra_ros.evaluation.rank import TASKS, Task, known_robots
from astra_ros.evaluation.requests import StrategyRequest
from astra_ros.evaluation.results import check_writable, write_result
from astra_ros.evaluation.scene import Ordering
from astra_ros.evaluation.scene_start import SceneStart, begin_scene
from astra_ros.evaluation.strategy_result import HEAD, StrategyFigures, StrategyResult, StrategyScene, Timed
from astra_ros.inference import load_world_model
from astra_ros.plans.durations import PLAN_S
from astra_ros.ranking.imaginer import Imaginer, RankingSettings, Result
from astra_ros.ranking.strategies import STRATEGIES, StrategySettings
from astra_ros.simulation.worlds import make_world


def compare_strategies(request: StrategyRequest) -> StrategyResult:
    """Play the scenes of every robot, print their table, and write the file.

    Raises UserError where the model does not load, does not know a robot or cannot work with the strategy, or the file
    cannot be written.
    """
    check_writable(request.out)
    load = os.getloadavg()[0]
    model = load_world_model(request.backend, request.model, request.device)
    settings = {item.name: getattr(request, item.name) for item in fields(StrategySettings)}
    STRATEGIES[request.strategy](StrategySettings(**settings), model.card.network.strides)
    with ExitStack() as worlds:
        players = [
            _Player(request, Imaginer(model), settings, each, worlds)
            for each in known_robots(request.robots, model.card)
        ]
        ends_s = time.monotonic() + 60 * request.minutes if request.minutes else math.inf
        with tqdm(total=request.scenes * len(players), unit="scene") as bar:
            for player in (each for _ in range(request.scenes) for each in players):
                if time.monotonic() < ends_s or not player.scenes:
                    bar.set_description(player.robot)
                    player.play()
                    bar.update()
    compared = {player.robot: player.scenes for player in players}
    robots = {robot: StrategyFigures.of(scenes) for robot, scenes in compared.items()}
    overall = StrategyFigures.of([scene for scenes in compared.values() for scene in scenes])
    print(HEAD, *(figures.line(robot) for robot, figures in robots.items()), overall.line("all"), sep="\n")
    result = StrategyResult(
        model.card.name,
        model.card.sha256[:12],
        model.runs_on,
        request.strategy,
        settings,
        request.plans,
        request.few,
        round(load, 1),
        overall,
        robots,
    )
    if request.out:
        write_result(request.out, result)
    return result


class _Player:
    """Plays the scenes of one robot, one at a time. What is slow the first time is not measured."""

    def __init__(
        self,
        request: StrategyRequest,
        imaginer: Imaginer,
        settings: dict[str, Any],
        which: tuple[str, str, str],
        worlds: ExitStack,
    ) -> None:
        world_name, self.robot, modality = which
        imaginer.plan_renders.describe(simulated_urdf(self.robot))
        self._world = make_world(world_name, self.robot, FINER * imaginer.model.card.image_size[0])
        worlds.callback(self._world.close)
        self._turns = Turns(imaginer, request, TASKS.get(world_name, Task()), f"{self.robot}_{modality}", settings)
        self._seed = request.first_seed
        self.scenes: list[StrategyScene] = []

    def play(self) -> None:
        """The next scene that does not begin in contact."""
        turns, card, start = self._turns, self._turns.imaginer.model.card, None
        while start is None:
            start = begin_scene(self._world, card, self._seed, turns.request.plans, turns.task.lead_in_s)
            self._seed += 1
        if not self.scenes:
            turns.warm_up(start)
        self.scenes.append(turns(start, self._seed - 1, len(self.scenes)))


class Turns:
    """Imagines the plans of a scene in full, by the strategy, and a few in full; who begins changes with the scene."""

    def __init__(
        self, imaginer: Imaginer, request: StrategyRequest, task: Task, space: str, settings: dict[str, Any]
    ) -> None:
        self.imaginer, self.request, self.task = imaginer, request, task
        horizon = math.ceil(PLAN_S / imaginer.model.card.dt_s - 1e-9)
        self._full = RankingSettings(horizon, action_space=space)
        self._strategy = RankingSettings(horizon, action_space=space, strategy=request.strategy, **settings)

    def __call__(self, start: SceneStart, seed: int, turn: int) -> StrategyScene:
        request, first = self.request, list[Ordering]()
        self._timed(self._full, start, 1, seed)  # encodes the images
        work: dict[str, Callable[[], Timed]] = {
            "full": lambda: self._timed(self._full, start, request.plans, seed),
            "strategy": lambda: self._timed(
                self._strategy, start, request.plans, seed, lambda early: first.append(Ordering.of(early.scores))
            ),
            "few": lambda: self._timed(self._full, start, request.few, seed),
        }
        names = list(work)
        names = [*names[turn % 3 :], *names[: turn % 3]]
        return StrategyScene(**{name: work[name]() for name in names}, first=first[0] if first else None)

    def warm_up(self, start: SceneStart) -> None:
        for settings in (self._full, self._strategy):
            self._timed(settings, start, self.request.few, 0)

    def _timed(
        self,
        settings: RankingSettings,
        start: SceneStart,
        count: int,
        seed: int,
        preliminary: Callable[[Result], None] | None = None,
    ) -> Timed:
        imaginer = self.imaginer
        imaginer.configure(settings, self.task.critics)
        wall, processor = time.perf_counter(), time.process_time()
        result = imaginer.score(
            start.history, start.plans[:count], start.motion_now, start.goal, seed, preliminary=preliminary
        )
        wall, processor = time.perf_counter() - wall, time.process_time() - processor
        if result.prepared.refused:  # the requests would be of different plans
            raise UserError(str(next(iter(result.prepared.refused.values()))), thing=f"seed {seed}")
        refined = int((result.imagination.strides == 1).sum())
        return Timed(result.scores, refined, wall, processor)
