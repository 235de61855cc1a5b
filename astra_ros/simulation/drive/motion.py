"""Motion of a car that follows a commanded twist with limited speed, acceleration and turning circle."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from astra_ros.settings import SettingError


@dataclass(frozen=True)
class CarLimits:
    """Limits and size of the car. The robot's frame: middle of the rear axle, on the ground.

    Attributes:
        max_speed, max_reverse: m/s forward and backward.
        acceleration: m/s^2, largest change of speed away from rest.
        braking: m/s^2, largest change of speed towards rest.
        yaw_rate: rad/s.
        yaw_acceleration: rad/s^2.
        min_radius: m, of the tightest circle of the rear axle's middle.
        length, width, height: m, of the body.
        rear_overhang: m, of the body behind the rear axle.
        wheelbase, track: m, between the axles and between the wheels of an axle.

    Raises:
        SettingError: on creation, for a value that is not positive, or a body shorter than its axles.
    """

    max_speed: float = 8.0
    max_reverse: float = 2.5
    acceleration: float = 3.5
    braking: float = 7.0
    yaw_rate: float = 1.2
    yaw_acceleration: float = 4.0
    min_radius: float = 5.0
    length: float = 4.2
    width: float = 1.8
    height: float = 1.5
    rear_overhang: float = 0.8
    wheelbase: float = 2.6
    track: float = 1.5

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not (math.isfinite(value) and value > 0.0):
                raise SettingError(name, value, "give a number > 0")
        if self.rear_overhang + self.wheelbase > self.length or self.track > self.width:
            raise SettingError(
                "length x width",
                f"{self.length} x {self.width} m with wheelbase {self.wheelbase} m, rear_overhang "
                f"{self.rear_overhang} m and track {self.track} m",
                "enlarge the body so that it covers the wheels",
            )

    @property
    def body_centre_x(self) -> float:
        """m, of the body's middle in the robot's frame."""
        return self.length / 2 - self.rear_overhang

    @property
    def wheels(self) -> tuple[tuple[float, float], ...]:
        """Positions of the four wheels, m, robot's frame."""
        half = self.track / 2
        return tuple((x, y) for x in (0.0, self.wheelbase) for y in (-half, half))


class CarState(NamedTuple):
    """Pose in the world frame and speeds in the robot's own."""

    x: float
    y: float
    yaw: float
    speed: float = 0.0
    yaw_rate: float = 0.0


def advance(car: CarState, command: tuple[float, float], limits: CarLimits, dt: float) -> CarState:
    """The car ``dt`` seconds later, within its limits.

    ``command`` is ``linear.x`` (m/s) and ``angular.z`` (rad/s), any numbers; the twist is constant over ``dt``.
    """
    wish = min(max(command[0], -limits.max_reverse), limits.max_speed)
    towards_rest = car.speed * (wish - car.speed) < 0.0
    most = (limits.braking if towards_rest else limits.acceleration) * dt
    speed = car.speed + min(max(wish - car.speed, -most), most)
    most_turn = min(limits.yaw_rate, abs(speed) / limits.min_radius)
    wish = min(max(command[1], -most_turn), most_turn)
    most = limits.yaw_acceleration * dt
    turn = car.yaw_rate + min(max(wish - car.yaw_rate, -most), most)
    # A car that slows down in a bend turns less at once: its front wheels set a curvature, not a rate.
    turn = min(max(turn, -most_turn), most_turn)
    # The rear axle moves on an arc whose chord lies along the mean heading.
    half = 0.5 * turn * dt
    chord = speed * dt * (math.sin(half) / half if abs(half) > 1e-9 else 1.0)
    return CarState(
        car.x + chord * math.cos(car.yaw + half),
        car.y + chord * math.sin(car.yaw + half),
        car.yaw + turn * dt,
        speed,
        turn,
    )
