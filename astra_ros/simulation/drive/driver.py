"""The manoeuvres of a driver, skilled or not, as velocity commands.

There is one method per name of ``BEHAVIOURS``. It becomes a plan by predicting the car along it, with the other
vehicles keeping their speed and lane.
"""

from __future__ import annotations

import math

import numpy as np

from astra_ros.control.vehicle import VehicleState
from astra_ros.control.vehicle_controller import reachable_speed
from astra_ros.plans.durations import STEP_S
from astra_ros.plans.velocity_plan import VelocityPlan
from astra_ros.registry import UnknownName
from astra_ros.simulation.drive.pursuit import checked_plan, foresee, pursue, row_count
from astra_ros.simulation.drive.road import Road
from astra_ros.simulation.drive.state import Drivable
from astra_ros.simulation.drive.surroundings import Surroundings

SIDEWAYS = 2.5  # m/s^2, a careful driver's largest lateral acceleration in a bend
BRAKING = 3.0  # m/s^2, the braking that a careful driver counts on
STOP_M = 4.5  # gap that a careful driver leaves to an obstacle: enough to drive round it

# Manoeuvre -> how often random play chooses it, relative to the others.
BEHAVIOURS = {
    "follow_lane": 26.0,  # at a steady speed, braking for what is ahead
    "keep_lane": 14.0,  # at a steady speed, whatever is ahead
    "slow": 4.0,
    "change_left": 8.0,
    "change_right": 8.0,
    "overtake": 10.0,  # round an object ahead, and back
    "brake": 4.0,
    "drift_off": 5.5,  # over the road's edge
    "run_into": 6.5,  # at the nearest object ahead
    "turn": 3.0,  # a tight circle
    "turn_off": 6.0,  # into a side road, if one is near
    "reverse": 2.0,
    "wander": 10.0,  # random smooth twists
    "stand": 2.0,
}


