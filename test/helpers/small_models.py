"""Models of networks with few, random weights, for tests of what runs them."""

from dataclasses import fields, replace

import numpy as np
import torch

from astra_ros.camera.moving_camera import MovingCamera
from astra_ros.camera.pinhole import PinholeCamera
from astra_ros.inference import Conditioning
from astra_ros.plans.action_spaces.joints import JointSpace
from astra_ros.plans.action_spaces.twist import TwistSpace
from astra_ros.training.export import Embodiments, write_model
from astra_ros.world_model.astra import Astra
from astra_ros.world_model.config import AstraConfig, preset

ARM = JointSpace("arm", ("a", "b"), (0.0, 0.1), (1.0, 0.5), (0.1, 0.1))
BASE = TwistSpace("base", ("linear.x", "angular.z"), velocity_std=(0.5, 1.0), change_std=(0.1, 0.2))
SIZE = (32, 48)
CAMERA = MovingCamera(
    PinholeCamera.from_look_at((0.2, 0.0, 0.3), (1.5, 0.0, 0.0), 60.0, SIZE[1], SIZE[0]), [[0.4, 0.5], [1.0, 1.2]]
)


def write_random_model(folder, **changes):
    """A model of an arm with a fixed camera, and of a base that carries its own."""
    known = {field.name for field in fields(AstraConfig)}
    assert set(changes) <= known, set(changes) - known
    small = dict(
        image_size=SIZE,
        hidden_dim=32,
        num_layers=2,
        num_heads=2,
        context_layers=1,
        temporal_window=3,
        latent_channels=4,
        adapter_rank=8,
        encoder_widths=(16, 16, 16),
        decoder_widths=(16, 16, 16),
        decoder_depths=(1, 1, 1),
        action_dims=(ARM.dim, BASE.dim),
        modalities=("joints", "twist"),
    )
    torch.manual_seed(0)
    network = Astra(replace(preset("tiny"), **(small | changes)))
    for name, values in network.named_parameters():  # many layers begin at zero, and would hide what they are given
        if "norm" not in name and not values.any():
            torch.nn.init.normal_(values, std=0.1)
    outcomes = {ARM.name: ("obstacle_contact", "object_position"), BASE.name: ("obstacle_contact",)}
    trained_on = Embodiments((ARM, BASE), 0.25, outcomes, moving_cameras={BASE.name: CAMERA.to_dict()})
    return write_model(folder, network, trained_on, "random")


def some_plans(space, plans, horizon, *, renders=False, moving=False, seed=0):
    """K plans of H steps, and what they are imagined by."""
    random = np.random.default_rng(seed)
    poses = None
    if moving:
        poses = np.tile(np.eye(4, dtype=np.float32), (plans, horizon, 1, 1))
        poses[..., :3, 3] = random.normal(0, 0.1, (plans, horizon, 3))
        poses[0, -1, :3, 3] = 0, 0, 5  # behind everything that is seen
    robot = random.integers(0, 256, (plans, horizon + 1, 3, *SIZE), np.uint8) if renders else None
    return Conditioning(space.name, random.normal(0, 1, (plans, horizon, space.dim)), robot, poses)


def some_images(count, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, *SIZE, 3), np.uint8)


def write_small_model(folder, spaces):
    """The directory of a model with random weights: right in every shape, wrong in every opinion."""
    torch.manual_seed(0)
    small = AstraConfig(
        latent_channels=4,
        encoder_widths=(8, 8, 16),
        decoder_widths=(8, 8, 16),
        hidden_dim=32,
        num_layers=1,
        num_heads=2,
        context_layers=1,
        adapter_rank=8,
        action_dims=tuple(space.dim for space in spaces),
    )
    model = Astra(small)
    with torch.no_grad():
        for parameter in model.parameters():  # or its zero-initialised gates ignore the actions
            parameter += 0.03 * torch.randn_like(parameter)
    outcomes = {space.name: small.outcomes for space in spaces}
    return write_model(folder, model, Embodiments(tuple(spaces), 0.25, outcomes), "small")
