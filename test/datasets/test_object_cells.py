"""Which cells show the object, and how much their error counts."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from astra_ros.datasets.dataset import list_episodes, load_episode
from astra_ros.datasets.object_cells import object_cells
from astra_ros.simulation.worlds import make_world
from astra_ros.training.clips import ClipSettings, LatentDataset, measure
from astra_ros.training.losses import LossWeights, one_step_loss, rollout_loss
from astra_ros.world_model.astra import Astra
from astra_ros.world_model.config import preset

CELLS = (8, 8)


@pytest.fixture(scope="module")
def episode(data):
    return load_episode(list_episodes(data)[0])


def test_the_cells_are_where_the_picture_changes_when_the_object_is_elsewhere(episode):
    world = make_world("arm", episode.robot, episode.frames.shape[1])
    try:
        for seed in range(3):
            world.reset(seed)
            there, goal = world.render(), world.goal_image()
            places = np.stack([world.labels()["object_position"], world.state().goal_position])
            still = replace(
                episode, frames=np.stack([there, goal]), motion=episode.motion[:2], labels={"object_position": places}
            )
            shown = object_cells(still, CELLS).max(axis=0)
            changed = np.abs(there.astype(float) - goal).sum(-1)
            by_cell = changed.reshape(8, 8, 8, 8).sum(axis=(1, 3))
            assert (by_cell * (shown > 0)).sum() > 0.95 * by_cell.sum() and (shown > 0).sum() <= 18
            assert shown.max() == 1 and shown.flat[by_cell.argmax()] > 0.5
    finally:
        world.close()


def test_nothing_is_shown_where_the_object_is_out_of_sight_or_not_known(episode):
    behind = np.full((len(episode), 3), [-5.0, 0.0, 0.0])
    unknown = np.full((len(episode), 3), np.nan)
    for places in (behind, unknown):
        shown = object_cells(replace(episode, labels={"object_position": places}), CELLS)
        assert shown.shape == (len(episode), *CELLS) and not shown.any()
    assert object_cells(replace(episode, labels={}), CELLS) is None
    assert object_cells(replace(episode, camera=None), CELLS) is None
    # The camera of a base is known in the base's frame, and labels are not of fixed places.
    assert object_cells(replace(episode, modality="twist"), CELLS) is None


def test_the_objects_place_now_and_before_counts_more(data, episode):
    torch.manual_seed(0)
    paths = list_episodes(data)[:1]
    spaces, _ = measure(paths, ())
    config = replace(
        preset("tiny"),
        num_layers=1,
        context_layers=1,
        drawing=False,
        reprojection=False,
        action_dims=(spaces[0].dim,),
        modalities=("joints",),
    )
    model = Astra(config)
    clips = LatentDataset(ClipSettings(spaces, 4, 16, config.outcomes), paths, model.autoencoder, progress=False)
    clip = clips.clip([0], [5])
    seen = torch.from_numpy(object_cells(episode, CELLS))
    assert torch.equal(clip.object_cells[0, 9], torch.maximum(seen[15], seen[5]))

    def latent_loss(loss, weight, cells):
        made = loss(
            model,
            replace(clip, object_cells=cells),
            torch.Generator().manual_seed(0),
            weights=LossWeights(object_cells=weight),
        )
        return float(made[1]["latent"].detach())

    everywhere = torch.ones_like(clip.object_cells)
    for loss in (one_step_loss, rollout_loss):
        plain = latent_loss(loss, 4.0, None)
        assert latent_loss(loss, 0.0, everywhere) == pytest.approx(plain)
        assert latent_loss(loss, 4.0, everywhere) == pytest.approx(5 * plain, rel=1e-4)
        assert plain < latent_loss(loss, 4.0, clip.object_cells) < 5 * plain
