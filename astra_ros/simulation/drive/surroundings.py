"""Everything near the car and near the road, in road coordinates, as a driver needs it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from astra_ros.simulation.drive.state import Drivable

NEAR_M = 60.0  # from the car; objects farther away do not matter yet
BESIDE_M = 6.0  # from the lanes; objects farther away do not matter


@dataclass(frozen=True)
class RoadObject:
    """An obstacle or vehicle on or near the main road, in road coordinates.

    Attributes:
        ahead: m, of its middle beyond the car's, in the car's direction.
        d: m, of its middle beside the road's centre line.
        half_length, half_width: m, along and across the road.
        speed: m/s, in the car's direction.
        x, y: m, world frame.
        vx, vy: m/s, world frame.
    """

    ahead: float
    d: float
    half_length: float
    half_width: float
    speed: float
    x: float
    y: float
    vx: float
    vy: float


class Surroundings:
    """The surroundings of the car at one moment of a world; ``items`` are near the car and near the road."""

    def __init__(self, world: Drivable) -> None:
        self._half_width = world.limits.width / 2
        self._road = world.layout.road
        self.items = _look_around(world)

    def blocker(self, d: float, reach: float) -> RoadObject | None:
        """The nearest object ahead in the strip of the car's width at ``d``."""
        strip = [
            item
            for item in self.items
            if 0.0 < item.ahead < reach and abs(item.d - d) < item.half_width + self._half_width + 0.2
        ]
        return min(strip, key=lambda item: item.ahead, default=None)

    def free_strip(self, item: RoadObject, clearance: float, lane: float) -> float:
        """d at which the car passes ``item`` and its neighbours, as near to ``lane`` as possible."""
        # All objects that will be beside it when the car gets there, the item itself included.
        group = [
            other for other in self.items if -4.0 < other.ahead - item.ahead + 1.5 * (other.speed - item.speed) < 7.0
        ]
        half = self._half_width
        right, left = self._road.right_edge + half - 0.5, self._road.left_edge - half + 0.5
        strips = np.arange(right, left + 0.1, 0.25)
        gaps = [min(abs(strip - i.d) - i.half_width - half for i in group) for strip in strips]
        tight = np.maximum(0.0, clearance - np.array(gaps))
        return float(strips[np.argmin(10.0 * tight + np.abs(strips - lane))])


def _look_around(world: Drivable) -> list[RoadObject]:
    obstacles, vehicles, road = world.layout.obstacles, world.layout.vehicles, world.layout.road
    state = world.state()
    poses = np.array([(t.x, t.y, t.yaw) for t in obstacles]).reshape(-1, 3)
    poses = np.concatenate([poses, world.traffic.poses(state.traffic)])
    sizes = np.array([item.size[:2] for items in (obstacles, vehicles) for item in items]).reshape(-1, 2) / 2
    speeds = np.concatenate([np.zeros(len(obstacles)), state.traffic.speeds])
    if not len(poses):
        return []
    s, d, heading = road.locate(poses[:, 0], poses[:, 1])
    c, sine = np.abs(np.cos(poses[:, 2] - heading)), np.abs(np.sin(poses[:, 2] - heading))
    along, across = c * sizes[:, 0] + sine * sizes[:, 1], sine * sizes[:, 0] + c * sizes[:, 1]
    with_car = state.direction * np.cos(poses[:, 2] - heading)
    ahead = road.ahead(state.s, s, state.direction)
    distance = np.hypot(poses[:, 0] - state.car.x, poses[:, 1] - state.car.y)
    near = (distance < NEAR_M) & (d < road.left_edge + BESIDE_M) & (d > road.right_edge - BESIDE_M)
    return [
        RoadObject(
            ahead=float(ahead[i]),
            d=float(d[i]),
            half_length=float(along[i]),
            half_width=float(across[i]),
            speed=float(speeds[i] * with_car[i]),
            x=float(poses[i, 0]),
            y=float(poses[i, 1]),
            vx=float(speeds[i] * np.cos(poses[i, 2])),
            vy=float(speeds[i] * np.sin(poses[i, 2])),
        )
        for i in np.flatnonzero(near)
    ]
