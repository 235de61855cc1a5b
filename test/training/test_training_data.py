"""The episodes of a training: its clips, and datasets that cannot be used."""

import json
import shutil
import weakref
from dataclasses import replace

import numpy as np
import pytest
import torch
from user_errors import refusal

from astra_ros.commands import train
from astra_ros.commands.arguments import UnusedOption
from astra_ros.datasets import record
from astra_ros.datasets.branches import HISTORY
from astra_ros.datasets.dataset import episode_path, list_episodes, load_episode, save_episode
from astra_ros.datasets.episode import DatasetError
from astra_ros.inference import ModelError
from astra_ros.training.clips import ClipSettings, LatentDataset, measure
from astra_ros.training.errors import TrainingError
from astra_ros.training.resident_episodes import ResidentEpisodes
from astra_ros.world_model.astra import Astra
from astra_ros.world_model.config import preset


def clips_of(paths, branches=(), **more):
    torch.manual_seed(0)
    config = preset("tiny")
    settings = ClipSettings(measure(paths, ())[0], window=4, horizon=16, outcomes=config.outcomes, **more)
    return LatentDataset(settings, [*paths, *branches], Astra(config).autoencoder)


def test_clips_line_up_with_the_recording(data):
    paths = list_episodes(data)
    episode = load_episode(paths[0])
    clips = clips_of(paths[:1])
    clip = clips.clip([0, 0], [0, 7])
    assert clip.latents.shape[:2] == (2, 20)
    # Before the episode the scene stood still: history frames 0..3 are its first frame.
    for index in range(4):
        assert torch.equal(clip.latents[0, index], clips.episodes[0].latents[0].float())
    assert torch.equal(clip.latents[1, 3], clips.episodes[0].latents[7].float())
    assert torch.equal(clip.latents[1, 4], clips.episodes[0].latents[8].float())
    # The action of frame 8 leads from the joints commanded at frame 7 to those at frame 8.
    expected = clips.settings.spaces[0].encode(episode.motion[7:9])[0]
    np.testing.assert_allclose(clip.actions[1, 0].numpy(), expected, rtol=1e-6)
    assert clip.outcomes["object_position"][1, 0].tolist() == episode.labels["object_position"][8].tolist()
    assert clip.outcomes["off_road"].isnan().all()  # an arm has no road


@pytest.fixture(scope="module")
def branches(tmp_path_factory):
    folder = tmp_path_factory.mktemp("branches")
    asked = record.RecordRequest(folder, [("arm", "kuka")], 1, branches=2, seconds=4.0, workers=1)
    assert record.record(asked) == 2
    return folder


def test_branches_teach_what_comes_and_not_what_is_seen(data, branches, tmp_path, arguments):
    clips = clips_of(list_episodes(data), list_episodes(branches), branch_share=0.5)
    clip = clips.clip([0, 3], [0, HISTORY - 1])
    assert clip.seen.tolist() == [True, False]
    assert all(known.isfinite().all() for known in (clip.outcomes["obstacle_contact"], clip.object_places))
    drawn = clips.sample(6, torch.Generator().manual_seed(0))
    assert drawn.seen.tolist() == [True] * 3 + [False] * 3
    last = clips.resident.latents[clips.resident.first[3:] + HISTORY - 1].float()
    newest = drawn.latents[3:, clips.settings.window - 1]
    assert all(any(torch.equal(one, each) for each in last) for one in newest)
    # Shown in one pass: frame by frame, a frame would follow from one that was not seen.
    few = ["--autoencoder-steps", "0", "--compositor-steps", "0", "--dynamics-steps", "2", "--branches", str(branches)]
    assert train.run(arguments(data, tmp_path / "run", "--from", "small", "--one-pass", *few)) == 0
    facts = json.loads((tmp_path / "run" / "data.json").read_text())
    assert (facts["episodes"], facts["branches"]) == (3, 2)
    with refusal(TrainingError, "data.json", "3 and 2 branches", "3 now"):
        train.run(arguments(data, tmp_path / "run", "--from", "small", "--one-pass", *few[:-2]))


