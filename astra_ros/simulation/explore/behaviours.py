"""Behaviours of an exploring robot, skilled or not, each as a course to follow.

A behaviour is a function of the situation, random numbers and a number of rows. It returns a `Course`, or None where
it is impossible, such as a doorway without a door in view. Both robots share most of them; only the drone has those
that ``FLYING`` adds.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from astra_ros.control.waypoints import MAX_TURN
from astra_ros.plans.durations import STEP_S
from astra_ros.simulation.explore.courses import (
    MARGIN_M,
    Course,
    cruise,
    eased,
    free_line,
    path,
    share,
    smooth,
    through,
)
from astra_ros.simulation.explore.visibility import Situation

Behaviour = Callable[[Situation, np.random.Generator, int], "Course | None"]


# -- where to go ---------------------------------------------------------------------------------


def go(s: Situation, rng, count: int) -> Course | None:
    """To a visible free point, mostly in the camera's view."""
    for _ in range(30):
        half = s.half_fov[0] if rng.random() < 0.75 else np.pi
        bearing, distance = s.yaw + rng.uniform(-half, half), rng.uniform(0.7, 3.0)
        point = s.xy + distance * np.array([np.cos(bearing), np.sin(bearing)])
        if free_line(s, s.xy, point):
            return through(s, [point], cruise(rng), count)
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
            return through(s, points, rng.uniform(0.35, 0.65), count)
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
    return through(s, points, cruise(rng), count) if points else None


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
                return through(s, [point], cruise(rng), count)
    return None


def bump(s: Situation, rng, count: int) -> Course | None:
    """Into a near wall or piece of furniture."""
    for _ in range(20):
        bearing = s.yaw + rng.uniform(-1.0, 1.0)
        distance = float(s.solids.cast(s.xy, [bearing])[0])
        if distance < 1.6:
            point = s.xy + (distance + 1.5) * np.array([np.cos(bearing), np.sin(bearing)])
            return through(s, [point], rng.uniform(0.35, 0.6), count)
    return None


def face_wall(s: Situation, rng, count: int) -> Course | None:
    """Turn to the nearest wall and go close, where nothing new is visible."""
    walls = s.house.wall_solids
    i = int(np.argmin(walls.distances(s.xy[None])[0]))
    gap = walls.nearest_points(s.xy)[i] - s.xy
    distance = max(float(np.hypot(*gap)), 1e-6)
    stop = s.spec.radius_m + rng.uniform(0.1, 0.3)
    point = s.xy + gap * max(1.0 - stop / distance, 0.05 / distance)
    return through(s, [point], rng.uniform(0.25, 0.45), count) if free_line(s, s.xy, point) else None


