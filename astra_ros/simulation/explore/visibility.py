"""Where an explorer is, what it knows of the house, and which floor its camera sees.

The house's floor is a grid of square cells. A cell is seen when its middle is in the camera's
image, at most ``FLOOR_SIGHT_M`` away along the floor, and no wall stands between. Furniture hides
nothing: only walls block the view.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from astra_ros.simulation.explore.geometry import Solids
from astra_ros.simulation.explore.robots import MobileSpec, Pose
from astra_ros.simulation.explore.scene import House

CELL_M = 0.1
FLOOR_SIGHT_M = 4.0
RAYS = 360


@dataclass(frozen=True, eq=False)
class Situation:
    """What a perfect map and perfect senses would tell a planner.

    Attributes:
        spec: the robot.
        house: all of it.
        pose: of the robot's body.
        contact: whether something stopped it during the last step.
        half_fov: half the camera's horizontal and half its vertical field of view, rad.
    """

    spec: MobileSpec
    house: House
    pose: Pose
    contact: bool
    half_fov: tuple[float, float]

    @property
    def xy(self) -> np.ndarray:
        return self.pose.position[:2]

    @property
    def altitude(self) -> float:
        return float(self.pose.position[2])

    @property
    def yaw(self) -> float:
        return self.spec.yaw(self.pose)

    @property
    def solids(self) -> Solids:
        """What stands at the height of the robot's body."""
        return self.house.solids.between(*self.spec.band(self.altitude))


def seen_floor(situation: Situation, pose: Pose | None = None) -> np.ndarray:
    """Cells of the floor that the camera sees: bool [rows, columns], row 0 at y = 0.

    ``pose`` is that of the robot's body; where it is now by default.
    """
    house = situation.house
    camera = (pose or situation.pose) @ situation.spec.camera
    cells = round(house.settings.size_m / CELL_M)
    seen = np.zeros((cells, cells), dtype=bool)
    # Only the square round the camera that sight can reach.
    first = np.clip((camera.position[:2] - FLOOR_SIGHT_M) // CELL_M, 0, cells).astype(int)
    last = np.clip((camera.position[:2] + FLOOR_SIGHT_M) // CELL_M + 1, 0, cells).astype(int)
    x = (np.arange(first[0], last[0]) + 0.5) * CELL_M - camera.position[0]
    y = (np.arange(first[1], last[1])[:, None] + 0.5) * CELL_M - camera.position[1]
    right, down, ahead = (axis[0] * x + axis[1] * y - axis[2] * camera.position[2] for axis in camera.rotation.T)
    across, upright = np.tan(situation.half_fov)
    distance = np.hypot(x, y)
    image = (np.abs(right) <= across * ahead) & (np.abs(down) <= upright * ahead) & (ahead > 0.0)
    image &= distance <= FLOOR_SIGHT_M
    rows, columns = np.nonzero(image)
    bearings = np.arctan2(y[rows, 0], x[columns])
    rays = np.round(bearings / (2.0 * np.pi) * RAYS).astype(int) % RAYS
    used = np.unique(rays)
    walls = house.wall_solids.cast(camera.position[:2], used * 2.0 * np.pi / RAYS)
    reach = np.zeros(RAYS)
    reach[used] = walls
    clear = distance[rows, columns] <= reach[rays]
    seen[first[1] + rows[clear], first[0] + columns[clear]] = True
    return seen


def area(cells: np.ndarray) -> float:
    """m^2 of the cells that are True."""
    return float(np.count_nonzero(cells)) * CELL_M**2
