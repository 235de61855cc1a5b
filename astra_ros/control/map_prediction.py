"""The map that a robot would have after it has seen so far from some places."""

from __future__ import annotations

import numpy as np

from astra_ros.control.occupancy_grid import FREE, OCCUPIED, OCCUPIED_FROM, UNKNOWN, OccupancyGrid, rays_between


def seen_from(
    grid: OccupancyGrid, views: np.ndarray, bearings: np.ndarray, ranges: np.ndarray, reach_m: float
) -> OccupancyGrid:
    """The map with what would be seen on the way; what is known stays as it is.

    A ray ends at the first occupied cell of the map, or else where ``ranges`` ends it. A ray that ends before
    ``reach_m`` in an unknown cell meets an obstacle there.

    Args:
        views: [N, 3] x, y (m) and yaw (rad) of the sensor.
        bearings: [W] rad, to the left of each view's yaw.
        ranges: [N, W] m, of which at most ``reach_m`` counts.
    """
    width = ranges.shape[1]
    turned = (views[:, 2, None] + bearings).ravel()
    starts = np.repeat(views[:, :2], width, axis=0)
    ahead = np.stack([np.cos(turned), np.sin(turned)], axis=-1)
    reach = np.minimum(ranges, reach_m).ravel()
    ends = starts + reach[:, None] * ahead
    rays = rays_between(grid, starts, ends)
    passed = grid.cells[rays.cells[..., 0], rays.cells[..., 1]]
    # Nothing is seen from the first occupied cell on.
    blocked = np.logical_or.accumulate(rays.counts & (passed >= OCCUPIED_FROM), axis=1)
    new = rays.counts & ~blocked & (passed == UNKNOWN)
    cells = grid.cells.copy()
    cells[tuple(rays.cells[new].T)] = FREE
    stops = (reach < reach_m - 1e-6) & ~blocked.any(axis=1)
    at = grid.cells_at(ends[stops])
    at = at[grid.inside(at)]
    at = at[grid.cells[tuple(at.T)] == UNKNOWN]
    cells[tuple(at.T)] = OCCUPIED
    return grid.with_cells(cells)
