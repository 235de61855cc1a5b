"""Judge a push by the cube's progress to the goal and by contacts with the obstacle."""

from __future__ import annotations

import numpy as np

from astra_ros.simulation.arm.world import ArmState, ArmWorld
from astra_ros.simulation.worlds import Verdict


class ArmReferee:
    """Outcome: ``progress`` minus 1 if the arm or the cube touched the obstacle; -2..1."""

    def __init__(self, world: ArmWorld) -> None:
        self._world = world
        self._start = self._end = world.state()
        self._touched = False

    def watch(self) -> None:
        self._end = self._world.state()
        self._touched |= bool(self._end.obstacle_contact)

    def verdict(self) -> Verdict:
        progress = progress_between(self._start, self._end)
        return Verdict(progress - float(self._touched), self._touched, {"progress": progress})


def progress_between(start: ArmState, end: ArmState) -> float:
    """1 - d_end / d_start, within -1..1, d the cube-to-goal distance in the table plane."""
    share = goal_distance(end) / max(goal_distance(start), 1e-6)
    return float(np.clip(1.0 - share, -1.0, 1.0))


def goal_distance(state: ArmState) -> float:
    """m, from the cube to the goal in the table plane."""
    return float(np.linalg.norm(state.goal_position[:2] - state.object_position[:2]))
