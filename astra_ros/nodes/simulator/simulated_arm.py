"""A simulated arm whose clock never goes back, and the outcome of its last plan."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from astra_ros.plans.joint_plan import JointPlan
from astra_ros.simulation.arm.referee import ArmReferee, goal_distance
from astra_ros.simulation.arm.world import ArmWorld

RESET_GAP_S = 1.0


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


class SimulatedArm:
    """An ``ArmWorld`` as a node needs it; the world belongs to this object from now on.

    Resets start a new episode of the world while ``time_s`` goes on, because nodes drop their buffers when a clock
    jumps back. It skips ``RESET_GAP_S``, so a frame history sees a cut and does not mix two scenes. Plans may begin at
    a later time.
    """

    def __init__(self, world: ArmWorld, seed: int) -> None:
        self.world = world
        self._offset_s = -world.time_s - RESET_GAP_S
        self.reset(seed)

    @property
    def time_s(self) -> float:
        """Simulated seconds since this object was made, with the gaps of its resets."""
        return self._offset_s + self.world.time_s

    def reset(self, seed: int) -> None:
        """Start the episode of ``seed`` and forget plans."""
        now_s = self.time_s + RESET_GAP_S
        self.world.reset(seed)
        self._offset_s = now_s - self.world.time_s
        self._waiting: tuple[float, JointPlan] | None = None
        self._begin_episode(None)

    def command(self, plan: JointPlan, start_s: float | None = None) -> None:
        """Follow a plan from ``start_s`` on, or from now on; it replaces a plan that still waits. Raises PlanError."""
        plan = plan.reordered(self.world.spec.joint_names)
        if start_s is None or start_s <= self.time_s:
            self._start(plan)
        else:
            self._waiting = (start_s, plan)

    def advance(self, seconds: float) -> None:
        """Simulate ``seconds``; a waiting plan begins at its time, to a physics step."""
        until_s = self.time_s + seconds
        if self._waiting is not None and self._waiting[0] < until_s:
            start_s, plan = self._waiting
            if start_s > self.time_s:
                self._step(start_s - self.time_s)
            self._start(plan)
        if until_s - self.time_s > 0.5 / self.world.settings.physics_hz:
            self._step(until_s - self.time_s)

    def truth(self) -> Truth:
        """The true outcome so far; for measuring only, never for planning."""
        state = self.world.state()
        verdict = self._referee.verdict()
        return Truth(
            plan_elapsed_s=-1.0 if self._began_s is None else self.time_s - self._began_s,
            goal_distance_m=goal_distance(state),
            progress=verdict.parts["progress"],
            collision=verdict.collision,
            outcome=verdict.outcome,
            object_contact=self._object_contact,
            object_position=state.object_position,
            tool_position=state.tool_position,
        )

    def close(self) -> None:
        self.world.close()

    def _start(self, plan: JointPlan) -> None:
        self._waiting = None
        self.world.command(plan)
        self._begin_episode(self.time_s)

    def _begin_episode(self, began_s: float | None) -> None:
        self._began_s = began_s
        self._referee = ArmReferee(self.world)
        self._object_contact = False

    def _step(self, seconds: float) -> None:
        self.world.step(seconds)
        self._referee.watch()
        self._object_contact |= bool(self.world.state().object_contact)
