"""A simulated rover that follows velocities, and what it has seen."""

from __future__ import annotations

from dataclasses import dataclass

from astra_ros.nodes.simulator.simulated_robot import SimulatedRobot
from astra_ros.simulation.explore.referee import ExploreReferee
from astra_ros.simulation.explore.world import ExploreWorld


@dataclass(frozen=True)
class RoverTruth:
    """The true outcome since the reset.

    Attributes:
        seen_m2: floor that the camera has seen.
        collision: whether the rover touched something.
    """

    seen_m2: float
    collision: bool


class SimulatedRover(SimulatedRobot):
    """An ``ExploreWorld`` as a node needs it. Plans are velocities."""

    world: ExploreWorld

    def __init__(self, world: ExploreWorld, seed: int) -> None:
        super().__init__(world, world.settings.physics_hz, seed)

    def reset(self, seed: int) -> None:
        super().reset(seed)
        self._referee = ExploreReferee(self.world)

    def truth(self) -> RoverTruth:
        """For measuring only, never for planning."""
        verdict = self._referee.verdict()
        return RoverTruth(self._referee.seen_m2, verdict.collision)

    def _step(self, seconds: float) -> None:
        super()._step(seconds)
        self._referee.watch()
