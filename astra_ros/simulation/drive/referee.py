"""Judge a drive by its progress along the road, contacts and leaving the lanes."""

from __future__ import annotations

import numpy as np

from astra_ros.simulation.drive.road import Road
from astra_ros.simulation.drive.state import Drivable, DriveState
from astra_ros.simulation.worlds import Verdict

CRUISE = 6.0  # m/s; a car at this speed makes the full progress of 1
OFF_ROAD_COST = 0.5
COLLISION_COST = 1.0


class DriveReferee:
    """Outcome: ``progress`` minus 1 for any contact, minus 0.5 for a wheel off the lanes; -2.5..1.

    Progress is the distance along the main road over that of a car at ``CRUISE``, -1..1.
    """

    def __init__(self, world: Drivable) -> None:
        self._world = world
        self._states = [world.state()]

    def watch(self) -> None:
        self._states.append(self._world.state())

    def verdict(self) -> Verdict:
        progress = progress_between(self._world.layout.road, self._states)
        collision = any(state.obstacle_contact for state in self._states[1:])
        off_road = any(state.off_road for state in self._states[1:])
        return Verdict(
            outcome(progress, collision, off_road), collision, {"progress": progress, "off_road": float(off_road)}
        )


def progress_between(road: Road, states: list[DriveState]) -> float:
    """Distance along the road in the first state's direction over ``CRUISE`` times the time, -1..1."""
    s = np.array([state.s for state in states])
    way = float(np.sum(road.ahead(s[:-1], s[1:], states[0].direction)))
    seconds = states[-1].time_s - states[0].time_s
    return float(np.clip(way / (CRUISE * seconds), -1.0, 1.0)) if seconds else 0.0


def outcome(progress: float, collision: bool, off_road: bool) -> float:
    """The score of a true outcome; see ``DriveReferee``."""
    return progress - COLLISION_COST * collision - OFF_ROAD_COST * off_road
