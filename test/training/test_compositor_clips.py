"""What a compositor learns from: a picture, and the robot drawn as it was in just that picture."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from astra_ros.datasets.dataset import list_episodes, load_episode
from astra_ros.datasets.object_cells import object_cells
from astra_ros.datasets.robot_renders import Drawer
from astra_ros.robot import renderer as robot_drawing
from astra_ros.training.clips import ClipSettings, measure
from astra_ros.training.compositor_clips import RENDER_DROPPED, RENDERED_COUNTS, CompositorClips
from astra_ros.world_model.astra import Astra
from astra_ros.world_model.config import RENDER_CHANNELS, preset


@pytest.fixture(scope="module")
def made(data):
    paths = list_episodes(data)
    spaces, _ = measure(paths, ())
    torch.manual_seed(0)
    config = replace(
        preset("tiny"), num_layers=1, context_layers=1, action_dims=(spaces[0].dim,), modalities=("joints",)
    )
    settings = ClipSettings(spaces, 4, 16, (), Drawer(data, config.image_size))
    return CompositorClips(settings, paths, Astra(config).eval(), seed=0, frames=64, progress=False)


def test_a_picture_comes_with_the_robot_of_its_moment_and_of_the_last_seen(made, data):
    episodes = [load_episode(path) for path in list_episodes(data)]
    drawn = [Drawer(data, (64, 64)).draw(episode) for episode in episodes]
    assert len(made.clips) == 4
    for clip in range(4):
        for at in (0, 7, 15):
            _, seen, known, robot, truth, thing = made.clips[clip].frame(at, True)
            episode, frame = next(
                (e, f)
                for e, each in enumerate(episodes)
                for f in range(len(each))
                if np.array_equal(each.frames[f].transpose(2, 0, 1), truth)
            )
            start = frame - 1 - at
            assert np.array_equal(episodes[episode].frames[start].transpose(2, 0, 1), seen) and (known == 255).all()
            assert np.array_equal(robot[:3], drawn[episode][frame]) and np.array_equal(robot[3:], drawn[episode][start])
            assert not made.clips[clip].frame(at, False)[3].any()
            cells = object_cells(episodes[episode], thing.shape[1:])
            expected = 255 * np.maximum(cells[frame], cells[start])
            assert expected.max() > 0 and np.abs(thing[0].numpy() - expected).max() <= 0.5


def test_the_object_is_as_large_as_the_picture_when_sampled(made):
    *_, truth, thing = made.sample(8, torch.Generator().manual_seed(0))
    assert thing.shape == (8, 1, *truth.shape[-2:]) and 0 <= thing.min() and thing.max() <= 1
    assert 0 < float((thing > 0).float().mean()) < 0.2


def test_some_drawings_are_withheld_and_drawn_robots_come_more_often(made):
    robots = made.sample(400, torch.Generator().manual_seed(0))[3]
    share = float((robots.flatten(1).amax(1) == 0).float().mean())
    assert share == pytest.approx(RENDER_DROPPED, abs=0.07) and 0.99 < robots.max() <= 1
    assert made.often == [number for number in range(4) for _ in range(RENDERED_COUNTS)]


def test_the_network_and_the_drawing_agree_on_channels():
    assert RENDER_CHANNELS == robot_drawing.CHANNELS and robot_drawing.COVERAGE == 0
