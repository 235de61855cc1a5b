"""Ways through joint space with OMPL: RRTConnect and AORRTC, which goes on to shorten the way it has found."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from astra_ros.control.arm_model import TURN, ArmModel
from astra_ros.control.planning_errors import not_installed

# Two states of a way that are checked are at most this far apart, rad.
CHECK_EVERY = 0.05
SAME = 1e-4  # rad; states this near are one


class Routes:
    """Finds ways of one arm that begin at one start.

    Args:
        start: [J] rad, within the limits and free of collisions.
        seed: of OMPL's random numbers. It holds for the process.
    """

    def __init__(self, arm: ArmModel, start: np.ndarray, seed: int = 0) -> None:
        try:
            from ompl import base, geometric, util
        except ImportError as error:
            raise not_installed("ompl", error) from error
        self._base, self._geometric = base, geometric
        util.setLogLevel(util.LOG_NONE)
        util.RNG.setSeed(seed + 1)  # OMPL takes 0 for no seed
        self.arm, self.start = arm, start
        space = base.RealVectorStateSpace(len(start))
        bounds = base.RealVectorBounds(len(start))
        self.low, self.high = np.maximum(arm.lower, start - 2 * TURN), np.minimum(arm.upper, start + 2 * TURN)
        for column, (low, high) in enumerate(zip(self.low, self.high)):
            bounds.setLow(column, float(low))
            bounds.setHigh(column, float(high))
        space.setBounds(bounds)
        self._space = space
        self._info = base.SpaceInformation(space)
        self._info.setStateValidityChecker(self._is_valid)
        self._info.setStateValidityCheckingResolution(CHECK_EVERY / space.getMaximumExtent())
        self._info.setup()

    def _is_valid(self, state) -> bool:
        joints = np.array([state[column] for column in range(len(self.start))])
        return not self.arm.collides(joints)

    def _state(self, joints: np.ndarray):
        state = self._space.allocState()
        for column, value in enumerate(joints):
            state[column] = float(value)
        return state

    def find(
        self, begin: np.ndarray, end: np.ndarray, planner: str = "RRTConnect", seconds: float = 0.2
    ) -> np.ndarray | None:
        """A way as corners [N, J], N >= 2, from begin to end; straight lines between them are free of collisions.

        None where none was found in time. An anytime planner (AORRTC, RRTstar) uses all of the time.
        """
        if np.abs(end - begin).max() < SAME:  # OMPL would wander about, and call that exact
            return np.stack([begin, end])
        goal = self._base.ProblemDefinition(self._info)
        if planner != "RRTConnect":
            goal.setOptimizationObjective(self._base.PathLengthOptimizationObjective(self._info))
        goal.setStartAndGoalStates(self._state(begin), self._state(end), SAME)
        tree = getattr(self._geometric, planner)(self._info)
        tree.setProblemDefinition(goal)
        tree.setup()
        tree.solve(self._base.timedPlannerTerminationCondition(seconds))
        if not goal.hasExactSolution():  # a way that stops short counts as solved too
            return None
        path = goal.getSolutionPath()
        simplifier = self._geometric.PathSimplifier(self._info)
        simplifier.simplify(path, max(0.02, seconds / 4))
        corners = np.array([[state[column] for column in range(len(begin))] for state in path.getStates()])
        corners[0], corners[-1] = begin, end
        return without_repeats(corners)

    def through(self, via: np.ndarray, end: np.ndarray, seconds: float = 0.1) -> np.ndarray | None:
        """A way from the start to the end that goes through a state; None where none was found in time."""
        there = self.find(self.start, via, seconds=seconds)
        onward = None if there is None else self.find(via, end, seconds=seconds)
        return None if there is None or onward is None else without_repeats(np.concatenate([there, onward[1:]]))

    def detour(self, end: np.ndarray, random: np.random.Generator, stretch: float) -> np.ndarray | None:
        """A random state [J], free of collisions, by which the straight way grows to ``stretch`` times its length."""
        way = end - self.start
        length = float(np.linalg.norm(way))
        across = random.normal(size=len(way))
        across -= across @ way / length**2 * way
        share = random.uniform(0.3, 0.7)
        # The two legs of a triangle over the straight way are together `stretch` times as long where it is so high.
        high = 0.5 * max(length, 0.5) * np.sqrt(max(stretch**2 - 1.0, 0.0))
        state = self.start + share * way + high * across / max(float(np.linalg.norm(across)), 1e-9)
        state = np.clip(state, self.low, self.high)
        return None if self.arm.collides(state) else state


def without_repeats(corners: np.ndarray) -> np.ndarray:
    """The corners without those that repeat the one before; the last one stays."""
    kept = [corners[0]]
    for corner in corners[1:]:
        if np.abs(corner - kept[-1]).max() >= SAME:
            kept.append(corner)
    if len(kept) == 1:
        kept.append(corners[-1])
    else:
        kept[-1] = corners[-1]
    return np.stack(kept)


def apart(one: np.ndarray, other: np.ndarray, points: int = 32) -> float:
    """How far two ways are apart: the largest joint distance (rad) at equal shares of their lengths."""
    return float(np.abs(evenly(one, points) - evenly(other, points)).max())


def evenly(corners: np.ndarray, points: int) -> np.ndarray:
    """[points, J] at equal shares of the way's length."""
    lengths = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(corners, axis=0), axis=1))])
    at = np.linspace(0.0, lengths[-1], points)
    return np.stack([np.interp(at, lengths, column) for column in corners.T], axis=-1)


def dense(corners: np.ndarray, spacing: float) -> np.ndarray:
    """The corners with further points between them, at most ``spacing`` apart (rad)."""
    points: list[Sequence[float]] = [corners[0]]
    for begin, end in zip(corners, corners[1:]):
        count = max(1, int(np.ceil(np.linalg.norm(end - begin) / spacing)))
        points += [begin + (end - begin) * step / count for step in range(1, count + 1)]
    return np.stack(points)
