"""A candidate plan of an arm: joint positions over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from astra_ros.plans.errors import DoubledPoint, NotTimed, PlanError
from astra_ros.plans.numbers import check_columns, finite_numbers, start_values, unique_names


@dataclass(frozen=True, eq=False)
class JointPlan:
    """Joint positions at given times, linear in between.

    The content of a ``trajectory_msgs/JointTrajectory`` without efforts. Positions alone are imagined; velocities and
    accelerations, where every point states them, are compared with limits. The arrays are private read-only copies.

    Raises:
        PlanError: on creation, for an empty, unsorted, non-finite or wrongly shaped plan.
    """

    joint_names: tuple[str, ...]  # J unique names, the columns of `positions`
    times_s: np.ndarray = field(repr=False)  # float64 [N], strictly increasing, >= 0; from the plan's start
    positions: np.ndarray = field(repr=False)  # float64 [N, J], rad
    name: str = "plan"
    velocities: np.ndarray | None = field(default=None, repr=False)  # float64 [N, J], rad/s; None: not stated
    accelerations: np.ndarray | None = field(default=None, repr=False)  # float64 [N, J], rad/s^2; None: not stated

    def __post_init__(self) -> None:
        names = unique_names(self.title, "joints", self.joint_names)
        times = finite_numbers(self.title, "times_s", self.times_s)
        positions = finite_numbers(self.title, "positions", self.positions)
        if times.ndim != 1:
            raise PlanError(f"times_s has shape {times.shape}; expected [N]", thing=self.title)
        if times.size == 0:
            raise PlanError("it has no points", thing=self.title, cure="give it at least one")
        if positions.shape != (expected := (times.size, len(names))):
            problem = f"positions has shape {positions.shape}; expected {expected}"
            cure = "give one row per time and one column per joint name"
            raise PlanError(problem, thing=self.title, cure=cure)
        if times[0] < 0.0:
            problem = f"its first time is {times[0]:g} s; times count from the plan's start and must be >= 0"
            raise PlanError(problem, thing=self.title, index=0, found=float(times[0]), limit=0.0)
        if (falls := np.flatnonzero(np.diff(times) <= 0.0)).size:
            raise self._out_of_time(times, positions, int(falls[0]))
        object.__setattr__(self, "joint_names", names)
        object.__setattr__(self, "times_s", times)
        object.__setattr__(self, "positions", positions)
        for what in ("velocities", "accelerations"):
            if getattr(self, what) is not None:
                stated = finite_numbers(self.title, what, getattr(self, what))
                if stated.shape != expected:
                    raise PlanError(f"{what} has shape {stated.shape}; expected {expected}", thing=self.title)
                object.__setattr__(self, what, stated)

    def _out_of_time(self, times: np.ndarray, positions: np.ndarray, i: int) -> PlanError:
        """The error of times that do not increase from point i to the next."""
        error, before, after = PlanError, times[i], times[i + 1]
        if not np.ptp(times):
            error, problem = NotTimed, f"all {len(times)} are {times[0]:g} s: it is a path and not time-parameterised"
            cure = "give the points times that increase, as TOTG or the trajectory_processing of MoveIt does"
        elif after == before and np.array_equal(positions[i], positions[i + 1]):
            error = DoubledPoint
            problem = f"points {i} and {i + 1} are the same, at {before:g} s, as where two plans are joined"
            cure = "drop one of them (a joint_trajectory_controller refuses both as well)"
        elif after == before:
            problem = f"points {i} and {i + 1} are at {before:g} s both and in different places"
            cure = "time-parameterise the plan as a whole, or drop one of them"
        elif after <= times[0]:
            anew = f"they begin anew at point {i + 1}, at {after:g} s after {before:g} s"
            problem = f"{anew}, as where two plans are joined"
            cure = f"add {before:g} s to the times of the second, or sort the points if they are out of order"
        else:
            problem = f"point {i + 1} at {after:g} s follows point {i} at {before:g} s"
            cure = "sort the points"
        problem = f"times must increase strictly, but {problem}"
        return error(problem, thing=self.title, cure=cure, index=i + 1, found=float(after), limit=float(before))

    @property
    def title(self) -> str:
        """The plan's name as errors say it."""
        return f"plan '{self.name}'"

    @property
    def duration_s(self) -> float:
        return float(self.times_s[-1])

    @property
    def motion_names(self) -> tuple[str, ...]:
        return self.joint_names

    def motion(self, times_s, now=None) -> np.ndarray:
        """Joint positions float64 [M, J], rad, at any times: linear, the last point held after the end.

        Args:
            times_s: [M] seconds from the plan's start, in any order.
            now: [J] rad, the robot's joints at time 0. Times before the first point move linearly from there. It does
                not count where the first point is at time 0.

        Raises:
            PlanError: ``now`` is needed, or has the wrong size or is not finite.
        """
        asked = np.atleast_1d(np.asarray(times_s, dtype=np.float64))
        times, positions = self.times_s, self.positions
        if times[0] > 0.0:
            if now is None:
                problem = f"its first point is at {times[0]:g} s, so the robot's joints at the start are needed"
                cure = "give the start, or add a point at 0 s"
                raise PlanError(problem, thing=self.title, cure=cure, index=0, found=float(times[0]))
            begin = start_values(self.title, "start", now, len(self.joint_names))
            times = np.concatenate([[0.0], times])
            positions = np.concatenate([begin[None], positions])
        return np.stack([np.interp(asked, times, column) for column in positions.T], axis=-1)

    def only(self, joint_names: Sequence[str]) -> JointPlan:
        """The same plan with these joints of its own alone, in the order given."""
        names = tuple(joint_names)
        if names == self.joint_names:
            return self
        columns = [self.joint_names.index(name) for name in names]
        velocities, accelerations = (
            None if stated is None else stated[:, columns] for stated in (self.velocities, self.accelerations)
        )
        return replace(
            self,
            joint_names=names,
            positions=self.positions[:, columns],
            velocities=velocities,
            accelerations=accelerations,
        )

    def reordered(self, joint_names: Sequence[str]) -> JointPlan:
        """The same plan with its joints in the given order. Raises PlanError where it has others."""
        check_columns(self.title, "joints", self.joint_names, joint_names)
        return self.only(joint_names)
