"""How smoothly a car drives: the share of time in which its occupants are comfortable."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from astra_ros.control.vehicle import VehicleState

# Bounds of nuPlan's metric `ego_is_comfortable` (Caesar et al. 2021, arXiv 2106.11810): m/s^2, m/s^3, rad/s, rad/s^2.
AHEAD, BRAKING, SIDEWAYS = 2.40, -4.05, 4.89
JERK, JERK_AHEAD = 8.37, 4.13
TURN, TURN_CHANGE = 0.95, 1.93


def smoothness(states: Sequence[VehicleState], dt_s: float) -> float:
    """Share of steps that keep nuPlan's bounds of acceleration, jerk and turning, 0 to 1.

    nuPlan asks whether a whole drive keeps them; this is the share of its steps. Accelerations are means over a step,
    and jerk is their change from one step to the next, the first one from none.

    Args:
        states: N + 1 of the car, ``dt_s`` apart.
    """
    speed, turn = np.array([(state.speed, state.yaw_rate) for state in states]).T
    ahead, turn_change = np.diff(speed) / dt_s, np.diff(turn) / dt_s
    sideways = (speed[1:] + speed[:-1]) / 2 * (turn[1:] + turn[:-1]) / 2
    jerk_ahead, jerk_sideways = np.diff(ahead, prepend=0.0) / dt_s, np.diff(sideways, prepend=0.0) / dt_s
    comfortable = (ahead >= BRAKING) & (ahead <= AHEAD) & (np.abs(sideways) <= SIDEWAYS)
    comfortable &= (np.abs(jerk_ahead) <= JERK_AHEAD) & (np.hypot(jerk_ahead, jerk_sideways) <= JERK)
    comfortable &= (np.abs(turn[1:]) <= TURN) & (np.abs(turn_change) <= TURN_CHANGE)
    return float(comfortable.mean())
