"""`astra demo --loop --world drive`: a car drives, choosing its path by imagination, and a film shows both."""

from __future__ import annotations

import numpy as np

from astra_ros.agents.loop import Cycle, LoopSettings
from astra_ros.datasets.record import FINER
from astra_ros.evaluation.drive_loop import ACT_STEPS, MOST_CHOICES, DriveLoop, DriveOutcome
from astra_ros.evaluation.loop_demo import LoopDemoRequest, LoopFilm
from astra_ros.simulation.drive.world import make

FILM = "drive.mp4"


def drive_demo(request: LoopDemoRequest, most_choices: int = MOST_CHOICES) -> DriveOutcome:
    """Drive one episode, print its choices, and film it.

    Raises UserError where the model does not load or does not know the car, or the film cannot be written.
    """
    film = LoopFilm(request.out / FILM, f"car, scene {request.seed}")
    model = request.load("car_twist")
    with make(size=FINER * model.card.image_size[0]) as world:
        loop = DriveLoop(model, world, request.plans, LoopSettings(ACT_STEPS, most_choices))
        for cycle in loop.episode(request.seed):
            film.add(cycle, _told(cycle, loop), _imagined(cycle, loop))
    outcome = loop.outcome
    touched = "touched something" if outcome.collision else "touched nothing"
    left = "left the road" if outcome.off_road else "stayed on the road"
    film.end(
        f"The car {touched} and {left}; it was at most {outcome.path_error_m:.2f} m from its path.\n"
        f"Progress {outcome.progress:.2f}.",
        model.card.dt_s,
    )
    return outcome


def _told(cycle: Cycle, loop: DriveLoop) -> str:
    choice = cycle.choice
    begin = f"[{cycle.moment.time_s:5.1f} s] {len(cycle.plans)} paths"
    if choice.result is not None:
        begin += f", {sum(score.verdict == 'vetoed' for score in choice.result.scores)} vetoed"
    if choice.index is None:
        return f"{begin}; the car rests: {choice.reason}"
    then = ", touched something" * loop.outcome.collision
    path = cycle.plans[choice.index]
    score = "" if choice.result is None else f", score {_score(cycle):.2f}"
    return f"{begin}; '{path.name}'{score}, then {loop.state().speed:.1f} m/s{then}"


def _score(cycle: Cycle) -> float:
    result = cycle.choice.result
    assert result is not None and cycle.choice.index is not None
    return result.scores[result.names.index(cycle.plans[cycle.choice.index].name)].score


def _imagined(cycle: Cycle, loop: DriveLoop) -> np.ndarray | None:
    """What the model expected to see along the chosen path, uint8 [H, h, w, 3]; None where the car rested."""
    if cycle.choice.index is None:
        return None
    path, seed = cycle.plans[cycle.choice.index], loop.seed
    return loop.driving.predict_trajectory(cycle.moment.frames, path, loop.began, seed).frames