class Driver:
    """Plans manoeuvres from one moment of a world on."""

    def __init__(self, world: Drivable, rng: np.random.Generator) -> None:
        self._rng = rng
        self._limits = world.limits
        self._layout = world.layout
        self._road: Road = world.layout.road
        self._state = world.state()
        self._car = self._state.car
        self._way = self._state.direction
        own = [lane for lane in self._road.lanes if lane.direction == self._way]
        self._lane = min(own, key=lambda lane: abs(lane.offset - self._state.d)).offset
        self._surroundings = Surroundings(world)

    def choice(self) -> str:
        """The next manoeuvre of random play, mostly one that suits the situation."""
        rng = self._rng
        ahead = self._surroundings.blocker(self._state.d, 14.0)
        gap = math.inf if ahead is None else ahead.ahead - ahead.half_length
        gap -= self._limits.length / 2
        waits = gap < STOP_M + 0.5 and abs(self._car.speed) < 0.6
        if (waits or self._state.obstacle_contact) and rng.random() < 0.75:
            return "overtake" if gap > 3.5 and waits else "reverse"
        if self._state.off_road and rng.random() < 0.65:
            return "follow_lane"
        weights = dict(BEHAVIOURS)
        item = self._surroundings.blocker(self._lane, 25.0)
        if item is not None:
            # A driver who only follows would wait for ever behind a standing obstacle.
            weights["overtake"] *= 2.0 if item.speed > 1.0 else 6.0
        share = np.array(list(weights.values()))
        return str(rng.choice(list(weights), p=share / share.sum()))

    def plan(self, kind: str, seconds: float, name: str) -> VelocityPlan:
        """The commands of a manoeuvre of ``BEHAVIOURS``, drawn anew each time."""
        if kind not in BEHAVIOURS:
            raise UnknownName("behaviour", kind, list(BEHAVIOURS))
        return getattr(self, f"_{kind}")(seconds, name)

    def _follow_lane(self, seconds, name):
        d = self._lane + self._rng.normal(0.0, 0.12)
        cruise = self._rng.uniform(4.0, 7.5)
        if self._surroundings.blocker(d, 16.0) and not self._surroundings.blocker(self._state.d, 16.0):
            d = self._state.d  # passing an obstacle: stay beside the lane until it is behind
        return self._along(lambda t: d, self._careful(cruise, lambda t: d), seconds, name)

    def _keep_lane(self, seconds, name):
        d = self._lane + self._rng.normal(0.0, 0.25)
        return self._along(lambda t: d, self._in_bends(self._rng.uniform(2.5, 7.8)), seconds, name)

    def _slow(self, seconds, name):
        cruise = self._rng.uniform(0.6, 2.2)
        return self._along(lambda t: self._lane, lambda t, car: cruise, seconds, name)

    def _change_left(self, seconds, name):
        return self._change(1.0, seconds, name)

    def _change_right(self, seconds, name):
        return self._change(-1.0, seconds, name)

    def _change(self, side, seconds, name):
        """To the next lane; an oncoming lane and the verge count."""
        here = self._state.d
        there = self._lane + side * self._way * self._road.lane_width
        wait, takes = self._rng.uniform(0.0, 0.6), self._rng.uniform(1.0, 2.0)

        def d(t):
            return here + (there - here) * _eased((t - wait) / takes)

        cruise = self._rng.uniform(3.0, 7.0)
        speed = self._careful(cruise, d) if self._rng.random() < 0.5 else self._in_bends(cruise)
        return self._along(d, speed, seconds, name)

    def _overtake(self, seconds, name):
        """Round the next object in the lane, on the side with more room, and back into the lane."""
        cruise = self._rng.uniform(4.5, 7.0)
        item = self._surroundings.blocker(self._lane, 35.0)
        if item is None:
            return self._change(self._rng.choice([-1.0, 1.0]), seconds, name)
        passing = self._surroundings.free_strip(item, self._rng.uniform(0.3, 0.9), self._lane)
        reach = item.half_length + self._limits.length / 2
        in_bends = self._in_bends(cruise)

        def gap_at(t, car):
            gone = float(self._road.ahead(self._state.s, self._where(car)[0], self._way))
            return item.ahead + item.speed * t - gone

        def d(gap):
            out = _eased((14.0 + reach - gap) / 8.0)
            back = _eased((-gap - reach - 0.5) / 7.0)
            return self._lane + (passing - self._lane) * (out - back)

        def target(t, car, look):
            return self._point(self._where(car)[0] + self._way * look, d(gap_at(t, car)))

        def speed(t, car):
            # Slow near the object until the car is beside its lane.
            gap = gap_at(t, car)
            late = 0.0 < gap < reach + 9.0 and abs(self._where(car)[1] - passing) > 0.7
            return min(in_bends(t, car), 2.5 if late else cruise)

        return self._pursue(target, speed, seconds, name)

    def _brake(self, seconds, name):
        wait, cruise = self._rng.uniform(0.0, 1.2), max(self._car.speed, 0.0)
        hard = self._rng.uniform(1.5, 5.0)

        def speed(t, car):
            return max(0.0, cruise - hard * max(0.0, t + STEP_S - wait))

        return self._along(lambda t: self._lane, speed, seconds, name)

    def _drift_off(self, seconds, name):
        side = self._rng.choice([-1.0, 1.0], p=[0.75, 0.25]) * self._way
        edge = self._road.left_edge if side > 0 else self._road.right_edge
        here, there = self._state.d, edge + side * self._rng.uniform(0.5, 5.0)
        takes, cruise = self._rng.uniform(1.5, 3.5), self._rng.uniform(2.5, 7.0)
        return self._along(
            lambda t: here + (there - here) * min(1.0, t / takes + 0.2), self._in_bends(cruise), seconds, name
        )

    def _run_into(self, seconds, name):
        """At one of the nearest objects ahead, aimed at where it will be on arrival."""
        here = self._state.d
        ahead = [item for item in self._surroundings.items if 3.0 < item.ahead < 32.0 and abs(item.d - here) < 9.0]
        if not ahead:
            return self._drift_off(seconds, name)
        ahead.sort(key=lambda item: math.hypot(item.ahead, 2.0 * (item.d - here)))
        item = ahead[int(self._rng.integers(min(2, len(ahead))))]
        cruise = self._rng.uniform(4.0, 7.5)

        def target(t, car, look):
            x, y = item.x + item.vx * t, item.y + item.vy * t
            arrival = math.hypot(x - car.x, y - car.y) / max(cruise, 1.0)
            return x + item.vx * arrival, y + item.vy * arrival

        return self._pursue(target, lambda t, car: cruise, seconds, name)

    def _turn(self, seconds, name):
        """A circle, from gentle to as tight as the car can."""
        side, radius = self._rng.choice([-1.0, 1.0]), self._rng.uniform(5.5, 14.0)
        wait = self._rng.uniform(0.0, 1.2)
        cruise = min(self._rng.uniform(2.0, 6.0), math.sqrt(4.0 * radius))
        return self._twists(lambda t: (cruise, side / radius if t >= wait else 0.0), seconds, name)

    def _turn_off(self, seconds, name):
        """Into a nearby side road; a circle without one."""
        mouths = []
        for road in self._layout.side_roads:
            s, _, _ = self._road.locate(*road.place(0.0, 0.0)[:2])
            if 2.0 < self._road.ahead(self._state.s, s, self._way) < 32.0:
                mouths.append((float(s), road))
        if not mouths:
            return self._turn(seconds, name)
        s_mouth, road = mouths[int(self._rng.integers(len(mouths)))]
        cruise = self._rng.uniform(3.0, 5.0)
        lane = road.lanes[0].offset

        def target(t, car, look):
            s, _ = self._where(car)
            gap = float(self._road.ahead(s, s_mouth, self._way))
            out, d, _ = road.locate(car.x, car.y)
            if gap < 6.0 and (out > 0.0 or gap > -3.0):
                x, y, _ = road.place(max(float(out), 0.0) + look + 2.0, lane)
                return float(x), float(y)
            return self._point(s + self._way * look, self._lane)

        return self._pursue(target, lambda t, car: cruise, seconds, name)

    def _reverse(self, seconds, name):
        back = -self._rng.uniform(0.5, 0.95) * self._limits.max_reverse
        bend = self._rng.choice([0.2, 1.0]) * self._rng.uniform(-1.0, 1.0) / self._limits.min_radius
        until = self._rng.uniform(0.6, 1.0) * seconds
        return self._twists(lambda t: (back if t < until else 0.0, bend), seconds, name)

    def _wander(self, seconds, name):
        """Speeds and curvatures that run smoothly through random values, one a second."""
        rng, knots = self._rng, np.arange(math.ceil(seconds) + 2)
        speeds = np.concatenate([[self._car.speed], rng.uniform(-0.5, 7.0, len(knots) - 1)])
        bends = rng.normal(0.0, 0.055, len(knots))

        def twist(t):
            return float(np.interp(t, knots, speeds)), float(np.interp(t, knots, bends))

        return self._twists(twist, seconds, name)

    def _stand(self, seconds, name):
        return self._twists(lambda t: (0.0, 0.0), seconds, name)

    def _twists(self, twist, seconds, name) -> VelocityPlan:
        """Commands of a speed (m/s) and a curvature (1/m) over time, within the car's limits."""
        rows, car = [], self._car
        for k in range(row_count(seconds)):
            wish, bend = twist(k * STEP_S)
            speed = reachable_speed(car, wish, self._limits, STEP_S)
            rows.append((speed, speed * bend))
            car = foresee(car, rows[-1], self._limits)
        return checked_plan(rows, self._limits, name)

    def _along(self, d, speed, seconds, name) -> VelocityPlan:
        """Commands that follow the road at ``d(t)`` m beside its centre line."""

        def target(t, car, look):
            s, _ = self._where(car)
            return self._point(s + self._way * look, d(t + 0.6))

        return self._pursue(target, speed, seconds, name)

    def _pursue(self, target, speed, seconds, name) -> VelocityPlan:
        return pursue(self._car, self._limits, seconds, target, speed, name)

    def _in_bends(self, cruise: float):
        """``cruise``, but slower where the road bends."""

        def speed(t, car):
            s, _ = self._where(car)
            bend = abs(float(self._road.curvature(np.float64(s + self._way * 4.0))))
            return min(cruise, math.sqrt(SIDEWAYS / max(bend, 1e-3)))

        return speed

    def _careful(self, cruise: float, d):
        """Slower in bends, and slow enough to stop behind what is in the way."""
        in_bends = self._in_bends(cruise)

        def speed(t, car):
            s, _ = self._where(car)
            gone = float(self._road.ahead(self._state.s, s, self._way))
            wish = in_bends(t, car)
            for item in self._surroundings.items:
                # The strip must be free both now and a second later.
                aside = min(abs(item.d - d(t)), abs(item.d - d(t + 1.0)))
                if aside > item.half_width + self._limits.width / 2 + 0.25:
                    continue
                gap = item.ahead + item.speed * t - gone
                gap -= item.half_length + self._limits.length / 2
                if gap > -1.0:
                    room = max(0.0, gap - STOP_M - 0.3 * max(car.speed, 0.0))
                    # An oncoming vehicle counts as standing where it will be then.
                    along = max(item.speed, 0.0)
                    wish = min(wish, along + math.sqrt(2.0 * BRAKING * room))
            return wish

        return speed

    def _where(self, car: VehicleState) -> tuple[float, float]:
        """s and d of the middle of the car."""
        reach = self._limits.body_centre_x
        s, d, _ = self._road.locate(car.x + reach * math.cos(car.yaw), car.y + reach * math.sin(car.yaw))
        return float(s), float(d)

    def _point(self, s: float, d: float) -> tuple[float, float]:
        x, y, _ = self._road.place(np.float64(s), d)
        return float(x), float(y)


def _eased(share: float) -> float:
    """0 to 1, gently at both ends."""
    share = min(max(share, 0.0), 1.0)
    return share * share * (3.0 - 2.0 * share)
