"""Solid blocks seen from above: distances, ray casts and the nearest point in view.

All maths is exact for boxes turned about z and for upright cylinders, and needs no simulator.
World frame, m and rad. B blocks, N points, R rays.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Block:
    """A solid piece of the house.

    Attributes:
        kind: e.g. "wall" or "table".
        centre: m, world frame.
        half: half its size along its own x, y and z (m); of a cylinder, half[0] is the radius.
        yaw: its turn about z, rad.
        round: an upright cylinder instead of a box.
        rgb: 0..1.
        pattern: of its sides, a key of ``textures.SIDES``.
    """

    kind: str
    centre: tuple[float, float, float]
    half: tuple[float, float, float]
    yaw: float = 0.0
    round: bool = False
    rgb: tuple[float, float, float] = (0.8, 0.8, 0.8)
    pattern: str = "plain"

    @property
    def low(self) -> float:
        return self.centre[2] - self.half[2]

    @property
    def high(self) -> float:
        return self.centre[2] + self.half[2]


class Solids:
    """The footprints of B blocks as arrays."""

    def __init__(self, blocks: tuple[Block, ...] | list[Block]) -> None:
        self.centre = np.array([b.centre[:2] for b in blocks]).reshape(-1, 2)
        self.half = np.array([b.half[:2] for b in blocks]).reshape(-1, 2)
        self.cos = np.cos([b.yaw for b in blocks])
        self.sin = np.sin([b.yaw for b in blocks])
        self.round = np.array([b.round for b in blocks], dtype=bool)
        self.low = np.array([b.low for b in blocks])
        self.high = np.array([b.high for b in blocks])

    def between(self, low: float, high: float) -> Solids:
        """The blocks that reach between two heights (m)."""
        return self._picked((self.low < high) & (self.high > low))

    def only(self, index: int) -> Solids:
        """One block alone."""
        return self._picked(slice(index, index + 1))

    def distances(self, points) -> np.ndarray:
        """[N, B] m from each point [N, 2] to each footprint; negative inside."""
        local = self._local(np.asarray(points, dtype=np.float64))
        beyond = np.abs(local) - self.half
        outside = np.hypot(*np.moveaxis(np.maximum(beyond, 0.0), -1, 0))
        box = outside + np.minimum(beyond.max(axis=-1), 0.0)
        return np.where(self.round, np.hypot(local[..., 0], local[..., 1]) - self.half[:, 0], box)

    def clearance(self, points) -> np.ndarray:
        """[N] m from each point [N, 2] to the nearest footprint; negative inside one."""
        return self.distances(points).min(axis=1, initial=np.inf)

    def cast(self, origin, angles) -> np.ndarray:
        """[R] m from a point [2] along each direction to the first footprint, inf without a hit."""
        angles = np.asarray(angles, dtype=np.float64)
        start = self._local(np.asarray(origin, dtype=np.float64)[None])[0]
        ahead = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
        ahead = self._turned(ahead[:, None, :])
        with np.errstate(divide="ignore", invalid="ignore"):
            # Boxes: inside both slabs at once from ``enter`` to ``leave``.
            slabs = (np.array([-1.0, 1.0])[:, None, None, None] * self.half - start) / ahead
            enter = np.nanmax(np.minimum(*slabs), axis=-1, initial=-np.inf)
            leave = np.nanmin(np.maximum(*slabs), axis=-1, initial=np.inf)
            # Cylinders: |start + t * ahead| = radius.
            along = -(start * ahead).sum(axis=-1)
            root = np.sqrt(along**2 - (start**2).sum(axis=-1) + self.half[:, 0] ** 2)
        enter = np.where(self.round, along - root, enter)
        leave = np.where(self.round, along + root, leave)
        hit = (leave >= np.maximum(enter, 0.0)) & (leave > -np.inf)
        return np.where(hit, np.maximum(enter, 0.0), np.inf).min(axis=1, initial=np.inf)

    def nearest_in_view(self, origin, yaw: float, half_angle: float, reach_m: float) -> np.ndarray:
        """[2] the nearest point of any footprint within a wedge of sight, NaN without one.

        Args:
            origin: [2] the wedge's tip.
            yaw: the wedge's middle.
            half_angle: half its width, below pi / 2.
            reach_m: its length.

        The nearest point is never hidden. In a convex wedge it is a footprint's nearest point or lies on the wedge's
        edge.
        """
        origin = np.asarray(origin, dtype=np.float64)
        edges = yaw + np.array([-half_angle, half_angle])
        on_edges = origin + self.cast(origin, edges)[:, None] * np.stack([np.cos(edges), np.sin(edges)], axis=-1)
        inner = self.nearest_points(origin)
        off = np.arctan2(inner[:, 1] - origin[1], inner[:, 0] - origin[0]) - yaw
        inner = inner[np.abs((off + np.pi) % (2.0 * np.pi) - np.pi) <= half_angle]
        found = np.concatenate([inner, on_edges[np.isfinite(on_edges).all(axis=1)]])
        ranges = np.hypot(*(found - origin).T)
        if not len(found) or ranges.min() > reach_m:
            return np.full(2, np.nan)
        return found[int(np.argmin(ranges))]

    def _picked(self, which) -> Solids:
        some = Solids(())
        for name, values in vars(self).items():
            setattr(some, name, values[which])
        return some

    def nearest_points(self, origin: np.ndarray) -> np.ndarray:
        """[B, 2] each footprint's point nearest to a point outside it."""
        local = self._local(origin[None])[0]
        radius = np.maximum(np.hypot(local[:, 0], local[:, 1]), 1e-12)[:, None]
        near = np.where(self.round[:, None], local * (self.half[:, :1] / radius), np.clip(local, -self.half, self.half))
        x = self.cos * near[:, 0] - self.sin * near[:, 1]
        y = self.sin * near[:, 0] + self.cos * near[:, 1]
        return self.centre + np.stack([x, y], axis=-1)

    def _local(self, points: np.ndarray) -> np.ndarray:
        """[N, B, 2] points in each block's own frame."""
        return self._turned(points[:, None, :] - self.centre)

    def _turned(self, vectors: np.ndarray) -> np.ndarray:
        """[N, B, 2] world vectors [N, B or 1, 2] along each block's own axes."""
        x, y = vectors[..., 0], vectors[..., 1]
        return np.stack([self.cos * x + self.sin * y, self.cos * y - self.sin * x], axis=-1)
