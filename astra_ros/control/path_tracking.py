"""A path as the commands of a vehicle that follows it: a controller on the vehicle's kinematic model."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from astra_ros.control.vehicle import MOTION_NAMES, VehicleState, advance
from astra_ros.control.vehicle_controller import COMFORT, VehicleController, Waypoint
from astra_ros.plans.durations import STEP_S
from astra_ros.plans.errors import BrokenLimit, PlanError, StartError
from astra_ros.plans.path_plan import PathPlan
from astra_ros.plans.velocity_plan import VelocityPlan
from astra_ros.settings import CheckedSettings, setting

SUBSTEPS = 2  # of a period of the controller, in which the vehicle's motion is predicted
LONGEST_S = 3600.0
NEAR_M = 5.0  # how far along its path a vehicle is looked for from where it was
ARRIVED_M = 0.1
SMOOTH_S = 2 * STEP_S  # over which a path's speed is taken; between straight lines it would be steps
LEAST_S = 1e-6  # a shorter ramp is left out
SLACK = 1.05  # stamps may ask for this share of the greatest speed: poses lie on chords, and stamps are rounded


@dataclass(frozen=True)
class TrackingSettings(CheckedSettings):
    """How paths are followed."""

    speed: float = setting(
        1.0, "m/s, with which paths are followed whose poses all have the same stamp", 1e-3, 1e3, "m/s"
    )
    tolerance_m: float = setting(
        1.0,
        "m, how far a path may begin from the robot, and how far the vehicle may leave it on the way; other paths are "
        "refused",
        0.01,
        1e3,
        "m",
    )


class FollowedPath:
    """A path from the place on that is nearest to a vehicle: where it should be at each time.

    Attributes:
        duration_s: from now to the path's end.
        away_m: from the path to the vehicle, as it was last seen.

    Raises:
        StartError: the path is further than the tolerance from the vehicle, or all of it lies behind the vehicle.
        BrokenLimit: its stamps ask for more than the vehicle's greatest speed.
        PlanError: it lasts too long.
    """

    def __init__(
        self, path: PathPlan, state: VehicleState, controller: VehicleController, settings: TrackingSettings
    ) -> None:
        self._controller = controller
        self._xy = path.positions[:, :2]
        self._s = path.along
        here, away = self.nearest(state, 0.0, math.inf)
        self.away_m = away
        title, length = path.title, float(self._s[-1])
        if away > settings.tolerance_m:
            problem = (
                f"it is {away:.2f} m away from the robot, at its nearest; at most {settings.tolerance_m:g} m are taken"
            )
            cure = "plan from where the robot is"
            raise StartError(problem, thing=title, cure=cure, found=away, limit=settings.tolerance_m)
        if length - here < ARRIVED_M:
            problem, cure = "the robot is at its end, or beyond it", "send where to go from there"
            raise StartError(problem, thing=title, cure=cure, found=length - here, limit=ARRIVED_M)
        if path.times_s is None:
            self._times, self._at = self._profile(here, length, state.speed, settings.speed)
        else:
            begins = float(np.interp(here, self._s, path.times_s))
            self._times, self._at = path.times_s - begins, self._s
            self._check_speed(path, begins)
        self.duration_s = float(self._times[-1])
        if self.duration_s > LONGEST_S:
            problem = f"it takes {self.duration_s:.0f} s, longer than the {LONGEST_S:g} s that a plan may last"
            cure = "send its beginning, or follow it faster"
            raise PlanError(problem, thing=title, cure=cure, found=self.duration_s, limit=LONGEST_S)
        self._here = here

    def _check_speed(self, path: PathPlan, begins_s: float) -> None:
        assert path.times_s is not None
        speeds, limit = np.diff(path.along) / np.diff(path.times_s), self._controller.limits.max_speed
        speeds[path.times_s[1:] <= begins_s] = 0.0  # behind the vehicle
        worst = int(np.argmax(speeds))
        if (found := float(speeds[worst])) > SLACK * limit:
            time_s = max(0.0, float(path.times_s[worst]) - begins_s)
            problem = f"its stamps ask for {found:.2f} m/s at {time_s:.2f} s; the vehicle drives at most {limit:g} m/s"
            facts = dict(index=worst + 1, column="linear.x", found=found, limit=limit)
            cure = "plan slower, or state the vehicle's limits as they are"
            raise BrokenLimit(problem, thing=path.title, cure=cure, kind="speed", time_s=time_s, unit="m/s", **facts)

    def waypoint(self, state: VehicleState, time_s: float, period_s: float) -> Waypoint:
        """Where to aim, and how fast to be on the mean over a period that begins at a time from the start on."""
        controller = self._controller
        here, self.away_m = self.nearest(state, self._here, self._here + NEAR_M)
        self._here = here
        middle = time_s + period_s / 2
        half = min(SMOOTH_S / 2, middle - float(self._times[0]), float(self._times[-1]) - middle)
        half = max(half, period_s / 2)
        now, begin, end = np.interp([time_s, middle - half, middle + half], self._times, self._at)
        speed = float((end - begin) / (2 * half) + controller.settings.catch_up * (now - here))
        aim = here + controller.lookahead(state.speed)
        x, y = self._place(aim)
        return Waypoint(x, y, max(0.0, speed))

    def nearest(self, state: VehicleState, low: float, high: float) -> tuple[float, float]:
        """The place on the path that is nearest to a vehicle, of those from ``low`` to ``high`` m along it: m along the
        path, and m from there to the vehicle."""
        first = max(0, int(np.searchsorted(self._s, low, side="right")) - 1)
        last = min(len(self._s), int(np.searchsorted(self._s, high)) + 1)
        first = min(first, last - 2)
        begin, leg = self._xy[first : last - 1], np.diff(self._xy[first:last], axis=0)
        offset = np.array([state.x, state.y]) - begin
        square = np.maximum((leg**2).sum(1), 1e-18)
        share = np.clip((offset * leg).sum(1) / square, 0.0, 1.0)
        apart = np.hypot(*(offset - share[:, None] * leg).T)
        k = int(np.argmin(apart))
        return float(max(low, self._s[first + k] + share[k] * math.sqrt(square[k]))), float(apart[k])

    def _place(self, s: float) -> tuple[float, float]:
        """x, y at s m along the path, which goes straight on beyond its end."""
        beyond = max(0.0, s - float(self._s[-1]))
        x, y = (float(np.interp(s, self._s, column)) for column in self._xy.T)
        if beyond:
            before = np.array([np.interp(self._s[-1] - 0.5, self._s, column) for column in self._xy.T])
            leg = self._xy[-1] - before
            leg = leg / max(float(np.hypot(*leg)), 1e-9)
            x, y = x + beyond * float(leg[0]), y + beyond * float(leg[1])
        return x, y

    def _profile(self, here: float, length: float, speed: float, cruise: float) -> tuple[np.ndarray, np.ndarray]:
        """Times and places along the path: from the vehicle's speed to the nominal one, and to rest at the end."""
        limits, way = self._controller.limits, length - here
        cruise, begin = min(cruise, limits.max_speed), max(0.0, speed)
        braking, acceleration = COMFORT * limits.braking, limits.acceleration
        # The greatest speed, where the vehicle must begin to brake before it has reached the nominal one.
        top = math.sqrt(max(0.0, (2 * way * acceleration * braking + begin**2 * braking) / (acceleration + braking)))
        top = min(max(cruise, 1e-3), top)
        if begin > top:  # it slows down first
            acceleration = braking
        times, places, at_s, at = [0.0], [0.0], 0.0, 0.0
        ramps = [(begin, top, abs(top - begin) / acceleration), (top, top, 0.0), (top, 0.0, top / braking)]
        used = sum((a + b) / 2 * seconds for a, b, seconds in ramps)
        ramps[1] = (top, top, max(0.0, way - used) / top)
        for a, b, seconds in ramps:
            count = max(1, math.ceil(seconds / 0.1))
            for share in np.arange(1, count + 1) / count:
                if seconds > LEAST_S:
                    t = share * seconds
                    times.append(at_s + t)
                    places.append(at + a * t + (b - a) / seconds * t * t / 2)
            at_s, at = times[-1], places[-1]
        return np.array(times), here + np.minimum(np.array(places), way)


