"""A world model whose imagination is known beforehand, and plans for it."""

from types import SimpleNamespace

import numpy as np

from astra_ros.inference.imagination import Imagination
from astra_ros.plans.action_spaces.joints import JointSpace
from astra_ros.plans.joint_plan import JointPlan
from astra_ros.world_model.rollout import coarse_frames

TWO = JointSpace("two", ("a", "b"), (0.0, 0.0), (1.0, 1.0), (1.0, 1.0))
ONE = JointSpace("one", ("x",), (0.0,), (1.0,), (1.0,))


class KnownModel:
    """Latent = mean brightness. Each plan's last joint position is what the latent becomes."""

    runs_on = "arithmetic"

    def __init__(self) -> None:
        self.card = SimpleNamespace(
            name="known",
            image_size=(4, 4),
            dt_s=0.5,
            history=2,
            latent_shape=(1, 1, 1),
            action_spaces={"two": TWO, "one": ONE},
            cameras={},
            held_joints={},
            moving_cameras={},
            continuous_joints={},
            calibrations={},
            network=SimpleNamespace(strides=(1, 2)),
            outcomes={"two": ("obstacle_contact",), "one": ("obstacle_contact",)},
        )
        self.asked = []

    def encode(self, frames):
        return (frames.mean(axis=(1, 2, 3)) / 255).astype(np.float32)[:, None, None, None]

    def pictures(self, latents, observed, conditioning, which=...):
        self.seen, self.shown_by, self.which = observed, conditioning, which
        grey = np.clip(latents[which] * 255, 0, 255).astype(np.uint8)[..., 0, :, :, None]
        return np.broadcast_to(grey, (*grey.shape[:-3], 4, 4, 3)).copy()

    def imagine(self, history, conditioning, *, seed=0, steps=None, stride=1):
        self.conditioning, actions = conditioning, conditioning.actions
        self.asked.append((actions.shape, conditioning.space, seed, steps))
        frames = coarse_frames(actions.shape[1], stride)
        actions = actions[:, np.array(frames) - 1]
        plans, horizon = actions.shape[:2]
        made = Imagination(
            latents=actions[:, :, 0].reshape(plans, horizon, 1, 1, 1),
            uncertainty=np.zeros((plans, horizon)),
            outcomes={"obstacle_contact": np.zeros((plans, horizon))},
        )
        return made if stride == 1 else made.spread(frames, stride)


def plan(name, end, joints=("a", "b"), first_s=0.0, end_s=1.0):
    """Joint a goes to end at end_s, the others stay at 0."""
    positions = np.zeros((2, len(joints)))
    positions[1, joints.index("a") if "a" in joints else 0] = end
    return JointPlan(joints, np.array([first_s, end_s]), positions, name)


HISTORY = np.zeros((2, 4, 4, 3), np.uint8)
WHITE = np.full((4, 4, 3), 255, np.uint8)
