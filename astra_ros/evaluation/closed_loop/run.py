"""Plays the episodes of all robots and policies, scene by scene, and writes what came of them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Protocol

from tqdm import tqdm

from astra_ros.evaluation.closed_loop.driving import Driving
from astra_ros.evaluation.closed_loop.exploring_house import Exploring
from astra_ros.evaluation.closed_loop.pushing import Pushing
from astra_ros.evaluation.closed_loop.records import PlayedEpisode, RobotRecords
from astra_ros.evaluation.closed_loop.request import IMAGINATION, ROBOTS, TASK_VERSIONS, ClosedLoopRequest
from astra_ros.evaluation.closed_loop.result import ClosedLoopResult
from astra_ros.evaluation.results import as_json, check_writable, provenance, write_json
from astra_ros.inference import load_world_model
from astra_ros.inference.world_model import WorldModel
from astra_ros.simulation.worlds import WORLDS


class RobotTask(Protocol):
    """Episodes of one robot."""

    def episode(self, policy: str, seed: int) -> dict[str, bool | float]:
        """Act out the scene of a seed, choosing by a policy; what came of it, by name."""

    def close(self) -> None:
        """Free simulators and processes."""


# world -> its task, made with the model, the robot and the request
TASKS: Mapping[str, Callable[[WorldModel, str, ClosedLoopRequest], RobotTask]] = {
    "arm": Pushing,
    "drive": Driving,
    "explore": Exploring,
}


def closed_loop(request: ClosedLoopRequest) -> dict[str, ClosedLoopResult]:
    """Play what the files of ``request.out`` do not have yet; print and write the figures of each robot.

    Every policy plays a scene before the next scene begins, and the files are written after each, so a run that is
    stopped leaves policies that played the same scenes.

    Raises:
        UserError: the model does not load or does not know a robot, the files are of other settings or cannot be
            written.
    """
    files = {robot: request.out / f"{robot}.json" for robot in request.robots}
    check_writable(*files.values())
    load = lru_cache(partial(load_world_model, request.backend, device=request.device))
    models = {robot: load(request.model_of(robot)) for robot in request.robots}
    for robot, model in models.items():
        model.card.check_knows(f"{robot}_{WORLDS[ROBOTS[robot]].robots[robot]}")
    shared = {robot: _settings(robot, model, request) for robot, model in models.items()}
    imagines = IMAGINATION in request.policies
    own = {robot: _imagination_settings(model, request) if imagines else None for robot, model in models.items()}
    records = {robot: RobotRecords(request.out, robot, shared[robot], own[robot]) for robot in request.robots}
    seeds = range(request.first_seed, request.first_seed + request.episodes)
    todo = [
        (seed, robot, [policy for policy in request.policies_of(robot) if (policy, seed) not in records[robot]])
        for seed in seeds
        for robot in request.robots
    ]
    results: dict[str, ClosedLoopResult] = {}

    def write(robot: str) -> None:
        settings = {**shared[robot], **(own[robot] or {})}
        result = ClosedLoopResult.of(robot, records[robot], settings, request.policies_of(robot), seeds)
        if result is not None:
            results[robot] = result
            if not _says(files[robot], as_json(result)):  # or it would be dated anew without anything new
                write_json(files[robot], {**provenance(), **as_json(result)})

    tasks: dict[str, RobotTask] = {}
    with ExitStack() as stack, tqdm(total=sum(len(each) for *_, each in todo), unit="episode") as bar:
        for seed, robot, policies in todo:
            if policies and robot not in tasks:
                tasks[robot] = TASKS[ROBOTS[robot]](models[robot], robot, request)
                stack.callback(tasks[robot].close)
            for policy in policies:
                bar.set_description(f"{robot} {policy}", refresh=False)
                began = time.monotonic()
                figures = tasks[robot].episode(policy, seed)
                records[robot].add(PlayedEpisode(policy, seed, figures, round(time.monotonic() - began, 2)))
                bar.update()
            if policies:
                write(robot)
    for robot in request.robots:
        write(robot)
        print(results[robot].table())
    return results


def _says(file: Path, figures: Mapping[str, Any]) -> bool:
    """Whether a result file has these figures already."""
    try:
        there = json.loads(file.read_text())
    except (OSError, ValueError):
        return False
    wanted = json.loads(json.dumps(figures))
    return isinstance(there, dict) and {name: there.get(name) for name in wanted} == wanted


def _settings(robot: str, model: WorldModel, request: ClosedLoopRequest) -> dict[str, Any]:
    """What decides what comes of an episode of a robot, whichever the policy."""
    limits: dict[str, dict[str, Any]] = {
        "arm": {"choices": request.arm_choices},
        "drive": {"choices": request.drive_choices},
        "explore": {"distance_m": request.distance_m, "most_s": request.explore_s},
    }
    card = model.card
    seen = {"image_size": list(card.image_size), "step_s": card.dt_s, "history": card.history}
    return {"task": TASK_VERSIONS[ROBOTS[robot]], "plans": request.plans, **limits[ROBOTS[robot]], **seen}


def _imagination_settings(model: WorldModel, request: ClosedLoopRequest) -> dict[str, Any]:
    """What decides it beside those, where imagination chooses."""
    card = model.card
    return {"model": card.name, "sha256": card.sha256[:12], "backend": model.backend, "device": request.device}
