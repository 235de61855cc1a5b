"""Do scores rank plans as the simulator does? Scenes in which every candidate is imagined and also executed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from tqdm import tqdm

from astra_ros.critics import DEFAULT_CRITICS
from astra_ros.critics.base import CriticSettings
from astra_ros.critics.curiosity import CuriositySettings
from astra_ros.critics.off_road import OffRoadSettings
from astra_ros.critics.progress import ProgressSettings
from astra_ros.datasets.record import FINER
from astra_ros.datasets.robot_renders import simulated_urdf
from astra_ros.errors import UserError
from astra_ros.evaluation.calibrate import calibrate
from astra_ros.evaluation.ranking_result import OverallRanking, RankingResult, RobotRanking
from astra_ros.evaluation.requests import RankRequest
from astra_ros.evaluation.rescoring import plan_alone, with_truth
from astra_ros.evaluation.results import check_writable, write_json, write_result
from astra_ros.evaluation.scene import Ordering, Scene
from astra_ros.evaluation.scene_start import begin_scene
from astra_ros.inference import ModelCard, load_world_model
from astra_ros.inference.card import CARD_FILE
from astra_ros.obstacles import read_obstacles
from astra_ros.outcomes import OBSTACLE_CONTACT
from astra_ros.plans.action_spaces import action_space_class
from astra_ros.plans.durations import PLAN_S
from astra_ros.ranking.imaginer import Imaginer, RankingSettings
from astra_ros.settings import SettingError
from astra_ros.simulation.drive.referee import CRUISE, OFF_ROAD_COST
from astra_ros.simulation.rollout import execute
from astra_ros.simulation.worlds import (
    WORLDS,
    World,
    check_a_robot_each,
    check_one_world_each,
    default_worlds,
    make_world,
)

ALIKE = 1e-3  # outcomes that differ by less


@dataclass(frozen=True)
class Task:
    """What plans of a world should achieve, by settings of critics that differ from the defaults."""

    lead_in_s: float = 0.0  # seconds of play before the plans begin, so that bases are moving
    critics: dict[str, CriticSettings] = field(default_factory=dict)
    partial_plans: bool = False  # plans may last longer than is imagined; that long they are executed


DRIVING: dict[str, CriticSettings] = {
    "progress": ProgressSettings(enabled=True, speed=CRUISE),
    "off_road": OffRoadSettings(enabled=True, weight=OFF_ROAD_COST),
}
EXPLORING: dict[str, CriticSettings] = {"curiosity": CuriositySettings(enabled=True)}
TASKS = {
    "arm": Task(),
    "drive": Task(4.0, DRIVING),
    "explore": Task(4.0, EXPLORING),
    "pushing": Task(partial_plans=True),
    "lanes": Task(4.0, DRIVING),
}


def rank(request: RankRequest) -> RankingResult:
    """Play the scenes of every robot, print its table, and write the files; calibrate the model if asked to.

    Raises UserError where the model does not load, does not know a robot or cannot be calibrated, or a file cannot be
    written.
    """
    if not 0.0 <= request.miss_rate < 1.0:
        raise SettingError("miss_rate", request.miss_rate, "give 0 to less than 1")
    check_writable(request.out, request.raw)
    model = load_world_model(request.backend, request.model, request.device)
    card = model.card
    if request.calibrate:
        check_writable(card.path / CARD_FILE)
    imaginer = Imaginer(model)
    imaginer.obstacles = read_obstacles(request.obstacles) if request.obstacles else ()
    scenes: dict[str, list[Scene]] = {}
    played: dict[str, list[Scene]] = {}  # by action space
    robots: dict[str, RobotRanking] = {}
    for world_name, robot, modality in known_robots(request.robots, card, request.worlds):
        task = TASKS.get(world_name, Task())
        imaginer.robot_description = simulated_urdf(robot)
        imaginer.plan_renders.describe(imaginer.robot_description)
        horizon, critics = (
            math.ceil(PLAN_S / card.dt_s - 1e-9),
            tuple(dict.fromkeys((*DEFAULT_CRITICS, *request.critics))),
        )
        space = f"{robot}_{modality}"
        settings = RankingSettings(horizon, partial_plans=task.partial_plans, action_space=space, critics=critics)
        imaginer.configure(settings, task.critics)
        world = make_world(world_name, robot, FINER * card.image_size[0])
        try:
            scenes[robot], left_out = play_scenes(imaginer, world, request, task.lead_in_s, f"rank {robot}")
        finally:
            world.close()
        robots[robot] = RobotRanking.of(world_name, scenes[robot], left_out, request.miss_rate)
        played[f"{robot}_{modality}"] = scenes[robot]
        print(robots[robot].table(robot))
    result = RankingResult(card.name, card.sha256[:12], request.plans, OverallRanking.of(robots), robots)
    if request.out:
        write_result(request.out, result)
    if request.raw:
        write_json(request.raw, scenes, indent=None)
    if request.calibrate:
        calibrate(card, played, request.miss_rate, math.ceil(PLAN_S / card.dt_s - 1e-9))
    return result


def play_scenes(
    imaginer: Imaginer, world: World, request: RankRequest, lead_in_s: float, title: str
) -> tuple[list[Scene], int]:
    """The scenes of one robot, and how many were left out."""
    scenes: list[Scene] = []
    seed = request.begins_at
    with tqdm(total=request.scenes, unit="scene", desc=title) as bar:
        while len(scenes) < request.scenes:
            scene = play_scene(imaginer, world, seed, request.plans, lead_in_s)
            seed += 1
            if scene is not None:
                scenes.append(scene)
                bar.update()
    return scenes, seed - request.begins_at - request.scenes


def play_scene(imaginer: Imaginer, world: World, seed: int, plans: int, lead_in_s: float = 0.0) -> Scene | None:
    """One scene; None where it begins in contact, or all plans have the same outcome."""
    card = imaginer.model.card
    start = begin_scene(world, card, seed, plans, lead_in_s)
    if start is None:
        return None
    body, candidates, now = world.embodiment, start.plans, start.motion_now
    rest = action_space_class(body.modality).rest(body.motion_names, now, PLAN_S, "rest")
    here = world.snapshot()
    truth = []
    for plan in (*candidates, rest):
        world.restore(here)
        truth.append(execute(world, plan, imaginer.settings.horizon, card.dt_s, render=False).verdict)
    *truth, still = truth
    if np.ptp([verdict.outcome for verdict in truth]) < ALIKE:
        return None
    result = imaginer.score(start.history, candidates, now, start.goal, seed=seed)
    if result.prepared.refused:  # scores and outcomes would be of different plans
        raise UserError(str(next(iter(result.prepared.refused.values()))), thing=f"seed {seed}")
    scores, ordering = result.scores, Ordering.of(result.scores)
    contact = result.imagination.outcomes.get(OBSTACLE_CONTACT)
    return Scene(
        seed=seed,
        kinds=start.kinds,
        scores=[score.score for score in scores],
        order=ordering.order,
        verdicts=[score.verdict for score in scores],
        raw={name: [score.critics[name][0] for score in scores] for name in scores[0].critics},
        chosen=ordering.chosen,
        parts={name: [verdict.parts[name] for verdict in truth] for name in truth[0].parts},
        collision=[verdict.collision for verdict in truth],
        outcomes=[verdict.outcome for verdict in truth],
        still=still.outcome,
        still_collision=still.collision,
        costs={name: [score.critics[name].cost for score in scores] for name in scores[0].critics},
        contact=[] if contact is None else contact.max(axis=1).tolist(),
        with_truth=with_truth(imaginer, result.critic_input, truth),
        plan_alone=plan_alone(imaginer, result.critic_input),
    )


def known_robots(
    asked: Sequence[str] | None, card: ModelCard, worlds: Sequence[str] | None = None
) -> list[tuple[str, str, str]]:
    """(world, robot, modality) of the robots that were asked for, or of all that the model knows.

    Raises ModelError where the model does not know one of them, UserError where it knows no simulated robot, where one
    that was asked for is in none of the worlds, where two worlds have the same one, or where a world that was asked for
    has none of them.
    """
    named, worlds = worlds, default_worlds() if worlds is None else worlds
    robots = [(world, robot, modality) for world in worlds for robot, modality in WORLDS[world].robots.items()]
    if asked is not None:
        found = [each for each in robots if each[1] in asked]
        if missing := [robot for robot in asked if robot not in {robot for _, robot, _ in found}]:
            cure = "name its world too, or leave it out"
            raise UserError(f"not in {', '.join(worlds)}", thing=", ".join(missing), cure=cure)
        check_one_world_each(each[:2] for each in found)
        check_a_robot_each(named or (), (each[:2] for each in found))
        for _, robot, modality in found:
            card.check_knows(f"{robot}_{modality}")
        return found
    found = [each for each in robots if f"{each[1]}_{each[2]}" in card.action_spaces]
    if not found:
        problem = f"knows no simulated robot, only {', '.join(sorted(card.action_spaces))}"
        cure = "rank a model that was trained in simulation"
        raise UserError(problem, thing=f"model '{card.name}'", cure=cure)
    check_one_world_each(each[:2] for each in found)
    check_a_robot_each(named or (), (each[:2] for each in found))
    return found