@dataclass(frozen=True, eq=False)
class Tracked:
    """A followed path.

    Attributes:
        plan: the commands, one row a period of the controller; its name is the path's.
        states: the vehicle now and after each row that was followed, N + 1.
        away_m: how far the vehicle was from the path as each row began, [N].
    """

    plan: VelocityPlan
    states: list[VehicleState] = field(repr=False)
    away_m: np.ndarray = field(repr=False)


def track(
    path: PathPlan,
    state: VehicleState,
    controller: VehicleController,
    settings: TrackingSettings = TrackingSettings(),
    span_s: float = LONGEST_S,
) -> Tracked:
    """Follow a path with a controller, on the vehicle's kinematic model.

    Args:
        path: in the frame of ``state``.
        span_s: how far the vehicle is followed. Beyond it the plan repeats its last row, so that it lasts as long as
            the path does: a jump of the turn rate there could break a limit.

    Raises:
        StartError: the path does not begin where the vehicle is.
        PlanError: the vehicle leaves the path by more than the tolerance, or it lasts too long.
    """
    way, period_s = FollowedPath(path, state, controller, settings), controller.period_s
    count = max(1, math.ceil(way.duration_s / period_s - 1e-6))
    rows: list[tuple[float, float]] = []
    states, away = [state], []
    for row in range(min(count, math.ceil(span_s / period_s) + 1)):
        here = states[-1]
        action = controller.compute_action(here, way.waypoint(here, row * period_s, period_s))
        away.append(way.away_m)
        if way.away_m > settings.tolerance_m:
            problem = f"the vehicle leaves it by {way.away_m:.2f} m after {row * period_s:.1f} s"
            cure = "plan wider bends, slower, and in the direction in which the vehicle stands"
            limit = settings.tolerance_m
            raise PlanError(problem, thing=path.title, cure=cure, index=row, found=way.away_m, limit=limit)
        for _ in range(SUBSTEPS):
            here = advance(here, action, controller.limits, period_s / SUBSTEPS)
        rows.append(action)
        states.append(here)
    rows += rows[-1:] * (count - len(rows))
    return Tracked(VelocityPlan(MOTION_NAMES, period_s, np.array(rows), path.name), states, np.array(away))
