"""What really happens when a plan is executed in the house, and how much of it was worth seeing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from astra_ros.planning.velocity_plan import VelocityPlan
from astra_ros.simulation.explore.sight import area, seen_floor
from astra_ros.simulation.explore.world import ExploreWorld

# Newly seen floor (m^2) that makes a gain of 1: about what the best plans of four seconds find.
FULL_GAIN_M2 = 14.0


@dataclass(frozen=True, eq=False)
class ExploreRollout:
    """An executed plan, H steps.

    Attributes:
        frames: uint8 [H + 1, height, width, 3] RGB, the first one before the plan; [0, ...] when
            not rendered.
        labels: H + 1 of ``ExploreWorld.labels``.
        seen: bool [rows, columns], floor cells (``sight``) seen before or during the plan.
        new_area_m2: floor seen at some step's end that had not been seen before the plan.
        gain: ``new_area_m2`` as a share of ``FULL_GAIN_M2``, 0..1.
        collision: whether the robot touched something at any time.
        outcome: ``gain`` minus 1 if ``collision``: -1..1, higher is better.
    """

    frames: np.ndarray
    labels: list[dict[str, np.ndarray]]
    seen: np.ndarray
    new_area_m2: float
    gain: float
    collision: bool
    outcome: float


def execute(
    world: ExploreWorld,
    plan: VelocityPlan,
    horizon: int = 16,
    dt_s: float = 0.25,
    render: bool = True,
    seen: np.ndarray | None = None,
) -> ExploreRollout:
    """Execute a plan from the world's current state; the world stays where the plan ends.

    Args:
        world: the world, changed by this call.
        plan: what the robot is told to do.
        horizon: steps H; a plan that ends earlier goes on with rest.
        dt_s: seconds a step.
        render: False skips the frames, which take most of the time.
        seen: floor that counts as seen before, e.g. ``seen`` of an earlier roll-out in this house;
            what the camera sees now always does.

    Raises:
        PlanError: the plan's columns are not the robot's.
    """
    before = seen_floor(world.situation)
    if seen is not None:
        before |= seen
    after = before.copy()
    labels = [world.labels()]
    frames = [world.render()] if render else []
    world.command(plan)
    for _ in range(horizon):
        world.step(dt_s)
        labels.append(world.labels())
        after |= seen_floor(world.situation)
        if render:
            frames.append(world.render())
    camera = world.settings.camera
    new = area(after & ~before)
    gain = min(new / FULL_GAIN_M2, 1.0)
    collision = any(bool(label["obstacle_contact"]) for label in labels[1:])
    return ExploreRollout(
        frames=np.array(frames, np.uint8).reshape(len(frames), camera.height, camera.width, 3),
        labels=labels,
        seen=after,
        new_area_m2=new,
        gain=gain,
        collision=collision,
        outcome=gain - float(collision),
    )
