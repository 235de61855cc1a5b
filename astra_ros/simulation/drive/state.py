"""The true state of a drive world, and what a driver reads of one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from astra_ros.simulation.drive.motion import CarLimits, CarState
from astra_ros.simulation.drive.scene import DriveLayout
from astra_ros.simulation.drive.traffic import Traffic, TrafficState


@dataclass(frozen=True)
class DriveState:
    """The world's true state. Positions in m, angles in rad, world frame.

    Attributes:
        time_s: since the reset.
        car: pose and speeds of the robot's car.
        s, d: where the middle of the car is along and beside the main road.
        direction: +1 where the car's own lanes run with s, -1 where against it.
        heading_error: rad, of the car against its lane, positive to the left.
        traffic: the other vehicles.
        obstacle_contact: the car touched something during the last ``step``.
        off_road: a wheel is off the lanes.
    """

    time_s: float
    car: CarState
    s: float
    d: float
    direction: int
    heading_error: float
    traffic: TrafficState
    obstacle_contact: bool
    off_road: bool


class Drivable(Protocol):
    """What planning needs of a ``DriveWorld``: to read it, never to change it."""

    @property
    def limits(self) -> CarLimits:
        """What the car can do."""

    @property
    def layout(self) -> DriveLayout:
        """The episode's roads and what stands and drives on them."""

    @property
    def traffic(self) -> Traffic:
        """Where the other vehicles are, given ``DriveState.traffic``."""

    def state(self) -> DriveState:
        """The true state now."""
