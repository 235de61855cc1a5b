"""Courses: speeds of a robot in a level frame, and their conversion to plans."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from astra_ros.control.waypoints import SPEED_STEP, TURN_STEP, through_waypoints
from astra_ros.plans.durations import STEP_S
from astra_ros.plans.velocity_plan import VelocityPlan
from astra_ros.simulation.explore.robots import Pose, gimbal, gimbal_angles, twist_between
from astra_ros.simulation.explore.visibility import Situation

# A pitch or roll is approached at this rate (rad/s).
TILT_RATE = 0.5
# Clearance beside the robot on a collision-free path (m).
MARGIN_M = 0.08


@dataclass(frozen=True, eq=False)
class Course:
    """Motion of a robot in N rows of ``STEP_S``, in a level frame with the robot's heading.

    Attributes:
        ahead, turn: [N] m/s forward, rad/s to the left.
        left, up: [N] m/s, of the drone only.
        pitch, roll: [N] rad, of the drone only, targets at each row's end: nose up, right side down.
    """

    ahead: np.ndarray
    turn: np.ndarray
    left: np.ndarray | float = 0.0
    up: np.ndarray | float = 0.0
    pitch: np.ndarray | float = 0.0
    roll: np.ndarray | float = 0.0


def course_plan(situation: Situation, course: Course, name: str = "plan") -> VelocityPlan:
    """The course as the robot's velocities, from its current pose."""
    spec, count = situation.spec, len(course.ahead)
    rows = np.zeros((count, len(spec.motion_names)))
    if not spec.flies:
        rows[:] = np.stack([course.ahead, course.turn], axis=1)
    else:
        left, up, pitch, roll = (np.broadcast_to(v, count) for v in (course.left, course.up, course.pitch, course.roll))
        here = situation.pose
        yaw, nose, bank = gimbal_angles(here.rotation)
        most = TILT_RATE * STEP_S
        for i in range(count):
            heading = yaw + course.turn[i] * STEP_S / 2.0
            c, s = np.cos(heading), np.sin(heading)
            shift = np.array([c * course.ahead[i] - s * left[i], s * course.ahead[i] + c * left[i], up[i]])
            yaw += course.turn[i] * STEP_S
            nose += float(np.clip(pitch[i] - nose, -most, most))
            bank += float(np.clip(roll[i] - bank, -most, most))
            position = here.position + shift * STEP_S
            position[2] = np.clip(position[2], *spec.altitude_m)
            there = Pose(position, gimbal(yaw, nose, bank))
            rows[i] = twist_between(here, there, STEP_S)
            here = there
    return VelocityPlan(spec.motion_names, STEP_S, np.clip(rows, -spec.max_speed, spec.max_speed), name)


def free_line(situation: Situation, start, end) -> bool:
    """Whether the straight line between two points [2] is free at the robot's height."""
    count = max(2, int(np.hypot(*np.subtract(end, start)) / 0.08) + 1)
    points = np.linspace(start, end, count)
    room = situation.solids.clearance(points)
    return bool((room[1:] > situation.spec.radius_m + MARGIN_M).all())


def path(s: Situation, course: Course) -> np.ndarray:
    """[N + 1, 2] the path of a course without contact."""
    yaw, here, points = s.yaw, s.xy, [s.xy]
    left = np.broadcast_to(course.left, len(course.ahead))
    for speed, rate, side in zip(course.ahead, course.turn, left):
        heading = yaw + rate * STEP_S / 2.0
        c, sn = np.cos(heading), np.sin(heading)
        here = here + STEP_S * np.array([c * speed - sn * side, sn * speed + c * side])
        yaw += rate * STEP_S
        points.append(here)
    return np.array(points)


def through(s: Situation, points: list, speed: float, count: int) -> Course:
    """Through points [2] one after the other, slow in turns, to rest at the last one."""
    return Course(*through_waypoints(points, s.xy, s.yaw, speed, (count, STEP_S)))


def eased(ahead: np.ndarray, turns: np.ndarray, **more) -> Course:
    """The course, from rest, with speeds that change no faster than the robots can follow."""
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


def smooth(rng, count: int, spread: float) -> np.ndarray:
    """[N] random numbers about zero that change within a second or two."""
    knots = rng.normal(0.0, spread, count // 5 + 2)
    return np.interp(np.arange(count) / 5.0, np.arange(len(knots)), knots)


def share(count: int) -> np.ndarray:
    """[N] share of the course completed at each row's end."""
    return np.arange(1, count + 1) / count


def cruise(rng) -> float:
    return float(rng.uniform(0.25, 0.6))
