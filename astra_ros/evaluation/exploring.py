"""How much of a house a rover has seen after a fixed distance: frontiers, the map alone, imagination, the simulator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from tqdm import tqdm

from astra_ros.agents.exploration import ByImaginedGain, ByMapGain, Observation, WorldExploration
from astra_ros.camera.frame_size import to_model_size
from astra_ros.control.frontier_explorer import Explored, FrontierExplorer, FrontierSettings
from astra_ros.datasets.record import FINER
from astra_ros.evaluation.requests import ExploreRequest
from astra_ros.evaluation.results import as_json, check_writable, provenance, write_json
from astra_ros.inference import ModelCard, load_world_model
from astra_ros.plans.velocity_plan import VelocityPlan
from astra_ros.ranking.imaginer import Imaginer, RankingSettings
from astra_ros.simulation.explore.mapping_robot import MappingRobot
from astra_ros.simulation.explore.world import make

SPACE = "rover_twist"
BASELINE = "nearest"
AT_M, AT_S = (5.0, 10.0, 20.0), (30.0, 60.0)
LEARN_EVERY = 2  # steps between two images that ranges are learned from
DRAWS = 5000


@dataclass(frozen=True)
class ExploredHouse:
    """One episode.

    Attributes:
        seen_m2: distance (m) -> floor that is known then (m^2); of an episode that ended before, what it ended with.
        seen_m2_after_s: the same after a time (s).
        contacts: steps of 0.25 s in which the robot touched something.
        complete: whether nothing was left to explore.
    """

    seed: int
    seen_m2: dict[str, float]
    seen_m2_after_s: dict[str, float]
    distance_m: float
    time_s: float
    contacts: int
    complete: bool


@dataclass(frozen=True)
class PolicyFigures:
    """Means over houses, each with its 95 % interval (bootstrap over houses).

    Attributes:
        more_than_nearest: distance (m) -> share of floor by which the mean exceeds that of the nearest frontier in the
            same houses, with its interval.
    """

    seen_m2: dict[str, list[float]]
    seen_m2_after_s: dict[str, list[float]]
    contacts_per_house: float
    time_s: float
    more_than_nearest: dict[str, list[float]] = field(default_factory=dict)
    houses: list[ExploredHouse] = field(default_factory=list)


@dataclass(frozen=True)
class ExploreResult:
    model: str
    houses: int
    distance_m: float
    policies: dict[str, PolicyFigures]


def explore(request: ExploreRequest) -> ExploreResult:
    """Run every policy in every house, and print and write the figures.

    Raises UserError where the model cannot be used or the file cannot be written.
    """
    check_writable(request.out)
    model = load_world_model(request.backend, request.model, request.device)
    imagination = WorldExploration(Imaginer(model, RankingSettings(action_space=SPACE)))
    size = model.card.image_size
    episodes: dict[str, list[ExploredHouse]] = {name: [] for name in request.policies}
    with make("rover", FINER * max(size)) as world:
        robot = MappingRobot(world)
        for seed in tqdm(range(request.first_seed, request.first_seed + request.houses), "houses", mininterval=5.0):
            for name in request.policies:
                robot.reset(seed)
                policy = policy_of(name, robot, imagination, seed)
                episodes[name].append(explored_house(request, robot, seed, policy, model.card))
            figures = {name: _figures(each, episodes.get(BASELINE)) for name, each in episodes.items()}
            result = ExploreResult(model.card.name, len(next(iter(episodes.values()))), request.distance_m, figures)
            if request.out:  # after each house, so that a run that is stopped leaves what it found
                write_json(request.out, {**provenance(), **as_json(result)})
    print(table(result))
    return result


def table(result: ExploreResult) -> str:
    """The figures as text."""
    lines = [f"floor seen by a rover, m^2, mean and 95 % interval over {result.houses} houses; model {result.model}"]
    for name, each in result.policies.items():
        seen = "   ".join(f"{at} m: {_said(values)}" for at, values in each.seen_m2.items())
        shares = ([100 * value for value in values] for values in each.more_than_nearest.values())
        more = "   ".join(f"{mean:+.0f} % ({low:+.0f} to {high:+.0f})" for mean, low, high in shares)
        lines.append(f"{name:9} {seen}   {more}   {each.contacts_per_house:.1f} contacts, {each.time_s:.0f} s")
    return "\n".join(lines)


def explored_house(request: ExploreRequest, robot: MappingRobot, seed: int, policy, card: ModelCard) -> ExploredHouse:
    """One episode of a robot that was reset to the house of a seed."""
    complete = False
    frames = [to_model_size(robot.render(), card.image_size)] * card.history
    while robot.distance_m < request.distance_m and robot.time_s < request.most_s:
        action = policy.select_action(_observed(robot, frames))
        if action is None:
            complete = True
            break
        robot.command(action)
        for step in range(request.act_steps):
            robot.step(card.dt_s)
            frames = [*frames[1:], to_model_size(robot.render(), card.image_size)]
            if step % LEARN_EVERY == 0 and isinstance(policy, ByImaginedGain):
                policy.observe(_observed(robot, frames))
    times, metres, known = np.array(robot.known_m2).T
    at_m = {f"{at:g}": float(known[metres <= at].max()) for at in AT_M if at <= request.distance_m}
    at_s = {f"{at:g}": float(known[times <= at].max()) for at in AT_S if at <= request.most_s}
    return ExploredHouse(seed, at_m, at_s, robot.distance_m, robot.time_s, robot.contacts, complete)


def _observed(robot: MappingRobot, frames: list[np.ndarray]) -> Observation:
    now = robot.explored
    return Observation(now.grid, now.place, now.yaw, now.velocity, now.contact, frames=np.stack(frames))


def policy_of(
    name: str, robot: MappingRobot, world: WorldExploration, seed: int, settings: FrontierSettings = FrontierSettings()
):
    """A policy of ``EXPLORERS`` by name, for one episode."""
    explorer = FrontierExplorer(settings)
    if name == "nearest":
        return explorer
    if name == "random":
        rng = np.random.default_rng([seed, 21])
        return _ByTrial(explorer, lambda plans: rng.random(len(plans)).tolist())
    if name == "oracle":
        return _ByTrial(explorer, lambda plans: [explorer.evaluate(_tried(robot, plan)) for plan in plans])
    if name == "map":
        return ByMapGain(explorer, world.camera, world.imaginer.model.card.action_spaces[SPACE])
    return ByImaginedGain(world, explorer)


@dataclass
class _ByTrial:
    """Takes the candidate with the best value."""

    explorer: FrontierExplorer
    value: Callable[[list[VelocityPlan]], Sequence[float]]

    def select_action(self, observation: Explored) -> VelocityPlan | None:
        plans = self.explorer.candidates(observation)
        return plans[self.explorer.choose(plans, self.value(plans))] if plans else None


def _tried(robot: MappingRobot, plan: VelocityPlan) -> Explored:
    """What the robot really knows after a plan, which then did not happen."""
    with robot.trial():
        robot.command(plan)
        for _ in plan.velocities:
            robot.step(plan.dt_s)
        return robot.explored


def _figures(houses: list[ExploredHouse], baseline: list[ExploredHouse] | None) -> PolicyFigures:
    def over(of: Callable[[ExploredHouse], dict[str, float]]) -> dict[str, list[float]]:
        return {at: _interval([of(each)[at] for each in houses]) for at in of(houses[0])}

    more = {}
    for at in houses[0].seen_m2 if baseline else ():
        pairs = np.array([(one.seen_m2[at], other.seen_m2[at]) for one, other in zip(houses, baseline or ())])
        more[at] = _interval(pairs, lambda some: some[..., 0].mean(-1) / some[..., 1].mean(-1) - 1.0)
    return PolicyFigures(
        over(lambda each: each.seen_m2),
        over(lambda each: each.seen_m2_after_s),
        float(np.mean([each.contacts for each in houses])),
        float(np.mean([each.time_s for each in houses])),
        more,
        houses,
    )


def _interval(values, figure=lambda some: some.mean(-1)) -> list[float]:
    """A figure of N houses, and the middle 95 % of the same of houses drawn again."""
    values = np.asarray(values, dtype=np.float64)
    drawn = values[np.random.default_rng(0).integers(len(values), size=(DRAWS, len(values)))]
    low, high = np.percentile(figure(drawn), [2.5, 97.5])
    return [float(figure(values)), float(low), float(high)]


def _said(values: list[float]) -> str:
    return f"{values[0]:.1f} ({values[1]:.1f} to {values[2]:.1f})"
