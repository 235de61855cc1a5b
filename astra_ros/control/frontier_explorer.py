"""Exploration by frontiers: where to go, when nothing is left, and what a predicted map is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from astra_ros.control.frontiers import Approach, approaches, frontiers
from astra_ros.control.grid_paths import Ways, ways_from
from astra_ros.control.occupancy_grid import GridError, OccupancyGrid
from astra_ros.control.waypoints import MAX_TURN, through_waypoints
from astra_ros.plans.durations import PLAN_S, STEP_S
from astra_ros.plans.velocity_plan import VelocityPlan
from astra_ros.settings import CheckedSettings, setting

MOTION_NAMES = ("linear.x", "angular.z")
# Between the waypoints that are taken from a way over cells (m).
WAYPOINTS_M = 0.3
# A frontier that stays although the robot looked at it so often from nearby cannot be seen: it is left.
LOOKS = 3
FACING_RAD, NEARBY_M = 0.3, 0.3
BACKWARDS = 0.2  # m/s, for a quarter of a motion
# Within so far (m) it is the same place, which one full turn shows, or the same frontier.
SAME_PLACE_M, SAME_FRONTIER_M = 0.5, 1.0
TURNED_RAD = 0.2
# Another frontier must be worth so much more to be gone to instead.
MARGIN = 1.1


@dataclass(frozen=True)
class FrontierSettings(CheckedSettings):
    """How a base explores."""

    radius_m: float = setting(0.25, "radius of the robot with a margin, m", 0.01, 10.0, "m")
    speed: float = setting(0.5, "speed on straight ways, m/s", 0.01, 10.0, "m/s")
    least_frontier_m: float = setting(
        0.4, "shortest frontier that is worth a visit, m; where none is left, exploration is complete", 0.0, 100.0, "m"
    )
    candidates: int = setting(8, "number of motions that are compared", 1, 64, "motions")
    contact_m2: float = setting(10.0, "seen floor that a sure contact is worth giving up, m^2", 0.0, 1e6, "m^2")
    ahead_m: float = setting(
        4.0, "how far a frontier may be for 1 / e of its floor to count at the end of a motion, m", 0.1, 1e3, "m"
    )
    depth_m: float = setting(2.0, "floor that is expected behind each metre of a frontier, m^2", 0.0, 100.0, "m^2")


@dataclass(frozen=True, eq=False)
class Explored:
    """What an explorer knows, or is predicted to know.

    Attributes:
        grid: the map.
        place: [2] x, y (m) of the robot, in the map's frame.
        yaw: where it heads, rad.
        velocity: m/s forward and rad/s to the left.
        contact: probability that it touched something on its way to this moment; of what was observed, 0 or 1.
    """

    grid: OccupancyGrid
    place: np.ndarray
    yaw: float
    velocity: tuple[float, float] = (0.0, 0.0)
    contact: float = 0.0


class FrontierExplorer:
    """Goes to the nearest frontier (Yamauchi 1997), and values predictions for those who choose otherwise."""

    def __init__(self, settings: FrontierSettings = FrontierSettings()) -> None:
        self.settings = settings
        self._looks = 0
        self._left = np.zeros((0, 2))
        self._anchor: np.ndarray | None = None
        self._turned = self._turned_left = 0.0
        self._targets: dict[str, np.ndarray] = {}
        self._target: np.ndarray | None = None
        self._now: Explored | None = None
        self._open: list[Approach] = []
        self._ways: Ways | None = None

    def is_complete(self) -> bool:
        """Whether the map that was observed last has no frontier that the robot can reach. False before the first."""
        return self._now is not None and not self._open

    def observe(self, observation: Explored) -> None:
        """Take what the robot knows now.

        Raises:
            GridError: the robot is outside the map.
        """
        grid, own = observation.grid, self.settings
        if not grid.inside(grid.cells_at(observation.place)):
            x, y = observation.place
            raise GridError(f"the robot at {x:.2f} {y:.2f} m is outside", "make the map larger", observation.place)
        self._count_turns(observation)
        self._now = observation
        self._ways = ways_from(grid, observation.place, own.radius_m)
        found = frontiers(grid, own.least_frontier_m, self._left)
        self._open = approaches(self._ways, found, own.radius_m + 2.0 * grid.resolution_m)
        if self._open and len(self._ways.to(self._open[0].cell)) <= 1:
            self._look(self._open[0])

    @property
    def open_frontiers(self) -> list[Approach]:
        """The frontiers that are left and can be reached, the nearest first."""
        return list(self._open)

    def select_action(self, observation: Explored) -> VelocityPlan | None:
        """The motion of ``PLAN_S`` towards the nearest frontier; None where none is left.

        A robot that has just touched something backs up instead.
        """
        self.observe(observation)
        if not self._open:
            return None
        return self._back_up() if observation.contact > 0.5 else self._towards(self._open[0], "nearest frontier")

    def candidates(self, observation: Explored) -> list[VelocityPlan]:
        """Motions of ``PLAN_S``: ways to the nearest frontiers, and turns; none where no frontier is left.

        One full turn shows a place; a turn that was begun is not turned back.

        A robot that has just touched something has one: to back up.
        """
        self.observe(observation)
        if not self._open:
            return []
        if observation.contact > 0.5:
            return [self._back_up()]
        most = max(1, self.settings.candidates - 2)
        plans = [self._towards(each, f"frontier {i}") for i, each in enumerate(self._open[:most])]
        self._targets = {plan.name: each.frontier.middle for plan, each in zip(plans, self._open)}
        if self.settings.candidates > 2 and self._turned < 2.0 * np.pi:
            plans += [self._turn("turn left", 1.0)] if self._turned_left > -TURNED_RAD else []
            plans += [self._turn("turn right", -1.0)] if self._turned_left < TURNED_RAD else []
        return plans

    def choose(self, plans: Sequence[VelocityPlan], values: Sequence[float]) -> int:
        """The index of the candidate that is worth most.

        It stays with the frontier that it chose before, unless another motion is worth ``MARGIN`` times as much.
        """
        held = list(values)
        for index, plan in enumerate(plans):
            if held[index] > 0.0 and self._is_target(self._targets.get(plan.name)):
                held[index] *= MARGIN
        best = int(np.argmax(held))
        self._target = self._targets.get(plans[best].name)
        return best

    def evaluate(self, predicted: Explored) -> float:
        """What a predicted moment is worth, in m^2 of floor.

        That is the floor newly known since the last observation, with what lies behind the frontiers that are open
        now and would still be there, less the further they are away; and less ``contact_m2`` for a sure contact.
        """
        assert self._now is not None, "observe or select_action come first"
        new = np.count_nonzero(predicted.grid.known & ~self._now.grid.known) * predicted.grid.resolution_m**2
        own, behind = self.settings, 0.0
        travelled = float(np.hypot(*(predicted.place - self._now.place)))
        for each in self._open:
            # Shorter than these the way cannot be.
            straight = float(np.hypot(*(each.frontier.middle - predicted.place)))
            left = max(each.cost_m - travelled, straight, 0.0)
            cells = tuple(each.frontier.cells.T)
            remaining = np.count_nonzero(_beside_unknown(predicted.grid)[cells]) * predicted.grid.resolution_m
            behind = max(behind, remaining * own.depth_m * np.exp(-left / own.ahead_m))
        return new + behind - own.contact_m2 * predicted.contact

    def _is_target(self, middle: np.ndarray | None) -> bool:
        near = middle is not None and self._target is not None
        return near and bool(np.hypot(*np.subtract(middle, self._target)) <= SAME_FRONTIER_M)  # type: ignore[arg-type]

    def _count_turns(self, observation: Explored) -> None:
        if self._now is None or self._anchor is None or np.hypot(*(observation.place - self._anchor)) > SAME_PLACE_M:
            self._anchor, self._turned, self._turned_left = observation.place, 0.0, 0.0
            return
        turned = (observation.yaw - self._now.yaw + np.pi) % (2.0 * np.pi) - np.pi
        self._turned += abs(turned)
        self._turned_left = turned if abs(turned) > TURNED_RAD else self._turned_left

    def _look(self, approach: Approach) -> None:
        """Count how often the robot stood nearby and looked at this frontier."""
        assert self._now is not None
        gap = self._nearest_of(approach) - self._now.place
        off = (np.arctan2(gap[1], gap[0]) - self._now.yaw + np.pi) % (2.0 * np.pi) - np.pi
        self._looks = self._looks + 1 if abs(off) < FACING_RAD else self._looks
        if self._looks >= LOOKS:
            self._looks = 0
            middles = self._now.grid.middles(approach.frontier.cells)
            nearby = np.hypot(*(middles - self._now.place).T) <= np.hypot(*gap) + NEARBY_M
            self._left = np.concatenate([self._left, middles[nearby]])

    def _nearest_of(self, approach: Approach) -> np.ndarray:
        """[2] x, y (m) of the frontier's nearest cell that the robot does not stand in."""
        assert self._now is not None
        middles = self._now.grid.middles(approach.frontier.cells)
        away = np.hypot(*(middles - self._now.place).T)
        return middles[int(np.argmin(np.where(away < self._now.grid.resolution_m, np.inf, away)))]

    def _towards(self, approach: Approach, name: str) -> VelocityPlan:
        assert self._now is not None and self._ways is not None
        rows = round(PLAN_S / STEP_S)
        way = self._ways.to(approach.cell)
        stride = max(1, round(WAYPOINTS_M / self._now.grid.resolution_m))
        is_there = len(way) <= 1
        points = [self._nearest_of(approach)] if is_there else [*way[stride - 1 : -1 : stride], way[-1]]
        place, yaw = self._now.place, self._now.yaw
        speed = 0.0 if is_there else self.settings.speed  # there, it looks
        ahead, turns = through_waypoints(points, place, yaw, speed, (rows, STEP_S), self._now.velocity)
        return VelocityPlan(MOTION_NAMES, STEP_S, np.stack([ahead, turns], axis=1), name)

    def _back_up(self) -> VelocityPlan:
        rows = np.zeros((round(PLAN_S / STEP_S), 2))
        rows[: len(rows) // 4, 0] = -BACKWARDS
        return VelocityPlan(MOTION_NAMES, STEP_S, rows, "back up")

    def _turn(self, name: str, side: float) -> VelocityPlan:
        rows = round(PLAN_S / STEP_S)
        return VelocityPlan(MOTION_NAMES, STEP_S, np.tile([0.0, side * MAX_TURN], (rows, 1)), name)


def _beside_unknown(grid: OccupancyGrid) -> np.ndarray:
    unknown = np.pad(~grid.known, 1, constant_values=True)
    return unknown[:-2, 1:-1] | unknown[2:, 1:-1] | unknown[1:-1, :-2] | unknown[1:-1, 2:]
