"""The rover's closed loop in the simulator: it maps a house, choosing its motions by imagined gain."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from astra_ros.agents.exploration import ByImaginedGain, Observation, Prediction, WorldExploration
from astra_ros.agents.loop import Choice, LoopSettings, Moment, RecedingHorizon
from astra_ros.camera.frame_size import to_model_size
from astra_ros.control.frontier_explorer import FrontierExplorer, FrontierSettings
from astra_ros.plans.durations import STEP_S
from astra_ros.plans.velocity_plan import VelocityPlan
from astra_ros.simulation.explore.mapping_robot import MappingRobot


class ExploreLoop:
    """The receding horizon of a rover that maps a house; one thread owns it.

    Attributes:
        chosen: what was predicted of the last motion.
    """

    def __init__(self, robot: MappingRobot, world: WorldExploration, settings: LoopSettings, count: int = 8) -> None:
        self.robot, self.world = robot, world
        self.explorer = FrontierExplorer(FrontierSettings(candidates=count))
        self.policy = ByImaginedGain(world, self.explorer)
        self.chosen: Prediction | None = None
        card = world.imaginer.model.card
        rest = VelocityPlan(robot.world.spec.motion_names, STEP_S, np.zeros((1, 2)), "rest")
        self.cycles = RecedingHorizon(
            robot, self._propose, self._choose, lambda: rest, self.policy.is_complete, card.history, card.dt_s, settings
        )

    def _propose(self, moment: Moment) -> list[VelocityPlan]:
        """The motion with the largest imagined gain; none where nothing is left to explore."""
        now, size = self.robot.explored, self.world.imaginer.model.card.image_size
        frames = np.stack([to_model_size(frame, size) for frame in moment.frames])
        seen = Observation(now.grid, now.place, now.yaw, now.velocity, now.contact, frames=frames)
        action = self.policy.select_action(seen)
        self.chosen = None if action is None else self.world.predict_next(seen, action)
        return [] if action is None else [action]

    def _choose(self, moment: Moment, plans: Sequence[VelocityPlan]) -> Choice:
        return Choice(0, None if self.chosen is None else self.chosen.result)
