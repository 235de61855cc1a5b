"""A simulated car that follows paths, and the outcome of its last one."""

from __future__ import annotations

from dataclasses import dataclass

from astra_ros.control.path_tracking import TrackingSettings
from astra_ros.nodes.simulator.simulated_robot import SimulatedRobot
from astra_ros.plans.path_plan import PathPlan
from astra_ros.plans.velocity_plan import VelocityPlan
from astra_ros.simulation.drive.path_driver import PathDriver
from astra_ros.simulation.drive.referee import DriveReferee
from astra_ros.simulation.drive.world import DriveWorld

WATCHED_S = 60.0  # after a plan's begin; what happens later is not the plan's doing


@dataclass(frozen=True)
class CarTruth:
    """The true outcome of the last plan, for the first ``WATCHED_S`` since it began.

    Attributes:
        plan_elapsed_s: seconds since the plan began; -1 before any plan.
        progress: along the road, see ``DriveReferee``; so are collision, off_road and outcome.
        path_error_m: farthest that the car was from the path.
    """

    plan_elapsed_s: float
    progress: float
    collision: bool
    off_road: bool
    path_error_m: float
    outcome: float


class SimulatedCar(SimulatedRobot):
    """A ``DriveWorld`` as a node needs it. Plans are paths in the world frame, or velocities."""

    world: DriveWorld

    def __init__(self, world: DriveWorld, seed: int, tracking: TrackingSettings = TrackingSettings()) -> None:
        self._driver = PathDriver(world, tracking)
        super().__init__(world, world.settings.physics_hz, seed)

    def reset(self, seed: int) -> None:
        super().reset(seed)
        self._driver.forget()

    def truth(self) -> CarTruth:
        """The true outcome so far; for measuring only, never for planning."""
        verdict = self._referee.verdict()
        return CarTruth(
            plan_elapsed_s=self.plan_elapsed_s,
            progress=verdict.parts["progress"],
            collision=verdict.collision,
            off_road=bool(verdict.parts["off_road"]),
            path_error_m=self._driver.most_away_m,
            outcome=verdict.outcome,
        )

    def _execute(self, plan: PathPlan | VelocityPlan) -> None:
        self._driver.command(plan)

    def _begin_episode(self, began_s: float | None) -> None:
        super()._begin_episode(began_s)
        self._referee = DriveReferee(self.world)

    def _step(self, seconds: float) -> None:
        self._driver.step(seconds)
        if self._began_s is not None and self.plan_elapsed_s <= WATCHED_S:
            self._referee.watch()
