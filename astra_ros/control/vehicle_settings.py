"""All settings of a vehicle that follows paths, in one class, as the parameters of a node."""

from __future__ import annotations

from dataclasses import dataclass

from astra_ros.control.path_tracking import TrackingSettings
from astra_ros.control.vehicle import VehicleLimits
from astra_ros.control.vehicle_controller import ControllerSettings


@dataclass(frozen=True)
class VehicleSettings(TrackingSettings, ControllerSettings, VehicleLimits):
    """What the vehicle can do, how it is controlled, and how it follows paths."""
