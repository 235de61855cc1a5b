"""Shortest paths of a round robot over the free cells of a grid (Dijkstra 1959, eight neighbours)."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field

import cv2
import numpy as np

from astra_ros.control.occupancy_grid import OccupancyGrid

# Cells nearer to an obstacle than the robot's radius and this (m) are passed where there is no better way.
ROOM_M = 0.25
NARROW_COSTS = 3.0  # more than a free cell, right beside an obstacle
_NEIGHBOURS = [(i, j, float(np.hypot(i, j))) for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j]


@dataclass(frozen=True, eq=False)
class Ways:
    """The best ways from one place to all cells.

    Attributes:
        grid: the map.
        start: the cell that they begin in.
        cost_m: float64 [rows, columns] m, the length of each cell's way, where cells beside obstacles count up to
            1 + ``NARROW_COSTS`` times; inf for a cell that no way leads to.
        before: int [rows, columns], the cell before it on its way, as row * columns + column; -1 for none.
    """

    grid: OccupancyGrid
    start: tuple[int, int]
    cost_m: np.ndarray = field(repr=False)
    before: np.ndarray = field(repr=False)

    def to(self, cell) -> np.ndarray:
        """[N, 2] x, y (m): the middles of the cells on the way to a cell, which must have one, without the first."""
        columns, cells = self.grid.cells.shape[1], [(int(cell[0]), int(cell[1]))]
        while cells[-1] != self.start:
            cells.append(divmod(int(self.before[cells[-1]]), columns))
        return self.grid.middles(np.array(cells[::-1][1:]).reshape(-1, 2))


def clearance_m(blocked: np.ndarray, resolution_m: float) -> np.ndarray:
    """float32 [rows, columns] m from the middle of each cell to that of the nearest one that is ``blocked``."""
    if not blocked.any():
        return np.full(blocked.shape, np.inf, dtype=np.float32)
    return cv2.distanceTransform((~blocked).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE) * resolution_m


def ways_from(grid: OccupancyGrid, place, radius_m: float) -> Ways:
    """The ways of a robot of ``radius_m`` from a place [2] (x, y in m), through cells that are known to be free.

    A robot that stands too near to an obstacle, or where nothing is known yet, may leave.
    """
    start = tuple(grid.cells_at(place).tolist())
    cost = np.full(grid.cells.shape, np.inf)
    before = np.full(grid.cells.shape, -1, dtype=np.int64)
    if not grid.inside(start):
        return Ways(grid, start, cost, before)
    room = clearance_m(grid.occupied, grid.resolution_m)
    away = np.hypot(*(np.indices(grid.cells.shape) - np.reshape(start, (2, 1, 1)))) * grid.resolution_m
    leaving = (away <= 2.0 * radius_m) & ~grid.occupied
    passable = (grid.free & (room >= radius_m)) | leaving
    narrow = np.clip(1.0 - (room - radius_m) / ROOM_M, 0.0, 1.0)
    price = (1.0 + NARROW_COSTS * narrow) * grid.resolution_m
    _spread(start, passable, price, cost, before)
    return Ways(grid, start, cost, before)


def _spread(start, passable: np.ndarray, price: np.ndarray, cost: np.ndarray, before: np.ndarray) -> None:
    """Fills in the cost of the cheapest way to each cell, and the cell before it there."""
    rows, columns = passable.shape
    cost[start] = 0.0
    waiting = [(0.0, start)]
    while waiting:
        so_far, (row, column) = heapq.heappop(waiting)
        if so_far > cost[row, column]:
            continue
        for down, right, step in _NEIGHBOURS:
            i, j = row + down, column + right
            if not (0 <= i < rows and 0 <= j < columns and passable[i, j]):
                continue
            if down and right and not (passable[row, j] and passable[i, column]):
                continue  # not through a corner
            total = so_far + step * price[i, j]
            if total < cost[i, j]:
                cost[i, j] = total
                before[i, j] = row * columns + column
                heapq.heappush(waiting, (total, (i, j)))
