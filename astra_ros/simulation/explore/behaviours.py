"""What an explorer may do for some seconds, well or badly, each as a course to follow.

A behaviour is a function of the situation, random numbers and a number of rows, and gives a
`Course`, or None where it makes no sense, such as a doorway where none is in sight. Both robots
share them; what only a free camera can do is in ``FLYING``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from astra_ros.planning.velocity_plan import VelocityPlan
from astra_ros.simulation.explore.robots import Pose, gimbal, gimbal_angles, twist_between
from astra_ros.simulation.explore.sight import Situation

ROW_S = 0.25
# How fast a course's speeds (m/s) and turns (rad/s) change from row to row: well within what the
# robots can follow.
SPEED_STEP, TURN_STEP = 0.25, 0.35
MAX_TURN = 0.7
# A pitch or roll is approached at this rate (rad/s).
TILT_RATE = 0.5
# Left beside the robot on a path that is meant to be free (m).
MARGIN_M = 0.08


@dataclass(frozen=True, eq=False)
class Course:
    """What a robot does in N rows of ``ROW_S``, in a level frame that heads where it heads.

    Attributes:
        ahead, turn: [N] m/s forward, rad/s to the left.
        left, up: [N] m/s; the drone's only, as all that follows.
        pitch, roll: [N] rad, wanted at each row's end: nose up, right side down.
    """

    ahead: np.ndarray
    turn: np.ndarray
    left: np.ndarray | float = 0.0
    up: np.ndarray | float = 0.0
    pitch: np.ndarray | float = 0.0
    roll: np.ndarray | float = 0.0


Behaviour = Callable[[Situation, np.random.Generator, int], "Course | None"]


def course_plan(situation: Situation, course: Course, name: str = "plan") -> VelocityPlan:
    """The course as the robot's velocities, from where it is now."""
    spec, count = situation.spec, len(course.ahead)
    rows = np.zeros((count, len(spec.motion_names)))
    if not spec.flies:
        rows[:] = np.stack([course.ahead, course.turn], axis=1)
    else:
        left, up, pitch, roll = (
            np.broadcast_to(v, count) for v in (course.left, course.up, course.pitch, course.roll)
        )
        here = situation.pose
        yaw, nose, bank = gimbal_angles(here.rotation)
        most = TILT_RATE * ROW_S
        for i in range(count):
            heading = yaw + course.turn[i] * ROW_S / 2.0
            c, s = np.cos(heading), np.sin(heading)
            shift = np.array(
                [c * course.ahead[i] - s * left[i], s * course.ahead[i] + c * left[i], up[i]]
            )
            yaw += course.turn[i] * ROW_S
            nose += float(np.clip(pitch[i] - nose, -most, most))
            bank += float(np.clip(roll[i] - bank, -most, most))
            position = here.position + shift * ROW_S
            position[2] = np.clip(position[2], *spec.altitude_m)
            there = Pose(position, gimbal(yaw, nose, bank))
            rows[i] = twist_between(here, there, ROW_S)
            here = there
    return VelocityPlan(
        spec.motion_names, ROW_S, np.clip(rows, -spec.max_speed, spec.max_speed), name
    )


def free_line(situation: Situation, start, end) -> bool:
    """Whether the robot can go straight from one point [2] to another at its height."""
    count = max(2, int(np.hypot(*np.subtract(end, start)) / 0.08) + 1)
    points = np.linspace(start, end, count)
    room = situation.solids.clearance(points)
    return bool((room[1:] > situation.spec.radius_m + MARGIN_M).all())


# -- where to go ---------------------------------------------------------------------------------


def go(s: Situation, rng, count: int) -> Course | None:
    """To a free point in sight, mostly one that the camera sees."""
    for _ in range(30):
        half = s.half_fov[0] if rng.random() < 0.75 else np.pi
        bearing, distance = s.yaw + rng.uniform(-half, half), rng.uniform(0.7, 3.0)
        point = s.xy + distance * np.array([np.cos(bearing), np.sin(bearing)])
        if free_line(s, s.xy, point):
            return _along(s, [point], _cruise(rng), count)
    return None


