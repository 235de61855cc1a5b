"""Roads as curves in the plane, and the conversion between world and road coordinates.

A road is given by its centre line. A place on it is (s, d): s metres along the line, d metres to the left of it. The
image, the labels, the traffic and the plans all use this geometry.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

# Distance between samples of a centre line, m; between samples the line is an arc.
SAMPLE_M = 0.5
# Cell of the map of nearest samples, m, and the margin of that map round the road.
CELL_M = 2.0
MARGIN_M = 60.0


@dataclass(frozen=True)
class Lane:
    """A lane of a road.

    Attributes:
        offset: d of its middle, m.
        direction: +1 where traffic runs with s, -1 where against it.
    """

    offset: float
    direction: int


class Road:
    """A centre line of straights and arcs with lanes on it. It is immutable.

    Args:
        start: [3] x, y in m and heading in rad, world frame, of s = 0.
        pieces: length in m > 0 and curvature in 1/m (positive: to the left) of each piece in turn.
        lanes: its lanes, right to left.
        lane_width: m.
        closed: the end is the start, so s is counted modulo ``length``.
    """

    def __init__(self, start, pieces, lanes: tuple[Lane, ...], lane_width: float, closed: bool):
        self.lanes = tuple(lanes)
        self.lane_width = float(lane_width)
        self.closed = closed
        lengths, curvatures = np.array(pieces, dtype=np.float64).T
        self.length = float(lengths.sum())
        self.pieces = tuple((float(a), float(b)) for a, b in pieces)
        count = int(np.ceil(self.length / SAMPLE_M))
        self._spacing = self.length / count
        s = np.arange(count if closed else count + 1) * self._spacing
        begins = np.concatenate([[0.0], np.cumsum(lengths)])
        x, y, heading = (float(v) for v in start)
        poses = [(x, y, heading)]
        for length, curvature in self.pieces:
            poses.append(_along_arc(*poses[-1], curvature, length))
        self.end_pose = poses[-1]
        piece = np.clip(np.searchsorted(begins, s, side="right") - 1, 0, len(lengths) - 1)
        x, y, heading = np.array(poses)[piece].T
        self._curvature = curvatures[piece]
        self._xy = np.empty((len(s), 2))
        self._xy[:, 0], self._xy[:, 1], self._heading = _along_arc(x, y, heading, self._curvature, s - begins[piece])
        self._tangent = np.stack([np.cos(self._heading), np.sin(self._heading)], axis=-1)
        self._corner = self._xy.min(axis=0) - MARGIN_M

    @property
    def right_edge(self) -> float:
        """d of the right side of the lanes, m."""
        return min(lane.offset for lane in self.lanes) - self.lane_width / 2

    @property
    def left_edge(self) -> float:
        """d of the left side of the lanes, m."""
        return max(lane.offset for lane in self.lanes) + self.lane_width / 2

    @property
    def centre_line(self) -> np.ndarray:
        """[M, 2] m: samples of the centre line, world frame."""
        return self._xy

    def place(self, s, d) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """World x and y (m) and heading (rad) of places on the road, of any one shape."""
        s, i = self._sample(s)
        rest = s - i * self._spacing
        curvature = self._curvature[i]
        x, y, heading = _along_arc(self._xy[i, ..., 0], self._xy[i, ..., 1], self._heading[i], curvature, rest)
        return x - d * np.sin(heading), y + d * np.cos(heading), heading

    def curvature(self, s) -> np.ndarray:
        """Curvature of the centre line, 1/m, positive where it bends to the left."""
        return self._curvature[self._sample(s)[1]]

    def locate(self, x, y) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Road coordinates of points.

        Args:
            x, y: m, world frame, of any one shape.

        Returns:
            s (m; below 0 or above ``length`` beyond the ends of an open road), d (m) and the
            heading (rad) of the road there. Exact within millimetres near the road.
        """
        x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
        rows, columns = self._map.shape
        column = np.clip(((x - self._corner[0]) / CELL_M).astype(np.int64), 0, columns - 1)
        row = np.clip(((y - self._corner[1]) / CELL_M).astype(np.int64), 0, rows - 1)
        i = self._map[row, column]
        # The map holds the sample nearest to each cell's middle; one step from there is enough.
        i = self._moved(i, self._offsets(i, x, y)[0])
        along, across, curvature = self._offsets(i, x, y)
        s = i * self._spacing + along
        if self.closed:
            s = np.mod(s, self.length)
        return s, across, self._heading[i] + curvature * along

    def covers(self, x, y) -> np.ndarray:
        """Whether points (m, world frame) lie on the lanes."""
        s, d, _ = self.locate(x, y)
        return (d >= self.right_edge) & (d <= self.left_edge) & (s >= 0.0) & (s <= self.length)

    def ahead(self, start, end, direction: int | np.ndarray = 1) -> np.ndarray:
        """How far ``end`` lies beyond ``start`` (s, m), seen in ``direction``.

        On a closed road it lies within half a length: a point slightly behind gives slightly less than zero.
        """
        gap = direction * (np.asarray(end) - start)
        if self.closed:
            gap = np.mod(gap + self.length / 2, self.length) - self.length / 2
        return gap

    def _sample(self, s):
        s = np.mod(s, self.length) if self.closed else np.clip(s, 0.0, self.length)
        last = len(self._xy) - 1
        return s, np.minimum((s / self._spacing).astype(np.int64), last)

    def _offsets(self, i, x, y):
        """(along, across, curvature) of points relative to samples, the road taken for an arc."""
        tangent, curvature = self._tangent[i], self._curvature[i]
        dx, dy = x - self._xy[i, 0], y - self._xy[i, 1]
        t = dx * tangent[..., 0] + dy * tangent[..., 1]
        n = dy * tangent[..., 0] - dx * tangent[..., 1]
        # Beyond the arc's centre no place is nearest; keep the divisor away from zero.
        room = np.maximum(1.0 - curvature * n, 0.2)
        return t / room, n - 0.5 * curvature * t * t / room, curvature

    def _moved(self, i, along):
        i = i + np.round(np.clip(along, -20.0, 20.0) / self._spacing).astype(np.int64)
        return i % len(self._xy) if self.closed else np.clip(i, 0, len(self._xy) - 1)

    @cached_property
    def _map(self) -> np.ndarray:
        """[rows, columns] number of the sample nearest to the middle of each cell."""
        size = self._xy.max(axis=0) + MARGIN_M - self._corner
        columns, rows = np.ceil(size / CELL_M).astype(int)
        x = self._corner[0] + (np.arange(columns) + 0.5) * CELL_M
        y = self._corner[1] + (np.arange(rows) + 0.5) * CELL_M
        samples = self._xy[::4].astype(np.float32)
        across = (x.astype(np.float32)[:, None] - samples[:, 0]) ** 2
        upward = (y.astype(np.float32)[:, None] - samples[:, 1]) ** 2
        square = upward[:, None] + across[None]
        return 4 * np.argmin(square, axis=-1)


