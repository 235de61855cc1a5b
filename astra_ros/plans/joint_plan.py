"""A candidate plan of an arm: joint positions over time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from astra_ros.texts import listed, short

# No joint is further from 0, rad or m, and no plan lasts longer, s: what is beyond is no measure of anything.
MOST = 1e9


class PlanError(ValueError):
    """A plan cannot be used. The message names what was wrong, what was expected, what to do."""


class NotTimed(PlanError):
    """A plan says where to go, and not when."""


class DoubledPoint(PlanError):
    """Two points of a plan are the same, as where two plans were joined.

    Attributes:
        index: of the second one.
    """

    def __init__(self, message: str, index: int) -> None:
        super().__init__(message)
        self.index = index


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
                f"plan '{self.name}': joint_names is the single string '{short(self.joint_names)}'; "
                "give a sequence of names"
            )
        names = tuple(str(name) for name in self.joint_names)
        if not names:
            raise PlanError(f"plan '{self.name}': it names no joints; name each column of its positions")
        if repeated := sorted(name for name, count in Counter(names).items() if count > 1):
            raise PlanError(
                f"plan '{self.name}': joint names repeat: {listed(repeated)}; each joint must be named once"
            )
        times = self._numbers("times_s", self.times_s)
        positions = self._numbers("positions", self.positions)
        if times.ndim != 1:
            raise PlanError(f"plan '{self.name}': times_s has shape {times.shape}; expected [N]")
        if times.size == 0:
            raise PlanError(f"plan '{self.name}': it has no points; a plan needs at least one point")
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
            raise self._out_of_time(times, positions, int(falls[0]))
        object.__setattr__(self, "joint_names", names)
        object.__setattr__(self, "times_s", times)
        object.__setattr__(self, "positions", positions)

    def _out_of_time(self, times: np.ndarray, positions: np.ndarray, i: int) -> PlanError:
        """What is wrong with times that do not increase from point i to the next."""
        where = f"plan '{self.name}'"
        if not np.ptp(times):
            return NotTimed(
                f"{where}: all its {len(times)} points are at {times[0]:g} s, so it is a path and not "
                "time-parameterised; give the points times that increase, as TOTG or the trajectory_processing of "
                "MoveIt does"
            )
        if times[i + 1] == times[i] and np.array_equal(positions[i], positions[i + 1]):
            return DoubledPoint(
                f"{where}: times must increase strictly, but points {i} and {i + 1} are the same, at {times[i]:g} s, "
                "as where two plans are joined; drop one of them (a joint_trajectory_controller refuses both as well)",
                i + 1,
            )
        if times[i + 1] == times[i]:
            return PlanError(
                f"{where}: times must increase strictly, but points {i} and {i + 1} are at {times[i]:g} s both and in "
                "different places; time-parameterise the plan as a whole, or drop one of them"
            )
        if times[i + 1] <= times[0]:
            return PlanError(
                f"{where}: times must increase strictly, but they begin anew at point {i + 1}, at {times[i + 1]:g} s "
                f"after {times[i]:g} s, as where two plans are joined; add {times[i]:g} s to the times of the second, "
                "or sort the points if they are out of order"
            )
        return PlanError(
            f"{where}: times must increase strictly, but point {i + 1} at {times[i + 1]:g} s follows point {i} at "
            f"{times[i]:g} s; sort the points"
        )

    def _numbers(self, what: str, values) -> np.ndarray:
        """A private, read-only float64 copy of ``values``, checked to be finite."""
        try:
            array = np.array(values, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise PlanError(f"plan '{self.name}': {what} is no rectangular array of numbers ({error})") from error
        if not np.isfinite(array).all():
            place = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
            raise PlanError(f"plan '{self.name}': {what}{list(place)} is {array[place]}; every value must be finite")
        if (far := np.argwhere(np.abs(array) > MOST)).size:
            place = tuple(map(int, far[0]))
            raise PlanError(
                f"plan '{self.name}': {what}{list(place)} is {array[place]:.3g}, more than {MOST:g}; "
                "give seconds, rad and m"
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

    def only(self, joint_names: Sequence[str]) -> JointPlan:
        """The same plan without its other joints, in the order that it has."""
        kept = [k for k, name in enumerate(self.joint_names) if name in joint_names]
        names = tuple(self.joint_names[k] for k in kept)
        return replace(self, joint_names=names, positions=self.positions[:, kept])

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
                parts.append(f"missing: {listed(missing)}")
            if unexpected:
                parts.append(f"not expected: {listed(unexpected)}")
            raise PlanError(
                f"plan '{self.name}': its joints are not the robot's ({'; '.join(parts)}); "
                f"expected exactly: {listed(wanted)}"
            )
        columns = [self.joint_names.index(name) for name in wanted]
        return replace(self, joint_names=wanted, positions=self.positions[:, columns])
