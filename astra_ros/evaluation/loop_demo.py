"""`astra demo --loop`: the arm pushes its cube to the goal, choosing by imagination, and a film shows both."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from astra_ros.agents.loop import Cycle
from astra_ros.datasets.record import FINER
from astra_ros.evaluation.push_loop import NEAR_M, PushLoop, PushOutcome, blocked_world
from astra_ros.evaluation.results import check_writable
from astra_ros.inference import DEFAULT_MODEL, load_world_model
from astra_ros.views.loop_film import loop_frames
from astra_ros.views.video import write_mp4

FILM = "loop.mp4"


@dataclass(frozen=True)
class LoopDemoRequest:
    """As `DemoRequest`, without ROS."""

    robot: str
    out: Path
    seed: int
    plans: int
    model: str | None = None
    device: str | None = None


def loop_demo(request: LoopDemoRequest) -> PushOutcome:
    """Play one episode, print its choices, and film it.

    Raises UserError where the model does not load or does not know the robot, a package of the extra ``planning`` is
    missing, or the film cannot be written.
    """
    film = request.out / FILM
    check_writable(film)
    model = load_world_model("torch", request.model or DEFAULT_MODEL, request.device or "cpu")
    model.card.check_knows(f"{request.robot}_joints")
    world = blocked_world(request.robot, FINER * model.card.image_size[0])
    loop = PushLoop(model, world, request.plans)
    frames: list[np.ndarray] = []
    began = time.monotonic()
    try:
        for cycle in loop.episode(request.seed):
            print(told := _told(cycle, loop), flush=True)
            frames += _filmed(cycle, loop, f"{request.robot}, scene {request.seed}", told)
    finally:
        loop.close()
        world.close()
    outcome = loop.outcome
    if frames:
        write_mp4(film, frames, 1.0 / model.card.dt_s)
    where = "at the goal" if outcome.reached else f"not within {NEAR_M:g} m"
    touched = "was touched" if outcome.touched else "was not touched"
    print(f"\nChoices: {outcome.choices}. The cube is {outcome.distance_m:.3f} m from the goal: {where}.")
    seen = f" See {film}." if frames else ""
    print(f"The obstacle {touched}. Done after {time.monotonic() - began:.1f} s.{seen}")
    return outcome


def _told(cycle: Cycle, loop: PushLoop) -> str:
    choice, outcome = cycle.choice, loop.outcome
    begin = f"[{cycle.moment.time_s:5.1f} s] {len(cycle.plans)} pushes planned"
    result = choice.result
    if result is not None:
        vetoed = sum(score.verdict == "vetoed" for score in result.scores)
        begin += f", {vetoed} vetoed"
    if choice.index is None or result is None:
        return f"{begin}; the arm rests: {loop.robot.problem or choice.reason}"
    plan = cycle.plans[choice.index]
    score = result.scores[result.names.index(plan.name)].score
    then = f"then the cube is {outcome.distance_m:.3f} m from the goal"
    return f"{begin}; {plan.name} has the best score, {score:.2f}; {then}"


def _filmed(cycle: Cycle, loop: PushLoop, title: str, caption: str) -> list[np.ndarray]:
    choice, imagined = cycle.choice, None
    if choice.index is not None and choice.result is not None:
        index = choice.result.names.index(cycle.plans[choice.index].name)
        imagined = loop.robot.imaginer.pictures(choice.result, np.s_[index])
    return loop_frames(cycle.seen, imagined, title, caption.split("; ", 1))