def turn(s: Situation, rng, count: int) -> Course:
    """On the spot, by part of a circle or all the time."""
    rate = rng.choice([-1.0, 1.0]) * rng.uniform(0.25, MAX_TURN)
    until = count if rng.random() < 0.6 else int(rng.integers(count // 3, count + 1))
    return eased(np.zeros(count), np.where(np.arange(count) < until, rate, 0.0))


def curve(s: Situation, rng, count: int) -> Course | None:
    """A free arc."""
    for _ in range(20):
        speed, rate = rng.uniform(0.2, 0.6), rng.uniform(-0.6, 0.6)
        course = eased(np.full(count, speed), np.full(count, rate))
        if min(s.solids.clearance(path(s, course))) > s.spec.radius_m + MARGIN_M:
            return course
    return None


def back_up(s: Situation, rng, count: int) -> Course:
    """Backwards, then mostly a turn on the spot."""
    back = int(rng.integers(count // 4, max(count // 2, count // 4 + 1) + 1))
    first = np.arange(count) < back
    rate = rng.uniform(-0.6, 0.6)
    ahead = np.where(first, -rng.uniform(0.15, 0.4), 0.0)
    return eased(ahead, np.where(first, rng.uniform(-0.2, 0.2), rate))


def wander(s: Situation, rng, count: int) -> Course:
    """Smooth random speeds without a goal; the drone moves and tilts in all its degrees of freedom."""
    ahead = 0.2 + smooth(rng, count, 0.3)
    rates = smooth(rng, count, 0.5)
    if not s.spec.flies:
        return eased(ahead, rates)
    sideways, climb = smooth(rng, count, 0.25), smooth(rng, count, 0.15)
    pitch, roll = np.clip(smooth(rng, count, 0.2), -0.5, 0.5), smooth(rng, count, 0.15)
    return eased(ahead, rates, left=sideways, up=climb, pitch=pitch, roll=np.clip(roll, -0.4, 0.4))


def stand(s: Situation, rng, count: int) -> Course:
    """Stand still."""
    return Course(np.zeros(count), np.zeros(count))


# -- the drone's own --------------------------------------------------------------


def strafe(s: Situation, rng, count: int) -> Course:
    """Sideways, looking ahead."""
    left = np.full(count, rng.choice([-1.0, 1.0]) * rng.uniform(0.2, 0.5))
    return eased(rng.uniform(-0.1, 0.15) * np.ones(count), np.zeros(count), left=left)


def climb(s: Situation, rng, count: int) -> Course:
    """To another height, slowly ahead or not."""
    low, high = s.spec.altitude_m
    wanted = rng.uniform(low + 0.15, high - 0.15)
    rate = (wanted - s.altitude) / (0.75 * count * STEP_S)
    up = np.where(np.arange(count) < 0.75 * count, np.clip(rate, -0.5, 0.5), 0.0)
    ahead = np.full(count, rng.choice([0.0, rng.uniform(0.1, 0.35)]))
    return eased(ahead, np.zeros(count), up=up)


def orbit(s: Situation, rng, count: int) -> Course | None:
    """Around the object ahead, facing it."""
    distance = float(s.solids.cast(s.xy, [s.yaw])[0])
    if not 0.6 < distance < 2.5:
        return None
    radius = distance + 0.2
    speed = rng.choice([-1.0, 1.0]) * min(rng.uniform(0.25, 0.5), MAX_TURN * radius)
    # Its middle stays ahead: facing the middle of a circle, leftwards is clockwise.
    rate = np.full(count, -speed / radius)
    return eased(np.zeros(count), rate, left=np.full(count, speed))


def bank(s: Situation, rng, count: int) -> Course:
    """Roll to one side and back, ahead or in a curve."""
    roll = rng.choice([-1.0, 1.0]) * rng.uniform(0.15, 0.42) * np.sin(np.pi * share(count))
    ahead = np.full(count, rng.choice([0.0, rng.uniform(0.15, 0.4)]))
    return eased(ahead, rng.choice([0.0, 1.2]) * roll, roll=roll)


def look(s: Situation, rng, count: int) -> Course:
    """Up or down and back, on the spot or while it turns."""
    pitch = rng.choice([-1.0, 1.0]) * rng.uniform(0.2, 0.6) * np.sin(np.pi * share(count))
    rate = np.full(count, rng.choice([0.0, rng.uniform(-0.5, 0.5)]))
    return eased(np.full(count, rng.choice([0.0, 0.2])), rate, pitch=pitch)


def glide(s: Situation, rng, count: int) -> Course:
    """Ahead with a new height and the nose along the slope."""
    rate = rng.uniform(-0.25, 0.25)
    speed = rng.uniform(0.25, 0.5)
    return eased(
        np.full(count, speed),
        np.full(count, rng.uniform(-0.3, 0.3)),
        up=np.full(count, rate),
        pitch=np.arctan2(rate, speed),
    )


BEHAVIOURS: dict[str, Behaviour] = {
    make.__name__: make
    for make in (
        go, doorway, follow_wall, approach, bump, face_wall, turn, curve, back_up, wander, stand, strafe, climb, orbit,
        bank, look, glide,
    )
}  # fmt: skip

# Name of a behaviour -> how often random play chooses it.
DRIVING = {
    "go": 0.2, "doorway": 0.2, "follow_wall": 0.1, "approach": 0.1, "turn": 0.13, "curve": 0.08, "bump": 0.07,
    "back_up": 0.05, "wander": 0.05, "stand": 0.02,
}  # fmt: skip
FLYING = {
    "go": 0.13, "doorway": 0.15, "follow_wall": 0.05, "approach": 0.07, "turn": 0.08, "curve": 0.06, "bump": 0.05,
    "back_up": 0.04, "wander": 0.08, "stand": 0.02, "strafe": 0.06, "climb": 0.05, "orbit": 0.06, "bank": 0.04,
    "look": 0.05, "glide": 0.03,
}  # fmt: skip
# The same after a contact: mostly behaviours that free the robot.
FREEING = {"back_up": 0.5, "turn": 0.3, "wander": 0.1, "bump": 0.1}
