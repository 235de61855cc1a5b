"""An occupancy grid of the floor, and rays through it.

Cells are (row, column): row 0 and column 0 lie at the grid's origin, as in ``nav_msgs/OccupancyGrid``. Rays are cut
exactly where they cross the lines between cells (Amanatides and Woo 1987).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from astra_ros.errors import UserError

UNKNOWN, FREE, OCCUPIED = -1, 0, 100
# Probabilities (%) up to and from which a cell counts as free and as occupied; between them it counts as known.
FREE_UP_TO, OCCUPIED_FROM = 25, 65


class GridError(UserError, ValueError):
    """A grid cannot be used. ``found`` is the value that is wrong."""

    def __init__(self, problem: str, cure: str, found: object) -> None:
        super().__init__(problem, thing="grid", cure=cure)
        self.found = found


@dataclass(frozen=True, eq=False)
class OccupancyGrid:
    """A map of the floor. The array is a private read-only copy.

    Attributes:
        cells: int8 [rows, columns], -1 for unknown, else the probability that the cell is occupied, 0 to 100 %.
        resolution_m: side of a cell.
        origin: x, y (m) and yaw (rad) of the outer corner of cell (0, 0), in ``frame``; columns run along its x axis.
        frame: name of the frame that the map is in.

    Raises:
        GridError: on creation, for a grid without cells, values out of range, or numbers that are not finite.
    """

    cells: np.ndarray = field(repr=False)
    resolution_m: float
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0)
    frame: str = "map"

    def __post_init__(self) -> None:
        cells = np.array(self.cells)
        if cells.ndim != 2 or not cells.size:
            raise GridError(f"its shape is {cells.shape}", "give at least one row and one column", cells.shape)
        wrong = cells[(cells < UNKNOWN) | (cells > OCCUPIED)]
        if wrong.size:
            raise GridError(f"a cell is {wrong[0]}", "give -1 for unknown, or 0 to 100 %", wrong[0].item())
        if not (np.isfinite(self.resolution_m) and self.resolution_m > 0.0):
            raise GridError(f"its resolution is {self.resolution_m}", "give metres per cell, > 0", self.resolution_m)
        if np.shape(self.origin) != (3,) or not np.isfinite(self.origin).all():
            raise GridError(f"its origin is {self.origin}", "give a finite x, y and yaw", self.origin)
        cells = cells.astype(np.int8)
        cells.setflags(write=False)
        object.__setattr__(self, "cells", cells)

    @property
    def known(self) -> np.ndarray:
        """bool [rows, columns]."""
        return self.cells != UNKNOWN

    @property
    def free(self) -> np.ndarray:
        """bool [rows, columns]."""
        return self.known & (self.cells <= FREE_UP_TO)

    @property
    def occupied(self) -> np.ndarray:
        """bool [rows, columns]."""
        return self.cells >= OCCUPIED_FROM

    @property
    def known_m2(self) -> float:
        return float(np.count_nonzero(self.known)) * self.resolution_m**2

    def with_cells(self, cells: np.ndarray) -> OccupancyGrid:
        """The same place with other cells."""
        return replace(self, cells=cells)

    def places(self, points) -> np.ndarray:
        """Points [..., 2] (x, y in m) in units of cells: float64 [..., 2], (row, column); cell (i, j) is from i to
        i + 1 and from j to j + 1."""
        x, y, yaw = self.origin
        off = (np.asarray(points, dtype=np.float64) - (x, y)) / self.resolution_m
        c, s = np.cos(yaw), np.sin(yaw)
        return np.stack([c * off[..., 1] - s * off[..., 0], c * off[..., 0] + s * off[..., 1]], axis=-1)

    def cells_at(self, points) -> np.ndarray:
        """The cells [..., 2] of points [..., 2] (x, y in m); they may lie outside."""
        return np.floor(self.places(points)).astype(int)

    def middles(self, cells) -> np.ndarray:
        """[..., 2] x, y (m) of the middles of cells [..., 2]."""
        x, y, yaw = self.origin
        off = (np.asarray(cells, dtype=np.float64) + 0.5) * self.resolution_m
        c, s = np.cos(yaw), np.sin(yaw)
        return np.stack([x + c * off[..., 1] - s * off[..., 0], y + s * off[..., 1] + c * off[..., 0]], axis=-1)

    def inside(self, cells) -> np.ndarray:
        """bool [...], whether cells [..., 2] are of this grid."""
        cells = np.asarray(cells)
        return ((cells >= 0) & (cells < self.cells.shape)).all(axis=-1)


@dataclass(frozen=True, eq=False)
class Rays:
    """The cells that N rays pass, each row in order from start to end and filled up with cells that do not count.

    Attributes:
        cells: int [N, M, 2], (row, column), inside the grid wherever ``counts``; (0, 0) elsewhere.
        enters: float64 [N, M] share of the ray's length at which it enters the cell.
        counts: bool [N, M], whether the ray passes the cell and the cell is of the grid.
    """

    cells: np.ndarray
    enters: np.ndarray
    counts: np.ndarray


def rays_between(grid: OccupancyGrid, starts, ends) -> Rays:
    """The straight rays from ``starts`` [N, 2] to ``ends`` [N, 2] (x, y in m; one start may stand for all)."""
    ends_N2 = grid.places(ends)
    starts_N2 = np.broadcast_to(grid.places(starts), ends_N2.shape)
    along = ends_N2 - starts_N2
    lines = int(np.ceil(np.abs(along).max(initial=0.0))) + 1
    nth = np.arange(lines)
    cuts = [np.zeros((len(along), 1)), np.ones((len(along), 1))]
    for axis in (0, 1):
        start, step = starts_N2[:, axis, None], along[:, axis, None]
        crossed = np.where(step > 0, np.floor(start) + 1 + nth, np.ceil(start) - 1 - nth)
        share = np.divide(crossed - start, step, out=np.ones_like(crossed), where=step != 0)
        cuts.append(np.clip(share, 0.0, 1.0))
    shares = np.sort(np.concatenate(cuts, axis=1), axis=1)
    middle = (shares[:, :-1] + shares[:, 1:]) / 2.0
    cells = np.floor(starts_N2[:, None] + middle[..., None] * along[:, None]).astype(int)
    # A ray without length is in one cell; of others, an interval without length is where a ray meets a corner.
    counts = (np.diff(shares, axis=1) > 1e-9) & grid.inside(cells)
    return Rays(np.where(counts[..., None], cells, 0), shares[:, :-1], counts)


def ranges_in(grid: OccupancyGrid, origin, bearings, reach_m: float) -> tuple[np.ndarray, np.ndarray]:
    """How far rays from a point [2] run along bearings [R] (rad) until they enter an occupied cell.

    Returns:
        float64 [R] m, ``reach_m`` for those that meet none, and bool [R], whether everything up to there is known.
    """
    bearings = np.asarray(bearings, dtype=np.float64)
    ends = np.asarray(origin) + reach_m * np.stack([np.cos(bearings), np.sin(bearings)], axis=-1)
    rays = rays_between(grid, origin, ends)
    cells = grid.cells[rays.cells[..., 0], rays.cells[..., 1]]
    stops = rays.counts & (cells >= OCCUPIED_FROM)
    share = np.where(stops.any(axis=1), np.take_along_axis(rays.enters, stops.argmax(axis=1)[:, None], 1)[:, 0], 1.0)
    before = rays.counts & (rays.enters < share[:, None] - 1e-9)
    return share * reach_m, ~(before & (cells == UNKNOWN)).any(axis=1)
