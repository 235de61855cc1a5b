"""The arm's task: a cube is pushed around an obstacle to its goal."""

from __future__ import annotations

from dataclasses import replace

from astra_ros.agents.loop import ByImagination, Choose
from astra_ros.datasets.record import FINER
from astra_ros.evaluation.closed_loop import request as known
from astra_ros.evaluation.closed_loop.choosers import AtRandom, ByTruth, First
from astra_ros.evaluation.closed_loop.plan_alone import PLAN_CRITICS, PlanAlone
from astra_ros.evaluation.push_loop import PushLoop
from astra_ros.inference.world_model import WorldModel
from astra_ros.plans.action_spaces import action_space_class
from astra_ros.plans.durations import PLAN_S
from astra_ros.plans.plan import Plan
from astra_ros.simulation.arm import planned_pushes
from astra_ros.simulation.arm.known_bodies import TABLE, post_at
from astra_ros.simulation.arm.robots import robot_description

PLAN_LIMIT_S = 60.0  # the planner works against the clock, and a measurement often shares its machine


class Pushing:
    """Episodes of one arm. The planner knows where cube and goal are, and no obstacle."""

    def __init__(self, model: WorldModel, robot: str, request: known.ClosedLoopRequest) -> None:
        self.world = planned_pushes.make(robot, FINER * max(model.card.image_size))
        self.loop = PushLoop(model, self.world, request.plans, request.arm_choices, PLAN_LIMIT_S)
        self._dt_s = model.card.dt_s
        self._alone = PlanAlone(model, replace(self.loop.robot.imaginer.settings, critics=PLAN_CRITICS))

    def episode(self, policy: str, seed: int) -> dict[str, bool | float]:
        """``reached``: the cube ends within 5 cm of the goal; ``untouched``: the obstacle; ``success``: both.

        ``unplanned`` counts choices without any candidate, as while the arm touches something; ``candidates`` is their
        mean number.
        """
        self.world.reset(seed)  # who is told of the obstacle is told of this scene's
        self.loop.choose = self.chooser(policy, seed)
        self.loop.sees = policy == known.IMAGINATION
        rests, counts = 0, []
        for cycle in self.loop.episode(seed):
            rests += cycle.choice.index is None
            counts.append(len(cycle.plans))
        outcome = self.loop.outcome
        return {
            "success": outcome.reached and not outcome.touched,
            "reached": outcome.reached,
            "untouched": not outcome.touched,
            "distance_m": outcome.distance_m,
            "choices": float(outcome.choices),
            "rests": float(rests),
            "unplanned": float(counts.count(0)),
            "candidates": sum(counts) / max(1, len(counts)),
        }

    def chooser(self, policy: str, seed: int) -> Choose | None:
        """Of the scene that the world was reset to; None stands for the loop's own imagination."""
        if policy == known.IMAGINATION:
            return None
        if policy == known.RANDOM:
            return AtRandom(seed)
        if policy == known.FIRST:
            return First()
        if policy == known.ORACLE:
            return ByTruth(self.world, self.loop.robot.imaginer.settings.horizon, self._dt_s, self._rest)
        if policy == known.ALONE:
            return ByImagination(self._alone, self._joints)
        assert policy in known.OF_ARMS_ALONE, policy
        x, y, _ = self.world.state().obstacle_position.tolist()
        physics = PlanAlone(self.loop.model, replace(self._alone.settings, critics=("physics",)))
        physics.robot_description = robot_description(self.world.spec, coarse=True)
        physics.obstacles = (TABLE, post_at(x, y)) if policy == known.TOLD else (TABLE,)
        return ByImagination(physics, self._joints)

    def close(self) -> None:
        self.loop.close()
        self.world.close()

    def _joints(self) -> dict[str, float]:
        return dict(zip(self.world.joint_names, self.world.motion().tolist()))

    def _rest(self) -> Plan:
        body = self.world.embodiment
        return action_space_class(body.modality).rest(body.motion_names, self._joints(), PLAN_S, "rest")
