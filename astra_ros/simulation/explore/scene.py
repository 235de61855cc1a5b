"""What a seed decides: a house with its colours, furniture and light, and the robot's start."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from astra_ros.settings import SettingError
from astra_ros.simulation.explore.floorplan import ExploreSceneSettings, FloorPlan, sample_floor_plan
from astra_ros.simulation.explore.furniture import furnish
from astra_ros.simulation.explore.geometry import Block, Solids
from astra_ros.simulation.explore.robots import MobileSpec, Pose
from astra_ros.simulation.worlds import SceneError

WALL_PATTERNS = ("plain", "wainscot", "stripes", "band", "bricks", "panels")
FLOOR_PATTERNS = ("checker", "planks", "tiles", "carpet", "parquet")
WOODEN_FLOORS = ("planks", "parquet")

RGB = tuple[float, float, float]


@dataclass(frozen=True)
class RoomLook:
    """A room's colours, RGB 0..1, and what is painted on its walls and floor."""

    wall_rgb: RGB
    trim_rgb: RGB
    floor_rgb: RGB
    floor_rgb_2: RGB
    wall_pattern: str
    floor_pattern: str


@dataclass(frozen=True, eq=False)
class House:
    """Everything that a seed decides.

    Attributes:
        seed: which one.
        style_seed: which colours, papers and light; the seed's own as a rule.
        settings: how houses vary.
        plan: rooms, doors and walls.
        looks: of each room.
        furniture: pieces as solid blocks.
        light: [3] points to the lamp, unit length.
        start: the robot's pose.
    """

    seed: int
    style_seed: int
    settings: ExploreSceneSettings
    plan: FloorPlan
    looks: tuple[RoomLook, ...]
    furniture: tuple[Block, ...]
    light: np.ndarray
    start: Pose

    @property
    def blocks(self) -> tuple[Block, ...]:
        return self.plan.walls + self.furniture

    @cached_property
    def solids(self) -> Solids:
        """All blocks, walls first, for distances and rays."""
        return Solids(self.blocks)

    @cached_property
    def wall_solids(self) -> Solids:
        """The walls that hide what is behind them: all but the pieces over doors."""
        return Solids([wall for wall in self.plan.walls if wall.low == 0.0])


def sample_house(
    spec: MobileSpec, seed: int, settings: ExploreSceneSettings | None = None, style_seed: int | None = None
) -> House:
    """The house that belongs to a seed: the same for every robot, but for where it starts.

    Raises:
        SettingError: a negative seed.
        SceneError: the settings leave no free place to start from.
    """
    if seed < 0:
        raise SettingError("seed", seed, "give an integer >= 0")
    settings = settings or ExploreSceneSettings()
    plan = sample_floor_plan(settings, np.random.default_rng([seed, 11]))
    furniture = furnish(plan, settings, np.random.default_rng([seed, 12]))
    style_seed = seed if style_seed is None else style_seed
    rng = np.random.default_rng([style_seed, 13])
    looks = _looks(len(plan.rooms), rng)
    azimuth, height = rng.uniform(-np.pi, np.pi), rng.uniform(0.5, 0.9)
    light = np.array([np.cos(azimuth), np.sin(azimuth), height])
    start = _start(spec, seed, plan, Solids(plan.walls + furniture), settings)
    return House(seed, style_seed, settings, plan, looks, furniture, light / np.linalg.norm(light), start)


def _looks(count: int, rng) -> tuple[RoomLook, ...]:
    """Each room its own colours: one room's hue is a golden section away from the one before."""
    walls = _dealt(WALL_PATTERNS, count, rng)
    floors = _dealt(FLOOR_PATTERNS, count, rng)
    hue = rng.random()
    looks = []
    for wall, floor in zip(walls, floors):
        hue = (hue + 0.618) % 1.0
        paint = colorsys.hsv_to_rgb(hue, rng.uniform(0.25, 0.65), rng.uniform(0.8, 0.98))
        trim_hue = (hue + rng.uniform(-0.06, 0.06)) % 1.0
        trim = colorsys.hsv_to_rgb(trim_hue, rng.uniform(0.4, 0.75), rng.uniform(0.45, 0.8))
        if floor in WOODEN_FLOORS:
            wood = rng.uniform(0.05, 0.11), rng.uniform(0.35, 0.65)
            value = rng.uniform(0.5, 0.8)
            one, other = (colorsys.hsv_to_rgb(*wood, v) for v in (value, 0.75 * value))
        else:
            tone = (hue + rng.uniform(0.25, 0.75)) % 1.0
            one = colorsys.hsv_to_rgb(tone, rng.uniform(0.08, 0.4), rng.uniform(0.65, 0.92))
            other = colorsys.hsv_to_rgb(tone, rng.uniform(0.25, 0.6), rng.uniform(0.3, 0.55))
        looks.append(RoomLook(paint, trim, one, other, wall, floor))
    return tuple(looks)


def _dealt(names: tuple[str, ...], count: int, rng) -> list[str]:
    """``count`` names, none again before all were used."""
    packs = [rng.permutation(len(names)) for _ in range(-(-count // len(names)))]
    return [names[i] for pack in packs for i in pack][:count]


def _start(spec: MobileSpec, seed: int, plan: FloorPlan, solids: Solids, settings) -> Pose:
    """A free place in some room, with something to see ahead."""
    rng = np.random.default_rng([seed, 14])
    for _ in range(1000):
        room = plan.rooms[rng.integers(len(plan.rooms))]
        place = rng.uniform(*room.floor(settings.wall_m))
        altitude = rng.uniform(0.7, 1.5) if spec.flies else 0.0
        yaw = rng.uniform(-np.pi, np.pi)
        near = solids.between(*spec.band(altitude))
        if near.clearance(place[None])[0] < spec.radius_m + 0.2:
            continue
        if near.cast(place, [yaw])[0] < 1.2:
            continue
        return spec.pose(place, altitude, yaw)
    raise SceneError(
        f"no free start for robot '{spec.name}' and seed {seed} fits it", thing=settings, cure="raise furniture_m2"
    )
