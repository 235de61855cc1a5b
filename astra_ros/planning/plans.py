"""A candidate plan of an arm: joint positions over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np


class PlanError(ValueError):
    """A plan cannot be used. The message names what was wrong, what was expected, what to do."""


@dataclass(frozen=True, eq=False)
class JointPlan:
    """Joint positions at given times, linear in between.

    The same content as a ``trajectory_msgs/JointTrajectory`` without velocities and efforts.
    The arrays are private read-only copies: a plan never changes after it was made.

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
                f"plan '{self.name}': joint_names is the single string '{self.joint_names}'; "
                "give a sequence of names"
            )
        names = tuple(str(name) for name in self.joint_names)
        if not names:
            raise PlanError(
                f"plan '{self.name}': it names no joints; name each column of its positions"
            )
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise PlanError(
                f"plan '{self.name}': joint names repeat: {', '.join(repeated)}; "
                "each joint must be named once"
            )
        times = self._numbers("times_s", self.times_s)
        positions = self._numbers("positions", self.positions)
        if times.ndim != 1:
            raise PlanError(f"plan '{self.name}': times_s has shape {times.shape}; expected [N]")
        if times.size == 0:
            raise PlanError(
                f"plan '{self.name}': it has no points; a plan needs at least one point"
            )
        if positions.shape != (times.size, len(names)):
            raise PlanError(
                f"plan '{self.name}': positions has shape {positions.shape}; expected "
                f"({times.size}, {len(names)}): one row per time, one column per joint name"
            )
        if times[0] < 0.0:
            raise PlanError(
                f"plan '{self.name}': its first time is {times[0]:g} s; times count from the "
                "plan's start and must be >= 0"
            )
        if (falls := np.flatnonzero(np.diff(times) <= 0.0)).size:
            i = int(falls[0])
            raise PlanError(
                f"plan '{self.name}': times must increase strictly, but point {i + 1} at "
                f"{times[i + 1]:g} s follows point {i} at {times[i]:g} s; sort the points and "
                "drop duplicates"
            )
        object.__setattr__(self, "joint_names", names)
        object.__setattr__(self, "times_s", times)
        object.__setattr__(self, "positions", positions)

    def _numbers(self, what: str, values) -> np.ndarray:
        """A private, read-only float64 copy of ``values``, checked to be finite."""
        try:
            array = np.array(values, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise PlanError(
                f"plan '{self.name}': {what} is no rectangular array of numbers ({error})"
            ) from error
        if not np.isfinite(array).all():
            place = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
            raise PlanError(
                f"plan '{self.name}': {what}{list(place)} is {array[place]}; every value must be "
                "finite"
            )
        array.setflags(write=False)
        return array

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
                    f"plan '{self.name}': its first point is at {times[0]:g} s, so the robot's "
                    "joints at the start are needed; pass start, or add a point at 0 s"
                )
            begin = np.asarray(start, dtype=np.float64)
            if begin.shape != (len(self.joint_names),) or not np.isfinite(begin).all():
                raise PlanError(
                    f"plan '{self.name}': start has shape {begin.shape}; expected "
                    f"({len(self.joint_names)},) finite joint positions"
                )
            times = np.concatenate([[0.0], times])
            positions = np.concatenate([begin[None], positions])
        return np.stack([np.interp(asked, times, column) for column in positions.T], axis=-1)

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
            parts = []
            if missing:
                parts.append(f"missing: {', '.join(missing)}")
            if unexpected:
                parts.append(f"not expected: {', '.join(unexpected)}")
            raise PlanError(
                f"plan '{self.name}': its joints are not the robot's ({'; '.join(parts)}); "
                f"expected exactly: {', '.join(wanted)}"
            )
        columns = [self.joint_names.index(name) for name in wanted]
        return replace(self, joint_names=wanted, positions=self.positions[:, columns])
