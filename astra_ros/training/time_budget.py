"""Training to a deadline: the time that the runs of a command have together, and each stage's part of it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable

# How the stages share the time, about as their default numbers of steps do on a CPU.
SHARES = {"autoencoder": 2.0, "dynamics": 7.0, "compositor": 1.0}
WARMUP_SHARE = 0.1  # the warm-up takes at most this share of a stage's time


class TimeBudget:
    """The time that the runs of a command have together.

    Whatever a run does counts from its start: loading and validation too. What it did after its last checkpoint is
    done again and counts once.
    """

    def __init__(self, minutes: float, stages: Iterable[str], now: Callable[[], float] = time.monotonic):
        self.seconds, self._now = 60 * minutes, now
        self._began, self._earlier = now(), 0.0
        self.stages = list(stages)  # those that train, in order

    @property
    def used(self) -> float:
        """Seconds, those of earlier runs included."""
        return self._earlier + self._now() - self._began

    def resume(self, used: float) -> None:
        """`used`: seconds at the last checkpoint of an earlier run."""
        self._earlier = max(self._earlier, used)

    def stage(self, name: str) -> StageClock | None:
        """The clock of a stage that begins now; None for one that does not train."""
        if name not in self.stages:
            return None
        to_come = self.stages[self.stages.index(name) :]
        return StageClock(self, SHARES[name] / sum(SHARES[each] for each in to_come))


class StageClock:
    """A stage's part of a budget: the `share` of what is left when it begins."""

    def __init__(self, budget: TimeBudget, share: float):
        self.budget = budget
        self.begin = budget.used
        self.end = self.begin + share * max(0.0, budget.seconds - self.begin)
        self.finished = False  # whether an earlier run used it up

    @property
    def seconds(self) -> float:
        return self.end - self.begin

    @property
    def used(self) -> float:
        """Seconds of this stage, at most all that it has."""
        return min(self.budget.used - self.begin, self.seconds)

    @property
    def progress(self) -> float:
        """Time used / time given, 0 to 1."""
        return self.used / self.seconds if self.seconds else 1.0

    def state(self) -> dict[str, float]:
        return {"begin": self.begin, "end": self.end, "used": self.budget.used}

    def restore(self, state: dict[str, float]) -> None:
        """Inverse of `state`: go on as the run that wrote it."""
        self.begin, self.end = state["begin"], state["end"]
        self.finished = state["used"] >= self.end
        self.budget.resume(state["used"])

    def learning_rate(self, step: int, progress: float, peak: float, warmup: int) -> float:
        """Linear warm-up of at most a tenth of the time, and a cosine over all of it down to 2 % of the peak."""
        begun = min(1.0, max((step + 1) / max(1, warmup), progress / WARMUP_SHARE))
        return begun * peak * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, progress))))
