"""Furniture as solid blocks, and its places in a floor plan.

A piece is made in its own frame, m: x along the wall behind it, y away from that wall, its back at
y = 0, its middle at x = 0, the floor at z = 0.
"""

from __future__ import annotations

import colorsys
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from astra_ros.rotations import turned
from astra_ros.simulation.explore.floorplan import ExploreSceneSettings, FloorPlan, Room
from astra_ros.simulation.explore.geometry import Block

# Between a wall and the back of a piece (m): surfaces that coincide flicker.
BACK_GAP_M = 0.02
TRIES = 12


@dataclass(frozen=True)
class FurniturePiece:
    """Blocks in the piece's frame, with the width and depth (m) of the floor that they need."""

    width: float
    depth: float
    blocks: tuple[Block, ...]


def furnish(plan: FloorPlan, settings: ExploreSceneSettings, rng: np.random.Generator) -> tuple[Block, ...]:
    """Blocks of random furniture in every room, with gaps that robots can pass."""
    blocks: list[Block] = []
    for index, room in enumerate(plan.rooms):
        low, high = room.floor(settings.wall_m)
        taken = _doorways(plan, index, settings)
        known = CORRIDOR if room.is_corridor else tuple(PIECES)
        order = rng.permutation(max(1, int(np.prod(high - low) / settings.furniture_m2)))
        names = [known[i] for i in rng.permutation(len(known))]
        for i in order:
            name = names[i % len(names)]
            make, stands = PIECES[name]
            piece = make(rng, settings.height_m)
            at_wall = stands == "wall" or (stands == "any" and rng.random() < 0.5)
            at_wall = at_wall or room.is_corridor
            placed = _placed(piece, room, taken, at_wall, settings, rng)
            blocks += [replace(block, kind=name) for block in placed]
    return tuple(blocks)


def _doorways(plan: FloorPlan, index: int, settings: ExploreSceneSettings) -> list[np.ndarray]:
    """Floor [2, 2] (low and high corner) before each of a room's doors, which must stay free."""
    areas = []
    for door in plan.doors:
        if index in door.rooms:
            along = np.eye(2)[1 - door.axis] * (door.end - door.start) / 2.0
            reach = door.across * (settings.wall_m + 0.3)
            areas.append(np.stack([door.middle - along - reach, door.middle + along + reach]))
    return areas


