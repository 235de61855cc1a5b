"""The true state of a drive world, and the part of its interface that planning reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from astra_ros.control.vehicle import VehicleState
from astra_ros.simulation.drive.motion import CarLimits
from astra_ros.simulation.drive.scene import DriveLayout
from astra_ros.simulation.drive.traffic import Traffic, TrafficState


@dataclass(frozen=True)
class DriveState:
    """The world's true state. Positions in m, angles in rad, world frame.

    Attributes:
        time_s: since the reset.
        car: pose and speeds of the robot's car.
        s, d: m, of the car's middle along and beside the main road.
        direction: +1 where the car's own lanes run with s, -1 where against it.
        heading_error: rad, of the car against its lane, positive to the left.
        traffic: the other vehicles.
        obstacle_contact: the car touched something during the last ``step``.
        off_road: a wheel is off the lanes.
    """

    time_s: float
    car: VehicleState
    s: float
    d: float
    direction: int
    heading_error: float
    traffic: TrafficState
    obstacle_contact: bool
    off_road: bool


class Drivable(Protocol):
    """The read-only part of ``DriveWorld`` that planning needs."""

    @property
    def limits(self) -> CarLimits:
        """Of the car."""

    @property
    def layout(self) -> DriveLayout:
        """The episode's roads, obstacles and vehicles."""

    @property
    def traffic(self) -> Traffic:
        """The other vehicles; their poses follow from ``DriveState.traffic``."""

    def state(self) -> DriveState:
        """The true state now."""
