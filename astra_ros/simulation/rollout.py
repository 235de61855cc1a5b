"""Execute a plan in a world: its frames, states and verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from astra_ros.plans.durations import STEP_S
from astra_ros.settings import SettingError
from astra_ros.simulation.worlds import Referee, Verdict


class Executor(Protocol):
    """What executes plans: a `World`, or a controller that drives the robot of one."""

    def command(self, plan) -> None:
        """Follow a plan from now on."""

    def step(self, seconds: float) -> None:
        """Let time pass."""

    def state(self) -> Any:
        """The world's true state."""

    def render(self) -> np.ndarray:
        """The camera's view: uint8 [height, width, 3] RGB."""

    def referee(self) -> Referee:
        """A referee of the next plan."""


@dataclass(frozen=True, eq=False)
class Rollout:
    """An executed plan, H steps.

    Attributes:
        frames: uint8 [H + 1, height, width, 3] RGB, the first one before the plan; None when not
            rendered.
        states: H + 1 true states of the world; a state's contacts cover the interval that ends at it.
        verdict: on the plan.
    """

    frames: np.ndarray | None
    states: list[Any]
    verdict: Verdict


def execute(
    world: Executor, plan, horizon: int = 16, dt_s: float = STEP_S, render: bool = True, referee: Referee | None = None
) -> Rollout:
    """Execute a plan from the world's current state; the world stays where the plan ends.

    Args:
        horizon: steps H. After the end of a shorter plan arms hold the last point and bases stop.
        render: False skips the frames, which take most of the time.
        referee: made where the plan starts; the world's own if None.

    Raises:
        PlanError: the plan is not for the world's robot.
        SettingError: horizon below 1.
    """
    if horizon < 1:
        raise SettingError("horizon", horizon, "give at least 1 step")
    referee = world.referee() if referee is None else referee
    states = [world.state()]
    frames = [world.render()] if render else []
    world.command(plan)
    for _ in range(horizon):
        world.step(dt_s)
        states.append(world.state())
        referee.watch()
        if render:
            frames.append(world.render())
    return Rollout(np.stack(frames) if frames else None, states, referee.verdict())