def _placed(piece: FurniturePiece, room: Room, taken: list, at_wall: bool, settings, rng) -> list[Block]:
    """The piece's blocks at a free place of the room, which is added to ``taken``; none where it does not fit."""
    low, high = room.floor(settings.wall_m)
    for _ in range(TRIES):
        if at_wall:
            side = int(rng.integers(4))
            if room.is_corridor:  # along its long walls
                side = 2 * (side // 2) + int(np.argmin(high - low))
            spot = _at_wall(piece, side, low, high, settings, rng)
        else:
            spot = _in_the_open(piece, low, high, settings, rng)
        if spot is None:
            continue
        origin, yaw = spot
        box = _outline(piece, origin, yaw)
        gaps = [np.maximum(box[0] - t[1], t[0] - box[1]).max() for t in taken]
        if min(gaps, default=np.inf) < settings.gap_m:
            continue
        taken.append(box)
        return [_moved(block, origin, yaw) for block in piece.blocks]
    return []


def _at_wall(piece: FurniturePiece, side: int, low, high, settings, rng):
    """Origin and yaw with its back to a wall (0 low x, 1 low y, 2 high x, 3 high y), or None."""
    axis, along = side % 2, 1 - side % 2
    room_left = high[axis] - low[axis] - piece.depth - BACK_GAP_M
    slack = high[along] - low[along] - piece.width - 2.0 * BACK_GAP_M
    if room_left < settings.gap_m + 0.2 or slack < 0.0:
        return None
    origin = np.empty(2)
    origin[axis] = low[axis] + BACK_GAP_M if side < 2 else high[axis] - BACK_GAP_M
    origin[along] = low[along] + BACK_GAP_M + piece.width / 2.0 + rng.uniform(0.0, slack)
    # The piece's y axis points into the room.
    return origin, (-np.pi / 2.0, 0.0, np.pi / 2.0, np.pi)[side]


def _in_the_open(piece: FurniturePiece, low, high, settings, rng):
    """Origin and yaw with room on all sides, or None."""
    yaw = rng.uniform(-np.pi, np.pi) if rng.random() < 0.5 else rng.integers(4) * np.pi / 2.0
    reach = np.abs(np.diff(_outline(piece, np.zeros(2), yaw), axis=0)[0]) / 2.0
    low, high = low + settings.gap_m + reach, high - settings.gap_m - reach
    if (low > high).any():
        return None
    middle = rng.uniform(low, high)
    return middle - turned(np.array([0.0, piece.depth / 2.0]), yaw), float(yaw)


def _outline(piece: FurniturePiece, origin: np.ndarray, yaw: float) -> np.ndarray:
    """[2, 2] low and high corner of its floor, along the world's axes."""
    w, d = piece.width / 2.0, piece.depth
    corners = np.array([turned(np.array(c), yaw) for c in ((-w, 0), (w, 0), (w, d), (-w, d))])
    return np.stack([corners.min(axis=0), corners.max(axis=0)]) + origin


def _moved(block: Block, origin: np.ndarray, yaw: float) -> Block:
    x, y = origin + turned(np.array(block.centre[:2]), yaw)
    return replace(block, centre=(float(x), float(y), block.centre[2]), yaw=block.yaw + yaw)


# -- the pieces ----------------------------------------------------------------------------------


def _box(size, at, rgb, pattern="plain") -> Block:
    """A box of a size [3] whose bottom's middle is at a place [3]."""
    half = tuple(v / 2.0 for v in size)
    return Block("", (at[0], at[1], at[2] + half[2]), half, rgb=rgb, pattern=pattern)


def _drum(radius, height, at, rgb, pattern="plain") -> Block:
    """An upright cylinder whose bottom's middle is at a place [3]."""
    half = (radius, radius, height / 2.0)
    return Block("", (at[0], at[1], at[2] + half[2]), half, round=True, rgb=rgb, pattern=pattern)


def _vivid(rng) -> tuple[float, float, float]:
    return colorsys.hsv_to_rgb(rng.random(), rng.uniform(0.55, 0.9), rng.uniform(0.6, 0.95))


def _wooden(rng) -> tuple[float, float, float]:
    return colorsys.hsv_to_rgb(rng.uniform(0.05, 0.1), rng.uniform(0.4, 0.7), rng.uniform(0.4, 0.8))


def _cabinet(rng, _) -> FurniturePiece:
    w, d, h = rng.uniform(0.8, 1.3), rng.uniform(0.38, 0.48), rng.uniform(0.65, 0.95)
    rgb = _vivid(rng) if rng.random() < 0.5 else _wooden(rng)
    return FurniturePiece(w, d, (_box((w, d, h), (0, d / 2, 0), rgb, "doors"),))


def _shelf(rng, _) -> FurniturePiece:
    w, d, h = rng.uniform(0.8, 1.3), rng.uniform(0.28, 0.36), rng.uniform(1.5, 2.0)
    return FurniturePiece(w, d, (_box((w, d, h), (0, d / 2, 0), _wooden(rng), "books"),))


def _sofa(rng, _) -> FurniturePiece:
    w, d, rgb = rng.uniform(1.4, 1.9), 0.8, _vivid(rng)
    dark = tuple(0.8 * c for c in rgb)
    arm = (0.18, d, 0.58)
    return FurniturePiece(
        w,
        d,
        (
            _box((w - 0.36, d - 0.2, 0.42), (0, 0.2 + (d - 0.2) / 2, 0), rgb, "cushions"),
            _box((w - 0.36, 0.2, 0.82), (0, 0.1, 0), dark, "cushions"),
            _box(arm, (-w / 2 + 0.09, d / 2, 0), dark),
            _box(arm, (w / 2 - 0.09, d / 2, 0), dark),
        ),
    )


def _bed(rng, _) -> FurniturePiece:
    w, d, rgb = rng.uniform(1.1, 1.5), 1.95, _vivid(rng)
    return FurniturePiece(
        w,
        d,
        (
            _box((w, 0.08, 0.9), (0, 0.04, 0), _wooden(rng), "doors"),
            _box((w, d - 0.08, 0.45), (0, 0.08 + (d - 0.08) / 2, 0), rgb, "bands"),
            _box((0.7 * w, 0.35, 0.1), (0, 0.32, 0.45), (0.95, 0.95, 0.92)),
        ),
    )


def _table(rng, _) -> FurniturePiece:
    w, d, h, rgb = rng.uniform(1.0, 1.4), rng.uniform(0.7, 0.8), 0.74, _wooden(rng)
    leg, top = 0.07, 0.06
    legs = tuple(
        _box((leg, leg, h - top), (x * (w - leg) / 2, d / 2 + y * (d - leg) / 2, 0), rgb)
        for x in (-1, 1)
        for y in (-1, 1)
    )
    return FurniturePiece(w, d, (*legs, _box((w, d, top), (0, d / 2, h - top), rgb)))


def _crate(rng, _) -> FurniturePiece:
    side = rng.uniform(0.35, 0.6)
    rgb = _wooden(rng) if rng.random() < 0.4 else _vivid(rng)
    blocks = [_box((side, side, side), (0, side / 2, 0), rgb, "crate")]
    if rng.random() < 0.35:  # a smaller one on top
        small = 0.6 * side
        blocks.append(_box((small, small, small), (0, side / 2, side), _vivid(rng), "crate"))
    return FurniturePiece(side, side, tuple(blocks))


def _bin(rng, _) -> FurniturePiece:
    r, h = rng.uniform(0.15, 0.23), rng.uniform(0.45, 0.75)
    return FurniturePiece(2 * r, 2 * r, (_drum(r, h, (0, r, 0), _vivid(rng), "bands"),))


def _pillar(rng, height) -> FurniturePiece:
    r = rng.uniform(0.13, 0.2)
    return FurniturePiece(2 * r, 2 * r, (_drum(r, height, (0, r, 0), _vivid(rng), "bands"),))


def _plant(rng, _) -> FurniturePiece:
    r, h = rng.uniform(0.16, 0.22), rng.uniform(0.3, 0.4)
    leaves = colorsys.hsv_to_rgb(rng.uniform(0.25, 0.4), rng.uniform(0.5, 0.8), 0.6)
    wide = r + rng.uniform(0.08, 0.14)
    return FurniturePiece(
        2 * wide,
        2 * wide,
        (_drum(r, h, (0, wide, 0), _vivid(rng)), _drum(wide, rng.uniform(0.5, 0.9), (0, wide, h), leaves, "leaves")),
    )


def _lamp(rng, _) -> FurniturePiece:
    r, h = 0.2, rng.uniform(1.2, 1.5)
    shade = colorsys.hsv_to_rgb(rng.uniform(0.0, 0.17), rng.uniform(0.1, 0.5), 1.0)
    return FurniturePiece(
        2 * r,
        2 * r,
        (
            _drum(0.16, 0.05, (0, r, 0), (0.25, 0.25, 0.27)),
            _drum(0.035, h - 0.05, (0, r, 0.05), (0.25, 0.25, 0.27)),
            _drum(r, 0.32, (0, r, h), shade),
        ),
    )


def _stool(rng, _) -> FurniturePiece:
    r = rng.uniform(0.2, 0.28)
    return FurniturePiece(2 * r, 2 * r, (_drum(r, rng.uniform(0.38, 0.48), (0, r, 0), _vivid(rng)),))


# name -> its maker (random numbers, height of the room in m), and where it may stand
PIECES: dict[str, tuple[Callable[..., FurniturePiece], str]] = {
    "cabinet": (_cabinet, "wall"),
    "shelf": (_shelf, "wall"),
    "sofa": (_sofa, "wall"),
    "bed": (_bed, "wall"),
    "table": (_table, "any"),
    "crate": (_crate, "any"),
    "bin": (_bin, "any"),
    "pillar": (_pillar, "open"),
    "plant": (_plant, "any"),
    "lamp": (_lamp, "any"),
    "stool": (_stool, "open"),
}
# Pieces shallow enough for a corridor.
CORRIDOR = ("cabinet", "shelf", "plant", "bin", "crate")
