"""Roads, obstacles, traffic and the car's start in the drive world, chosen by a seed.

All lengths in m, world frame. ``style`` chooses the look.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from astra_ros.control.vehicle import VehicleState
from astra_ros.settings import SettingError
from astra_ros.simulation.drive.obstacles import Obstacle, Vehicle
from astra_ros.simulation.drive.placement import Placement
from astra_ros.simulation.drive.road import Lane, Road, rounded_polygon
from astra_ros.simulation.worlds import SceneError


@dataclass(frozen=True)
class DriveSceneSettings:
    """How scenes vary.

    Attributes:
        corner_distance: m, of the road's corners from the middle of its loop.
        corner_radius: m, of the bends at the centre line.
        lane_width: m.
        junction_share: share of scenes with a side road.
        traffic_share: share of lanes with moving vehicles; obstacles stand in the others only.
        max_vehicles: moving ones.
        traffic_speed: m/s, of a vehicle on a free lane.
        polite_share: share of vehicles that brake for an oncoming robot's car.
        obstacle_gap: m, along a lane from one group of obstacles to the next.

    Raises:
        SettingError: on creation, for an empty range or a value that is not a share.
    """

    corner_distance: tuple[float, float] = (45.0, 82.0)
    corner_radius: tuple[float, float] = (18.0, 45.0)
    lane_width: tuple[float, float] = (3.2, 3.9)
    junction_share: float = 0.55
    traffic_share: float = 0.5
    max_vehicles: int = 9
    traffic_speed: tuple[float, float] = (2.5, 6.5)
    polite_share: float = 0.75
    obstacle_gap: tuple[float, float] = (30.0, 70.0)

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if isinstance(value, tuple) and not 0.0 < value[0] <= value[1]:
                raise SettingError(name, value, "give 0 < lowest <= highest")
            if name.endswith("_share") and not 0.0 <= value <= 1.0:
                raise SettingError(name, value, "give a share between 0 and 1")
        if self.max_vehicles < 0:
            raise SettingError("max_vehicles", self.max_vehicles, "give 0 or more")
        if self.lane_width[0] < 2.6:
            raise SettingError("lane_width", self.lane_width, "give at least 2.6 m, which a truck needs")


@dataclass(frozen=True)
class DriveLayout:
    """Start of an episode.

    Attributes:
        road: the closed main road, whose lanes count as lanes.
        side_roads: dead ends that leave it, two lanes each.
        shoulder: m of pavement beyond the lanes, sidewalk excluded.
        sidewalk: m, 0 for none.
        crossings: s of zebra crossings.
        obstacles, vehicles: on and beside the roads.
        start: of the robot's car, at rest.
        start_lane: index of its lane.
    """

    road: Road
    side_roads: tuple[Road, ...]
    shoulder: float
    sidewalk: float
    crossings: tuple[float, ...]
    obstacles: tuple[Obstacle, ...]
    vehicles: tuple[Vehicle, ...]
    start: VehicleState
    start_lane: int

    def covers(self, x, y) -> np.ndarray:
        """Whether points (m, world frame) lie on the lanes of any road."""
        on = self.road.covers(x, y)
        for road in self.side_roads:
            on = on | road.covers(x, y)
        return on


def sample_layout(seed: int, settings: DriveSceneSettings, rear_to_middle: float = 1.3) -> DriveLayout:
    """The layout that belongs to a seed.

    ``rear_to_middle`` (m) is the distance from the car's rear axle to its middle.

    Raises:
        SceneError: no road fits the settings.
    """
    rng = np.random.default_rng([seed, 11])
    road = _main_road(rng, settings)
    sides = _side_roads(rng, road) if rng.random() < settings.junction_share else ()
    shoulder = rng.uniform(0.2, 0.7)
    sidewalk = rng.uniform(1.5, 2.4) if rng.random() < 0.6 else 0.0
    lane = int(rng.integers(len(road.lanes)))
    start_s = rng.uniform(0.0, road.length)
    x, y, heading = road.place(start_s, road.lanes[lane].offset)
    yaw = float(heading) + (np.pi if road.lanes[lane].direction < 0 else 0.0)
    start = VehicleState(float(x) - rear_to_middle * np.cos(yaw), float(y) - rear_to_middle * np.sin(yaw), yaw)
    builder = Placement(rng, settings, road, sides, shoulder + sidewalk, lane, start_s)
    busy = [rng.random() < settings.traffic_share for _ in road.lanes]
    crossings = tuple(rng.uniform(0.0, road.length, rng.integers(0, 4)))
    builder.add_traffic(busy)
    builder.add_obstacles(busy)
    builder.add_parked(busy)
    builder.add_roadside()
    return DriveLayout(
        road=road,
        side_roads=sides,
        shoulder=shoulder,
        sidewalk=sidewalk,
        crossings=tuple(float(s) for s in crossings),
        obstacles=tuple(builder.obstacles),
        vehicles=tuple(builder.vehicles),
        start=start,
        start_lane=lane,
    )


def _main_road(rng: np.random.Generator, settings: DriveSceneSettings) -> Road:
    width = rng.uniform(*settings.lane_width)
    kind = rng.choice(4, p=[0.4, 0.25, 0.2, 0.15])
    lanes = (
        (Lane(-width / 2, 1), Lane(width / 2, -1)),
        tuple(Lane((k - 1.5) * width, 1 if k < 2 else -1) for k in range(4)),
        (Lane(-width / 2, 1), Lane(width / 2, 1)),
        tuple(Lane((k - 1) * width, 1) for k in range(3)),
    )[kind]
    half = len(lanes) * width / 2
    for _ in range(200):
        count = int(rng.integers(4, 9))
        angles = (np.arange(count) + rng.uniform(-0.3, 0.3, count)) * 2 * np.pi / count
        reach = rng.uniform(*settings.corner_distance, count)
        corners = np.stack([reach * np.cos(angles), reach * np.sin(angles)], axis=-1)
        if rng.random() < 0.5:  # the other way round, so that one-way roads bend both ways
            corners = corners[::-1]
        start, pieces = rounded_polygon(corners, rng.uniform(*settings.corner_radius, count))
        tightest = 1.0 / max(abs(curvature) for _, curvature in pieces)
        if tightest < max(0.8 * settings.corner_radius[0], half + 6.0):
            continue
        road = Road(start, pieces, lanes, width, closed=True)
        if _keeps_apart(road, 2 * half + 14.0):
            return road
    raise SceneError("no closed road fits it", thing=settings, cure="widen corner_distance or lower corner_radius")


def _keeps_apart(road: Road, distance: float) -> bool:
    """Whether stretches of road that are far apart along it are far apart in the plane too."""
    points = road.centre_line[::5]
    gaps = np.linalg.norm(points[:, None] - points[None], axis=-1)
    steps = np.abs(np.arange(len(points))[:, None] - np.arange(len(points))[None])
    along = np.minimum(steps, len(points) - steps) * (road.length / len(points))
    return bool(gaps[along > 2.2 * distance].min(initial=np.inf) > distance)


def _side_roads(rng: np.random.Generator, road: Road) -> tuple[Road, ...]:
    """One or two dead ends (opposite each other) that leave a straight of the main road."""
    ends = np.cumsum([length for length, _ in road.pieces])
    straights = [end - length / 2 for end, (length, bend) in zip(ends, road.pieces) if bend == 0.0 and length > 16.0]
    width = road.lane_width
    wanted = 1 if rng.random() < 0.6 else 2
    for i in rng.permutation(len(straights)):
        found = []
        for side in rng.permutation([-1.0, 1.0]):
            x, y, heading = road.place(straights[i], 0.0)
            bend = rng.uniform(-1.0, 1.0) / 60.0
            pieces = [(20.0, 0.0), (rng.uniform(25.0, 45.0), bend)]
            lanes = (Lane(-width / 2, 1), Lane(width / 2, -1))
            start = (float(x), float(y), float(heading) + side * np.pi / 2)
            branch = Road(start, pieces, lanes, width, closed=False)
            beyond = branch.centre_line[int(20.0 * len(branch.centre_line) / branch.length) :]
            _, d, _ = road.locate(*beyond.T)
            if (np.abs(d) > road.left_edge + 12.0).all():
                found.append(branch)
        if found:
            return tuple(found[:wanted])
    return ()
