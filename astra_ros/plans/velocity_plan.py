"""A candidate plan of a mobile robot or a free camera: velocities over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from astra_ros.plans.errors import PlanError
from astra_ros.plans.numbers import check_columns, finite_numbers, start_values, unique_names
from astra_ros.texts import listed


@dataclass(frozen=True, eq=False)
class VelocityPlan:
    """Velocities, each held for ``dt_s``; rest after the last one.

    The modality says what the columns mean (``plans/action_spaces``). The array is a private read-only copy.

    Raises:
        PlanError: on creation, for an empty, non-finite or wrongly shaped plan.
    """

    motion_names: tuple[str, ...]  # D unique names, the columns of `velocities`
    dt_s: float
    velocities: np.ndarray = field(repr=False)  # float64 [N, D], m/s and rad/s; row i holds from i * dt_s on
    name: str = "plan"

    def __post_init__(self) -> None:
        names = unique_names(self.title, "columns", self.motion_names)
        rows = finite_numbers(self.title, "velocities", self.velocities)
        if rows.ndim != 2 or not rows.shape[0] or rows.shape[1] != len(names):
            wanted = f"[N, {len(names)}] with N >= 1, columns {listed(names)}"
            raise PlanError(f"velocities have shape {rows.shape}; expected {wanted}", thing=self.title)
        if not (np.isfinite(self.dt_s) and self.dt_s > 0.0):
            raise PlanError(f"dt_s is {self.dt_s}; it must be > 0", thing=self.title, found=float(self.dt_s), limit=0.0)
        object.__setattr__(self, "motion_names", names)
        object.__setattr__(self, "dt_s", float(self.dt_s))
        object.__setattr__(self, "velocities", rows)

    @property
    def title(self) -> str:
        """The plan's name as errors say it."""
        return f"plan '{self.name}'"

    @property
    def duration_s(self) -> float:
        return len(self.velocities) * self.dt_s

    def motion(self, times_s, now=None) -> np.ndarray:
        """A motion of velocities: means over the intervals, rest after the plan's end.

        Args:
            times_s: [N + 1] seconds from the plan's start, increasing, >= 0.
            now: [D] mean velocity of the interval that ends at the start; None: as the plan begins.

        Returns:
            float64 [N + 1, D]: row 0 is ``now``, row k the mean from time k - 1 to time k.
        """
        means = self.mean(times_s)
        begin = means[0]
        if now is not None:
            begin = start_values(self.title, "the velocity at its start", now, len(self.motion_names))
        return np.concatenate([begin[None], means])

    def mean(self, times_s) -> np.ndarray:
        """Mean velocity [M, D] of each interval between consecutive times [M + 1], s, as in `motion`."""
        times = np.asarray(times_s, dtype=np.float64)
        edges = np.arange(len(self.velocities) + 1) * self.dt_s
        travelled = np.cumsum(self.velocities, axis=0) * self.dt_s
        along = np.stack([np.interp(times, edges, [0.0, *column]) for column in travelled.T], axis=-1)
        return np.diff(along, axis=0) / np.diff(times)[:, None]

    def reordered(self, motion_names: Sequence[str]) -> VelocityPlan:
        """The same plan with its columns in the given order. Raises PlanError where it has others."""
        check_columns(self.title, "columns", self.motion_names, motion_names)
        columns = [self.motion_names.index(name) for name in motion_names]
        return replace(self, motion_names=tuple(motion_names), velocities=self.velocities[:, columns])

    def at(self, time_s: float) -> np.ndarray:
        """The velocity [D] commanded at a time; zeros before the start and after the end."""
        index = int(np.floor(time_s / self.dt_s + 1e-9))
        if not 0 <= index < len(self.velocities):
            return np.zeros(len(self.motion_names))
        return self.velocities[index]
