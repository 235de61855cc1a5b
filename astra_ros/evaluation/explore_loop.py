"""`astra demo --loop --world explore`: a rover maps a house, choosing by imagined gain, and a film shows both."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from astra_ros.agents.exploration import ByImaginedGain, Observation, Prediction, WorldExploration
from astra_ros.agents.loop import Choice, Cycle, LoopSettings, Moment, RecedingHorizon
from astra_ros.camera.frame_size import to_model_size
from astra_ros.control.frontier_explorer import FrontierExplorer, FrontierSettings
from astra_ros.datasets.record import FINER
from astra_ros.evaluation.exploring import SPACE
from astra_ros.evaluation.results import check_writable
from astra_ros.inference import DEFAULT_MODEL, load_world_model
from astra_ros.plans.durations import STEP_S
from astra_ros.plans.velocity_plan import VelocityPlan
from astra_ros.ranking.imaginer import Imaginer, RankingSettings
from astra_ros.simulation.explore.mapping_robot import MappingRobot
from astra_ros.simulation.explore.world import make
from astra_ros.views.loop_film import loop_frames
from astra_ros.views.video import write_mp4

FILM = "explore.mp4"
ACT_STEPS, MOST_CHOICES = 8, 30  # a choice every two seconds, for a minute


@dataclass(frozen=True)
class ExploreDemoRequest:
    """As `DemoRequest`, for a rover and without ROS."""

    out: Path
    seed: int
    plans: int
    model: str | None = None
    device: str | None = None


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


def explore_demo(request: ExploreDemoRequest, most_choices: int = MOST_CHOICES) -> MappingRobot:
    """Explore for a minute, print what is chosen, and film it.

    Raises UserError where the model does not load or does not know the rover, or the film cannot be written.
    """
    film = request.out / FILM
    check_writable(film)
    model = load_world_model("torch", request.model or DEFAULT_MODEL, request.device or "cpu")
    imagination = WorldExploration(Imaginer(model, RankingSettings(action_space=SPACE)))
    frames: list[np.ndarray] = []
    began = time.monotonic()
    with make("rover", FINER * max(model.card.image_size)) as world:
        robot = MappingRobot(world)
        robot.reset(request.seed)
        loop = ExploreLoop(robot, imagination, LoopSettings(ACT_STEPS, most_choices), request.plans)
        for cycle in loop.cycles:
            print(told := _told(cycle, loop), flush=True)
            imagined = None if loop.chosen is None else imagination.imagined(loop.chosen)
            frames += loop_frames(cycle.seen, imagined, f"rover, house {request.seed}", told.split("; ", 1))
    if frames:
        write_mp4(film, frames, 1.0 / model.card.dt_s)
    known = robot.known_m2[-1][2]
    print(f"\n{known:.1f} m^2 are known after {robot.distance_m:.1f} m and {robot.time_s:.0f} s, {_contacts(robot)}.")
    print(f"Done after {time.monotonic() - began:.1f} s. See {film}.")
    return robot


def _told(cycle: Cycle, loop: ExploreLoop) -> str:
    begin = f"[{cycle.moment.time_s:5.1f} s] {len(loop.explorer.open_frontiers)} frontiers"
    if loop.chosen is None or not loop.policy.values:
        return f"{begin}; the rover rests: nothing is left to explore"
    worth = f"{loop.chosen.action.name} is worth {loop.policy.evaluate(loop.chosen):.1f} m^2"
    return f"{begin}; {worth}; then {loop.robot.known_m2[-1][2]:.1f} m^2 are known"


def _contacts(robot: MappingRobot) -> str:
    return f"{robot.contacts} steps in contact" if robot.contacts else "without contact"
