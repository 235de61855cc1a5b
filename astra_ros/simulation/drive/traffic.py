"""Vehicles that follow the lanes of the main road, each at its own speed and distance."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from astra_ros.control.vehicle import VehicleState
from astra_ros.simulation.drive.motion import CarLimits
from astra_ros.simulation.drive.obstacles import Vehicle
from astra_ros.simulation.drive.road import Road

ACCELERATION = 1.5  # m/s^2
BRAKING = 4.5  # m/s^2, comfortable; an emergency brake is twice as hard
SIDEWAYS = 2.2  # m/s^2, largest lateral acceleration in a bend
STANDSTILL_GAP_M = 2.0


class TrafficState(NamedTuple):
    """Where all V vehicles are. It is replaced, never changed.

    Attributes:
        s: [V] m along the road, of their middles, not taken modulo its length.
        speeds: [V] m/s, in their lanes' directions.
    """

    s: tuple[float, ...]
    speeds: tuple[float, ...]


class Traffic:
    """The moving vehicles of one episode on the main road. ``limits`` tells the size of the robot's car."""

    def __init__(self, road: Road, vehicles: tuple[Vehicle, ...], limits: CarLimits) -> None:
        self._road, self._vehicles, self._limits = road, vehicles, limits
        self._lanes = [road.lanes[v.lane] for v in vehicles]
        self._d = np.array([lane.offset for lane in self._lanes])
        self._turn = np.array([0.0 if lane.direction > 0 else math.pi for lane in self._lanes])
        self._directions = np.array([float(lane.direction) for lane in self._lanes])
        queues: dict[int, list[int]] = {}
        for i, vehicle in enumerate(vehicles):
            queues.setdefault(vehicle.lane, []).append(i)
        # The order in a lane never changes: vehicles do not overtake.
        self._queues = [
            sorted(queue, key=lambda i: self._lanes[i].direction * vehicles[i].s) for _, queue in sorted(queues.items())
        ]

    def start(self) -> TrafficState:
        """Every vehicle at its start and its cruising speed."""
        s = tuple(vehicle.s for vehicle in self._vehicles)
        return TrafficState(s, self._wished_speeds(np.array(s)))

    def poses(self, state: TrafficState) -> np.ndarray:
        """[V, 3] x, y (m) and yaw (rad) of the vehicles' middles, world frame."""
        if not self._vehicles:
            return np.zeros((0, 3))
        x, y, heading = self._road.place(np.array(state.s), self._d)
        return np.stack([x, y, heading + self._turn], axis=-1)

    def advance(self, state: TrafficState, car: VehicleState, dt: float) -> TrafficState:
        """The vehicles ``dt`` seconds later.

        Every vehicle keeps its distance to its leader and to a ``car`` that it follows. Only polite ones brake for an
        oncoming ``car``.
        """
        if not self._vehicles:
            return state
        s, speeds = list(state.s), list(state.speeds)
        places = np.array(s)
        wishes = self._wished_speeds(places)
        car_s, car_d, length, turn = self._where(car)
        car_gaps = self._road.ahead(places, car_s, self._directions)
        # On the inner side of a bend a metre of lane is more than a metre of s.
        room = 1.0 - self._d * self._road.curvature(places)
        new_s, new_speeds = list(s), list(speeds)
        for queue in self._queues:
            for k, i in enumerate(queue):
                lane, vehicle = self._lanes[i], self._vehicles[i]
                wish = wishes[i]
                if len(queue) > 1:
                    leader = queue[(k + 1) % len(queue)]
                    gap = (lane.direction * (s[leader] - s[i])) % self._road.length
                    gap -= (vehicle.size[0] + self._vehicles[leader].size[0]) / 2
                    wish = min(wish, _safe_speed(gap))
                reach = (self._limits.width + vehicle.size[1]) / 2 + 0.3
                # No vehicle hits the car from behind: its camera could not see that coming.
                minds = vehicle.polite or lane.direction * math.cos(turn) > 0.0
                if minds and abs(car_d - lane.offset) < reach:
                    gap = float(car_gaps[i]) - (vehicle.size[0] + length) / 2
                    if -1.0 < gap < 40.0:
                        wish = min(wish, _safe_speed(gap))
                most, least = ACCELERATION * dt, -2.0 * BRAKING * dt
                new_speeds[i] = max(0.0, speeds[i] + min(max(wish - speeds[i], least), most))
                new_s[i] = s[i] + lane.direction * new_speeds[i] * dt / float(room[i])
        return TrafficState(tuple(new_s), tuple(new_speeds))

    def stopped(self, before: TrafficState, after: TrafficState, who: Iterable[int]) -> TrafficState:
        """``after``, but the vehicles in ``who`` stand still where they were ``before``."""
        s, speeds = list(after.s), list(after.speeds)
        for i in who:
            s[i], speeds[i] = before.s[i], 0.0
        return TrafficState(tuple(s), tuple(speeds))

    def _wished_speeds(self, s: np.ndarray) -> tuple[float, ...]:
        if not self._vehicles:
            return ()
        bends = np.abs(self._road.curvature(s))
        bend_speeds = np.sqrt(SIDEWAYS / np.maximum(bends, 1e-3))
        return tuple(min(v.cruise, float(b)) for v, b in zip(self._vehicles, bend_speeds))

    def _where(self, car: VehicleState) -> tuple[float, float, float, float]:
        """s, d, length along the road and heading against the road of the robot's car."""
        reach = self._limits.body_centre_x
        x, y = car.x + reach * math.cos(car.yaw), car.y + reach * math.sin(car.yaw)
        s, d, heading = self._road.locate(x, y)
        turn = car.yaw - float(heading)
        along, across = abs(math.cos(turn)), abs(math.sin(turn))
        length = self._limits.length * along + self._limits.width * across
        return float(s), float(d), length, turn


def _safe_speed(gap: float) -> float:
    """The speed from which a comfortable brake ends before the gap does."""
    return math.sqrt(2.0 * BRAKING * max(0.0, gap - STANDSTILL_GAP_M))