def doorway(s: Situation, rng, count: int) -> Course | None:
    """Through one of the nearest doors, straight across its threshold."""
    doors = sorted(s.house.plan.doors, key=lambda door: float(np.hypot(*(door.middle - s.xy))))
    for i in rng.permutation(min(len(doors), 3)):
        door = doors[i]
        side = 1.0 if (s.xy - door.middle) @ door.across > 0 else -1.0
        before, beyond = (door.middle + side * d * door.across for d in (0.5, -1.0))
        if free_line(s, s.xy, before) and free_line(s, before, beyond):
            near = abs((s.xy - door.middle) @ door.across) < 0.6
            points = [door.middle, beyond] if near else [before, door.middle, beyond]
            return _along(s, points, rng.uniform(0.35, 0.65), count)
    return None


def follow_wall(s: Situation, rng, count: int) -> Course | None:
    """Along the nearest wall, a hand's breadth away from it."""
    walls = s.house.wall_solids
    i = int(np.argmin(walls.distances(s.xy[None])[0]))
    nearest = walls.nearest_points(s.xy)[i]
    away = (s.xy - nearest) / max(float(np.hypot(*(s.xy - nearest))), 1e-6)
    along = np.array([-away[1], away[0]])
    along = along * (1.0 if along @ (np.cos(s.yaw), np.sin(s.yaw)) >= 0.0 else -1.0)
    lane = nearest + away * (s.spec.radius_m + rng.uniform(0.15, 0.3))
    points, here = [], s.xy
    for distance in (0.5, 1.0, 1.5, 2.0, 2.5, 3.0):
        point = lane + distance * along
        if not free_line(s, here, point):
            break
        points.append(point)
        here = point
    return _along(s, points, _cruise(rng), count) if points else None


def approach(s: Situation, rng, count: int) -> Course | None:
    """Up to a piece of furniture, facing it."""
    pieces = s.house.furniture
    if not pieces:
        return None
    gaps = np.array([piece.centre[:2] for piece in pieces]) - s.xy
    for i in np.argsort(np.hypot(*gaps.T))[rng.permutation(min(len(pieces), 6))]:
        distance = float(np.hypot(*gaps[i]))
        stop = max(pieces[i].half[:2]) + s.spec.radius_m + rng.uniform(0.15, 0.3)
        if distance > stop + 0.2:
            point = s.xy + gaps[i] * (1.0 - stop / distance)
            if free_line(s, s.xy, point):
                return _along(s, [point], _cruise(rng), count)
    return None


def bump(s: Situation, rng, count: int) -> Course | None:
    """Into a wall or a piece of furniture that is near."""
    for _ in range(20):
        bearing = s.yaw + rng.uniform(-1.0, 1.0)
        distance = float(s.solids.cast(s.xy, [bearing])[0])
        if distance < 1.6:
            point = s.xy + (distance + 1.5) * np.array([np.cos(bearing), np.sin(bearing)])
            return _along(s, [point], rng.uniform(0.35, 0.6), count)
    return None


def face_wall(s: Situation, rng, count: int) -> Course | None:
    """Turn to the nearest wall and go close: there is nothing to see."""
    walls = s.house.wall_solids
    i = int(np.argmin(walls.distances(s.xy[None])[0]))
    gap = walls.nearest_points(s.xy)[i] - s.xy
    distance = max(float(np.hypot(*gap)), 1e-6)
    stop = s.spec.radius_m + rng.uniform(0.1, 0.3)
    point = s.xy + gap * max(1.0 - stop / distance, 0.05 / distance)
    return _along(s, [point], rng.uniform(0.25, 0.45), count) if free_line(s, s.xy, point) else None


