"""From corners in joint space to a smooth motion that keeps velocity and acceleration limits (TOPP-RA, 2018)."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np

from astra_ros.control.planning_errors import PlanningError, not_installed
from astra_ros.plans.joint_plan import JointPlan

GRID = 60  # points at which TOPP-RA keeps the limits; in between they are kept by the stretch below
POINT_S = 0.05  # between two points of the result
MARGIN = 1.0 + 1e-6


@dataclass(frozen=True, eq=False)
class TimedMotion:
    """N points of a motion that starts and ends at rest.

    Attributes:
        times_s: [N] from 0, increasing.
        positions, velocities, accelerations: [N, J], rad, rad/s and rad/s^2 (m where a joint slides).
    """

    times_s: np.ndarray
    positions: np.ndarray
    velocities: np.ndarray
    accelerations: np.ndarray

    def slowed(self, stretch: float) -> TimedMotion:
        """The same motion in ``stretch`` times its time."""
        return TimedMotion(
            self.times_s * stretch, self.positions, self.velocities / stretch, self.accelerations / stretch**2
        )

    def kept(self, max_velocity: np.ndarray, max_acceleration: np.ndarray) -> TimedMotion:
        """The motion, slowed as far as it takes to keep the limits [J], also where its points are joined by lines."""
        return self.slowed(max(1.0, MARGIN * _excess(self, max_velocity, max_acceleration)))

    def plan(self, joint_names: tuple[str, ...], name: str) -> JointPlan:
        """The motion as a plan of these joints."""
        return JointPlan(joint_names, self.times_s, self.positions, name, self.velocities, self.accelerations)


def timed(points: np.ndarray, max_velocity: np.ndarray, max_acceleration: np.ndarray) -> TimedMotion:
    """The fastest motion along a smooth curve through the points that keeps the limits.

    Args:
        points: [N, J], N >= 2, no two neighbours equal.
        max_velocity, max_acceleration: [J], above 0.

    Raises:
        PlanningNotInstalled: toppra is not installed.
        PlanningError: the curve cannot be timed.
    """
    algorithm, constraint, interpolator = _toppra()
    lengths = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    curve = interpolator(lengths, points)
    limits = [
        constraint.JointVelocityConstraint(np.stack([-max_velocity, max_velocity], 1)),
        constraint.JointAccelerationConstraint(np.stack([-max_acceleration, max_acceleration], 1)),
    ]
    grid = np.linspace(0.0, lengths[-1], max(GRID, 2 * len(points)))
    solver = algorithm.TOPPRA(limits, curve, gridpoints=grid, parametrizer="ParametrizeConstAccel")
    motion = solver.compute_trajectory(0.0, 0.0)
    if motion is None:
        raise PlanningError("the path cannot be timed within the limits", thing="path", cure="raise the limits")
    duration = float(motion.duration)
    times = np.linspace(0.0, duration, max(3, int(np.ceil(duration / POINT_S)) + 1))
    positions, velocities, accelerations = (motion(times, order) for order in range(3))
    positions[0], positions[-1] = points[0], points[-1]
    velocities[[0, -1]] = 0.0
    return TimedMotion(times, positions, velocities, accelerations).kept(max_velocity, max_acceleration)


def _excess(motion: TimedMotion, max_velocity: np.ndarray, max_acceleration: np.ndarray) -> float:
    """How many times longer a motion must take to keep its limits."""
    step = motion.times_s[1]
    between = np.diff(motion.positions, axis=0) / step
    # A robot that follows the points starts and ends at rest.
    still = np.zeros_like(between[:1])
    changes = np.diff(np.concatenate([still, between, still]), axis=0) / step
    fast = max(float((np.abs(values) / max_velocity).max()) for values in (motion.velocities, between))
    hard = max(float((np.abs(values) / max_acceleration).max()) for values in (motion.accelerations, changes))
    return max(fast, float(np.sqrt(hard)))


def _toppra():
    try:
        from toppra import algorithm, constraint
        from toppra.interpolator import SplineInterpolator
    except ImportError as error:
        raise not_installed("toppra", error) from error
    logging.getLogger("toppra").setLevel(logging.CRITICAL)  # it tells of every motion that cannot be timed
    return algorithm, constraint, SplineInterpolator
