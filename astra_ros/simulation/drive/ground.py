"""Colours of the ground of a drive scene: land, sidewalk, asphalt and sharp markings.

Every marking is drawn from its true shape. A pixel gets the share of its patch of ground that the marking covers, so
lines are smooth at any distance and do not flicker.
"""

from __future__ import annotations

import numpy as np

from astra_ros.simulation.drive.road import Road
from astra_ros.simulation.drive.scene import DriveLayout
from astra_ros.simulation.drive.style import DriveStyle

NOISE = 256  # cells of a noise tile's side
CROSSING_M = 3.0  # along the road
STRIPE_M = 0.5  # of a zebra crossing, and as much between two


class Ground:
    def __init__(self, layout: DriveLayout, style: DriveStyle) -> None:
        self._layout, self._style = layout, style
        rng = np.random.default_rng([style.pattern, 1])
        self._noise = [_smooth_noise(rng, cells) for cells in (NOISE, NOISE // 4)]
        self._colours = {
            name: np.array(getattr(style, name), dtype=np.float32)
            for name in ("land", "paving", "asphalt", "line", "centre_line")
        }
        # A whole number of dashes fits round the road.
        mark, period = style.dash
        count = max(1, round(layout.road.length / period))
        self._dash = (mark, layout.road.length / count)
        self._boxes = [
            np.concatenate([r.centre_line.min(axis=0) - 12.0, r.centre_line.max(axis=0) + 12.0])
            for r in layout.side_roads
        ]

    def colour(self, x, y, yaw: float, right, down) -> np.ndarray:
        """RGB of patches of ground.

        Args:
            x, y: [h, w] m, world frame, of the patches' middles.
            yaw: rad, of the robot's frame in the world's.
            right, down: [2, h, w] m, robot's frame: a pixel's step to the right and down.

        Returns:
            float32 [h, w, 3], 0..1.
        """
        size = np.abs(right).max(axis=0) + np.abs(down).max(axis=0)
        broad, fine = self._texture(x, y, size)
        rgb = self._colours["land"] * (1.0 + 0.5 * broad + 0.45 * fine)[..., None]
        road = self._layout.road
        view = _View(road, x, y, yaw, right, down)
        shoulder = self._layout.shoulder
        pavement = view.across(road.right_edge - shoulder, road.left_edge + shoulder)
        walk = shoulder + self._layout.sidewalk
        tar = self._colours["asphalt"] * (1.0 + 0.35 * broad + 0.4 * fine)[..., None]
        if self._layout.sidewalk:
            stone = self._colours["paving"] * (1.0 + 0.25 * fine)[..., None]
            _mix(rgb, stone, view.across(road.right_edge - walk, road.left_edge + walk))
        mouth = np.zeros_like(pavement)
        for branch, box in zip(self._layout.side_roads, self._boxes):
            inside = (x > box[0]) & (y > box[1]) & (x < box[2]) & (y < box[3])
            if inside.any():
                part = _View(branch, x[inside], y[inside], yaw, right[:, inside], down[:, inside])
                self._side_road(part, inside, rgb, tar, pavement, mouth)
        _mix(rgb, tar, pavement)
        self._markings(view, rgb, mouth)
        return rgb

    def _side_road(self, view: _View, inside, rgb, tar, pavement, mouth) -> None:
        """Asphalt and markings of a side road, on the pixels ``inside`` its box."""
        road, shoulder = view.road, self._layout.shoulder
        body = view.along(0.0, road.length)
        on = view.across(road.right_edge - shoulder, road.left_edge + shoulder) * body
        part = rgb[inside]
        _mix(part, tar[inside], on)
        free = 1.0 - pavement[inside]
        line, width = self._colours["line"], self._style.line_width
        body *= free
        if self._style.edge:
            for d in (road.right_edge, road.left_edge):
                _mix(part, line, view.across(d - width / 2, d + width / 2) * body)
        dashes = _periodic(view.s, view.s_width, *self._style.dash)
        _mix(part, self._colours["centre_line"], view.across(-width / 2, width / 2) * body * dashes)
        # The stop line, on the lane of the traffic that leaves: s grows away from the junction, so it is the left lane.
        stop = self._layout.road.left_edge + shoulder + 0.6
        bar = view.across(0.2, road.left_edge - 0.2) * view.along(stop, stop + 0.4)
        _mix(part, line, bar * free)
        rgb[inside] = part
        mouth[inside] = np.maximum(mouth[inside], on)

    def _markings(self, view: _View, rgb, mouth) -> None:
        road, style, width = self._layout.road, self._style, self._style.line_width
        line = self._colours["line"]
        dashes = _periodic(view.s, view.s_width, *self._dash)
        zebra = np.zeros_like(mouth)
        for s in self._layout.crossings:
            near = road.ahead(s, view.s)
            share = _cover(near, view.s_width, -CROSSING_M / 2, CROSSING_M / 2)
            zebra = np.maximum(zebra, share)
        lanes = road.lanes
        for right_lane, left_lane in zip(lanes, lanes[1:]):
            d = (right_lane.offset + left_lane.offset) / 2
            if right_lane.direction == left_lane.direction:
                _mix(rgb, line, view.across(d - width / 2, d + width / 2) * dashes * (1.0 - zebra))
                continue
            colour = self._colours["centre_line"]
            if style.centre == "double":
                for middle in (d - width, d + width):
                    strip = view.across(middle - width / 2, middle + width / 2)
                    _mix(rgb, colour, strip * (1.0 - zebra) * (1.0 - mouth))
            else:
                strip = view.across(d - width / 2, d + width / 2) * (1.0 - zebra)
                _mix(rgb, colour, strip * (dashes if style.centre == "dashed" else 1.0 - mouth))
        if style.edge:
            for d in (road.right_edge + width / 2, road.left_edge - width / 2):
                _mix(rgb, line, view.across(d - width / 2, d + width / 2) * (1.0 - mouth))
        if zebra.any():
            first = road.right_edge + 0.3
            stripes = _periodic(view.d - first, view.d_width, STRIPE_M, 2 * STRIPE_M)
            road_only = view.across(road.right_edge + 0.25, road.left_edge - 0.25)
            _mix(rgb, line, zebra * stripes * road_only)

    def _texture(self, x, y, size) -> tuple[np.ndarray, np.ndarray]:
        """Broad and fine noise, within about -0.5..0.5; it fades where pixels are too coarse for it."""
        out = []
        for tile, cell in zip(self._noise, (1.3, 0.16)):
            u, v = x / cell, y / cell
            column, row = np.floor(u), np.floor(v)
            du, dv = (u - column).astype(np.float32), (v - row).astype(np.float32)
            c0, r0 = column.astype(np.int64) % len(tile), row.astype(np.int64) % len(tile)
            c1, r1 = (c0 + 1) % len(tile), (r0 + 1) % len(tile)
            low = tile[r0, c0] * (1.0 - du) + tile[r0, c1] * du
            high = tile[r1, c0] * (1.0 - du) + tile[r1, c1] * du
            keep = np.clip(1.6 - size / (2.0 * cell), 0.0, 1.0).astype(np.float32)
            out.append((low * (1.0 - dv) + high * dv) * keep)
        return out[0], out[1]


class _View:
    """Pixels' patches of ground in road coordinates: s and d, and the width of a patch in each."""

    def __init__(self, road: Road, x, y, yaw: float, right, down) -> None:
        self.road = road
        s, d, heading = road.locate(x, y)
        turn = (heading - yaw).astype(np.float32)
        c, sine = np.cos(turn), np.sin(turn)
        self.s, self.d = s.astype(np.float32), d.astype(np.float32)
        along = np.abs(right[0] * c + right[1] * sine) + np.abs(down[0] * c + down[1] * sine)
        across = np.abs(right[1] * c - right[0] * sine) + np.abs(down[1] * c - down[0] * sine)
        self.s_width = np.maximum(along, 0.02).astype(np.float32)
        self.d_width = np.maximum(across, 0.02).astype(np.float32)

    def across(self, low: float, high: float) -> np.ndarray:
        """Share of each patch with d between the two."""
        return _cover(self.d, self.d_width, low, high)

    def along(self, low: float, high: float) -> np.ndarray:
        """Share of each patch with s between the two."""
        return _cover(self.s, self.s_width, low, high)


def _cover(value, width, low: float, high: float) -> np.ndarray:
    """Share of the intervals of ``width`` around ``value`` that lies between low and high."""
    half = 0.5 * width
    inside = np.minimum(value + half, high) - np.maximum(value - half, low)
    return np.clip(inside / width, 0.0, 1.0)


def _periodic(value, width, mark: float, period: float) -> np.ndarray:
    """Share of the intervals that is marked, if each period begins with a mark."""

    def marked_until(v):
        turns = np.floor(v / period)
        return turns * mark + np.minimum(v - turns * period, mark)

    half = 0.5 * width
    return (marked_until(value + half) - marked_until(value - half)) / width


def _mix(rgb, colour, share) -> None:
    """Lay a colour over ``rgb``, in place."""
    rgb += (colour - rgb) * share[..., None]


def _smooth_noise(rng: np.random.Generator, cells: int) -> np.ndarray:
    """A tile [cells, cells] that repeats without a seam, mean 0, most of it within -0.5..0.5."""
    noise = rng.normal(0.0, 0.28, (cells, cells))
    for axis in (0, 1):
        noise = noise + np.roll(noise, 1, axis)
    return (0.2 * noise).astype(np.float32)
