"""A vehicle's controller: pure pursuit of a waypoint (Coulter 1992), with speed control within the vehicle's limits."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from astra_ros.control.vehicle import VehicleAction, VehicleLimits, VehicleState
from astra_ros.settings import CheckedSettings, setting

COMFORT = 0.6  # share of the largest braking that a controller uses


class Waypoint(NamedTuple):
    """Where to go: m, in the frame of the vehicle's state, and how fast to be there, m/s."""

    x: float
    y: float
    speed: float


@dataclass(frozen=True)
class ControllerSettings(CheckedSettings):
    """How a vehicle is controlled."""

    least_lookahead: float = setting(1.0, "m, how far ahead the vehicle aims at rest", 0.01, 100.0, "m")
    lookahead_s: float = setting(0.4, "s, by which its own speed moves that aim further ahead", 0.0, 10.0, "s")
    catch_up: float = setting(
        1.0, "1/s, how much faster the vehicle goes for each metre that it is behind its plan", 0.0, 10.0, "1/s"
    )


@dataclass(frozen=True)
class VehicleController:
    """Commands a vehicle towards waypoints. It keeps no state of its own.

    Attributes:
        period_s: seconds for which each action is held.
    """

    limits: VehicleLimits = VehicleLimits()
    settings: ControllerSettings = ControllerSettings()
    period_s: float = 0.1

    def compute_action(self, state: VehicleState, waypoint: Waypoint) -> VehicleAction:
        """The action for the next ``period_s``, within the vehicle's limits.

        The vehicle drives an arc through the waypoint, forward; it turns as tightly as it can where the waypoint lies
        behind it.
        """
        limits = self.limits
        speed = reachable_speed(state, waypoint.speed, limits, self.period_s)
        speed = min(max(speed, -limits.max_reverse), limits.max_speed)
        most = limits.most_turn(speed)
        turn = speed * arc_through(state, waypoint.x, waypoint.y, limits)
        return VehicleAction(speed, min(max(turn, -most), most))

    def lookahead(self, speed: float) -> float:
        """How far ahead the vehicle aims at a speed, m."""
        return self.settings.least_lookahead + self.settings.lookahead_s * abs(speed)


def reachable_speed(state: VehicleState, wish: float, limits: VehicleLimits, seconds: float) -> float:
    """The speed nearest to ``wish`` that the vehicle has after some seconds, braking comfortably."""
    least, most = state.speed - COMFORT * limits.braking * seconds, state.speed + limits.acceleration * seconds
    return min(max(wish, least), most)


def arc_through(state: VehicleState, x: float, y: float, limits: VehicleLimits) -> float:
    """Curvature (1/m, left positive) of the arc from the vehicle through a point, within its limits."""
    dx, dy = x - state.x, y - state.y
    ahead = math.cos(state.yaw) * dx + math.sin(state.yaw) * dy
    left = math.cos(state.yaw) * dy - math.sin(state.yaw) * dx
    tightest = 1.0 / limits.min_radius if limits.min_radius else math.inf
    if ahead <= 0.0 and math.isfinite(tightest):
        return math.copysign(tightest, left)
    bend = 2.0 * left / max(ahead * ahead + left * left, 1e-6)
    return min(max(bend, -tightest), tightest)
