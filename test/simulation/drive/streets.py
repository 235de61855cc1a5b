"""What the tests of the drive world build their streets from."""

import numpy as np

from astra_ros.plans.velocity_plan import VelocityPlan
from astra_ros.simulation.drive.obstacles import SIZES, Obstacle, Vehicle

NAMES = ("linear.x", "angular.z")
SCENES = range(10)


def twist(v, w, seconds=4.0) -> VelocityPlan:
    rows = np.tile([v, w], (round(seconds / 0.25), 1))
    return VelocityPlan(NAMES, 0.25, rows)


def crate(x, y=-1.75) -> Obstacle:
    """A cube of 1.2 m."""
    return Obstacle("crate", x, y, 0.0, SIZES["crate"])


def car_in_lane(lane, s, cruise, polite=True) -> Vehicle:
    return Vehicle("car", SIZES["car"], 0, lane, s, cruise, polite)
