"""The car's closed loop in the simulator: paths are proposed, imagined, chosen and driven."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from astra_ros.agents.driving import AutonomousDrivingPrediction
from astra_ros.agents.loop import Choose, Cycle, LoopSettings, Moment, RecedingHorizon
from astra_ros.control.lane_paths import LanePathSettings, lane_paths
from astra_ros.control.vehicle import VehicleState
from astra_ros.control.vehicle_controller import VehicleController
from astra_ros.evaluation.rank import DRIVING
from astra_ros.inference.world_model import WorldModel
from astra_ros.plans.durations import PLAN_S
from astra_ros.plans.path_plan import PathPlan
from astra_ros.ranking.imaginer import Imaginer, RankingSettings
from astra_ros.simulation.drive.path_driver import REST, PathDriver
from astra_ros.simulation.drive.referee import DriveReferee
from astra_ros.simulation.drive.routes import FRAME, lane_ahead
from astra_ros.simulation.drive.world import DriveWorld

ACT_STEPS, MOST_CHOICES = 4, 20  # a choice a second, for twenty seconds
FOLLOWED_M = 0.25  # a path counts as followed within this distance


@dataclass(frozen=True)
class DriveOutcome:
    """How an episode went, up to now.

    Attributes:
        choices: paths that were asked for; rests: how often the car rested instead.
        collision: whether the car touched anything; off_road: whether a wheel left the lanes.
        progress: along the road, see ``DriveReferee``.
        path_error_m: farthest that the car was from the path that it followed.
    """

    choices: int = 0
    rests: int = 0
    collision: bool = False
    off_road: bool = False
    progress: float = 0.0
    path_error_m: float = 0.0

    @property
    def followed(self) -> bool:
        return self.path_error_m <= FOLLOWED_M


@dataclass
class DriveLoop:
    """Episodes of the simulated car with one model; one thread owns it.

    Args:
        count: candidates per choice.
        settings: how often the car chooses; each path lasts ``PLAN_S``.
        choose: chooses among paths in place of imagination, such as for a comparison.
        sees: False renders nothing, for choices that look at no image; frames are then black.

    Attributes:
        outcome: of the last episode, up to now.
        seed: of that episode; began: where the car was at the last choice.
    """

    model: WorldModel
    world: DriveWorld
    count: int = 8
    settings: LoopSettings = LoopSettings(ACT_STEPS, MOST_CHOICES)
    choose: Choose | None = None
    sees: bool = True
    seed: int = field(init=False, default=0)
    began: VehicleState = field(init=False, default=VehicleState(0.0, 0.0, 0.0))
    driving: AutonomousDrivingPrediction = field(init=False)
    outcome: DriveOutcome = field(init=False, default=DriveOutcome())
    _driver: PathDriver | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        horizon = round(PLAN_S / self.model.card.dt_s)
        ranking = RankingSettings(horizon, action_space=self.world.embodiment.space)
        imaginer = Imaginer(self.model, ranking, DRIVING)
        self.driving = AutonomousDrivingPrediction(imaginer, VehicleController(self.world.limits))

    def episode(self, seed: int, watch: Callable[[], None] = lambda: None) -> Iterator[Cycle]:
        """Reset the world to a seed and drive; each cycle is handed on as it ends, with ``outcome`` up to then.

        Args:
            watch: called after every step.
        """
        self.world.reset(seed)
        self.seed = seed
        driver = self._driver = _WatchedDriver(self.world, watch, self.sees)
        card, self.outcome = self.model.card, DriveOutcome()
        choose = self.choose or self.driving.choose_path(self.state, seed)
        loop = RecedingHorizon(
            driver, self.propose, choose, lambda: REST, lambda: False, card.history, card.dt_s, self.settings
        )
        rests, worst_m = 0, 0.0
        for cycle in loop:
            rests += cycle.choice.index is None
            worst_m = max(worst_m, driver.most_away_m)
            verdict = driver.judge.verdict()
            self.outcome = DriveOutcome(
                cycle.moment.index + 1,
                rests,
                verdict.collision,
                bool(verdict.parts["off_road"]),
                verdict.parts["progress"],
                worst_m,
            )
            yield cycle

    def state(self) -> VehicleState:
        """Where the car is, as from a perfect odometry."""
        return self.world.state().car

    def propose(self, moment: Moment) -> list[PathPlan]:
        """Paths along the lane; obstacles and traffic are not known to them."""
        self.began = car = self.state()
        settings, acceleration = LanePathSettings(count=self.count), self._driver.acceleration if self._driver else 0.0
        route, max_speed = lane_ahead(self.world.layout, car), self.world.limits.max_speed
        found = lane_paths(route, car, FRAME, settings, acceleration, max_speed)
        return [path for _, path in found]


class _WatchedDriver(PathDriver):
    """A driver with a referee that sees every step."""

    def __init__(self, world: DriveWorld, watch: Callable[[], None], sees: bool) -> None:
        super().__init__(world)
        self._watch, self._sees, self.judge = watch, sees, DriveReferee(world)

    def step(self, seconds: float) -> None:
        super().step(seconds)
        self.judge.watch()
        self._watch()

    def render(self) -> np.ndarray:
        return super().render() if self._sees else self.world.settings.camera.black()
