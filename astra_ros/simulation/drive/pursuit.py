"""Velocity commands that drive the car to a target point at a target speed.

The steering is pure pursuit (Coulter 1992): the arc from the rear axle through a point ahead.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from astra_ros.plans.durations import STEP_S
from astra_ros.plans.velocity_plan import VelocityPlan
from astra_ros.simulation.drive.motion import CarLimits, CarState, advance

SUBSTEPS = 5  # of a row, in which the car's motion is predicted
NAMES = ("linear.x", "angular.z")

# (seconds from now, the predicted car, look-ahead in m) -> x, y in m, world frame
Target = Callable[[float, CarState, float], tuple[float, float]]
# (seconds from now, the predicted car) -> m/s
Speed = Callable[[float, CarState], float]


def pursue(car: CarState, limits: CarLimits, seconds: float, target: Target, speed: Speed, name: str) -> VelocityPlan:
    """Commands by which the car follows a moving target point, within its limits, for whole rows."""
    rows = []
    for k in range(row_count(seconds)):
        now = k * STEP_S
        v = reachable_speed(car, max(0.0, speed(now, car)), limits)
        x, y = target(now, car, 3.0 + 0.6 * abs(car.speed))
        bend = arc_through(car, x, y, limits)
        rows.append((v, v * bend))
        car = foresee(car, rows[-1], limits)
    return checked_plan(rows, limits, name)


def foresee(car: CarState, command: tuple[float, float], limits: CarLimits) -> CarState:
    """The predicted car after one row of a plan without contact."""
    for _ in range(SUBSTEPS):
        car = advance(car, command, limits, STEP_S / SUBSTEPS)
    return car


def row_count(seconds: float) -> int:
    """Rows of a plan that lasts at least ``seconds``."""
    return max(1, math.ceil(seconds / STEP_S - 1e-9))


def reachable_speed(car: CarState, wish: float, limits: CarLimits) -> float:
    """The speed nearest to ``wish`` that the car has after one row, braking comfortably."""
    least, most = car.speed - 0.6 * limits.braking * STEP_S, car.speed + limits.acceleration * STEP_S
    return min(max(wish, least), most)


def arc_through(car: CarState, x: float, y: float, limits: CarLimits) -> float:
    """Curvature (1/m, left positive) of the arc from the car through a point, within its limits."""
    dx, dy = x - car.x, y - car.y
    ahead = math.cos(car.yaw) * dx + math.sin(car.yaw) * dy
    left = math.cos(car.yaw) * dy - math.sin(car.yaw) * dx
    tightest = 1.0 / limits.min_radius
    if ahead <= 0.0:
        return math.copysign(tightest, left)
    bend = 2.0 * left / max(ahead * ahead + left * left, 1e-6)
    return min(max(bend, -tightest), tightest)


def checked_plan(rows, limits: CarLimits, name: str) -> VelocityPlan:
    """The plan of these commands [N, 2], clipped to the car's limits."""
    rows = np.array(rows, dtype=np.float64)
    rows[:, 0] = np.clip(rows[:, 0], -limits.max_reverse, limits.max_speed)
    most = np.minimum(limits.yaw_rate, np.abs(rows[:, 0]) / limits.min_radius)
    rows[:, 1] = np.clip(rows[:, 1], -most, most)
    return VelocityPlan(NAMES, STEP_S, rows, name)
