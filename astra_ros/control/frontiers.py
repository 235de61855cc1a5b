"""Frontiers: free cells beside unknown ones, where a map can grow (Yamauchi 1997)."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np

from astra_ros.control.grid_paths import Ways
from astra_ros.control.occupancy_grid import OccupancyGrid


@dataclass(frozen=True, eq=False)
class Frontier:
    """A cluster of frontier cells that touch each other, by a side or a corner.

    Attributes:
        cells: int [N, 2], (row, column).
        middle: [2] x, y (m), the mean of its cells.
        size_m: its number of cells times the side of a cell.
    """

    cells: np.ndarray = field(repr=False)
    middle: np.ndarray
    size_m: float


@dataclass(frozen=True, eq=False)
class Approach:
    """How to get to a frontier.

    Attributes:
        frontier: where to.
        cell: int [2], the last cell of the way, at most the robot's reach away from the frontier.
        cost_m: of the way, see ``Ways``.
    """

    frontier: Frontier
    cell: np.ndarray
    cost_m: float


def frontier_cells(grid: OccupancyGrid) -> np.ndarray:
    """bool [rows, columns], the free cells that share a side with an unknown cell of the grid."""
    unknown = np.pad(~grid.known, 1)
    beside = unknown[:-2, 1:-1] | unknown[2:, 1:-1] | unknown[1:-1, :-2] | unknown[1:-1, 2:]
    return grid.free & beside


def frontiers(grid: OccupancyGrid, least_m: float = 0.0, without=None) -> list[Frontier]:
    """The clusters of at least ``least_m``, the largest first; cells at the points ``without`` [N, 2] (m) are left
    out."""
    beside = frontier_cells(grid)
    if without is not None:
        cells = grid.cells_at(without)
        beside[tuple(cells[grid.inside(cells)].T)] = False
    count, labels, stats, _ = cv2.connectedComponentsWithStats(beside.astype(np.uint8), connectivity=8)
    sizes = stats[:, cv2.CC_STAT_AREA] * grid.resolution_m
    found = []
    for label in sorted(range(1, count), key=lambda each: (-sizes[each], each)):
        if sizes[label] >= least_m - 1e-9:
            cells = np.argwhere(labels == label)
            found.append(Frontier(cells, grid.middles(cells).mean(axis=0), float(sizes[label])))
    return found


def approaches(ways: Ways, found: list[Frontier], reach_m: float) -> list[Approach]:
    """Ways to the frontiers that the robot can come within ``reach_m`` of, the cheapest first."""
    resolution = ways.grid.resolution_m
    reach = int(np.floor(reach_m / resolution + 1e-9))
    around = np.argwhere(np.hypot(*np.indices((2 * reach + 1,) * 2) - reach) <= reach_m / resolution + 1e-9) - reach
    reachable = []
    for each in found:
        near = (each.cells[:, None] + around).reshape(-1, 2)
        near = near[ways.grid.inside(near)]
        costs = ways.cost_m[tuple(near.T)]
        if np.isfinite(costs).any():
            best = int(np.argmin(costs))
            reachable.append(Approach(each, near[best], float(costs[best])))
    return sorted(reachable, key=lambda each: each.cost_m)
