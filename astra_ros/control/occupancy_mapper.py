"""An occupancy grid from scans, such as those of a depth camera."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from astra_ros.control.occupancy_grid import FREE, OCCUPIED, UNKNOWN, OccupancyGrid, rays_between
from astra_ros.settings import CheckedSettings, setting

# Log odds of one observation, and where they stop to grow (Moravec and Elfes 1985; values as in OctoMap).
HIT, MISS, MOST = 0.85, -0.4, 3.5


@dataclass(frozen=True)
class MappingSettings(CheckedSettings):
    """How depth images become a map."""

    resolution_m: float = setting(0.1, "side of a cell of the map, m", 0.01, 1.0, "m")
    size_m: float = setting(26.0, "side of the square map, m; the robot starts in its middle", 1.0, 500.0, "m")
    sight_m: float = setting(4.0, "surfaces farther than this, seen from above, do not count, m", 0.1, 100.0, "m")
    lowest_m: float = setting(0.06, "height over the floor from which a surface is an obstacle, m", 0.0, 10.0, "m")
    highest_m: float = setting(0.5, "height over the floor up to which a surface is an obstacle, m", 0.01, 10.0, "m")


@dataclass(frozen=True, eq=False)
class Scan:
    """What a sensor saw from one place.

    Attributes:
        origin: [2] x, y (m) of the sensor.
        ends: [N, 2] x, y (m), as far as each ray was free.
        hits: bool [N], whether an obstacle is there.
    """

    origin: np.ndarray
    ends: np.ndarray = field(repr=False)
    hits: np.ndarray = field(repr=False)


def depth_scan(depth, rays, pose, settings: MappingSettings = MappingSettings(), bearings: int = 720) -> Scan:
    """The scan that a depth image stands for.

    Of each bearing, the nearest obstacle counts. Where none is seen, the floor is free up to the farthest surface, at
    most up to ``sight_m``.

    Args:
        depth: float [h, w] m along the optical axis; what is not finite or not > 0 was not measured.
        rays: [h, w, 3] directions of the pixels in the optical frame, 1 along the optical axis.
        pose: [4, 4] of the optical frame in a frame whose z axis points up from the floor at z = 0, m.
        bearings: bins of a full turn.
    """
    depth = np.asarray(depth, dtype=np.float64)
    measured = np.isfinite(depth) & (depth > 0.0)
    points = (depth[measured, None] * np.asarray(rays)[measured]) @ pose[:3, :3].T + pose[:3, 3]
    origin = np.array(pose[:2, 3])
    off = points[:, :2] - origin
    distance = np.hypot(*off.T)
    width = 2.0 * np.pi / bearings
    bins = np.floor(np.arctan2(off[:, 1], off[:, 0]) / width).astype(int) % bearings
    obstacle = (points[:, 2] >= settings.lowest_m) & (points[:, 2] <= settings.highest_m)
    obstacle &= distance <= settings.sight_m
    nearest = np.full(bearings, np.inf)
    np.minimum.at(nearest, bins[obstacle], distance[obstacle])
    farthest = np.zeros(bearings)
    np.maximum.at(farthest, bins, np.minimum(distance, settings.sight_m))
    seen = np.flatnonzero(farthest > 0.0)
    hits = np.isfinite(nearest[seen])
    reach = np.where(hits, nearest[seen], farthest[seen])
    turned = (seen + 0.5) * width
    return Scan(origin, origin + reach[:, None] * np.stack([np.cos(turned), np.sin(turned)], axis=-1), hits)


def observed_cells(grid: OccupancyGrid, scan: Scan) -> tuple[np.ndarray, np.ndarray]:
    """The cells that a scan shows free, and those that it shows occupied, which win: bool [rows, columns] each."""
    free, occupied = np.zeros(grid.cells.shape, bool), np.zeros(grid.cells.shape, bool)
    # A surface on the line between two cells belongs to the one behind it.
    off = scan.ends - scan.origin
    length = np.maximum(np.hypot(*off.T), 1e-9)[:, None]
    ends = scan.ends + np.where(scan.hits[:, None], 0.05 * grid.resolution_m * off / length, 0.0)
    hit_cells = grid.cells_at(ends[scan.hits])
    hit_cells = hit_cells[grid.inside(hit_cells)]
    occupied[tuple(hit_cells.T)] = True
    rays = rays_between(grid, scan.origin, ends)
    free[tuple(rays.cells[rays.counts].T)] = True
    return free & ~occupied, occupied


class OccupancyMapper:
    """Adds up scans into a map, as log odds.

    Attributes:
        frame: of the scans and the map.
    """

    def __init__(self, settings: MappingSettings, start, frame: str = "odom") -> None:
        """``start`` [2] x, y (m) becomes the middle of the map."""
        side = max(1, round(settings.size_m / settings.resolution_m))
        corner = np.asarray(start, dtype=np.float64) - side * settings.resolution_m / 2.0
        # On round numbers, so that the cells of maps of one place coincide.
        corner = np.round(corner / settings.resolution_m) * settings.resolution_m
        unknown = np.full((side, side), UNKNOWN, dtype=np.int8)
        self._place = OccupancyGrid(unknown, settings.resolution_m, (*corner.tolist(), 0.0), frame)
        self._odds = np.zeros((side, side), dtype=np.float32)
        self._seen = np.zeros((side, side), dtype=bool)

    def add(self, scan: Scan) -> None:
        """Take a scan in; what is outside the map is dropped."""
        free, occupied = observed_cells(self._place, scan)
        self._odds[free] += MISS
        self._odds[occupied] += HIT
        np.clip(self._odds, -MOST, MOST, out=self._odds)
        self._seen |= free | occupied

    def stand(self, place, radius_m: float) -> None:
        """The robot stands at a place [2] (x, y in m): what it covers and nothing is known of is free."""
        away = np.hypot(*(np.indices(self._seen.shape) + 0.5 - self._place.places(place)[:, None, None]))
        covered = (away * self._place.resolution_m <= radius_m) & ~self._seen
        self._odds[covered] = MISS
        self._seen |= covered

    def bump(self, place) -> None:
        """The robot touched something at a place [2] (x, y in m) that no scan shows."""
        cell = self._place.cells_at(place)
        if self._place.inside(cell):
            self._odds[tuple(cell)] = MOST
            self._seen[tuple(cell)] = True

    @property
    def known_m2(self) -> float:
        return float(np.count_nonzero(self._seen)) * self._place.resolution_m**2

    @property
    def grid(self) -> OccupancyGrid:
        """The map so far; a cell is occupied where more speaks for it than against."""
        return self._place.with_cells(np.where(self._seen, np.where(self._odds > 0.0, OCCUPIED, FREE), UNKNOWN))
