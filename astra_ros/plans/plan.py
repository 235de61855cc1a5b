"""What plans of every kind have in common."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import Protocol, TypeVar

import numpy as np


class Plan(Protocol):
    """A candidate, a frozen dataclass: what a robot would do from now on, in named columns."""

    @property
    def name(self) -> str:
        """Label, unique within a request, e.g. ``"candidates/3"``."""

    @property
    def motion_names(self) -> tuple[str, ...]:
        """D unique names of columns, such as joints."""

    @property
    def duration_s(self) -> float:
        """From the plan's start to its end."""

    def motion(self, times_s, now: np.ndarray | None = None) -> np.ndarray:
        """The plan at the model's times, as its action space has motions: float64 [N + 1, D].

        ``times_s`` [N + 1] are seconds from the plan's start, increasing, >= 0; the first is now. ``now`` [D] is what
        the robot does then, if it is known. Raises PlanError where it is needed, or does not fit.
        """

    def reordered(self, motion_names: Sequence[str]) -> Plan:
        """The same plan with its columns in the given order; raises PlanError where it has other columns."""


Named = TypeVar("Named")


def renamed(plan: Named, name: str) -> Named:
    """The same plan under another name. It is checked already, so it is not checked again."""
    made = copy(plan)
    object.__setattr__(made, "name", name)
    return made
