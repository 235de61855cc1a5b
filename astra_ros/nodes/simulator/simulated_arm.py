"""A simulated arm, and the outcome of its last plan."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from astra_ros.nodes.simulator.simulated_robot import SimulatedRobot
from astra_ros.plans.joint_plan import JointPlan
from astra_ros.simulation.arm.referee import ArmReferee, goal_distance
from astra_ros.simulation.arm.world import ArmWorld


@dataclass(frozen=True)
class Truth:
    """The true outcome since the last plan began (or since the reset, before any plan). Positions: [3] m, world frame.

    Attributes:
        plan_elapsed_s: seconds since the plan began; -1 before any plan.
        goal_distance_m: object to goal, in the table plane.
        progress: 1 - distance now / distance when the plan began, within -1..1.
        collision: the arm or the object touched the obstacle.
        outcome: its value, see ``ArmReferee``.
        object_contact: the arm touched the object.
    """

    plan_elapsed_s: float
    goal_distance_m: float
    progress: float
    collision: bool
    outcome: float
    object_contact: bool
    object_position: np.ndarray
    tool_position: np.ndarray


class SimulatedArm(SimulatedRobot):
    """An ``ArmWorld`` as a node needs it."""

    world: ArmWorld

    def __init__(self, world: ArmWorld, seed: int) -> None:
        super().__init__(world, world.settings.physics_hz, seed)

    def command(self, plan: JointPlan, start_s: float | None = None) -> None:
        """See `SimulatedRobot`; a plan for other joints is refused at once."""
        super().command(plan.reordered(self.world.spec.joint_names), start_s)

    def truth(self) -> Truth:
        """The true outcome so far; for measuring only, never for planning."""
        state = self.world.state()
        verdict = self._referee.verdict()
        return Truth(
            plan_elapsed_s=self.plan_elapsed_s,
            goal_distance_m=goal_distance(state),
            progress=verdict.parts["progress"],
            collision=verdict.collision,
            outcome=verdict.outcome,
            object_contact=self._object_contact,
            object_position=state.object_position,
            tool_position=state.tool_position,
        )

    def _begin_episode(self, began_s: float | None) -> None:
        super()._begin_episode(began_s)
        self._referee = ArmReferee(self.world)
        self._object_contact = False

    def _step(self, seconds: float) -> None:
        super()._step(seconds)
        self._referee.watch()
        self._object_contact |= bool(self.world.state().object_contact)
