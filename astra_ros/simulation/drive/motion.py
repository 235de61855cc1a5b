"""Limits and size of the simulated car; ``control/vehicle.py`` moves it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from astra_ros.control.vehicle import VehicleLimits
from astra_ros.settings import SettingError


@dataclass(frozen=True)
class CarLimits(VehicleLimits):
    """Limits and size of the car. The robot's frame: middle of the rear axle, on the ground.

    Attributes:
        length, width, height: m, of the body.
        rear_overhang: m, of the body behind the rear axle.
        wheelbase, track: m, between the axles and between the wheels of an axle.

    Raises:
        SettingError: on creation, for a value that is not positive, or a body shorter than its axles.
    """

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
