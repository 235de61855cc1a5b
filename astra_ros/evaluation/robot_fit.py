"""The robot drawn from its description against the camera: the misfit where all fits, and what its limit notices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np
from tqdm import tqdm

from astra_ros.camera.frame_size import to_model_size
from astra_ros.datasets.record import FINER
from astra_ros.datasets.robot_renders import simulated_urdf
from astra_ros.errors import UserError
from astra_ros.evaluation.prediction_limits import BUMP_DEG, BUMP_M, SMALL_DEG, SMALL_M
from astra_ros.evaluation.requests import PredictionRequest
from astra_ros.evaluation.results import check_writable, write_result
from astra_ros.inference.card import CARD_FILE, ModelCard, model_directory, write_robot_fit_limits
from astra_ros.inference.prediction_limit import PredictionLimit, fit_limit, least_plans
from astra_ros.plans.durations import PLAN_S
from astra_ros.ranking.robot_fit import EVERY_S, IMAGES, NANOSECONDS, RobotFitMonitor
from astra_ros.robot.plan_renders import PlanRenders
from astra_ros.settings import SettingError
from astra_ros.simulation.arm.candidates import propose
from astra_ros.simulation.arm.disturbances import Disturbances
from astra_ros.simulation.arm.robots import ROBOTS
from astra_ros.simulation.arm.world import ArmWorld, ArmWorldSettings
from astra_ros.simulation.camera import CameraSettings

OFFSET_RAD = 0.1
FITS = "fits"


@dataclass(frozen=True)
class NoticedMisfit:
    """Of the plans with a fault from their beginning.

    Attributes:
        within_2s: how many the first judgement flags, which is of 2 s.
        flagged: how many any judgement flags.
        auroc: how often a plan's first misfit is larger than that of a plan without a fault.
    """

    plans: int
    within_2s: int
    flagged: int
    auroc: float


@dataclass(frozen=True)
class RobotFit:
    """One robot.

    Attributes:
        limit: of the largest misfits of the plans of the first scenes.
        false_alarms, held_out: of the plans of further scenes, how many reach it, of how many.
        median, largest: misfit of those plans.
        noticed: fault -> what the limit notices of it.
        missed_joints: joint -> how many of the plans in which it was elsewhere are not flagged, of how many.
    """

    limit: PredictionLimit
    false_alarms: int
    held_out: int
    median: float
    largest: float
    noticed: dict[str, NoticedMisfit]
    missed_joints: dict[str, tuple[int, int]]

    def lines(self, robot: str) -> str:
        limit = self.limit
        head = f"{robot}: misfit up to {limit.limit:.3f}, but for {limit.false_alarms:.2%} of plans ({limit.plans})"
        told = [head, f"  false alarms: {self.false_alarms} of {self.held_out} held-out plans"]
        told += [
            f"  {name}: {each.within_2s} of {each.plans} flagged within 2 s, {each.flagged} in all"
            for name, each in self.noticed.items()
        ]
        return "\n".join(told)


def check_fit(request: PredictionRequest) -> None:
    """Raises UserError where the limit of the misfit cannot be computed: a file cannot be written, the model was not
    trained with a robot's render, or the scenes are too few."""
    if not 0.0 < request.fit_false_alarms < 1.0:
        raise SettingError("fit_false_alarms", request.fit_false_alarms, "give more than 0 and less than 1")
    if not request.fit_data and request.fit_scenes < (least := least_plans(request.fit_false_alarms)):
        cure = f"give at least {least}, for {request.fit_false_alarms:g} false alarms a plan"
        raise SettingError("fit_scenes", request.fit_scenes, cure)
    check_writable(request.fit_out)
    if request.write:
        check_writable(model_directory(request.model) / CARD_FILE)
    if request.fit_data:
        return
    card = ModelCard.read(model_directory(request.model))
    unknown = [name for name in request.robots or () if name not in _known(card)]
    if unknown or not _known(card):
        problem = f"it was not trained with the drawn {' or '.join(unknown or ROBOTS)}, so it cannot tell where it is"
        raise UserError(problem, thing=f"model '{card.name}'", cure="leave this part out with --fit-scenes 0")


