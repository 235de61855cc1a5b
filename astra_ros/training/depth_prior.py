"""The depth prior of a moving camera: a fixed depth map, fitted to images and motion alone.

A frame that is reprojected along the robot's motion looks like a later frame only with the right depths. The prior is
the map with the smallest reprojection error over many pairs of frames: a road below, houses and sky above. It needs
neither a depth sensor nor labels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from astra_ros.camera.moving_camera import MovingCamera
from astra_ros.camera.pinhole import PinholeCamera
from astra_ros.datasets.dataset import load_episode
from astra_ros.datasets.episode import DatasetError, Episode
from astra_ros.inference.torch_camera import inverse_depth_camera, whole_map
from astra_ros.plans.action_spaces import ActionSpace, action_space_class
from astra_ros.training.clips import frames_to_tensor
from astra_ros.world_model.reprojection import InverseDepthCamera, reproject

EPISODES = 100
GRID = (8, 8)  # rows and columns of the map
CONSTANTS_M = (1.0, 1.5, 2.0, 3.0, 5.0, 8.0, 12.0, 20.0, 40.0, 80.0)  # the fit starts with the best one
STEPS, PAIRS, RATE = 200, 48, 0.05
FURTHEST = 4  # steps between the two frames of a pair, at most


def moving_cameras_of(
    footers: Mapping[Path, dict],
    spaces: Sequence[ActionSpace],
    known: Mapping[str, MovingCamera] | None = None,
    seed: int = 0,
) -> dict[str, MovingCamera]:
    """Action space -> its camera, of every space whose robot carries a known camera.

    Cameras in `known` stay as they are. Raises DatasetError where a robot's cameras differ.
    """
    by_space: dict[str, list[tuple[Path, dict]]] = {}
    for path, footer in footers.items():
        if action_space_class(footer["modality"]).moves_camera and footer["camera"]:
            by_space.setdefault(path.stem.rpartition("_")[0], []).append((path, footer["camera"]))
    found = dict(known or {})
    for space in spaces:
        own = by_space.get(space.name, [])
        if not own:
            continue
        first = found[space.name].camera if space.name in found else PinholeCamera.from_dict(own[0][1])
        for path, camera in own:
            check_camera(path, camera, first)
        if space.name not in found:
            found[space.name] = fit_depth_prior([load_episode(path) for path, _ in own[:EPISODES]], space, seed)
    return found


def check_camera(where: object, camera: dict, known: PinholeCamera) -> None:
    """Raises DatasetError where an episode's camera is not nearly the known one."""
    if not known.resembles(PinholeCamera.from_dict(camera)):
        problem = "its camera or its mounting differs from that of other episodes of this robot, or of the model"
        raise DatasetError(problem, thing=where, cure="give the robot another name for each camera")


def fit_depth_prior(episodes: Sequence[Episode], space: ActionSpace, seed: int = 0) -> MovingCamera:
    """The camera of these episodes with its depth prior. Raises DatasetError where every episode is too short."""
    rng = np.random.default_rng(seed)
    known = episodes[0].camera
    assert known is not None
    camera = PinholeCamera.from_dict(known)
    episodes = [episode for episode in episodes if len(episode) > FURTHEST + 1]
    if not episodes:
        problem = f"no episode has more than {FURTHEST + 1} frames"
        raise DatasetError(problem, thing=space.name, cure="record longer ones")
    size = episodes[0].frames.shape[1:3]

    def error(guess: MovingCamera, view: InverseDepthCamera, count: int) -> Tensor:
        gap = int(rng.integers(1, FURTHEST + 1))
        picks = [
            (episodes[i], int(rng.integers(len(episodes[i]) - gap))) for i in rng.integers(len(episodes), size=count)
        ]
        before, after = (
            frames_to_tensor(np.stack([episode.frames[at + later] for episode, at in picks])) for later in (0, gap)
        )
        travel = np.stack(
            [
                guess.camera_poses(space, episode.motion[at : at + gap + 1].astype(np.float64), episode.dt_s)[-1:]
                for episode, at in picks
            ]
        )
        views, seen = reproject(before, torch.from_numpy(travel), view)
        return ((views[:, 0] - after).abs() * seen[:, 0]).sum() / seen.sum().clamp_min(1)

    guesses = [MovingCamera(camera, np.full(GRID, 1 / depth)) for depth in CONSTANTS_M]
    state = rng.bit_generator.state
    errors = []
    for guess in guesses:
        rng.bit_generator.state = state  # all are tried on the same pairs of frames
        errors.append(float(sum(error(guess, inverse_depth_camera(guess, size), PAIRS) for _ in range(4))))
    best = guesses[int(np.argmin(errors))]
    coarse = torch.tensor(best.inverse_depth).float().log().requires_grad_()
    optimizer = torch.optim.Adam([coarse], lr=RATE)
    for _ in range(STEPS):
        fine = whole_map(coarse, size)
        loss = error(best, inverse_depth_camera(best, size)._replace(inverse_depth=fine), PAIRS)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return replace(best, inverse_depth=coarse.detach().exp().double().numpy().round(5).clip(1e-5))
