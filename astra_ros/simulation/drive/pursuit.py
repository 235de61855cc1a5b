"""Velocity commands that drive the car to a target point at a target speed.

The steering is pure pursuit (Coulter 1992): the arc from the rear axle through a point ahead.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from astra_ros.control.vehicle import VehicleState, advance
from astra_ros.control.vehicle_controller import arc_through, reachable_speed
from astra_ros.plans.durations import STEP_S
from astra_ros.plans.velocity_plan import VelocityPlan
from astra_ros.simulation.drive.motion import CarLimits

SUBSTEPS = 5  # of a row, in which the car's motion is predicted
NAMES = ("linear.x", "angular.z")

# (seconds from now, the predicted car, look-ahead in m) -> x, y in m, world frame
Target = Callable[[float, VehicleState, float], tuple[float, float]]
# (seconds from now, the predicted car) -> m/s
Speed = Callable[[float, VehicleState], float]


def pursue(
    car: VehicleState, limits: CarLimits, seconds: float, target: Target, speed: Speed, name: str
) -> VelocityPlan:
    """Commands by which the car follows a moving target point, within its limits, for whole rows."""
    rows = []
    for k in range(row_count(seconds)):
        now = k * STEP_S
        v = reachable_speed(car, max(0.0, speed(now, car)), limits, STEP_S)
        x, y = target(now, car, 3.0 + 0.6 * abs(car.speed))
        bend = arc_through(car, x, y, limits)
        rows.append((v, v * bend))
        car = foresee(car, rows[-1], limits)
    return checked_plan(rows, limits, name)


def foresee(car: VehicleState, command: tuple[float, float], limits: CarLimits) -> VehicleState:
    """The predicted car after one row of a plan without contact."""
    for _ in range(SUBSTEPS):
        car = advance(car, command, limits, STEP_S / SUBSTEPS)
    return car


def row_count(seconds: float) -> int:
    """Rows of a plan that lasts at least ``seconds``."""
    return max(1, math.ceil(seconds / STEP_S - 1e-9))


def checked_plan(rows, limits: CarLimits, name: str) -> VelocityPlan:
    """The plan of these commands [N, 2], clipped to the car's limits."""
    rows = np.array(rows, dtype=np.float64)
    rows[:, 0] = np.clip(rows[:, 0], -limits.max_reverse, limits.max_speed)
    most = np.minimum(limits.yaw_rate, np.abs(rows[:, 0]) / limits.min_radius)
    rows[:, 1] = np.clip(rows[:, 1], -most, most)
    return VelocityPlan(NAMES, STEP_S, rows, name)
