"""`astra demo --loop --world drive`: a car drives, choosing its path by imagination, and a film shows both."""

from __future__ import annotations

import numpy as np

from astra_ros.agents.loop import Cycle, LoopSettings
from astra_ros.datasets.record import FINER
from astra_ros.evaluation.drive_loop import ACT_STEPS, MOST_CHOICES, DriveLoop, DriveOutcome
from astra_ros.evaluation.loop_demo import LoopDemoRequest, LoopFilm, told_of
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
    told = told_of(cycle, "paths", "the car stops")
    if cycle.choice.index is None:
        return told
    return f"{told}, then {loop.state().speed:.1f} m/s{', touched something' * loop.outcome.collision}"


def _imagined(cycle: Cycle, loop: DriveLoop) -> np.ndarray | None:
    """What the model expected to see along the chosen path, uint8 [H, h, w, 3]; None where the car rested."""
    if cycle.choice.index is None:
        return None
    path, seed = cycle.plans[cycle.choice.index], loop.seed
    return loop.driving.predict_trajectory(cycle.moment.frames, path, loop.began, seed).frames
