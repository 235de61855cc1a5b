"""The way ahead along a lane, as a map gives it to a planner."""

from __future__ import annotations

import numpy as np

from astra_ros.control.vehicle import VehicleState
from astra_ros.simulation.drive.motion import CarLimits
from astra_ros.simulation.drive.scene import DriveLayout, DriveSceneSettings, sample_layout

FRAME = "world"  # of ways and of paths along them
BEHIND_M, AHEAD_M = 8.0, 60.0


def layout_of(seed: int) -> DriveLayout:
    """The layout of the default drive world's episode of that seed, without simulating it."""
    return sample_layout(seed, DriveSceneSettings(), CarLimits().body_centre_x)


def lane_ahead(layout: DriveLayout, car: VehicleState) -> np.ndarray:
    """[N, 2] x, y (m) each metre along the middle of the lane in which the car started, from behind it on."""
    lane = layout.road.lanes[layout.start_lane]
    s, _, _ = layout.road.locate(car.x, car.y)
    x, y, _ = layout.road.place(float(s) + lane.direction * np.arange(-BEHIND_M, AHEAD_M), lane.offset)
    return np.stack([x, y], axis=-1)
