"""A candidate path of a base: where it should go, in a fixed frame, and how fast if the path says so.

It is not what the base does: a controller follows it from where the base is (``control/path_tracking.py``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from astra_ros.plans.errors import PlanError
from astra_ros.plans.numbers import finite_numbers
from astra_ros.texts import short

LEAST_M = 0.05  # a shorter path has no direction
# Two legs, each at least this long, that differ by more than the angle turn back.
LEG_M, TURNED_BACK = 0.05, math.radians(120.0)


@dataclass(frozen=True, eq=False)
class PathPlan:
    """Positions along a path, straight lines in between. The arrays are private read-only copies.

    Raises:
        PlanError: on creation, for a path without a frame, with fewer than two positions, shorter than ``LEAST_M``,
            that turns back on itself, with times that run backwards, or with numbers that are not finite.
    """

    frame: str
    positions: np.ndarray = field(repr=False)  # float64 [N, 3] m, in the frame
    times_s: np.ndarray | None = field(default=None, repr=False)  # float64 [N], from the first one; None: not timed
    name: str = "path"

    def __post_init__(self) -> None:
        positions = finite_numbers(self.title, "positions", self.positions)
        if positions.ndim != 2 or positions.shape[1] != 3:
            raise PlanError(f"positions have shape {positions.shape}; expected [N, 3]", thing=self.title)
        if len(positions) < 2:
            found = len(positions)
            problem = f"it has {found} pose{'' if found == 1 else 's'}, and a path needs two"
            raise PlanError(problem, thing=self.title, cure="send where it leads", found=found, limit=2)
        if not self.frame:
            problem, cure = "its frame is not known: its frame_id is empty", "name the frame, such as map or odom"
            raise PlanError(problem, thing=self.title, cure=cure)
        object.__setattr__(self, "positions", positions)
        if (length := float(self.along[-1])) < LEAST_M:
            problem = f"it is {length:.3g} m long; a path of less than {LEAST_M:g} m has no direction"
            cure = "send no path where the robot need not move"
            raise PlanError(problem, thing=self.title, cure=cure, found=length, limit=LEAST_M)
        self._check_direction()
        if self.times_s is not None:
            object.__setattr__(self, "times_s", self._checked_times())

    @property
    def title(self) -> str:
        """The plan's name as errors say it."""
        return f"plan '{self.name}'"

    @property
    def along(self) -> np.ndarray:
        """[N] m along the path, in its plane, of each position."""
        steps = np.hypot(*np.diff(self.positions[:, :2], axis=0).T)
        return np.concatenate([[0.0], np.cumsum(steps)])

    def _check_direction(self) -> None:
        """Raises PlanError where a leg leads back where the one before came from."""
        kept = [0]
        for index, place in enumerate(self.positions[:, :2]):
            if math.hypot(*(place - self.positions[kept[-1], :2])) >= LEG_M:
                kept.append(index)
        legs = np.diff(self.positions[kept, :2], axis=0)
        headings = np.arctan2(legs[:, 1], legs[:, 0])
        turns = np.abs((np.diff(headings) + np.pi) % (2 * np.pi) - np.pi)
        if (back := np.flatnonzero(turns > TURNED_BACK)).size:
            index, turn = kept[back[0] + 1], math.degrees(turns[back[0]])
            problem = f"it turns back on itself at pose {index}, by {turn:.0f} degrees"
            cure = "end the path there and send the way back as the next one; paths are followed forward"
            limit = math.degrees(TURNED_BACK)
            raise PlanError(problem, thing=self.title, cure=cure, index=index, found=turn, limit=limit)

    def _checked_times(self) -> np.ndarray:
        times = finite_numbers(self.title, "times_s", self.times_s)
        if times.shape != (expected := (len(self.positions),)):
            raise PlanError(f"times_s has shape {times.shape}; expected {expected}", thing=self.title)
        if (falls := np.flatnonzero(np.diff(times) <= 0.0)).size:
            index = int(falls[0]) + 1
            before, after = float(times[index - 1] - times[0]), float(times[index] - times[0])
            problem = f"its stamps must increase, but that of pose {index} is {after:.3f} s after the first one's"
            problem += f" and that of the pose before {before:.3f} s"
            cure = "sort the poses, or give them all the same stamp to have them followed at the nominal speed"
            raise PlanError(problem, thing=self.title, cure=cure, index=index, found=after, limit=before)
        return times - times[0]

    def moved(self, frame: str, positions: np.ndarray) -> PathPlan:
        """The same path in another frame, where its positions [N, 3] are these."""
        return PathPlan(frame, positions, self.times_s, self.name)

    def __str__(self) -> str:
        return f"{self.title} in the frame '{short(self.frame)}'"
