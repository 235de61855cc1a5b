"""A vehicle's limits, and its motion: the kinematic bicycle model, read at the middle of the rear axle.

The front wheels set a curvature, at most that of the tightest circle: tan(steering angle) / wheelbase. A base that
turns on the spot is the vehicle whose tightest circle has the radius 0. Frames: x forward, y left (REP 103).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from astra_ros.settings import CheckedSettings, setting

MOTION_NAMES = ("linear.x", "angular.z")  # the columns of `VehicleAction`, as action spaces name them


@dataclass(frozen=True)
class VehicleLimits(CheckedSettings):
    """What a vehicle can do at most. Raises SettingError on creation, for a value out of range."""

    max_speed: float = setting(8.0, "largest speed forward, m/s", 1e-3, 1e3, "m/s")
    max_reverse: float = setting(2.5, "largest speed backward, m/s", 0.0, 1e3, "m/s")
    acceleration: float = setting(3.5, "largest change of speed away from rest, m/s^2", 1e-3, 1e3, "m/s^2")
    braking: float = setting(7.0, "largest change of speed towards rest, m/s^2", 1e-3, 1e3, "m/s^2")
    yaw_rate: float = setting(1.2, "largest turn rate, rad/s", 1e-3, 1e2, "rad/s")
    yaw_acceleration: float = setting(4.0, "largest change of the turn rate, rad/s^2", 1e-3, 1e3, "rad/s^2")
    min_radius: float = setting(
        5.0,
        "radius of the tightest circle of the rear axle's middle, m: wheelbase / tan(largest steering angle); 0 for a "
        "base that turns on the spot",
        1e-3,
        1e3,
        "m",
        "turns on the spot",
    )

    def most_turn(self, speed: float) -> float:
        """Largest turn rate at a speed, rad/s."""
        return min(self.yaw_rate, abs(speed) / self.min_radius) if self.min_radius else self.yaw_rate


class VehicleState(NamedTuple):
    """Pose (m, rad) in a fixed frame, and speeds (m/s, rad/s) in the vehicle's own."""

    x: float
    y: float
    yaw: float
    speed: float = 0.0
    yaw_rate: float = 0.0


class VehicleAction(NamedTuple):
    """A commanded twist: m/s forward, rad/s to the left; the columns of `MOTION_NAMES`."""

    speed: float
    yaw_rate: float


def advance(state: VehicleState, action: tuple[float, float], limits: VehicleLimits, dt: float) -> VehicleState:
    """The vehicle ``dt`` seconds later, within its limits.

    ``action`` is a commanded twist of any numbers; the twist that is driven is constant over ``dt``.
    """
    wish = min(max(action[0], -limits.max_reverse), limits.max_speed)
    towards_rest = state.speed * (wish - state.speed) < 0.0
    most = (limits.braking if towards_rest else limits.acceleration) * dt
    speed = state.speed + min(max(wish - state.speed, -most), most)
    most_turn = limits.most_turn(speed)
    wish = min(max(action[1], -most_turn), most_turn)
    most = limits.yaw_acceleration * dt
    turn = state.yaw_rate + min(max(wish - state.yaw_rate, -most), most)
    # A car that slows down in a bend turns less at once: its front wheels set a curvature, not a rate.
    turn = min(max(turn, -most_turn), most_turn)
    # The rear axle moves on an arc whose chord lies along the mean heading.
    half = 0.5 * turn * dt
    chord = speed * dt * (math.sin(half) / half if abs(half) > 1e-9 else 1.0)
    return VehicleState(
        state.x + chord * math.cos(state.yaw + half),
        state.y + chord * math.sin(state.yaw + half),
        state.yaw + turn * dt,
        speed,
        turn,
    )
