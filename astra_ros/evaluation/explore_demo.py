"""`astra demo --loop --world explore`: a rover maps a house, choosing by imagined gain, and a film shows both."""

from __future__ import annotations

from astra_ros.agents.exploration import WorldExploration
from astra_ros.agents.loop import Cycle, LoopSettings
from astra_ros.datasets.record import FINER
from astra_ros.evaluation.explore_loop import ExploreLoop
from astra_ros.evaluation.exploring import SPACE
from astra_ros.evaluation.loop_demo import LoopDemoRequest, LoopFilm
from astra_ros.ranking.imaginer import Imaginer, RankingSettings
from astra_ros.simulation.explore.mapping_robot import MappingRobot
from astra_ros.simulation.explore.world import make

FILM = "explore.mp4"
ACT_STEPS, MOST_CHOICES = 8, 30  # a choice every two seconds, for a minute


def explore_demo(request: LoopDemoRequest, most_choices: int = MOST_CHOICES) -> MappingRobot:
    """Explore for a minute, print what is chosen, and film it.

    Raises UserError where the model does not load or does not know the rover, or the film cannot be written.
    """
    film = LoopFilm(request.out / FILM, f"rover, house {request.seed}")
    model = request.load(SPACE)
    imagination = WorldExploration(Imaginer(model, RankingSettings(action_space=SPACE)))
    with make("rover", FINER * max(model.card.image_size)) as world:
        robot = MappingRobot(world)
        robot.reset(request.seed)
        loop = ExploreLoop(robot, imagination, LoopSettings(ACT_STEPS, most_choices), request.plans)
        for cycle in loop.cycles:
            film.add(cycle, _told(cycle, loop), None if loop.chosen is None else imagination.imagined(loop.chosen))
    known = robot.known_m2[-1][2]
    film.end(
        f"{known:.1f} m^2 are known after {robot.distance_m:.1f} m and {robot.time_s:.0f} s, {_contacts(robot)}.",
        model.card.dt_s,
    )
    return robot


def _told(cycle: Cycle, loop: ExploreLoop) -> str:
    begin = f"[{cycle.moment.time_s:5.1f} s] {len(loop.explorer.open_frontiers)} frontiers"
    if loop.chosen is None or not loop.policy.values:
        return f"{begin}; the rover rests: nothing is left to explore"
    worth = f"{loop.chosen.action.name} is worth {loop.policy.evaluate(loop.chosen):.1f} m^2"
    return f"{begin}; {worth}; then {loop.robot.known_m2[-1][2]:.1f} m^2 are known"


def _contacts(robot: MappingRobot) -> str:
    return f"{robot.contacts} steps in contact" if robot.contacts else "without contact"