def test_branches_that_cannot_be_used_are_refused(data, branches, tmp_path, arguments):
    with refusal(DatasetError, "000000.parquet", "branch"):
        train.run(arguments(branches, tmp_path / "run"))
    with refusal(DatasetError, "000000.parquet", "no branch"):
        train.run(arguments(data, tmp_path / "run", "--branches", str(data)))
    with refusal(TrainingError, "branches", "frame by frame"):
        train.run(arguments(data, tmp_path / "run", "--branches", str(branches)))
    few = ("--one-pass", "--from", "small", "--branches", str(branches))
    with refusal(TrainingError, "branch_share", "0.01", "2 clips"):
        train.run(arguments(data, tmp_path / "small", *few, "--branch-share", "0.01"))
    with refusal(TrainingError, "branch_share", "1", "2 clips"):
        train.run(arguments(data, tmp_path / "small", *few, "--branch-share", "1"))
    with refusal(UnusedOption, "branch_share", "no branches"):
        train.run(arguments(data, tmp_path / "run", "--branch-share", "0.3"))
    with refusal(DatasetError, "000000.parquet", "16 frames", "20"):
        train.run(arguments(data, tmp_path / "small", *few, "--horizon", "20"))
    first = load_episode(list_episodes(branches)[0], branch=True)
    names = tuple(reversed(first.motion_names))
    others = (
        (replace(first, robot="panda"), "panda_joints"),
        (replace(first, dt_s=0.5), "0.5 s"),
        (replace(first, motion_names=names), names[0]),
    )
    for changed, fact in others:
        folder = tmp_path / fact
        folder.mkdir()
        save_episode(episode_path(folder, changed.space, 0), changed)
        with refusal(DatasetError, "000000.parquet", fact):
            train.run(arguments(data, tmp_path / "run", "--branches", str(folder)))


def test_what_becomes_resident_is_in_memory_once(data):
    clips = clips_of(list_episodes(data))
    own = [replace(each, latents=each.latents.clone()) for each in clips.episodes]
    before = [weakref.ref(each.latents) for each in own]
    again = ResidentEpisodes(own, 14, torch.device("cpu"))
    assert all(one() is None for one in before) and own[1].latents.data_ptr() != own[0].latents.data_ptr()
    assert torch.equal(again.latents, clips.resident.latents)
    for each, first in zip(again.episodes, again.first.tolist()):
        assert each.latents.data_ptr() == again.latents[first].data_ptr()


def test_robots_of_several_kinds_share_a_batch(data, tmp_path):
    kuka = load_episode(list_episodes(data)[0])
    rover = replace(
        kuka,
        robot="rover",
        modality="twist",
        motion_names=("linear.x", "angular.z"),
        motion=kuka.motion[:, :2],
        labels={},
        camera=None,
    )
    save_episode(episode_path(tmp_path, "kuka_joints", 0), kuka)
    save_episode(episode_path(tmp_path, "rover_twist", 0), rover)
    clips = clips_of(list_episodes(tmp_path))
    assert [space.name for space in clips.settings.spaces] == ["kuka_joints", "rover_twist"]
    clip = clips.clip([1, 0], [3, 3])
    assert clip.spaces.tolist() == [1, 0] and clip.actions.shape == (2, 16, 14)
    assert not clip.actions[0, :, 4:].any() and clip.actions[1, :, 4:].any()
    assert clip.outcomes["object_position"][0].isnan().all()
    seen = {tuple(clips.sample(4, torch.Generator().manual_seed(seed)).spaces.tolist()) for seed in range(9)}
    assert any(len(set(spaces)) == 2 for spaces in seen)


def test_measuring_refuses_a_robot_that_is_two(data, tmp_path):
    kuka = load_episode(list_episodes(data)[0])
    save_episode(episode_path(tmp_path, "kuka_joints", 0), kuka)
    save_episode(
        episode_path(tmp_path, "kuka_joints", 1), replace(kuka, motion=kuka.motion[:, :2], motion_names=("a", "b"))
    )
    with refusal(DatasetError, "000001.parquet", "('a', 'b')", "kuka_joints", "'lbr_iiwa_joint_1'"):
        measure(list_episodes(tmp_path), ())


