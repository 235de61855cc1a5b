"""Receding horizon: propose plans, choose one, act for a while, and begin again.

The arm, the car and exploration share this loop. A robot, real or simulated, fits `ActingRobot`; every world of
``simulation/`` does. Plans are whatever the robot takes and the choice understands.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from astra_ros.camera.frame_size import to_model_size
from astra_ros.plans.errors import PlanError
from astra_ros.plans.plan import Plan
from astra_ros.ranking.imaginer import Imaginer, Result
from astra_ros.ranking.prepare import NothingToImagine
from astra_ros.settings import CheckedSettings, setting


class ActingRobot(Protocol):
    """A robot with a camera that executes plans."""

    def render(self) -> np.ndarray:
        """The camera's image now: uint8 [height, width, 3] RGB."""

    def command(self, plan: Any) -> None:
        """Execute a plan from now on; it replaces the one before."""

    def step(self, seconds: float) -> None:
        """Let that much time pass."""


@dataclass(frozen=True)
class LoopSettings(CheckedSettings):
    """How often the robot chooses anew, and when it gives up."""

    act_steps: int = setting(4, "steps of the model that the robot acts before it chooses again", 1, 256, "steps")
    most_choices: int = setting(30, "choices after which the robot gives up", 1, 100_000, "choices")


@dataclass(frozen=True)
class Moment:
    """What is known when a choice is due.

    Attributes:
        index: 0 for the first choice.
        time_s: since the first choice.
        frames: uint8 [T, height, width, 3] RGB at the camera's size, oldest first, a step of the model apart.
    """

    index: int
    time_s: float
    frames: np.ndarray = field(repr=False)


@dataclass(frozen=True)
class Choice:
    """What was chosen.

    Attributes:
        index: of the plan; None where every plan is vetoed or none can be used: the robot takes the loop's fallback.
        result: what was imagined, where a model chose.
        reason: why there is no plan, or ''.
        made: plans that were made while choosing; ``index`` counts them behind the candidates.
    """

    index: int | None
    result: Result | None = field(default=None, repr=False)
    reason: str = ""
    made: Sequence[Any] = ()


@dataclass(frozen=True)
class Cycle:
    """One choice and what came of it.

    Attributes:
        plans: the candidates, and those that the choice made.
        seen: uint8 [N, height, width, 3] RGB, the camera's images from this choice to the next, a step of the model
            apart.
    """

    moment: Moment
    plans: Sequence[Any]
    choice: Choice
    seen: np.ndarray = field(repr=False)


Propose = Callable[[Moment], Sequence[Any]]
Choose = Callable[[Moment, Sequence[Any]], Choice]


@dataclass(frozen=True)
class RecedingHorizon:
    """The loop of one episode; iterate over it once.

    Attributes:
        propose: the candidates of a moment; with none, the robot takes the fallback.
        rest: the plan that stops the robot, or holds it where it is.
        is_done: whether the task is over; asked before each choice.
        history: frames that the choice needs; dt_s: seconds between them, the model's step.
        fallback: the plan where none is chosen; by default ``rest``.
        between: returns a plan that is executed to its end before the next choice, or None to choose at once.
    """

    robot: ActingRobot
    propose: Propose
    choose: Choose
    rest: Callable[[], Any]
    is_done: Callable[[], bool]
    history: int
    dt_s: float
    settings: LoopSettings = LoopSettings()
    fallback: Callable[[], Any] | None = None
    between: Callable[[], Plan | None] = lambda: None

    def __iter__(self) -> Iterator[Cycle]:
        """Act, and hand on each cycle as it ends. The robot rests while the history fills."""
        self.robot.command(self.rest())
        seen: deque[np.ndarray] = deque([self.robot.render()], maxlen=self.history)
        self._act(self.history - 1, seen)
        steps, index = 0, 0
        while index < self.settings.most_choices and not self.is_done():
            moment = Moment(index, steps * self.dt_s, np.stack(seen))
            plans = self.propose(moment)
            choice = self.choose(moment, plans) if plans else Choice(None, reason="no plan was proposed")
            plans = [*plans, *choice.made]
            self.robot.command((self.fallback or self.rest)() if choice.index is None else plans[choice.index])
            frames = [self._act(self.settings.act_steps, seen)]
            index += 1
            if index < self.settings.most_choices and not self.is_done() and (way := self.between()) is not None:
                self.robot.command(way)
                frames.append(self._act(math.ceil(way.duration_s / self.dt_s) + 1, seen))
            steps += sum(map(len, frames))
            yield Cycle(moment, plans, choice, np.concatenate(frames))

    def _act(self, steps: int, seen: deque[np.ndarray]) -> np.ndarray:
        frames = []
        for _ in range(steps):
            self.robot.step(self.dt_s)
            frames.append(self.robot.render())
        seen.extend(frames)
        return np.stack(frames) if frames else np.zeros((0, *seen[-1].shape), np.uint8)


@dataclass
class ByImagination:
    """Chooses the plan with the best score of those that are not vetoed.

    Attributes:
        motion_now: column -> where the robot is, or how it moves, as `PlanPreparer` takes it.
        begun: a proposed plan as the model takes it, under the same name; by default the plan itself. A plan for which
            it raises PlanError is not imagined.
        goal_frame: uint8 [h, w, 3] RGB at any size; goal_position: [3] m, which counts where both are given.
        seed: of the noise that all plans share.
    """

    imaginer: Imaginer
    motion_now: Callable[[], Mapping[str, float] | None]
    begun: Callable[[Any], Any] = lambda plan: plan
    goal_frame: np.ndarray | None = None
    goal_position: np.ndarray | None = None
    seed: int = 0

    def __call__(self, moment: Moment, plans: Sequence[Any]) -> Choice:
        size = self.imaginer.model.card.image_size
        history = np.stack([to_model_size(frame, size) for frame in moment.frames])
        goal = None if self.goal_frame is None else to_model_size(self.goal_frame, size)
        begun: dict[str, int] = {}
        taken: list[Plan] = []
        refused: dict[str, PlanError] = {}
        for index, plan in enumerate(plans):
            try:
                taken.append(self.begun(plan))
                begun[taken[-1].name] = index
            except PlanError as error:
                refused[plan.name] = error
        try:
            result = self.imaginer.score(history, taken, self.motion_now(), goal, self.seed, self.goal_position)
        except NothingToImagine as error:
            return Choice(None, reason=str(NothingToImagine(refused | error.refused)))
        if result.best is None:
            reasons = result.scores[result.shown].reasons
            return Choice(None, result, f"every plan is vetoed; the best of them: {'; '.join(reasons)}")
        return Choice(begun[result.names[result.best]], result)
