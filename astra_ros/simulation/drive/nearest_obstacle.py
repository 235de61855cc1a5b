"""The nearest obstacle in a camera's horizontal field of view, from outlines on the ground."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

Point = tuple[float, float]


def nearest_in_view(outlines: Iterable[np.ndarray], tangent: float, reach: float) -> Point | None:
    """The point of all outlines in view that is nearest to the camera.

    It is never hidden: the hiding outline would be nearer.

    Args:
        outlines: convex, counter-clockwise or not, each [N, 2] m in the camera's frame on the
            ground: x forward, y left, the camera at the origin.
        tangent: of half the horizontal field of view.
        reach: m, range of the view.

    Returns:
        x, y in m, or None where the view is empty.
    """
    best, best_distance = None, reach
    for outline in outlines:
        corners = [(float(x), float(y)) for x, y in outline]
        for side in (1.0, -1.0):
            corners = _clipped(corners, tangent, side)
        if not corners:
            continue
        point = _nearest_to_origin(corners)
        distance = float(np.hypot(*point))
        if distance <= best_distance:
            best, best_distance = point, distance
    return best


def _clipped(corners: list[Point], tangent: float, side: float) -> list[Point]:
    """The part of a polygon with ``side * y <= tangent * x`` (Sutherland and Hodgman 1974)."""
    kept = []
    for (x0, y0), (x1, y1) in zip(corners, corners[1:] + corners[:1]):
        a, b = tangent * x0 - side * y0, tangent * x1 - side * y1
        if a >= 0.0:
            kept.append((x0, y0))
        if (a > 0.0 > b) or (a < 0.0 < b):
            share = a / (a - b)
            kept.append((x0 + share * (x1 - x0), y0 + share * (y1 - y0)))
    return kept


def _nearest_to_origin(corners: list[Point]) -> Point:
    """The point of a convex polygon nearest to the origin, the origin itself if it is inside."""
    best, best_square = corners[0], np.inf
    turns = set()
    for (x0, y0), (x1, y1) in zip(corners, corners[1:] + corners[:1]):
        dx, dy = x1 - x0, y1 - y0
        turns.add(np.sign(x0 * dy - y0 * dx))
        square = dx * dx + dy * dy
        share = min(max(-(x0 * dx + y0 * dy) / square, 0.0), 1.0) if square > 0.0 else 0.0
        x, y = x0 + share * dx, y0 + share * dy
        if x * x + y * y < best_square:
            best, best_square = (x, y), x * x + y * y
    if len(corners) > 2 and not {1.0, -1.0} <= turns and turns != {0.0}:
        return 0.0, 0.0
    return best
