"""Judge a tour by the newly seen floor and by contacts."""

from __future__ import annotations

import numpy as np

from astra_ros.simulation.explore.plans import Explorer
from astra_ros.simulation.explore.visibility import area, seen_floor
from astra_ros.simulation.worlds import Verdict

# Newly seen floor (m^2) that makes a gain of 1: about that of the best plans of four seconds.
FULL_GAIN_M2 = 14.0


class ExploreReferee:
    """Outcome: ``gain`` minus 1 if the robot touched something; -1..1.

    ``gain`` is the floor first seen at the end of a step, as a share of ``FULL_GAIN_M2``.

    Args:
        seen: floor that counts as seen before, e.g. ``seen`` of an earlier plan in this house. The camera's view at the
            start always counts.

    Attributes:
        seen: bool [rows, columns], floor cells (``visibility``) seen before or during the plan.
    """

    def __init__(self, world: Explorer, seen: np.ndarray | None = None) -> None:
        self._world = world
        self._before = seen_floor(world.situation)
        if seen is not None:
            self._before |= seen
        self.seen = self._before.copy()
        self._touched = False

    def watch(self) -> None:
        situation = self._world.situation
        self.seen |= seen_floor(situation)
        self._touched |= bool(situation.contact)

    @property
    def seen_m2(self) -> float:
        """Floor that was seen before or during the plan."""
        return area(self.seen)

    def verdict(self) -> Verdict:
        new = area(self.seen & ~self._before)
        gain = min(new / FULL_GAIN_M2, 1.0)
        return Verdict(gain - float(self._touched), self._touched, {"gain": gain, "new_area_m2": new})
