"""The car's task: to drive along its lane, where things stand that its planner does not know."""

from __future__ import annotations

from dataclasses import replace

from astra_ros.agents.driving import AutonomousDrivingPrediction
from astra_ros.agents.loop import Choose, LoopSettings
from astra_ros.control.path_tracking import track
from astra_ros.control.vehicle import VehicleState
from astra_ros.datasets.record import FINER
from astra_ros.evaluation.closed_loop import request as known
from astra_ros.evaluation.closed_loop.choosers import AtRandom, ByTruth, First
from astra_ros.evaluation.closed_loop.comfort import smoothness
from astra_ros.evaluation.closed_loop.plan_alone import PLAN_CRITICS, PlanAlone
from astra_ros.evaluation.drive_loop import ACT_STEPS, DriveLoop
from astra_ros.evaluation.rank import DRIVING
from astra_ros.inference.world_model import WorldModel
from astra_ros.plans.path_plan import PathPlan
from astra_ros.plans.velocity_plan import VelocityPlan
from astra_ros.simulation.drive.path_driver import REST, PathDriver
from astra_ros.simulation.drive.world import make


class Driving:
    """Episodes of one car. Its planner knows the lanes, no obstacles and no traffic."""

    def __init__(self, model: WorldModel, robot: str, request: known.ClosedLoopRequest) -> None:
        assert robot == "car", robot
        self.world = make(size=FINER * max(model.card.image_size))
        self.loop = DriveLoop(model, self.world, request.plans, LoopSettings(ACT_STEPS, request.drive_choices))
        self._dt_s = model.card.dt_s
        settings = replace(self.loop.driving.imaginer.settings, critics=PLAN_CRITICS)
        alone = PlanAlone(model, settings, {name: each for name, each in DRIVING.items() if name in PLAN_CRITICS})
        self._alone = AutonomousDrivingPrediction(alone, self.loop.driving.vehicle_controller)

    def episode(self, policy: str, seed: int) -> dict[str, bool | float]:
        """``followed``: the car was never more than 25 cm from its path; ``smoothness``: see ``comfort.py``."""
        self.loop.choose = self.chooser(policy, seed)
        self.loop.sees = policy == known.IMAGINATION
        states: list[VehicleState] = []
        for _ in self.loop.episode(seed, lambda: states.append(self.loop.state())):
            pass
        outcome = self.loop.outcome
        acted = states[-outcome.choices * ACT_STEPS - 1 :]  # not while the history filled
        return {
            "no_contact": not outcome.collision,
            "followed": outcome.followed,
            "on_road": not outcome.off_road,
            "smoothness": smoothness(acted, self._dt_s),
            "progress": outcome.progress,
            "path_error_m": outcome.path_error_m,
            "rests": float(outcome.rests),
        }

    def chooser(self, policy: str, seed: int) -> Choose | None:
        """Of the scene that is driven next; None stands for the loop's own imagination."""
        if policy == known.IMAGINATION:
            return None
        if policy == known.RANDOM:
            return AtRandom(seed, self._follow)
        if policy == known.FIRST:
            return First(self._follow)
        if policy == known.ORACLE:
            horizon = self.loop.driving.imaginer.settings.horizon
            return ByTruth(self.world, horizon, self._dt_s, lambda: REST, lambda: PathDriver(self.world))
        assert policy == known.ALONE, policy
        return self._alone.choose_path(self.loop.state, seed)

    def close(self) -> None:
        self.world.close()

    def _follow(self, path: PathPlan) -> VelocityPlan:
        """Raises PlanError for a path that the car cannot follow."""
        return track(path, self.loop.state(), self.loop.driving.vehicle_controller).plan