def test_only_outcomes_with_labels_are_known_of_a_robot(data, tmp_path):
    kuka = load_episode(list_episodes(data)[0])
    save_episode(episode_path(tmp_path, "kuka_joints", 0), kuka)
    blind = {
        **{name: np.full_like(value, np.nan, dtype=np.float32) for name, value in kuka.labels.items()},
        "obstacle_contact": kuka.labels["obstacle_contact"],
    }
    save_episode(episode_path(tmp_path, "blind_joints", 0), replace(kuka, robot="blind", labels=blind))
    _, outcomes = measure(list_episodes(tmp_path), preset("tiny").outcomes)
    assert outcomes == {
        "blind_joints": ("obstacle_contact",),
        "kuka_joints": ("obstacle_contact", "object_contact", "object_position", "tool_position"),
    }


def test_a_folder_belongs_to_its_episodes(data, tmp_path, arguments):
    train.run(arguments(data, tmp_path / "run", "--stage", "autoencoder"))
    fewer = tmp_path / "fewer"
    fewer.mkdir()
    for path in list_episodes(data)[:2]:
        save_episode(fewer / path.name, load_episode(path))
    with refusal(TrainingError, "run/data.json", "3 then, 2 now"):
        train.run(arguments(fewer, tmp_path / "run"))
    # Another motion with the same pictures is other data, too.
    changed = list_episodes(fewer)[0]
    train.run(arguments(fewer, tmp_path / "other", "--stage", "autoencoder"))
    episode = load_episode(changed)
    save_episode(changed, replace(episode, motion=episode.motion + 1))
    with refusal(TrainingError, "other/data.json", "2 then, 2 now"):
        train.run(arguments(fewer, tmp_path / "other"))
    (tmp_path / "other/data.json").write_text("")
    with refusal(TrainingError, "other/data.json", "cannot be read"):
        train.run(arguments(fewer, tmp_path / "other"))


@pytest.mark.parametrize(
    "harm, thing, facts",
    [
        (lambda path: path.with_suffix(".mp4").unlink(), "000001.parquet", ("kuka_joints_000001.mp4", "missing")),
        (lambda path: path.write_bytes(path.read_bytes()[:-9]), "000001.parquet", ("damaged",)),
        (lambda path: path.with_suffix(".mp4").write_bytes(b"x"), "000001.mp4", ("damaged", "sha256")),
    ],
)
def test_a_dataset_with_a_damaged_episode_is_refused(data, tmp_path, arguments, harm, thing, facts):
    broken = shutil.copytree(data, tmp_path / "broken")
    harm(broken / "kuka_joints_000001.parquet")
    with refusal(DatasetError, f"broken/kuka_joints_{thing}", *facts):
        train.run(arguments(broken, tmp_path / "run"))


def test_a_video_without_its_table_is_left_out_aloud(data, tmp_path, arguments, capsys):
    broken = shutil.copytree(data, tmp_path / "broken")
    (broken / "kuka_joints_000001.parquet").unlink()
    train.run(arguments(broken, tmp_path / "run", "--stage", "autoencoder"))
    assert "1 videos in" in (said := capsys.readouterr().err) and "kuka_joints_000001.mp4" in said


def test_training_refuses_held_out_seeds_mixed_rates_and_devices_that_are_not_there(data, tmp_path, arguments):
    held_out = tmp_path / "held_out"
    shutil.copytree(data, held_out)
    episode = load_episode(list_episodes(data)[0])
    save_episode(episode_path(held_out, "kuka_joints", 1_900_001), replace(episode, seed=1_900_001))
    with refusal(DatasetError, "1900001.parquet", "900000"):
        train.run(arguments(held_out, tmp_path / "run"))
    mixed = tmp_path / "mixed"
    shutil.copytree(data, mixed)
    save_episode(episode_path(mixed, "kuka_joints", 7), replace(episode, seed=7, dt_s=0.1))
    with refusal(DatasetError, "000007.parquet", "0.1 s", "0.25 s"):
        train.run(arguments(mixed, tmp_path / "run"))
    with refusal(ModelError, "device 'moon'", cure=["'cpu'", "'cuda'"]):
        train.run(arguments(data, tmp_path / "run", "--device", "moon"))
