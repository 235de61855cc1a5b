"""Candidate plans and random play of the drive world, good and bad.

The manoeuvres are in ``driver``; ``referee`` tells how good a plan was.
"""

from __future__ import annotations

import numpy as np

from astra_ros.plans.durations import PLAN_S
from astra_ros.plans.velocity_plan import VelocityPlan
from astra_ros.settings import SettingError
from astra_ros.simulation.candidate_mix import mixed
from astra_ros.simulation.drive.driver import Driver
from astra_ros.simulation.drive.state import Drivable

# One of each until ``count`` is reached, then again in this order; the seed shuffles the result.
CANDIDATES = (
    "follow_lane",
    "run_into",
    "overtake",
    "change_left",
    "drift_off",
    "keep_lane",
    "slow",
    "change_right",
    "turn_off",
    "wander",
    "brake",
    "turn",
)


def propose(world: Drivable, count: int, seed: int) -> list[tuple[str, VelocityPlan]]:
    """Candidate plans of ``PLAN_S`` for the world as it is now.

    Returns:
        ``count`` of (kind, plan), kinds as in ``driver.BEHAVIOURS``, plans named ``candidates/0`` and so on. Two or
        more always hold one that follows the lane.

    Raises:
        SettingError: count below 1.
    """
    if count < 1:
        raise SettingError("count", count, "ask for at least 1 plan")
    rng = np.random.default_rng([seed, 13])
    kinds = mixed(CANDIDATES, count, len(CANDIDATES), rng)
    driver = Driver(world, rng)
    return [(kind, driver.plan(kind, PLAN_S, f"candidates/{i}")) for i, kind in enumerate(kinds)]


def play_plan(world: Drivable, rng: np.random.Generator, seconds: float) -> tuple[str, VelocityPlan]:
    """A behaviour for the next ``seconds``, rounded up to whole rows, and its commands."""
    driver = Driver(world, rng)
    name = driver.choice()
    return name, driver.plan(name, seconds, name)
