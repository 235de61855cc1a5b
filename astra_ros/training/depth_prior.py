"""How far away what a moving camera sees usually is, found from nothing but pictures and motion.

A picture moved along the robot's way looks like the next one only if things are taken to be as far
away as they are. So the map of depths is the one with which this comes out best over many pairs of
frames: a road below, houses and sky above. No depth sensor, no labels.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from astra_ros.camera.moving_camera import MovingCamera
from astra_ros.camera.pinhole import PinholeCamera
from astra_ros.datasets.dataset import load_episode, read_footer
from astra_ros.datasets.episode import DatasetError, Episode
from astra_ros.inference.torch_camera import inverse_depth_camera, whole_map
from astra_ros.plans.action_spaces import ActionSpace, action_space_class
from astra_ros.training.clips import frames_to_tensor
from astra_ros.world_model.reprojection import InverseDepthCamera, reproject

EPISODES = 100
GRID = (8, 8)  # of the map
CONSTANTS_M = (1.0, 1.5, 2.0, 3.0, 5.0, 8.0, 12.0, 20.0, 40.0, 80.0)  # the best one is begun with
STEPS, PAIRS, RATE = 200, 48, 0.05
FURTHEST = 4  # steps between the two frames of a pair, at most


def moving_cameras_of(
    paths: Iterable[Path], spaces: Sequence[ActionSpace], known: Mapping[str, MovingCamera] | None = None, seed: int = 0
) -> dict[str, MovingCamera]:
    """Action space -> its camera, of every space that moves and whose camera is known.

    Those in `known` stay as they are. Raises DatasetError where a robot's cameras differ.
    """
    by_space: dict[str, list[tuple[Path, dict]]] = {}
    for path in paths:
        footer = read_footer(path)
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
    """Raises DatasetError where an episode's camera is not nearly the one that is known."""
    if not known.resembles(PinholeCamera.from_dict(camera)):
        raise DatasetError(
            f"{where}: its camera, or its place on the robot, is not that of other "
            "episodes of this robot or of the model; give the robot another name for each "
            "camera"
        )


def fit_depth_prior(episodes: Sequence[Episode], space: ActionSpace, seed: int = 0) -> MovingCamera:
    """The camera of these episodes, with the map of depths that explains their pictures best.

    Raises DatasetError where none is long enough.
    """
    rng = np.random.default_rng(seed)
    camera = PinholeCamera.from_dict(episodes[0].camera)
    episodes = [episode for episode in episodes if len(episode) > FURTHEST + 1]
    if not episodes:
        raise DatasetError(f"{space.name}: no episode has more than {FURTHEST + 1} frames; record longer ones")
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
                guess.travel(space, episode.motion[at : at + gap + 1].astype(np.float64), episode.dt_s)[-1:]
                for episode, at in picks
            ]
        )
        views, seen = reproject(before, torch.from_numpy(travel), view)
        return ((views[:, 0] - after).abs() * seen[:, 0]).sum() / seen.sum().clamp_min(1)

    guesses = [MovingCamera(camera, np.full(GRID, 1 / depth)) for depth in CONSTANTS_M]
    state = rng.bit_generator.state
    errors = []
    for guess in guesses:
        rng.bit_generator.state = state  # all are tried on the same pairs
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