def _known(card: ModelCard) -> list[str]:
    """The simulated arms that a model sees drawn."""
    return [name for name in ROBOTS if f"{name}_joints" in card.action_spaces and f"{name}_joints" in card.cameras]


def measure_robot_fit(request: PredictionRequest) -> dict[str, RobotFit]:
    """Play the scenes, print and write the figures; write the limits into the model's card if asked to.

    Raises UserError as `check_fit` does.
    """
    check_fit(request)
    card = ModelCard.read(model_directory(request.model))
    known = _known(card)
    robots = known if request.robots is None else request.robots
    silhouettes = {robot: _Silhouettes(card, robot) for robot in known}
    found = {robot: _robot(request, robot, silhouettes) for robot in robots}
    if request.fit_out:
        values = {"model": card.name, "sha256": card.sha256[:12], "image_size": card.image_size}
        write_result(request.fit_out, values | {"every_s": EVERY_S, "images": IMAGES, "robots": found})
    if request.write:
        write_robot_fit_limits(card.path, {f"{name}_joints": each.limit for name, each in found.items()})
        print(f"limits of the robot's misfit of {', '.join(found)} written into the card of '{card.path}'")
    return found


class _Silhouettes:
    """Draws one simulated arm as the model's camera sees it."""

    def __init__(self, card: ModelCard, robot: str) -> None:
        self.card, self.spec = card, ROBOTS[robot]
        self.space = card.action_spaces[f"{robot}_joints"]
        self._renders = PlanRenders(card.cameras, card.held_joints, card.image_size)
        self._renders.describe(simulated_urdf(robot))

    def __call__(self, joints: np.ndarray) -> np.ndarray:
        """uint8 [N, h, w], coverage at joint positions [N, J]."""
        renders = self._renders.draw(self.space, joints[None])
        assert renders is not None, self._renders.problem
        return np.asarray(renders)[0, :, 0]


def _robot(request: PredictionRequest, robot: str, silhouettes: dict[str, _Silhouettes]) -> RobotFit:
    own = silhouettes[robot]
    others = {name: each for name, each in silhouettes.items() if name != robot}
    side = FINER * own.card.image_size[0]
    figures: list[list[float]] = []
    faults: dict[str, list[list[float]]] = {}
    joints: dict[str, list[list[float]]] = {}
    seeds = range(request.first_seed, request.first_seed + request.fit_scenes + request.fit_tests)
    with ArmWorld(ArmWorldSettings(robot, CameraSettings(side, side))) as world:
        disturbances = Disturbances(world)
        for number, seed in enumerate(tqdm(seeds, unit="scene", desc=f"robot fit {robot}")):
            tested = number >= request.fit_scenes
            scene = _Scene(world, seed, own.card.image_size, disturbances if tested else None)
            figures.append(scene.misfits(FITS, own(scene.joints), own.space.name))
            if not tested:
                continue
            for name in scene.images:
                if name != FITS:
                    faults.setdefault(name, []).append(scene.misfits(name, own(scene.joints), own.space.name))
            for other in others.values():
                moved = scene.joints - np.array(own.spec.ready) + np.array(other.spec.ready)
                faults.setdefault("unknown robot", []).append(scene.misfits(FITS, other(moved), other.space.name))
            which = seed % len(own.spec.joint_names)
            offset = OFFSET_RAD * (np.arange(len(own.spec.joint_names)) == which) * (1 - 2 * (number % 2))
            found = scene.misfits(FITS, own(scene.joints + offset), own.space.name)
            faults.setdefault("joint off by 0.1 rad", []).append(found)
            joints.setdefault(own.spec.joint_names[which], []).append(found)
    largest = [max(each) for each in figures]
    limit = fit_limit(largest[: request.fit_scenes], request.fit_false_alarms)
    held_out = figures[request.fit_scenes :]
    result = RobotFit(
        limit=limit,
        false_alarms=sum(max(each) > limit.limit for each in held_out),
        held_out=len(held_out),
        median=float(np.median(largest)),
        largest=float(np.max(largest)),
        noticed={name: _noticed(each, held_out, limit.limit) for name, each in faults.items()},
        missed_joints={
            name: (sum(max(each) <= limit.limit for each in plans), len(plans))
            for name, plans in sorted(joints.items())
        },
    )
    print(result.lines(robot), flush=True)
    return result


