"""A candidate plan of an arm: joint positions over time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from astra_ros.plans.errors import DoubledPoint, NotTimed, PlanError
from astra_ros.plans.numbers import finite_numbers, start_values
from astra_ros.texts import listed, short


@dataclass(frozen=True, eq=False)
class JointPlan:
    """Joint positions at given times, linear in between.

    The content of a ``trajectory_msgs/JointTrajectory`` without velocities and efforts. The arrays are private
    read-only copies.

    Attributes:
        joint_names: J unique names; column j of ``positions`` belongs to ``joint_names[j]``.
        times_s: float64 [N], strictly increasing, >= 0; seconds from the plan's start.
        positions: float64 [N, J], rad.
        name: label of the plan, unique within a request, e.g. ``"candidates/3"``.

    Raises:
        PlanError: on creation, for an empty, unsorted, non-finite or wrongly shaped plan.
    """

    joint_names: tuple[str, ...]
    times_s: np.ndarray = field(repr=False)
    positions: np.ndarray = field(repr=False)
    name: str = "plan"

    def __post_init__(self) -> None:
        if isinstance(self.joint_names, str):
            raise PlanError(
                f"joint_names is the single string '{short(self.joint_names)}'",
                thing=self.title,
                cure="give a sequence of names",
            )
        names = tuple(str(name) for name in self.joint_names)
        if not names:
            raise PlanError("it names no joints", thing=self.title, cure="name each column of its positions")
        if repeated := sorted(name for name, count in Counter(names).items() if count > 1):
            raise PlanError(
                f"joint names repeat: {listed(repeated)}",
                thing=self.title,
                cure="name each joint once",
                column=repeated[0],
            )
        times = finite_numbers(self.title, "times_s", self.times_s)
        positions = finite_numbers(self.title, "positions", self.positions)
        if times.ndim != 1:
            raise PlanError(f"times_s has shape {times.shape}; expected [N]", thing=self.title)
        if times.size == 0:
            raise PlanError("it has no points", thing=self.title, cure="give it at least one")
        if positions.shape != (times.size, len(names)):
            raise PlanError(
                f"positions has shape {positions.shape}; expected ({times.size}, {len(names)})",
                thing=self.title,
                cure="give one row per time and one column per joint name",
            )
        if times[0] < 0.0:
            raise PlanError(
                f"its first time is {times[0]:g} s; times count from the plan's start and must be >= 0",
                thing=self.title,
                index=0,
                found=float(times[0]),
                limit=0.0,
            )
        if (falls := np.flatnonzero(np.diff(times) <= 0.0)).size:
            raise self._out_of_time(times, positions, int(falls[0]))
        object.__setattr__(self, "joint_names", names)
        object.__setattr__(self, "times_s", times)
        object.__setattr__(self, "positions", positions)

    def _out_of_time(self, times: np.ndarray, positions: np.ndarray, i: int) -> PlanError:
        """The error of times that do not increase from point i to the next."""
        error: type[PlanError] = PlanError
        before, after = times[i], times[i + 1]
        if not np.ptp(times):
            error, problem = (
                NotTimed,
                (f"all its {len(times)} points are at {times[0]:g} s, so it is a path and not time-parameterised"),
            )
            cure = "give the points times that increase, as TOTG or the trajectory_processing of MoveIt does"
        elif after == before and np.array_equal(positions[i], positions[i + 1]):
            error, problem = (
                DoubledPoint,
                (
                    f"times must increase strictly, but points {i} and {i + 1} are the same, at {before:g} s, as where "
                    "two plans are joined"
                ),
            )
            cure = "drop one of them (a joint_trajectory_controller refuses both as well)"
        elif after == before:
            problem = (
                f"times must increase strictly, but points {i} and {i + 1} are at {before:g} s both and in different "
                "places"
            )
            cure = "time-parameterise the plan as a whole, or drop one of them"
        elif after <= times[0]:
            problem = (
                f"times must increase strictly, but they begin anew at point {i + 1}, at {after:g} s after "
                f"{before:g} s, as where two plans are joined"
            )
            cure = f"add {before:g} s to the times of the second, or sort the points if they are out of order"
        else:
            problem = (
                f"times must increase strictly, but point {i + 1} at {after:g} s follows point {i} at {before:g} s"
            )
            cure = "sort the points"
        return error(problem, thing=self.title, cure=cure, index=i + 1, found=float(after), limit=float(before))

    @property
    def title(self) -> str:
        """The plan's name as errors say it."""
        return f"plan '{self.name}'"

    @property
    def duration_s(self) -> float:
        """Seconds from the plan's start to its last point."""
        return float(self.times_s[-1])

    @property
    def motion_names(self) -> tuple[str, ...]:
        """The columns of a motion: the joints."""
        return self.joint_names

    def motion(self, times_s, now=None) -> np.ndarray:
        """[N + 1, D] rad at increasing times, the first one now; ``now`` as in :meth:`sample`."""
        return self.sample(times_s, start=now)

    def sample(self, times_s, start=None) -> np.ndarray:
        """Joint positions at any times: linear, the last point held after the end.

        Args:
            times_s: [M] seconds from the plan's start, in any order.
            start: [J] rad, the robot's joints at time 0. Times before the first point move
                linearly from there. Not needed when the first point is at time 0, which
                then wins over ``start``.

        Returns:
            float64 [M, J], rad.

        Raises:
            PlanError: ``start`` is missing although the first point is later than 0, or it
                has the wrong size or is not finite.
        """
        asked = np.atleast_1d(np.asarray(times_s, dtype=np.float64))
        times, positions = self.times_s, self.positions
        if times[0] > 0.0:
            if start is None:
                raise PlanError(
                    f"its first point is at {times[0]:g} s, so the robot's joints at the start are needed",
                    thing=self.title,
                    cure="give the start, or add a point at 0 s",
                    index=0,
                    found=float(times[0]),
                )
            begin = start_values(self.title, "start", start, len(self.joint_names))
            times = np.concatenate([[0.0], times])
            positions = np.concatenate([begin[None], positions])
        return np.stack([np.interp(asked, times, column) for column in positions.T], axis=-1)

    def only(self, joint_names: Sequence[str]) -> JointPlan:
        """The same plan with these joints of its own alone, in the order given."""
        names = tuple(joint_names)
        if names == self.joint_names:
            return self
        columns = [self.joint_names.index(name) for name in names]
        return replace(self, joint_names=names, positions=self.positions[:, columns])

    def reordered(self, joint_names: Sequence[str]) -> JointPlan:
        """The same plan with its joints in the given order.

        Raises:
            PlanError: the plan's joints and ``joint_names`` are not the same set; the message
                lists what is missing and what was not expected.
        """
        wanted = tuple(joint_names)
        missing = [name for name in wanted if name not in self.joint_names]
        unexpected = [name for name in self.joint_names if name not in wanted]
        if missing or unexpected:
            parts = [f"missing: {listed(missing)}"] * bool(missing)
            parts += [f"not expected: {listed(unexpected)}"] * bool(unexpected)
            raise PlanError(
                f"its joints are not the robot's ({'; '.join(parts)}); expected exactly: {listed(wanted)}",
                thing=self.title,
                column=(missing or unexpected)[0],
            )
        return self.only(wanted)
