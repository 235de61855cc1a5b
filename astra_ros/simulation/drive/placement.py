"""Place traffic, obstacles, parked vehicles and the roadside without overlap."""

from __future__ import annotations

import numpy as np

from astra_ros.simulation.drive.obstacles import FACADES, PAINTS, SIZES, Obstacle, Vehicle, footprint, overlap
from astra_ros.simulation.drive.road import Lane, Road

CLEAR_START_M = 7.5  # free distance round the middle of the car at the start
# Length, width and height, m. There are few sizes, so that bodies are built once and not per house.
HOUSES = ((8.0, 10.0, 12.0, 15.0), (7.0, 9.0, 11.0), (4.2, 5.6, 8.0, 10.4, 13.0))
TREE_HEIGHTS = (4.5, 5.5, 6.5, 7.5, 8.5)


class Placement:
    """Places obstacles on and beside the roads without overlap."""

    def __init__(self, rng, settings, road, sides, verge, start_lane, start_s):
        self.rng = rng
        self.settings = settings
        self.road: Road = road
        self.sides: tuple[Road, ...] = sides
        self.verge: float = verge
        self.start_lane = start_lane
        self.start_s = start_s
        self.obstacles: list[Obstacle] = []
        self.vehicles: list[Vehicle] = []
        self._taken: list[tuple[float, float, float]] = []
        x, y, _ = road.place(start_s, road.lanes[start_lane].offset)
        self._start = np.array([float(x), float(y)])

    def add_traffic(self, busy: list[bool]) -> None:
        """Queues of vehicles in the busy lanes, most of them near the car."""
        rng, road = self.rng, self.road
        direction = road.lanes[self.start_lane].direction
        for index in rng.permutation(len(road.lanes)):
            if not busy[index]:
                continue
            lane = road.lanes[index]
            # Vehicles of the car's direction start behind it, oncoming ones ahead of it.
            gap = -45.0 if lane.direction == direction else rng.uniform(8.0, 25.0)
            pace = rng.uniform(*self.settings.traffic_speed)
            while gap < min(road.length - 60.0, 190.0):
                if len(self.vehicles) >= self.settings.max_vehicles:
                    return
                gap += rng.uniform(14.0, 45.0)
                kind = str(rng.choice(["car", "van", "truck"], p=[0.7, 0.18, 0.12]))
                near = abs(gap) < (15.0 if index == self.start_lane else 7.0)
                cruise = float(np.clip(pace + rng.normal(0.0, 0.5), *self.settings.traffic_speed))
                vehicle = Vehicle(
                    kind=kind,
                    size=SIZES[kind],
                    variant=int(rng.integers(PAINTS)),
                    lane=int(index),
                    s=float(self.start_s + direction * gap),
                    cruise=cruise,
                    polite=bool(rng.random() < self.settings.polite_share),
                )
                if not near:
                    self.vehicles.append(vehicle)

    def add_obstacles(self, busy: list[bool]) -> None:
        """Groups of obstacles in the lanes without traffic."""
        rng, road = self.rng, self.road
        for index, lane in enumerate(road.lanes):
            if busy[index]:
                continue
            gap = rng.uniform(8.0, 25.0)
            while gap < road.length - 15.0:
                self._obstacles(lane, self.start_s + lane.direction * gap)
                gap += rng.uniform(*self.settings.obstacle_gap)

    def _obstacles(self, lane: Lane, s: float) -> None:
        rng, reach = self.rng, self.road.lane_width / 2 - 0.6
        kind = rng.choice(["cones", "barrels", "crate", "barrier", "vehicle"])
        side = float(rng.choice([-1.0, 1.0]))
        if kind == "cones":  # a slanting row that closes the lane or part of it
            count = int(rng.integers(2, 6))
            for k in range(count):
                self._on_road("cone", s + 1.6 * k, lane.offset + side * (reach - 0.6 * k))
        elif kind == "barrels":
            for k in range(int(rng.integers(1, 4))):
                self._on_road("barrel", s, lane.offset + side * (reach - 1.0 * k))
        elif kind == "crate":
            self._on_road(kind, s, lane.offset + rng.uniform(-reach, reach), rng.uniform(0.0, 1.5))
        elif kind == "barrier":
            self._on_road(kind, s, lane.offset + rng.uniform(-0.4, 0.4), rng.uniform(-0.2, 0.2))
        else:  # broken down, not quite straight
            turn = rng.uniform(-0.15, 0.15) + (np.pi if lane.direction < 0 else 0.0)
            self._on_road("car", s, lane.offset + rng.uniform(-0.5, 0.5), turn=turn)

    def add_parked(self, busy: list[bool]) -> None:
        """Parked vehicles at the road's edges; they reach into the lane where it has no traffic."""
        rng, road = self.rng, self.road
        for index, side in ((0, -1.0), (len(road.lanes) - 1, 1.0)):
            edge = road.right_edge if side < 0 else road.left_edge
            if rng.random() < 0.35:
                continue
            s = rng.uniform(0.0, 30.0)
            while s < road.length - 10.0:
                kind = "van" if rng.random() < 0.25 else "car"
                reach = 0.15 if busy[index] else rng.uniform(-0.9, 0.2)
                d = edge + side * (SIZES[kind][1] / 2 + reach)
                turn = np.pi if road.lanes[index].direction < 0 else 0.0
                x, y, _ = road.place(s, d)
                if not any(side_road.covers(x, y) for side_road in self.sides):
                    self._on_road(kind, s, d, turn=turn)
                s += rng.uniform(5.5, 9.0) if rng.random() < 0.5 else rng.uniform(20.0, 60.0)

    def add_roadside(self) -> None:
        """Houses, trees and lamps on both sides, by which the image shows the car's motion."""
        rng, road = self.rng, self.road
        houses, trees = ((0.6, 0.25), (0.3, 0.55), (0.04, 0.86))[rng.integers(3)]
        conifers = rng.random()
        for side, edge in ((-1.0, road.right_edge), (1.0, road.left_edge)):
            s = 0.0
            while s < road.length - 4.0:
                draw = rng.random()
                if draw < houses:
                    size = tuple(float(rng.choice(sizes)) for sizes in HOUSES)
                    d = edge + side * (self.verge + rng.uniform(1.5, 5.0) + size[1] / 2)
                    tone = rng.uniform(0.75, 1.0) * rng.uniform(0.86, 1.0, 3)
                    tint = tuple(float(c) for c in tone)
                    variant = int(rng.integers(FACADES))
                    turn = np.pi if side < 0 else 0.0  # its front, the side at -y, faces the road
                    self._beside("building", s + size[0] / 2, d, turn, size, variant, tint)
                    s += size[0] + rng.uniform(1.0, 6.0)
                elif draw < houses + trees:
                    kind = "conifer" if rng.random() < conifers else "tree"
                    size = (*SIZES[kind][:2], float(rng.choice(TREE_HEIGHTS)))
                    d = edge + side * (self.verge + rng.uniform(0.8, 9.0))
                    tone = rng.uniform((0.75, 0.85, 0.75), (1.15, 1.1, 1.0))
                    tint = tuple(float(c) for c in tone)
                    self._beside(kind, s, d, rng.uniform(0.0, 6.0), size, 0, tint)
                    s += rng.uniform(3.0, 9.0)
                else:
                    turn = np.pi / 2 * side
                    self._beside("lamp", s, edge + side * (self.verge + 0.4), turn, SIZES["lamp"])
                    s += rng.uniform(5.0, 12.0)

    def _on_road(self, kind: str, s: float, d: float, turn: float = 0.0) -> None:
        x, y, heading = self.road.place(s, d)
        variant = int(self.rng.integers(PAINTS))
        yaw = float(heading + turn)
        self._add(Obstacle(kind, float(x), float(y), yaw, SIZES[kind], variant), margin=0.2)

    def _beside(self, kind, s, d, turn, size, variant=0, tint=(1.0, 1.0, 1.0)) -> None:
        x, y, heading = self.road.place(s, d)
        obstacle = Obstacle(kind, float(x), float(y), float(heading + turn), size, variant, tint)
        corners = footprint(obstacle, 0.6)
        around = np.concatenate([corners, (corners + np.roll(corners, 1, axis=0)) / 2])
        for road in (self.road, *self.sides):
            s_around, d_around, _ = road.locate(*around.T)
            beside = (d_around > road.left_edge + self.verge) | (d_around < road.right_edge - self.verge)
            beyond = (s_around < -1.0) | (s_around > road.length + 1.0)
            if not (beside | beyond).all():
                return
        # Crowns may touch each other but not walls.
        self._add(obstacle, margin=0.2 * size[2] if kind in ("tree", "conifer") else 0.5)

    def _add(self, obstacle: Obstacle, margin: float) -> None:
        """Add it unless it is within ``margin`` of another obstacle or at the start."""
        radius = float(np.hypot(*obstacle.size[:2])) / 2 + margin
        place = np.array([obstacle.x, obstacle.y])
        if np.linalg.norm(place - self._start) < radius + CLEAR_START_M:
            return
        outline = footprint(obstacle, margin)
        if self._taken:
            taken = np.array(self._taken)
            gaps = np.linalg.norm(taken[:, :2] - place, axis=1) - taken[:, 2]
            near = np.flatnonzero(gaps < radius)
            if any(overlap(outline, footprint(self.obstacles[i])) for i in near):
                return
        self.obstacles.append(obstacle)
        self._taken.append((obstacle.x, obstacle.y, radius))
