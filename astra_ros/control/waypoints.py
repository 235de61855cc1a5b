"""Velocities that take a base through waypoints."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

# Change of speed (m/s) and turn rate (rad/s) from row to row, well within the simulated robots' limits.
SPEED_STEP, TURN_STEP = 0.25, 0.35
MAX_TURN = 0.7
PASSED_M = 0.2
ARRIVED_M = 0.06


def through_waypoints(
    points: Sequence, place, yaw: float, speed: float, times: tuple[int, float], velocity=(0.0, 0.0)
) -> tuple[np.ndarray, np.ndarray]:
    """Through points one after the other, slow in turns, to rest at the last one.

    Args:
        points: at least one, each [2] x, y (m).
        place: [2] x, y (m) where the base is.
        yaw: where it heads, rad.
        speed: m/s on straight ways.
        times: number N of rows, and how long each is held, s.
        velocity: m/s forward and rad/s to the left, now.

    Returns:
        float64 [N] m/s forward, and [N] rad/s to the left.
    """
    count, step_s = times
    here, (ahead, rate) = np.asarray(place, dtype=np.float64), velocity
    forward, turns, todo = np.zeros(count), np.zeros(count), list(points)
    for i in range(count):
        while len(todo) > 1 and np.hypot(*(todo[0] - here)) < PASSED_M:
            todo.pop(0)
        gap = todo[0] - here
        left_over = np.hypot(*gap) + sum(np.hypot(*(b - a)) for a, b in zip(todo, todo[1:]))
        off = (np.arctan2(gap[1], gap[0]) - yaw + np.pi) % (2.0 * np.pi) - np.pi
        wanted = min(speed, 1.2 * left_over) * max(0.0, np.cos(off)) ** 3
        if left_over < ARRIVED_M:
            wanted = off = 0.0
        ahead += float(np.clip(wanted - ahead, -SPEED_STEP, SPEED_STEP))
        wanted = np.clip(1.5 * off, -MAX_TURN, MAX_TURN)
        rate += float(np.clip(wanted - rate, -TURN_STEP, TURN_STEP))
        forward[i], turns[i] = ahead, rate
        heading = yaw + rate * step_s / 2.0
        here = here + ahead * step_s * np.array([np.cos(heading), np.sin(heading)])
        yaw += rate * step_s
    return forward, turns
