"""Candidate paths beside a route: kept, shifted to either side, slower, and to rest.

Each candidate leads from where the vehicle is, in the coordinates of the route (along it, and beside it), to an offset
at a speed (Werling et al. 2010). Obstacles are not known here: what would happen is for imagination to say.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from astra_ros.control.vehicle import VehicleState
from astra_ros.plans.durations import PLAN_S, STEP_S
from astra_ros.plans.errors import PlanError
from astra_ros.plans.path_plan import PathPlan
from astra_ros.settings import CheckedSettings, setting

# Kind -> (offset in shares of `side_m`, left positive; speed in shares of the cruising speed), the usual ones first.
KINDS: dict[str, tuple[float, float]] = {
    "keep": (0.0, 1.0),
    "left": (1.0, 1.0),
    "right": (-1.0, 1.0),
    "slow": (0.0, 0.4),
    "stop": (0.0, 0.0),
    "half_left": (0.5, 1.0),
    "half_right": (-0.5, 1.0),
    "far_left": (1.5, 1.0),
    "slow_left": (1.0, 0.4),
    "slow_right": (-1.0, 0.4),
    "far_right": (-1.5, 1.0),
    "half_speed": (0.0, 0.7),
}

SHIFT_S = 2.5
MOST_TURN = 0.8  # rad; a vehicle that heads further away from the route is taken for one that heads so far


@dataclass(frozen=True)
class LanePathSettings(CheckedSettings):
    """Which candidates there are."""

    count: int = setting(8, "paths per proposal, the first ones that move of a fixed list", 1, len(KINDS), "paths")
    cruise: float = setting(6.0, "speed of the paths that do not slow down, m/s", 0.1, 50.0, "m/s")
    side_m: float = setting(2.4, "how far the paths to the left and right lead beside the route, m", 0.1, 20.0, "m")
    acceleration: float = setting(2.5, "change of speed along a path, m/s^2", 0.1, 20.0, "m/s^2")


def lane_paths(
    route: np.ndarray, state: VehicleState, frame: str, settings: LanePathSettings = LanePathSettings()
) -> list[tuple[str, PathPlan]]:
    """Timed paths of ``PLAN_S`` from where the vehicle is.

    Args:
        route: float64 [N, 2] x, y (m) of points along the route, in the frame of ``state``; its first point lies behind
            the vehicle. It must be longer than the paths.
        frame: its name.

    Returns:
        (kind, path) of each candidate. Where the vehicle stands, the path to rest is left out, since it leads nowhere.
    """
    steps = np.hypot(*np.diff(route, axis=0).T)
    along = np.concatenate([[0.0], np.cumsum(steps)])
    tangents = np.gradient(route, along, axis=0)
    tangents /= np.hypot(*tangents.T)[:, None]
    nearest = int(np.argmin(np.hypot(*(route - [state.x, state.y]).T)))
    apart = np.array([state.x, state.y]) - route[nearest]
    tangent = tangents[nearest]
    here = along[nearest] + float(apart @ tangent)
    beside = float(tangent[0] * apart[1] - tangent[1] * apart[0])
    turn = math.remainder(state.yaw - math.atan2(tangent[1], tangent[0]), 2 * math.pi)
    slope = math.tan(min(max(turn, -MOST_TURN), MOST_TURN))
    times = np.arange(0.0, PLAN_S + 1e-9, STEP_S)
    found: list[tuple[str, PathPlan]] = []
    for kind, (share, speed_share) in KINDS.items():
        if len(found) == settings.count:
            break
        ways = _ways(max(0.0, state.speed), speed_share * settings.cruise, settings.acceleration, times)
        # The vehicle moves over within some seconds of its way, and not on the spot.
        length = max(8.0, SHIFT_S * max(abs(state.speed), speed_share * settings.cruise))
        offsets = _hermite(np.minimum(ways / length, 1.0), beside, slope * length, share * settings.side_m)
        at = here + ways
        points = np.stack([np.interp(at, along, column) for column in route.T], axis=1)
        directions = np.stack([np.interp(at, along, column) for column in tangents.T], axis=1)
        directions /= np.hypot(*directions.T)[:, None]
        points += offsets[:, None] * np.stack([-directions[:, 1], directions[:, 0]], axis=1)
        try:
            found.append((kind, PathPlan(frame, np.insert(points, 2, 0.0, axis=1), times, kind)))
        except PlanError:  # it leads nowhere
            continue
    return found


def _ways(speed: float, wish: float, acceleration: float, times: np.ndarray) -> np.ndarray:
    """Metres along the route at times, from one speed to another."""
    change_s = abs(wish - speed) / acceleration
    ramp = np.minimum(times, change_s)
    return speed * ramp + math.copysign(acceleration, wish - speed) * ramp**2 / 2 + wish * (times - ramp)


def _hermite(shares: np.ndarray, begin: float, slope: float, end: float) -> np.ndarray:
    """A cubic from one value and slope to another value, where it is level; shares of the way from 0 to 1."""
    squares, cubes = shares**2, shares**3
    eased = 3 * squares - 2 * cubes
    return begin + (end - begin) * eased + slope * (shares - 2 * squares + cubes)
