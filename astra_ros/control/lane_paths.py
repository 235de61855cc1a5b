"""Candidate paths beside a route: kept, shifted to either side, slower, and to rest.

Each candidate leads from where the vehicle is, in the coordinates of the route (along it, and beside it), to an offset
at a speed (Werling et al. 2010). It begins with the vehicle's speed, acceleration, heading and curvature, and its jerk
is bounded: a vehicle that takes a new path every second still drives smoothly. Obstacles are not known here: what would
happen is for imagination to say.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.polynomial import Polynomial

from astra_ros.control.speed_profile import SpeedChange, ways
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

MOST_TURN = 0.8  # rad; a vehicle that heads further away from the route is taken for one that heads so far
# To another offset the vehicle moves within this time and way, and later where that is too sharp (1/m), too hard to the
# side (m/s^2), or too sudden (m/s^3).
SHIFT_S, SHIFT_M, LONGEST_SHIFT = 2.5, 8.0, 2.0
SHARP, SIDEWAYS, JERK_SIDEWAYS = 0.16, 3.5, 7.0
STANDING = 0.5  # m/s; below it the turn rate says nothing of a curvature


@dataclass(frozen=True)
class LanePathSettings(CheckedSettings):
    """Which candidates there are."""

    count: int = setting(8, "paths per proposal, the first ones that move of a fixed list", 1, len(KINDS), "paths")
    cruise: float = setting(6.0, "speed of the paths that do not slow down, m/s", 0.1, 50.0, "m/s")
    side_m: float = setting(2.4, "how far the paths to the left and right lead beside the route, m", 0.1, 20.0, "m")
    acceleration: float = setting(
        2.2, "how hard a path speeds up at most, m/s^2; `braking` says how hard it slows down", 0.1, 20.0, "m/s^2"
    )
    braking: float = setting(3.6, "how hard a path slows down at most, m/s^2", 0.1, 20.0, "m/s^2")
    jerk: float = setting(3.6, "largest change of these two, m/s^3", 0.1, 100.0, "m/s^3")


def lane_paths(
    route: np.ndarray,
    state: VehicleState,
    frame: str,
    settings: LanePathSettings = LanePathSettings(),
    acceleration: float = 0.0,
    max_speed: float = math.inf,
) -> list[tuple[str, PathPlan]]:
    """Timed paths of ``PLAN_S`` from where the vehicle is.

    Args:
        route: float64 [N, 2] x, y (m) of points along the route, in the frame of ``state``; its first point lies behind
            the vehicle. It must be longer than the paths, and longer still where they cut a bend: one that it is too
            short for stays where it ends.
        frame: its name.
        acceleration: the vehicle's, along its way, m/s^2.
        max_speed: the vehicle's, m/s; where it still speeds up, a path does not lead it beyond.

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
    bend = 0.0
    if state.speed > STANDING:
        bends = np.gradient(np.unwrap(np.arctan2(tangents[:, 1], tangents[:, 0])), along)
        bend = (state.yaw_rate / state.speed - float(np.interp(here, along, bends))) * (1 + slope**2) ** 1.5
    begin = (beside, slope, min(max(bend, -SHARP), SHARP))
    change = SpeedChange(settings.acceleration, settings.braking, settings.jerk)
    times = np.arange(0.0, PLAN_S + 1e-9, STEP_S)
    found: list[tuple[str, PathPlan]] = []
    for kind, (share, speed_share) in KINDS.items():
        if len(found) == settings.count:
            break
        wish = speed_share * settings.cruise
        moved = ways(max(0.0, state.speed), acceleration, wish, change, times, max_speed)
        # Where the route bends or the path leads across, a metre of the one is not a metre of the other.
        reach = 1.5 * float(moved[-1]) + 2.0
        while True:
            onward = np.arange(0.0, reach, 0.25)
            at = here + onward
            points = np.stack([np.interp(at, along, column) for column in route.T], axis=1)
            directions = np.stack([np.interp(at, along, column) for column in tangents.T], axis=1)
            directions /= np.hypot(*directions.T)[:, None]
            offsets = _offsets(onward, begin, share * settings.side_m, max(abs(state.speed), wish))
            points += offsets[:, None] * np.stack([-directions[:, 1], directions[:, 0]], axis=1)
            driven = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
            if driven[-1] >= moved[-1] or at[-1] >= along[-1]:
                break
            reach *= 1.5
        points = np.stack([np.interp(moved, driven, column) for column in points.T], axis=1)
        try:
            found.append((kind, PathPlan(frame, np.insert(points, 2, 0.0, axis=1), times, kind)))
        except PlanError:  # it leads nowhere
            continue
    return found


def _offsets(onward: np.ndarray, begin: tuple[float, float, float], end: float, speed: float) -> np.ndarray:
    """Metres beside the route at metres along it: from an offset, slope and bend to a level offset, as soon as comfort
    at that speed allows; where it does not within ``LONGEST_SHIFT`` times the shortest way, that late."""
    shortest = max(SHIFT_M, SHIFT_S * speed)
    shares = np.linspace(0.0, 1.0, 21)
    for length in np.linspace(1.0, LONGEST_SHIFT, 9) * shortest:
        beside, slope, bend = begin
        shift = _quintic(beside, slope * length, bend * length**2, end)
        sharp = float(np.abs(shift.deriv(2)(shares)).max()) / length**2
        sudden = float(np.abs(shift.deriv(3)(shares)).max()) / length**3
        if sharp <= min(SHARP, SIDEWAYS / max(speed, 1e-3) ** 2) and sudden <= JERK_SIDEWAYS / max(speed, 1e-3) ** 3:
            break
    return shift(np.minimum(onward / length, 1.0))


def _quintic(begin: float, slope: float, bend: float, end: float) -> Polynomial:
    """Over 0 to 1, from a value, slope and second derivative to a value where both are 0."""
    rest = end - begin - slope - bend / 2
    return Polynomial(
        [
            begin,
            slope,
            bend / 2,
            10 * rest + 4 * slope + 3.5 * bend,
            -15 * rest - 7 * slope - 6 * bend,
            6 * rest + 3 * slope + 2.5 * bend,
        ]
    )
