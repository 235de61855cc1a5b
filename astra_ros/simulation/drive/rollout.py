"""What really happens when a car's plan is executed: frames, states, and how good it was."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from astra_ros.planning.velocity_plan import VelocityPlan
from astra_ros.simulation.drive.road import Road
from astra_ros.simulation.drive.state import DriveState
from astra_ros.simulation.drive.world import DriveWorld

CRUISE = 6.0  # m/s; who keeps it up makes the full progress of 1
OFF_ROAD_COST = 0.5
COLLISION_COST = 1.0


@dataclass(frozen=True)
class DriveRollout:
    """An executed plan, H steps.

    Attributes:
        frames: uint8 [H + 1, height, width, 3] RGB, the first one before the plan; [0, ...] when
            not rendered.
        states: H + 1 true states; a state's contact covers the interval that ends at it.
        labels: H + 1 of ``DriveWorld.labels``.
        progress: way made along the main road over that of a car at ``CRUISE``, -1..1.
        collision: whether the car touched anything at any time.
        off_road: whether a wheel was off the lanes at the end of any step.
        outcome: ``progress`` minus 1 if ``collision`` minus 0.5 if ``off_road``: -2.5..1, higher is
            better.
    """

    frames: np.ndarray
    states: list[DriveState]
    labels: list[dict[str, np.ndarray]]
    progress: float
    collision: bool
    off_road: bool
    outcome: float


def execute(
    world: DriveWorld,
    plan: VelocityPlan,
    horizon: int = 16,
    dt_s: float = 0.25,
    render: bool = True,
) -> DriveRollout:
    """Execute a plan from the world's current state; the world stays where the plan ends.

    Args:
        world: the world, changed by this call.
        plan: what the car is told to do.
        horizon: steps H; after the plan's end the car brakes.
        dt_s: seconds a step.
        render: False skips the frames, which take most of the time.

    Raises:
        PlanError: the plan's columns are not the car's.
        ValueError: horizon below 1.
    """
    if horizon < 1:
        raise ValueError(f"execute: horizon is {horizon}; expected at least 1 step")
    states, labels = [world.state()], [world.labels()]
    frames = [world.render()] if render else []
    world.command(plan)
    for _ in range(horizon):
        world.step(dt_s)
        states.append(world.state())
        labels.append(world.labels())
        if render:
            frames.append(world.render())
    camera = world.settings.camera
    progress = progress_between(world.layout.road, states)
    collision = any(state.obstacle_contact for state in states[1:])
    off_road = any(state.off_road for state in states[1:])
    return DriveRollout(
        frames=np.array(frames, dtype=np.uint8).reshape(-1, camera.height, camera.width, 3),
        states=states,
        labels=labels,
        progress=progress,
        collision=collision,
        off_road=off_road,
        outcome=outcome(progress, collision, off_road),
    )


def progress_between(road: Road, states: list[DriveState]) -> float:
    """Way along the road in the first state's direction, over ``CRUISE`` times the time, -1..1."""
    s = np.array([state.s for state in states])
    way = float(np.sum(road.ahead(s[:-1], s[1:], states[0].direction)))
    seconds = states[-1].time_s - states[0].time_s
    return float(np.clip(way / (CRUISE * seconds), -1.0, 1.0))


def outcome(progress: float, collision: bool, off_road: bool) -> float:
    """The score of a true outcome; see ``DriveRollout``."""
    return progress - COLLISION_COST * collision - OFF_ROAD_COST * off_road
