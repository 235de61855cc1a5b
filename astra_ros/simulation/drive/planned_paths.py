"""The car's roads, and the paths beside its lane that a planner makes: the world of the car's loop.

The planner knows the lane, no obstacle and no traffic. Its paths are smoother than the manoeuvres of ``driver.py``, and
never aim at anything, so a model that is to choose among them should have learned from them.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from astra_ros.control.lane_paths import KINDS, LanePathSettings, lane_paths
from astra_ros.control.path_tracking import track
from astra_ros.control.vehicle import VehicleState, advance
from astra_ros.control.vehicle_controller import VehicleController
from astra_ros.plans.errors import PlanError
from astra_ros.plans.velocity_plan import VelocityPlan
from astra_ros.registry import UnknownName
from astra_ros.simulation.drive.routes import FRAME, lane_ahead
from astra_ros.simulation.drive.world import DASHBOARD_CAMERA, MOTION_NAMES, DriveWorld, DriveWorldSettings
from astra_ros.simulation.worlds import Embodiment

RANDOM_SHARE = 0.15  # of the behaviours of an episode
PLANNED = "planned_path"


class PlannedCar(DriveWorld):
    """`DriveWorld` that plays and proposes the paths of a lane planner, as the commands that follow them."""

    embodiment = Embodiment("lanes", "car", "twist", MOTION_NAMES)
    _MOMENT: tuple[str, ...] = (*DriveWorld._MOMENT, "_acceleration")

    def reset(self, seed: int, style_seed: int | None = None) -> None:
        super().reset(seed, style_seed)
        self._acceleration = 0.0

    def step(self, seconds: float) -> None:
        before, since_s = self.state().car.speed, self.time_s
        super().step(seconds)
        after = self.state()
        # A car that hits something stands at once, which is no braking that a path should go on with.
        self._acceleration = 0.0 if after.obstacle_contact else (after.car.speed - before) / (self.time_s - since_s)

    def play(self, rng: np.random.Generator, seconds: float) -> str:
        """Paths of the planner, of which another is taken every second or later. At times, after a contact, and where
        no path can be followed, a manoeuvre of ``driver.BEHAVIOURS``."""
        state = self.state()
        if state.obstacle_contact or rng.random() < RANDOM_SHARE:
            return super().play(rng, seconds)
        period_s = VehicleController(self.limits).period_s
        car, acceleration, rows = state.car, self._acceleration, np.zeros((0, 2))
        while len(rows) * period_s < seconds - 1e-9:
            found = self._tracked(car, acceleration, len(KINDS))
            if not found:
                break
            _, plan = found[int(rng.integers(len(found)))]
            kept = plan.velocities[: round(int(rng.integers(1, 5)) / plan.dt_s)]
            for row in kept:
                before, car = car, advance(car, (float(row[0]), float(row[1])), self.limits, plan.dt_s)
                acceleration = (car.speed - before.speed) / plan.dt_s
            rows = np.concatenate([rows, kept])
        if not len(rows):
            return super().play(rng, seconds)
        self.command(VelocityPlan(MOTION_NAMES, period_s, rows[: round(seconds / period_s)], PLANNED))
        return PLANNED

    def propose(self, count: int, seed: int) -> list[tuple[str, VelocityPlan]]:
        """At most ``count`` paths from here, one of each kind of ``lane_paths``; none where none can be followed.

        Args:
            seed: changes nothing: the planner draws nothing.
        """
        return self._tracked(self.state().car, self._acceleration, count)

    def _tracked(self, car: VehicleState, acceleration: float, count: int) -> list[tuple[str, VelocityPlan]]:
        settings = LanePathSettings(count=min(count, len(KINDS)))
        paths = lane_paths(lane_ahead(self.layout, car), car, FRAME, settings, acceleration, self.limits.max_speed)
        found: list[tuple[str, VelocityPlan]] = []
        for kind, path in paths:
            try:
                found.append((kind, track(path, car, VehicleController(self.limits)).plan))
            except PlanError:  # the car stands across the lane
                continue
        return found


def make(robot: str = "car", size: int = 128) -> PlannedCar:
    """The world with a square image of ``size`` pixels."""
    if robot != "car":
        raise UnknownName("robot", robot, ["car"])
    return PlannedCar(DriveWorldSettings(camera=replace(DASHBOARD_CAMERA, width=size, height=size)))