def _noticed(plans: Sequence[list[float]], fitting: Sequence[list[float]], limit: float) -> NoticedMisfit:
    first, fits = np.array([each[0] for each in plans]), np.array([each[0] for each in fitting])
    larger = (first[:, None] > fits) + 0.5 * (first[:, None] == fits)
    flagged = sum(max(each) > limit for each in plans)
    return NoticedMisfit(len(plans), int((first > limit).sum()), flagged, float(larger.mean()))


class _Scene:
    """Images of one plan, `EVERY_S` apart, and where the joints were.

    Attributes:
        images: fault of the camera, or `FITS` -> uint8 [N, h, w, 3].
        joints: [N, J] rad.
    """

    def __init__(
        self, world: ArmWorld, seed: int, size: tuple[int, int], disturbances: Disturbances | None = None
    ) -> None:
        rng = np.random.default_rng([seed, 17])
        world.reset(seed)
        see: dict[str, Callable[[], np.ndarray]] = {FITS: world.render}
        if disturbances:
            large, small = (disturbances.bumped(rng, *by) for by in ((BUMP_DEG, BUMP_M), (SMALL_DEG, SMALL_M)))
            see["camera bumped"] = partial(disturbances.by, large)
            see["camera bumped a little"] = partial(disturbances.by, small)
        world.command(propose(world, 1, seed)[0][1])
        look = _Exposure(rng, size)
        taken: dict[str, list[np.ndarray]] = {name: [] for name in see}
        joints = []
        for _ in range(round(PLAN_S / EVERY_S)):
            world.step(EVERY_S)
            joints.append(world.state().joint_positions)
            for name, render in see.items():
                taken[name].append(look(to_model_size(render(), size)))
        self.images = {name: np.stack(images) for name, images in taken.items()}
        self.joints = np.stack(joints)

    def misfits(self, name: str, coverages: np.ndarray, space: str) -> list[float]:
        """Of each judgement of the plan, in order."""
        monitor, found = RobotFitMonitor({}), []
        for index, (image, coverage) in enumerate(zip(self.images[name], coverages), start=1):
            monitor.add(space, round(index * EVERY_S * NANOSECONDS), image, coverage)
            if monitor.fit is not None:
                found.append(monitor.fit.misfit)
        return found or [0.0]  # out of view: nothing is judged, so nothing is noticed


class _Exposure:
    """Another camera than the simulator's for each scene: exposure, colour cast, tone curve, blur and noise."""

    def __init__(self, rng: np.random.Generator, size: tuple[int, int]) -> None:
        self._rng = rng
        self._gain = rng.uniform(0.35, 1.0) * rng.uniform(0.85, 1.15, 3)
        self._gamma = rng.uniform(0.7, 1.4)
        self._blur = rng.uniform(0.1, 0.8) * max(size) / 128
        self._noise = rng.uniform(0.0, 10.0)

    def __call__(self, image: np.ndarray) -> np.ndarray:
        seen = 255.0 * self._gain * (image / 255.0) ** self._gamma
        seen = cv2.GaussianBlur(seen, (0, 0), self._blur) + self._rng.normal(0.0, self._noise, seen.shape)
        return np.clip(seen, 0, 255).astype(np.uint8)
