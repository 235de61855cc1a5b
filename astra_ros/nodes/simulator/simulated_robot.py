"""A simulated robot whose clock never goes back."""

from __future__ import annotations

from typing import Any

RESET_GAP_S = 1.0


class SimulatedRobot:
    """A world as a node needs it; the world belongs to this object from now on.

    Resets start a new episode of the world while ``time_s`` goes on, because nodes drop their buffers when a clock
    jumps back. It skips ``RESET_GAP_S``, so a frame history sees a cut and does not mix two scenes. Plans may begin at
    a later time.

    Args:
        physics_hz: physics steps of the world per second.
    """

    def __init__(self, world: Any, physics_hz: float, seed: int) -> None:
        self.world, self.physics_hz = world, physics_hz
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
        self._waiting: tuple[float, Any] | None = None
        self._begin_episode(None)

    def command(self, plan: Any, start_s: float | None = None) -> None:
        """Follow a plan from ``start_s`` on, or from now on; it replaces a plan that still waits. Raises PlanError."""
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
        if until_s - self.time_s > 0.5 / self.physics_hz:
            self._step(until_s - self.time_s)

    def close(self) -> None:
        self.world.close()

    def _start(self, plan: Any) -> None:
        self._waiting = None
        self._execute(plan)
        self._begin_episode(self.time_s)

    def _execute(self, plan: Any) -> None:
        """Have the world follow a plan. Raises PlanError."""
        self.world.command(plan)

    def _begin_episode(self, began_s: float | None) -> None:
        """Judge from now on; ``began_s``: when the plan began, None after a reset."""
        self._began_s = began_s

    def _step(self, seconds: float) -> None:
        self.world.step(seconds)

    @property
    def plan_elapsed_s(self) -> float:
        """Seconds since the plan began; -1 before any plan."""
        return -1.0 if self._began_s is None else self.time_s - self._began_s
