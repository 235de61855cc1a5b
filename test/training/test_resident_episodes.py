"""Clips that are gathered on a device: the same as cut from the episodes one by one."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from networks import NARROW
from torch.nn import functional as F

from astra_ros.training import clips, resident_episodes
from astra_ros.training.clips import Clip, ClipSettings, LatentDataset
from astra_ros.training.resident_episodes import LatentEpisode
from astra_ros.world_model.autoencoder import FrameAutoencoder

SETTINGS = ClipSettings(
    [SimpleNamespace(dim=6), SimpleNamespace(dim=2)],
    window=4,
    horizon=5,
    outcomes=("object_contact", "object_position"),
    drawer=SimpleNamespace(shape=(3, 16, 16)),
)


def episode_of(frames, space, rendered=True, with_cells=True):
    return LatentEpisode(
        space=space,
        latents=torch.randn(frames, 24, 2, 2).half(),
        actions=torch.randn(frames - 1, SETTINGS.spaces[space].dim),
        outcomes={"object_contact": torch.rand(frames).round(), "object_position": torch.randn(frames, 3)},
        robot_renders=torch.randint(255, (frames, 3, 16, 16), dtype=torch.uint8) if rendered else None,
        object_cells=torch.rand(frames, 2, 2) if with_cells else None,
        frames=None,
        motion=np.zeros((frames, 2)),
        dt_s=0.25,
    )


def dataset_of(episodes, monkeypatch):
    monkeypatch.setattr(LatentDataset, "_encoded", lambda self, number: episodes[number])
    return LatentDataset(SETTINGS, range(len(episodes)), FrameAutoencoder(NARROW), progress=False)


@pytest.fixture
def episodes():
    """Of several lengths and robots, some without renders or an object."""
    torch.manual_seed(0)
    return [
        episode_of(9, 1, rendered=False),
        episode_of(6, 0),
        episode_of(12, 1, rendered=False, with_cells=False),
        episode_of(7, 0, with_cells=False),
    ]


def cut(episodes, numbers, starts):
    """Clips from the episodes one by one, as this was done before they were resident."""
    runs = [torch.arange(start - 3, start + 6).clamp_min(0) for start in starts]
    pairs = [(episodes[number], run) for number, run in zip(numbers, runs)]
    blank = torch.zeros(5, 3, 16, 16, dtype=torch.uint8)
    cells = [
        torch.zeros(5, 2, 2)
        if one.object_cells is None
        else torch.maximum(one.object_cells[run[4:]], one.object_cells[run[3]])
        for one, run in pairs
    ]
    return Clip(
        latents=torch.stack([one.latents[run] for one, run in pairs]).float(),
        actions=torch.stack([F.pad(one.actions[run[4:] - 1], (0, 6 - one.actions.shape[1])) for one, run in pairs]),
        spaces=torch.tensor([one.space for one, _ in pairs]),
        outcomes={name: torch.stack([one.outcomes[name][run[4:]] for one, run in pairs]) for name in SETTINGS.outcomes},
        robot_renders=torch.stack(
            [blank if one.robot_renders is None else one.robot_renders[run[4:]] for one, run in pairs]
        ),
        rendered=torch.tensor([one.robot_renders is not None for one, _ in pairs]),
        object_cells=torch.stack(cells),
    )


def assert_same(clip, other):
    for name in ("latents", "actions", "spaces", "robot_renders", "rendered", "object_cells"):
        assert torch.equal(getattr(clip, name), getattr(other, name)), name
    assert clip.outcomes.keys() == other.outcomes.keys()
    assert all(torch.equal(value, other.outcomes[name]) for name, value in clip.outcomes.items())
    assert clip.reprojected is clip.poses_known is None


def test_every_clip_is_as_cut_from_its_episode(episodes, monkeypatch):
    data = dataset_of(episodes, monkeypatch)
    picks = [(number, start) for number, one in enumerate(episodes) for start in range(len(one) - 5)]
    numbers, starts = zip(*picks)
    assert_same(data.clip(numbers, starts), cut(episodes, numbers, starts))
    assert data.clip([0, 2], [1, 3]).robot_renders.any() == 0  # none of the batch is rendered
    for one, kept in zip(episodes, data.episodes):
        assert torch.equal(one.latents, kept.latents) and (one.robot_renders is None) == (kept.robot_renders is None)
        if kept.robot_renders is not None:
            assert torch.equal(one.robot_renders, kept.robot_renders)


def test_a_seed_draws_the_clips_that_it_always_drew(episodes, monkeypatch):
    data = dataset_of(episodes, monkeypatch)
    generator = torch.Generator().manual_seed(5)
    numbers = torch.randint(4, (16,), generator=generator).tolist()
    starts = [int(torch.randint(len(episodes[i]) - 5, (1,), generator=generator)) for i in numbers]
    assert_same(data.sample(16, torch.Generator().manual_seed(5)), cut(episodes, numbers, starts))


def test_robots_that_are_never_rendered(episodes, monkeypatch):
    data = dataset_of(episodes[:1], monkeypatch)
    assert_same(data.clip([0], [2]), cut(episodes, [0], [2]))


def test_no_episode_is_kept_twice(episodes, monkeypatch):
    """The episodes of a dataset are parts of its tensors."""
    data = dataset_of(episodes, monkeypatch)
    assert all(one.latents.untyped_storage().data_ptr() == data.resident.latents.data_ptr() for one in data.episodes)
    assert data.episodes[1].robot_renders.data_ptr() == data.resident.robot_renders.data_ptr()


def test_episodes_that_a_gpu_has_no_room_for_stay_in_ram(monkeypatch, capsys):
    gpu, gib = torch.device("cuda:0"), 2**30
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (8 * gib, 16 * gib))
    assert resident_episodes._with_room(gpu, 4 * gib) == gpu and not capsys.readouterr().out
    assert resident_episodes._with_room(gpu, 4 * gib + 1) == torch.device("cpu")
    assert "4.0 GiB, 8.0 are free on cuda:0" in capsys.readouterr().out


def test_camera_poses_are_computed_once_for_each_start(monkeypatch):
    asked = []

    def poses(self, index, start):
        asked.append((index, start))
        return np.full((1, 5, 4, 4), start, np.float32)

    monkeypatch.setattr(LatentDataset, "camera_poses", poses)
    data = clips.LatentDataset.__new__(LatentDataset)
    data._poses, data.device = {}, torch.device("cpu")
    assert [float(data._resident_poses(0, start)[0, 0, 0, 0]) for start in (2, 3, 2)] == [2, 3, 2]
    assert asked == [(0, 2), (0, 3)]
