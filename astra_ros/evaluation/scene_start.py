"""How a scene begins in which plans are compared: what the camera saw, and the simulator's mix of candidates."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from astra_ros.camera.frame_size import to_model_size
from astra_ros.inference import ModelCard
from astra_ros.simulation.worlds import World


@dataclass(frozen=True, eq=False)
class SceneStart:
    """What is known when plans are due.

    Attributes:
        history: uint8 [T, h, w, 3] RGB, the camera's last images at the model's size.
        goal: uint8 [h, w, 3] RGB of the finished task; None where the task has no picture.
        motion_now: column -> the robot's position or motion.
        kinds: of each plan, what it was meant to be.
    """

    history: np.ndarray = field(repr=False)
    goal: np.ndarray | None = field(repr=False)
    motion_now: dict[str, float]
    kinds: list[str]
    plans: list[Any]


def begin_scene(world: World, card: ModelCard, seed: int, plans: int, lead_in_s: float = 0.0) -> SceneStart | None:
    """Reset a world to a seed and have it wait, or play, while the history fills.

    None where it begins in contact, or has no plans.

    Args:
        lead_in_s: seconds of play before the plans begin.
    """
    world.reset(seed)
    if lead_in_s:
        world.play(np.random.default_rng([seed, 8]), lead_in_s)
    frames = [world.render()]
    for _ in range(max(card.history - 1, round(lead_in_s / card.dt_s))):
        world.step(card.dt_s)
        frames.append(world.render())
    if world.labels()["obstacle_contact"]:
        return None
    proposals = world.propose(plans, seed)
    if not proposals:
        return None
    kinds, candidates = zip(*proposals)
    goal = world.goal_image()
    now = dict(zip(world.embodiment.motion_names, world.motion().tolist()))
    return SceneStart(
        np.stack([to_model_size(frame, card.image_size) for frame in frames[-card.history :]]),
        None if goal is None else to_model_size(goal, card.image_size),
        now,
        list(kinds),
        list(candidates),
    )