def turn(s: Situation, rng, count: int) -> Course:
    """On the spot, by a part of a circle or all the time."""
    rate = rng.choice([-1.0, 1.0]) * rng.uniform(0.25, MAX_TURN)
    until = count if rng.random() < 0.6 else int(rng.integers(count // 3, count + 1))
    return _eased(np.zeros(count), np.where(np.arange(count) < until, rate, 0.0))


def curve(s: Situation, rng, count: int) -> Course | None:
    """A free arc."""
    for _ in range(20):
        speed, rate = rng.uniform(0.2, 0.6), rng.uniform(-0.6, 0.6)
        course = _eased(np.full(count, speed), np.full(count, rate))
        if min(s.solids.clearance(path(s, course))) > s.spec.radius_m + MARGIN_M:
            return course
    return None


def back_up(s: Situation, rng, count: int) -> Course:
    """Backwards, then mostly a turn on the spot."""
    back = int(rng.integers(count // 4, max(count // 2, count // 4 + 1) + 1))
    first = np.arange(count) < back
    rate = rng.uniform(-0.6, 0.6)
    ahead = np.where(first, -rng.uniform(0.15, 0.4), 0.0)
    return _eased(ahead, np.where(first, rng.uniform(-0.2, 0.2), rate))


def wander(s: Situation, rng, count: int) -> Course:
    """Smooth random speeds, wherever they lead; a free camera moves and tilts in all its ways."""
    ahead = 0.2 + _smooth(rng, count, 0.3)
    rates = _smooth(rng, count, 0.5)
    if not s.spec.flies:
        return _eased(ahead, rates)
    sideways, climb = _smooth(rng, count, 0.25), _smooth(rng, count, 0.15)
    pitch, roll = np.clip(_smooth(rng, count, 0.2), -0.5, 0.5), _smooth(rng, count, 0.15)
    return _eased(ahead, rates, left=sideways, up=climb, pitch=pitch, roll=np.clip(roll, -0.4, 0.4))


def stand(s: Situation, rng, count: int) -> Course:
    """Nothing at all."""
    return Course(np.zeros(count), np.zeros(count))


# -- what only a free camera can do --------------------------------------------------------------


def strafe(s: Situation, rng, count: int) -> Course:
    """Sideways, looking ahead."""
    left = np.full(count, rng.choice([-1.0, 1.0]) * rng.uniform(0.2, 0.5))
    return _eased(rng.uniform(-0.1, 0.15) * np.ones(count), np.zeros(count), left=left)


def climb(s: Situation, rng, count: int) -> Course:
    """To another height, slowly ahead or not."""
    low, high = s.spec.altitude_m
    wanted = rng.uniform(low + 0.15, high - 0.15)
    rate = (wanted - s.altitude) / (0.75 * count * ROW_S)
    up = np.where(np.arange(count) < 0.75 * count, np.clip(rate, -0.5, 0.5), 0.0)
    ahead = np.full(count, rng.choice([0.0, rng.uniform(0.1, 0.35)]))
    return _eased(ahead, np.zeros(count), up=up)


def orbit(s: Situation, rng, count: int) -> Course | None:
    """Around what is ahead, facing it."""
    distance = float(s.solids.cast(s.xy, [s.yaw])[0])
    if not 0.6 < distance < 2.5:
        return None
    radius = distance + 0.2
    speed = rng.choice([-1.0, 1.0]) * min(rng.uniform(0.25, 0.5), MAX_TURN * radius)
    # Its middle stays ahead: to the left of a circle that one faces is clockwise.
    rate = np.full(count, -speed / radius)
    return _eased(np.zeros(count), rate, left=np.full(count, speed))


def bank(s: Situation, rng, count: int) -> Course:
    """Roll to one side and back, ahead or in a curve."""
    roll = rng.choice([-1.0, 1.0]) * rng.uniform(0.15, 0.42) * np.sin(np.pi * _share(count))
    ahead = np.full(count, rng.choice([0.0, rng.uniform(0.15, 0.4)]))
    return _eased(ahead, rng.choice([0.0, 1.2]) * roll, roll=roll)


def look(s: Situation, rng, count: int) -> Course:
    """Up or down and back, on the spot or while it turns."""
    pitch = rng.choice([-1.0, 1.0]) * rng.uniform(0.2, 0.6) * np.sin(np.pi * _share(count))
    rate = np.full(count, rng.choice([0.0, rng.uniform(-0.5, 0.5)]))
    return _eased(np.full(count, rng.choice([0.0, 0.2])), rate, pitch=pitch)


def glide(s: Situation, rng, count: int) -> Course:
    """Ahead with a new height and the nose along the slope."""
    rate = rng.uniform(-0.25, 0.25)
    speed = rng.uniform(0.25, 0.5)
    return _eased(
        np.full(count, speed),
        np.full(count, rng.uniform(-0.3, 0.3)),
        up=np.full(count, rate),
        pitch=np.arctan2(rate, speed),
    )


# behaviour -> how often it is played
DRIVING: dict[Behaviour, float] = {
    go: 0.2, doorway: 0.2, follow_wall: 0.1, approach: 0.1, turn: 0.13, curve: 0.08, bump: 0.07,
    back_up: 0.05, wander: 0.05, stand: 0.02,
}  # fmt: skip
FLYING: dict[Behaviour, float] = {
    go: 0.13, doorway: 0.15, follow_wall: 0.05, approach: 0.07, turn: 0.08, curve: 0.06, bump: 0.05,
    back_up: 0.04, wander: 0.08, stand: 0.02, strafe: 0.06, climb: 0.05, orbit: 0.06, bank: 0.04,
    look: 0.05, glide: 0.03,
}  # fmt: skip
# What comes after something stopped the robot: mostly what frees it.
FREEING: dict[Behaviour, float] = {back_up: 0.5, turn: 0.3, wander: 0.1, bump: 0.1}


def path(s: Situation, course: Course) -> np.ndarray:
    """[N + 1, 2] where a course leads if nothing stops it."""
    yaw, here, points = s.yaw, s.xy, [s.xy]
    left = np.broadcast_to(course.left, len(course.ahead))
    for speed, rate, side in zip(course.ahead, course.turn, left):
        heading = yaw + rate * ROW_S / 2.0
        c, sn = np.cos(heading), np.sin(heading)
        here = here + ROW_S * np.array([c * speed - sn * side, sn * speed + c * side])
        yaw += rate * ROW_S
        points.append(here)
    return np.array(points)


def _along(s: Situation, points: list, speed: float, count: int) -> Course:
    """Through points [2] one after the other, slow in turns, to rest at the last one."""
    here, yaw, velocity, rate = s.xy, s.yaw, 0.0, 0.0
    ahead, turns, todo = np.zeros(count), np.zeros(count), list(points)
    for i in range(count):
        while len(todo) > 1 and np.hypot(*(todo[0] - here)) < 0.2:
            todo.pop(0)
        gap = todo[0] - here
        left_over = np.hypot(*gap) + sum(np.hypot(*(b - a)) for a, b in zip(todo, todo[1:]))
        off = (np.arctan2(gap[1], gap[0]) - yaw + np.pi) % (2.0 * np.pi) - np.pi
        wanted = min(speed, 1.2 * left_over) * max(0.0, np.cos(off)) ** 3
        if left_over < 0.06:
            wanted = off = 0.0
        velocity += float(np.clip(wanted - velocity, -SPEED_STEP, SPEED_STEP))
        wanted = np.clip(1.5 * off, -MAX_TURN, MAX_TURN)
        rate += float(np.clip(wanted - rate, -TURN_STEP, TURN_STEP))
        ahead[i], turns[i] = velocity, rate
        heading = yaw + rate * ROW_S / 2.0
        here = here + velocity * ROW_S * np.array([np.cos(heading), np.sin(heading)])
        yaw += rate * ROW_S
    return Course(ahead, turns)


def _eased(ahead: np.ndarray, turns: np.ndarray, **more) -> Course:
    """The course with speeds that change no faster than robots follow, from rest."""
    speeds = {name: more.pop(name) for name in ("left", "up") if name in more}
    return Course(
        _limited(ahead, SPEED_STEP),
        _limited(turns, TURN_STEP),
        **{name: _limited(values, SPEED_STEP) for name, values in speeds.items()},
        **more,
    )


def _limited(values: np.ndarray, step: float) -> np.ndarray:
    out, last = np.empty(len(values)), 0.0
    for i, value in enumerate(values):
        last = out[i] = last + np.clip(value - last, -step, step)
    return out


def _smooth(rng, count: int, spread: float) -> np.ndarray:
    """[N] random numbers about zero that change within a second or two."""
    knots = rng.normal(0.0, spread, count // 5 + 2)
    return np.interp(np.arange(count) / 5.0, np.arange(len(knots)), knots)


def _share(count: int) -> np.ndarray:
    """[N] the share of the course that is over at each row's end."""
    return np.arange(1, count + 1) / count


def _cruise(rng) -> float:
    return float(rng.uniform(0.25, 0.6))
