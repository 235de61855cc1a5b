"""What demos of closed loops share: lines about each choice, and a film of what happened beside what was imagined."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from astra_ros.agents.loop import Cycle
from astra_ros.agents.plan_improvement import ImprovementSettings
from astra_ros.evaluation.results import check_writable
from astra_ros.inference import DEFAULT_MODEL, load_world_model
from astra_ros.inference.world_model import WorldModel
from astra_ros.views.loop_film import loop_frames
from astra_ros.views.video import write_mp4


@dataclass(frozen=True)
class LoopDemoRequest:
    """As `DemoRequest`, without ROS. The robot chooses among arms; cars and rovers are of one kind."""

    robot: str
    out: Path
    seed: int
    plans: int
    model: str | None = None
    device: str | None = None
    seconds: float = 0.0  # of improvement, of arms alone

    @property
    def improvement(self) -> ImprovementSettings:
        """How an arm's plans are improved. Raises SettingError."""
        return ImprovementSettings(self.seconds)

    def load(self, space: str, usual: str = DEFAULT_MODEL) -> WorldModel:
        """The model, or the usual one, which knows this action space. Raises UserError."""
        model = load_world_model("torch", self.model or usual, self.device or "cpu")
        model.card.check_knows(space)
        return model


class LoopFilm:
    """A film that grows with each choice. Raises OutputError where its file cannot be written.

    Args:
        title: stands above the pictures.
    """

    def __init__(self, path: Path, title: str) -> None:
        check_writable(path)
        self._path, self._title = path, title
        self._frames: list[np.ndarray] = []
        self._began = time.monotonic()

    def add(self, cycle: Cycle, told: str, imagined: np.ndarray | None) -> None:
        """Print what is told of a choice, and add its frames.

        Args:
            imagined: uint8 [H, h, w, 3] RGB, of the chosen plan; None where none was chosen.
        """
        print(told, flush=True)
        self._frames += loop_frames(cycle.seen, imagined, self._title, told.split("; ", 1))

    def end(self, told: str, dt_s: float) -> None:
        """Print how the episode went, and write the film. An episode without choices has no film."""
        if self._frames:
            write_mp4(self._path, self._frames, 1.0 / dt_s)
        film = f" See {self._path}." if self._frames else ""
        print(f"\n{told} Done after {time.monotonic() - self._began:.1f} s.{film}")


def told_of(cycle: Cycle, plans: str, instead: str, problem: str = "") -> str:
    """The beginning of a line about a choice: when, among how many plans, and the choice.

    Args:
        plans: what they are called, such as "paths".
        instead: what is done where none was chosen.
        problem: why there were none to choose from.
    """
    choice = cycle.choice
    told = f"[{cycle.moment.time_s:5.1f} s] {len(cycle.plans) - len(choice.made)} {plans}"
    if choice.result is not None:
        told += f", {sum(score.verdict == 'vetoed' for score in choice.result.scores)} vetoed"
    if choice.index is None:
        return f"{told}; {instead}: {choice.reason if cycle.plans else problem or choice.reason}"
    name = cycle.plans[choice.index].name
    score = (
        "" if choice.result is None else f", score {choice.result.scores[choice.result.names.index(name)].score:.2f}"
    )
    return f"{told}; '{name}'{score}"
