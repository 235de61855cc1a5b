"""`astra demo --loop`: an arm pushes its cube to the goal, choosing by imagination, and a film shows both."""

from __future__ import annotations

import numpy as np

from astra_ros.agents.loop import Cycle
from astra_ros.datasets.record import FINER
from astra_ros.evaluation.loop_demo import LoopDemoRequest, LoopFilm, told_of
from astra_ros.evaluation.push_loop import NEAR_M, PushLoop, PushOutcome
from astra_ros.inference import ARMS_MODEL
from astra_ros.simulation.arm import planned_pushes

FILM = "loop.mp4"


def push_demo(request: LoopDemoRequest) -> PushOutcome:
    """Play one episode, print its choices, and film it.

    Raises UserError where the model does not load or does not know the robot, a package of the extra ``planning`` is
    missing, or the film cannot be written.
    """
    improvement = request.improvement
    film = LoopFilm(request.out / FILM, f"{request.robot}, scene {request.seed}")
    model = request.load(f"{request.robot}_joints", ARMS_MODEL)
    world = planned_pushes.make(request.robot, FINER * model.card.image_size[0])
    loop = PushLoop(model, world, request.plans, improvement=improvement)
    try:
        for cycle in loop.episode(request.seed):
            film.add(cycle, _told(cycle, loop), _imagined(cycle, loop))
    finally:
        loop.close()
        world.close()
    outcome = loop.outcome
    where = "at the goal" if outcome.reached else f"not within {NEAR_M:g} m"
    touched = "was touched" if outcome.touched else "was not touched"
    film.end(
        f"Choices: {outcome.choices}. The cube is {outcome.distance_m:.3f} m from the goal: {where}.\n"
        f"The obstacle {touched}.",
        model.card.dt_s,
    )
    return outcome


def _told(cycle: Cycle, loop: PushLoop) -> str:
    told = told_of(cycle, "pushes planned", "the arm goes home", loop.robot.problem)
    if cycle.choice.index is None:
        return told
    return f"{told}, then the cube is {loop.outcome.distance_m:.3f} m from the goal"


def _imagined(cycle: Cycle, loop: PushLoop) -> np.ndarray | None:
    """What the model expected to see, uint8 [H, h, w, 3]; None where no push was chosen."""
    choice = cycle.choice
    if choice.index is None or choice.result is None:
        return None
    index = choice.result.names.index(cycle.plans[choice.index].name)
    return loop.robot.imaginer.pictures(choice.result, np.s_[index])