def _along_arc(x, y, heading, curvature, distance):
    """The pose ``distance`` m further along an arc; exact, also for a straight."""
    half = 0.5 * curvature * distance
    chord = distance * np.sinc(half / np.pi)
    return (x + chord * np.cos(heading + half), y + chord * np.sin(heading + half), heading + 2.0 * half)


def rounded_polygon(corners: np.ndarray, radii: np.ndarray):
    """A closed curve of straights and arcs along a polygon.

    Args:
        corners: [N, 2] m.
        radii: [N] m, largest radius of each corner's arc; it is reduced where the sides are too short.

    Returns:
        start [3] (the middle of a side) and the pieces, as ``Road`` takes them.
    """
    sides = np.roll(corners, -1, axis=0) - corners
    lengths = np.linalg.norm(sides, axis=1)
    headings = np.arctan2(sides[:, 1], sides[:, 0])
    before = np.roll(headings, 1)
    turns = (headings - before + np.pi) % (2 * np.pi) - np.pi  # at corner n, onto side n
    cut = np.abs(np.tan(turns / 2))
    room = 0.46 * np.minimum(lengths, np.roll(lengths, 1))
    radii = np.minimum(radii, room / np.maximum(cut, 1e-6))
    cuts = radii * cut
    pieces = []
    count = len(corners)
    for n in range(count):
        after = (n + 1) % count
        straight = lengths[n] - cuts[n] - cuts[after]
        turn = turns[after]
        pieces.append((straight, 0.0))
        pieces.append((radii[after] * abs(turn), np.sign(turn) / radii[after]))
    # Start in the middle of the first straight, so that the seam lies on a straight.
    first = pieces[0][0]
    direction = sides[0] / lengths[0]
    start = corners[0] + direction * (cuts[0] + first / 2)
    pieces = [(first / 2, 0.0), *pieces[1:], (first / 2, 0.0)]
    return (float(start[0]), float(start[1]), float(headings[0])), pieces
