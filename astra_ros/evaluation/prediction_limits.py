"""Imagined frames against real ones of executed plans: the limit of a fitting model, and what it notices of others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from tqdm import tqdm

from astra_ros.camera.frame_size import to_model_size
from astra_ros.datasets.record import FINER
from astra_ros.datasets.robot_renders import simulated_urdf
from astra_ros.evaluation.requests import PredictionRequest
from astra_ros.evaluation.results import check_writable, write_result
from astra_ros.inference import load_world_model
from astra_ros.inference.card import CARD_FILE, write_prediction_limits
from astra_ros.inference.prediction_limit import (
    WINDOW,
    PredictionLimit,
    fit_limit,
    frame_error,
    least_plans,
    plan_figure,
    ratio,
)
from astra_ros.plans.joint_plan import JointPlan
from astra_ros.ranking.imaginer import Imaginer, RankingSettings
from astra_ros.settings import SettingError
from astra_ros.simulation.arm.candidates import KINDS, propose
from astra_ros.simulation.arm.disturbances import Disturbances
from astra_ros.simulation.arm.robots import ROBOTS
from astra_ros.simulation.arm.world import ArmWorld, ArmWorldSettings
from astra_ros.simulation.camera import CameraSettings

HORIZON = 16
FROM_STEP = 4  # the frame at which a camera is bumped on the way, or an object appears
BUMP_DEG, BUMP_M = 3.0, 0.02
SMALL_DEG, SMALL_M = 1.0, 0.01
WITHIN_S = 2.0
FITS = "fits"

Errors = list[tuple[float, float]]


@dataclass(frozen=True)
class Noticed:
    """Of the plans with a fault, how many were flagged at all, and within `WITHIN_S` of it."""

    plans: int
    flagged: int
    within_2s: int


@dataclass(frozen=True)
class RobotPrediction:
    """One robot.

    Attributes:
        limit: of the plans of the first scenes.
        false_alarms, held_out: of the plans of further scenes without a fault, how many reach it, of how many.
        median, largest: figure of those plans.
        noticed: fault -> what the limit notices of it.
    """

    limit: PredictionLimit
    false_alarms: int
    held_out: int
    median: float
    largest: float
    noticed: dict[str, Noticed]

    def lines(self, robot: str) -> str:
        limit = self.limit
        head = (
            f"{robot}: limit {limit.limit:.2f}, for at most {limit.false_alarms:.1%} of fitting plans ({limit.plans})"
        )
        told = [head, f"  false alarms: {self.false_alarms} of {self.held_out} held-out plans"]
        told += [
            f"  {name}: {each.within_2s} of {each.plans} flagged within {WITHIN_S:g} s, {each.flagged} in all"
            for name, each in self.noticed.items()
        ]
        return "\n".join(told)


def measure_prediction(request: PredictionRequest) -> dict[str, RobotPrediction]:
    """Play the scenes, print and write the figures; write the limits into the model's card if asked to.

    Raises UserError where a file cannot be written, the model does not know a robot, or the scenes are too few.
    """
    if not 0.0 < request.false_alarms < 1.0:
        raise SettingError("false_alarms", request.false_alarms, "give more than 0 and less than 1")
    if request.scenes < (least := least_plans(request.false_alarms)):
        cure = f"give at least {least}, for {request.false_alarms:g} false alarms a plan"
        raise SettingError("scenes", request.scenes, cure)
    check_writable(request.out)
    model = load_world_model(request.backend, request.model, request.device)
    if request.write:
        check_writable(model.card.path / CARD_FILE)
    known = [name for name in ROBOTS if f"{name}_joints" in model.card.action_spaces]
    robots = known if request.robots is None else request.robots
    imaginers = {}
    for robot in dict.fromkeys([*robots, *known]):
        model.card.check_knows(f"{robot}_joints")
        imaginers[robot] = Imaginer(model, RankingSettings(HORIZON, action_space=f"{robot}_joints"))
        imaginers[robot].plan_renders.describe(simulated_urdf(robot))
    found = {robot: _robot(request, robot, imaginers) for robot in robots}
    if request.out:
        values = {"model": model.card.name, "sha256": model.card.sha256[:12], "window": WINDOW, "robots": found}
        write_result(request.out, values)
    if request.write:
        write_prediction_limits(model.card.path, {f"{name}_joints": each.limit for name, each in found.items()})
        print(f"limits of {', '.join(found)} written into the card of '{model.card.path}'")
    return found


def _robot(request: PredictionRequest, robot: str, imaginers: Mapping[str, Imaginer]) -> RobotPrediction:
    imaginer = imaginers[robot]
    others = [each for name, each in imaginers.items() if name != robot]
    side = FINER * imaginer.model.card.image_size[0]
    figures: list[float] = []
    faults: dict[str, list[tuple[Errors, int]]] = {}
    seeds = range(request.first_seed, request.first_seed + request.scenes + request.tests)
    with ArmWorld(ArmWorldSettings(robot, CameraSettings(side, side))) as world:
        disturbances = Disturbances(world)
        for number, seed in enumerate(tqdm(seeds, unit="scene", desc=f"monitor {robot}")):
            scene = _Scene(imaginer, world, seed, disturbances if number >= request.scenes else None)
            figures.append(plan_figure(scene.errors(FITS)))
            if number >= request.scenes:
                for name, start in scene.starts.items():
                    faults.setdefault(name, []).append((scene.errors(name), start))
                for other in others:
                    faults.setdefault("unknown robot", []).append((scene.taken_for(other), 0))
    limit = fit_limit(figures[: request.scenes], request.false_alarms)
    held_out = figures[request.scenes :]
    dt_s = imaginer.model.card.dt_s
    result = RobotPrediction(
        limit=limit,
        false_alarms=sum(figure > limit.limit for figure in held_out),
        held_out=len(held_out),
        median=float(np.median(figures)),
        largest=float(np.max(figures)),
        noticed={name: _noticed(each, limit.limit, round(WITHIN_S / dt_s)) for name, each in faults.items()},
    )
    print(result.lines(robot), flush=True)
    return result


def _noticed(plans: Sequence[tuple[Errors, int]], limit: float, within: int) -> Noticed:
    """Of (errors, frame from which there is a fault); ``within`` frames."""
    at = []
    for errors, start in plans:
        ends = range(max(WINDOW, start + 1), len(errors) + 1)
        late = [end - start for end in ends if ratio(errors[end - WINDOW : end]) > limit]
        at.append(late[0] if late else None)
    flagged = [each for each in at if each is not None]
    return Noticed(len(plans), len(flagged), sum(each <= within for each in flagged))


class _Scene:
    """One plan, imagined and executed. Its frames come up to half a step early or late, as a camera's do."""

    def __init__(self, imaginer: Imaginer, world: ArmWorld, seed: int, disturbances: Disturbances | None) -> None:
        self._imaginer, self._seed = imaginer, seed
        card = imaginer.model.card
        rng = np.random.default_rng([seed, 11])
        world.reset(seed)
        cameras = {}
        if disturbances:
            cameras = {
                "camera bumped on the way": disturbances.bumped(rng, BUMP_DEG, BUMP_M),
                "camera bumped a little on the way": disturbances.bumped(rng, SMALL_DEG, SMALL_M),
                "camera bumped before": disturbances.bumped(rng, BUMP_DEG, BUMP_M),
            }
        before = "camera bumped before"
        self.starts = {name: 0 if name == before else FROM_STEP for name in cameras}
        seen: dict[str, Callable[[], np.ndarray]] = {FITS: world.render}
        if disturbances:
            seen |= {name: partial(disturbances.by, camera) for name, camera in cameras.items()}
            # beside the objects of the scene, where the camera sees it
            xy = (float(rng.uniform(0.4, 0.6)), float(rng.choice([-1, 1]) * rng.uniform(0.26, 0.32)))
            seen["new object"] = partial(disturbances.with_object, xy)
            self.starts["new object"] = FROM_STEP
        size = card.image_size
        history: dict[str, list[np.ndarray]] = {FITS: [], before: []}
        for index in range(card.history):
            if index:
                world.step(card.dt_s)
            for name in history:
                if name in seen:
                    history[name].append(to_model_size(seen[name](), size))
        self._now = dict(zip(world.joint_names, world.state().joint_positions))
        self._plan = propose(world, len(KINDS), seed)[seed % len(KINDS)][1]
        phase = rng.uniform(-0.5, 0.5)
        self._steps = np.arange(1, HORIZON) + phase
        world.command(self._plan)
        frames: dict[str, list[np.ndarray]] = {name: [] for name in seen}
        for index in range(HORIZON - 1):
            world.step(card.dt_s * (1 + phase if index == 0 else 1.0))
            for name, render in seen.items():
                held = index < self.starts.get(name, 0)
                frames[name].append(frames[FITS][-1] if held else to_model_size(render(), size))
        self._history = {name: np.stack(images) for name, images in history.items() if images}
        self._latents = {name: imaginer.model.encode(np.stack(images)) for name, images in frames.items()}

    def errors(self, name: str) -> Errors:
        """Of the frames of a fault, or of none, against what was imagined from the history of the same kind."""
        history = self._history.get(name, self._history[FITS])
        return self._compare(self._imaginer, history, self._plan, self._now, name)

    def taken_for(self, other: Imaginer) -> Errors:
        """The same frames, where the model takes the robot for another one that moves as much from its ready pose."""
        spec = ROBOTS[other.settings.action_space.removesuffix("_joints")]
        own = ROBOTS[self._imaginer.settings.action_space.removesuffix("_joints")]
        moved = self._plan.reordered(own.joint_names).positions - np.array(own.ready) + np.array(spec.ready)
        plan = JointPlan(spec.joint_names, self._plan.times_s, moved, "plan")
        now = dict(zip(spec.joint_names, moved[0]))
        return self._compare(other, self._history[FITS], plan, now, FITS)

    def _compare(self, imaginer: Imaginer, history: np.ndarray, plan: JointPlan, now: dict, name: str) -> Errors:
        result = imaginer.score(history, [plan], now, seed=self._seed)
        made = result.imagination
        imagined = np.concatenate([result.critic_input.current_latent[None], made.latents[0]])
        expected = np.concatenate([[0.0], made.uncertainty[0]])
        return [frame_error(latent, imagined, expected, step) for latent, step in zip(self._latents[name], self._steps)]
