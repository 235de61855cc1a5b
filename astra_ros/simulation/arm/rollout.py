"""What really happens when a plan is executed: frames, states, and how good it was."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from astra_ros.planning.plans import JointPlan
from astra_ros.simulation.arm.world import ArmState, ArmWorld


@dataclass(frozen=True)
class Rollout:
    """An executed plan, H steps.

    Attributes:
        frames: uint8 [H + 1, height, width, 3] RGB, the first one before the plan; [0, ...] when
            not rendered.
        states: H + 1 true states; a state's contacts cover the interval that ends at it.
        progress: share of the cube-to-goal distance that was gained, -1..1.
        collision: whether the arm or the cube touched the obstacle at any time.
        outcome: ``progress`` minus 1 if ``collision``: -2..1, higher is better.
    """

    frames: np.ndarray
    states: list[ArmState]
    progress: float
    collision: bool
    outcome: float


def execute(
    world: ArmWorld,
    plan: JointPlan,
    horizon: int = 16,
    dt_s: float = 0.25,
    render: bool = True,
) -> Rollout:
    """Execute a plan from the world's current state; the world stays where the plan ends.

    Args:
        world: the world, changed by this call.
        plan: what the arm is told to do.
        horizon: steps H; a plan that ends earlier holds its last point.
        dt_s: seconds a step.
        render: False skips the frames, which take most of the time.

    Raises:
        PlanError: the plan's joints are not the arm's.
    """
    states = [world.state()]
    frames = [world.render()] if render else []
    world.command(plan)
    for _ in range(horizon):
        world.step(dt_s)
        states.append(world.state())
        if render:
            frames.append(world.render())
    camera = world.settings.camera
    shape = (len(frames), camera.height, camera.width, 3)
    progress = progress_between(states[0], states[-1])
    collision = any(state.obstacle_contact for state in states[1:])
    return Rollout(
        frames=np.array(frames, dtype=np.uint8).reshape(shape),
        states=states,
        progress=progress,
        collision=collision,
        outcome=progress - float(collision),
    )


def progress_between(start: ArmState, end: ArmState) -> float:
    """1 - d_end / d_start, within -1..1, d the cube-to-goal distance in the table plane."""

    def distance(state: ArmState) -> float:
        return float(np.linalg.norm(state.goal_position[:2] - state.object_position[:2]))

    return float(np.clip(1.0 - distance(end) / max(distance(start), 1e-6), -1.0, 1.0))
