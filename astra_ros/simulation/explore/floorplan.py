"""A house's floor plan: a square split into rooms, often with a corridor across, joined by doors.

World frame, m: the house fills 0..size along x and y, the floor is z = 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from astra_ros.settings import SettingError
from astra_ros.simulation.explore.geometry import Block

# A door keeps this far from the ends of the wall that its two rooms share (m).
DOOR_MARGIN_M = 0.3


@dataclass(frozen=True)
class ExploreSceneSettings:
    """How houses vary. All in m.

    Attributes:
        size_m: side of the square house.
        height_m: of the rooms.
        wall_m: thickness of walls.
        room_m: shortest side of a room that a split may make, and longest that is left unsplit.
        door_m: narrowest and widest door; archways are wider.
        door_height_m: of doors and archways.
        corridor_share: share of houses with a corridor across.
        loop_share: share of the neighbouring rooms that get a door beyond those that connect the house.
        furniture_m2: floor area (m^2) for each piece of furniture.
        gap_m: between pieces, doors and walls, so that robots can pass.

    Raises:
        SettingError: on creation, for a house that cannot be built.
    """

    size_m: float = 12.0
    height_m: float = 2.5
    wall_m: float = 0.12
    room_m: tuple[float, float] = (3.1, 6.2)
    door_m: tuple[float, float] = (0.95, 1.25)
    door_height_m: float = 2.1
    corridor_share: float = 0.7
    loop_share: float = 0.35
    furniture_m2: float = 3.2
    gap_m: float = 0.65

    def __post_init__(self) -> None:
        smallest, largest = self.room_m
        low, high = self.door_m
        if not (2.0 <= smallest and 2.0 * smallest <= largest):
            raise SettingError(
                "room_m", self.room_m, "give (shortest >= 2, longest >= 2 * shortest), so that long rooms can be split"
            )
        if not (np.isfinite(self.size_m) and self.size_m >= 2.0 * smallest + 2.0):
            least = f"{2.0 * smallest + 2.0:.1f}"
            raise SettingError("size_m", self.size_m, f"give at least {least} with room_m {self.room_m}")
        if not 0.7 <= low <= high <= smallest - 4.0 * DOOR_MARGIN_M:
            most = f"{smallest - 4.0 * DOOR_MARGIN_M:.1f}"
            raise SettingError("door_m", self.door_m, f"give 0.7 <= narrowest <= widest <= {most}, the shortest wall")
        if not 1.0 <= self.door_height_m < self.height_m:
            raise SettingError(
                "door_height_m",
                f"{self.door_height_m} and height_m is {self.height_m}",
                "give 1 <= door_height_m < height_m",
            )
        if not 0.02 <= self.wall_m <= 0.4:
            raise SettingError("wall_m", self.wall_m, "give 0.02 to 0.4")
        if not (self.furniture_m2 > 0.0 and self.gap_m >= 0.5):
            raise SettingError(
                "gap_m",
                f"{self.gap_m} and furniture_m2 is {self.furniture_m2}",
                "give furniture_m2 > 0 and gap_m >= 0.5, or furniture walls the robot in",
            )


@dataclass(frozen=True)
class Room:
    """A rectangle between the middles of its walls: opposite corners [2], m."""

    low: tuple[float, float]
    high: tuple[float, float]
    is_corridor: bool

    def floor(self, wall_m: float) -> tuple[np.ndarray, np.ndarray]:
        """Opposite corners of the floor between its walls."""
        return np.array(self.low) + wall_m / 2.0, np.array(self.high) - wall_m / 2.0


@dataclass(frozen=True)
class Door:
    """An opening in the wall between two rooms.

    Attributes:
        rooms: their numbers, the one with the lower coordinates first.
        axis: 0 for a wall at a fixed x, 1 for one at a fixed y.
        at: that x or y, m.
        start, end: the opening along the other axis, m.
    """

    rooms: tuple[int, int]
    axis: int
    at: float
    start: float
    end: float

    @property
    def middle(self) -> np.ndarray:
        return np.array(_with(((self.start + self.end) / 2.0,) * 2, self.axis, self.at))

    @property
    def across(self) -> np.ndarray:
        """[2] the unit vector through it, towards larger coordinates."""
        return np.eye(2)[self.axis]


@dataclass(frozen=True)
class FloorPlan:
    """Rooms, the doors between them, and the walls as solid blocks."""

    rooms: tuple[Room, ...]
    doors: tuple[Door, ...]
    walls: tuple[Block, ...]


def sample_floor_plan(settings: ExploreSceneSettings, rng: np.random.Generator) -> FloorPlan:
    """A random floor plan whose doors connect all rooms."""
    rooms, lines = _split(settings, rng)
    doors = _doors(rooms, settings, rng)
    return FloorPlan(tuple(rooms), doors, _walls(lines, doors, settings))


def _split(settings: ExploreSceneSettings, rng) -> tuple[list[Room], list[tuple]]:
    """Rooms, and wall lines (axis, at, start, end) between and around them."""
    size = settings.size_m
    smallest, largest = settings.room_m
    lines = [(axis, at, 0.0, size) for axis in (0, 1) for at in (0.0, size)]
    rooms, todo = [], [((0.0, 0.0), (size, size))]
    if rng.random() < settings.corridor_share:
        axis, width = int(rng.integers(2)), rng.uniform(1.6, 2.0)
        begin = round(float(rng.uniform(smallest, size - smallest - width)), 1)
        end = round(begin + float(width), 1)
        low, high = todo.pop()
        todo = [(low, _with(high, axis, begin)), (_with(low, axis, end), high)]
        rooms.append(Room(_with(low, axis, begin), _with(high, axis, end), True))
        lines += [(axis, begin, 0.0, size), (axis, end, 0.0, size)]
    while todo:
        low, high = todo.pop()
        sides = np.subtract(high, low)
        axis = int(np.argmax(sides))
        length = float(sides[axis])
        large = length > largest or float(sides.prod()) > 0.8 * largest**2
        if not large or length < 2.0 * smallest:
            rooms.append(Room(low, high, False))
            continue
        cut = np.clip(length * rng.uniform(0.38, 0.62), smallest, length - smallest)
        at = round(float(low[axis] + cut), 1)
        lines.append((axis, at, low[1 - axis], high[1 - axis]))
        todo += [(low, _with(high, axis, at)), (_with(low, axis, at), high)]
    return rooms, lines


def _doors(rooms: list[Room], settings: ExploreSceneSettings, rng) -> tuple[Door, ...]:
    """Doors that connect all rooms, corridors first, and a few more that close loops."""
    least = settings.door_m[0] + 2.0 * DOOR_MARGIN_M
    shared = []
    for i, one in enumerate(rooms):
        for j, other in enumerate(rooms):
            for axis in (0, 1):
                start = max(one.low[1 - axis], other.low[1 - axis])
                end = min(one.high[1 - axis], other.high[1 - axis])
                if one.high[axis] == other.low[axis] and end - start >= least:
                    shared.append((i, j, axis, one.high[axis], start, end))
    order = [shared[k] for k in rng.permutation(len(shared))]
    order.sort(key=lambda s: not (rooms[s[0]].is_corridor or rooms[s[1]].is_corridor))
    group = list(range(len(rooms)))
    doors = []
    for i, j, axis, at, start, end in order:
        if group[i] == group[j] and rng.random() >= settings.loop_share:
            continue
        group = [group[i] if g == group[j] else g for g in group]
        space = end - start - 2.0 * DOOR_MARGIN_M
        archway = rng.random() < 0.25
        width = rng.uniform(1.5, 2.2) if archway else rng.uniform(*settings.door_m)
        width = min(width, space)
        begin = start + DOOR_MARGIN_M + rng.uniform(0.0, space - width)
        doors.append(Door((i, j), axis, at, float(begin), float(begin + width)))
    return tuple(doors)


def _walls(lines, doors: tuple[Door, ...], settings: ExploreSceneSettings) -> tuple[Block, ...]:
    """Boxes along the wall lines, with a lintel over each opening."""
    top, door_top = settings.height_m, settings.door_height_m
    walls = []

    def wall(axis, at, start, end, low, high):
        middle = _with(((start + end) / 2.0,) * 2, axis, at)
        half = _with(((end - start) / 2.0,) * 2, axis, settings.wall_m / 2.0)
        walls.append(Block("wall", (*middle, (low + high) / 2.0), (*half, (high - low) / 2.0)))

    for axis, at, start, end in lines:
        here = [d for d in doors if d.axis == axis and d.at == at and start <= d.start < end]
        for door in sorted(here, key=lambda d: d.start):
            wall(axis, at, start, door.start, 0.0, top)
            wall(axis, at, door.start, door.end, door_top, top)
            start = door.end
        wall(axis, at, start, end, 0.0, top)
    return tuple(walls)


def _with(point, axis: int, value: float) -> tuple[float, float]:
    """The point with one of its two coordinates replaced."""
    return (value, point[1]) if axis == 0 else (point[0], value)
