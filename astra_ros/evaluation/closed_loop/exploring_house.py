"""The rover's task: to see as much of a house as it can on a way of fixed length."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy

from astra_ros.agents.exploration import WorldExploration
from astra_ros.agents.range_reader import RangeReader
from astra_ros.control.frontier_explorer import FrontierSettings
from astra_ros.datasets.record import FINER
from astra_ros.evaluation.closed_loop import request as known
from astra_ros.evaluation.exploring import SPACE, ExploredHouse, explored_house, policy_of
from astra_ros.evaluation.requests import ExploreRequest
from astra_ros.inference.world_model import WorldModel
from astra_ros.ranking.imaginer import Imaginer, RankingSettings
from astra_ros.simulation.explore.mapping_robot import MappingRobot
from astra_ros.simulation.explore.world import make

# policy -> its name in `astra explore`
EXPLORERS: Mapping[str, str] = {
    known.IMAGINATION: "imagined",
    known.RANDOM: "random",
    known.FIRST: "nearest",
    known.ALONE: "map",
    known.ORACLE: "oracle",
}
PRACTICE_SEED = 700  # the first house that the shipped models were not trained in


class Exploring:
    """Episodes of one rover.

    Imagination reads ranges from pictures, which it learns on its way. It begins each episode with what it learned in
    one house beforehand, so that an episode does not depend on those before it.
    """

    def __init__(self, model: WorldModel, robot: str, request: known.ClosedLoopRequest) -> None:
        self._request = ExploreRequest(distance_m=request.distance_m, most_s=request.explore_s)
        self._settings = FrontierSettings(candidates=request.plans)
        self._imaginer = Imaginer(model, RankingSettings(action_space=SPACE))
        self.world = make(robot, FINER * max(model.card.image_size))
        self._robot = MappingRobot(self.world)
        self._practised: RangeReader | None = None

    def episode(self, policy: str, seed: int) -> dict[str, bool | float]:
        """``seen_m2``: floor that is known after the fixed distance, or at the end of an episode that is shorter."""
        if policy == known.IMAGINATION and self._practised is None:
            beginner = WorldExploration(self._imaginer)
            self._explore(policy, PRACTICE_SEED, beginner)
            self._practised = beginner.reader
        house = self._explore(policy, seed, WorldExploration(self._imaginer, reader=deepcopy(self._practised)))
        within = [seen for _, metres, seen in self._robot.known_m2 if metres <= self._request.distance_m]
        return {
            "no_contact": not house.contacts,
            "seen_m2": max(within),
            "distance_m": house.distance_m,
            "time_s": house.time_s,
            "contacts": float(house.contacts),
        }

    def close(self) -> None:
        self.world.close()

    def _explore(self, policy: str, seed: int, exploration: WorldExploration) -> ExploredHouse:
        self._robot.reset(seed)
        explorer = policy_of(EXPLORERS[policy], self._robot, exploration, seed, self._settings)
        return explored_house(self._request, self._robot, seed, explorer, self._imaginer.model.card)
