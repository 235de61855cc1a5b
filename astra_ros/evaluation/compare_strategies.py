"""Scenes in which the same plans are imagined in full and by a strategy, in turns."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from dataclasses import fields
from typing import Any

from tqdm import tqdm

from astra_ros.datasets.record import FINER
from astra_ros.datasets.robot_renders import simulated_urdf
from astra_ros.errors import UserError
from astra_ros.evaluation.rank import TASKS, Task, known_robots
from astra_ros.evaluation.requests import StrategyRequest
from astra_ros.evaluation.results import check_writable, write_result
from astra_ros.evaluation.scene_start import SceneStart, begin_scene
from astra_ros.evaluation.strategy_result import HEAD, StrategyScene, StrategyFigures, StrategyResult, Timed
from astra_ros.inference import load_world_model
from astra_ros.plans.durations import PLAN_S
from astra_ros.ranking.imaginer import Imaginer, RankingSettings, Result
from astra_ros.ranking.strategies import STRATEGIES, StrategySettings
from astra_ros.simulation.worlds import World, make_world


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
    compared: dict[str, list[StrategyScene]] = {}
    for world_name, robot, modality in known_robots(request.robots, model.card):
        imaginer = Imaginer(model)
        imaginer.plan_renders.describe(simulated_urdf(robot))
        world = make_world(world_name, robot, FINER * model.card.image_size[0])
        turns = Turns(imaginer, request, TASKS.get(world_name, Task()), f"{robot}_{modality}", settings)
        try:
            compared[robot] = play(turns, world, robot)
        finally:
            world.close()
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


def play(turns: Turns, world: World, robot: str) -> list[StrategyScene]:
    """The scenes of one robot. What is slow the first time is not measured."""
    request, card = turns.request, turns.imaginer.model.card
    scenes: list[StrategyScene] = []
    seed = request.first_seed
    with tqdm(total=request.scenes, unit="scene", desc=f"strategies {robot}") as bar:
        while len(scenes) < request.scenes:
            start = begin_scene(world, card, seed, request.plans, turns.task.lead_in_s)
            if start is not None:
                if not scenes:
                    turns(start, seed, 0)
                scenes.append(turns(start, seed, len(scenes)))
                bar.update()
            seed += 1
    return scenes


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
        request, first = self.request, list[Result]()
        self._timed(self._full, start, 1, seed)  # encodes the images
        work: dict[str, Callable[[], Timed]] = {
            "full": lambda: self._timed(self._full, start, request.plans, seed),
            "strategy": lambda: self._timed(self._strategy, start, request.plans, seed, first.append),
            "few": lambda: self._timed(self._full, start, request.few, seed),
        }
        names = list(work)
        names = [*names[turn % 3 :], *names[: turn % 3]]
        return StrategyScene(**{name: work[name]() for name in names}, first=first[0] if first else None)

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
        return Timed(result, wall, processor)
