"""The last picture from where the camera will be: found in data, trained with, evaluated and run."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from user_errors import fault, refusal

from astra_ros.commands import train
from astra_ros.commands.arguments import OneLineParser
from astra_ros.datasets import record
from astra_ros.datasets.dataset import episode_path, list_episodes, load_episode, read_footers, save_episode
from astra_ros.datasets.episode import DatasetError
from astra_ros.evaluation import action_following
from astra_ros.evaluation.evaluate import EvaluationRequest, evaluate
from astra_ros.evaluation.held_out import HeldOutClips
from astra_ros.evaluation.metrics import psnr
from astra_ros.inference import Conditioning, ModelError, load_world_model
from astra_ros.inference.torch_camera import inverse_depth_camera
from astra_ros.training import losses
from astra_ros.training.checkpoint import CheckpointError
from astra_ros.training.clips import ClipSettings, LatentDataset, frames_to_tensor, measure
from astra_ros.training.compositor_clips import CompositorClips
from astra_ros.training.depth_prior import fit_depth_prior, moving_cameras_of
from astra_ros.training.export import read_embodiments, write_embodiments
from astra_ros.world_model.astra import Astra
from astra_ros.world_model.config import preset
from astra_ros.world_model.reprojection import reproject, reprojected_latents


@pytest.fixture(scope="module")
def moving(tmp_path_factory):
    """A rover's and an arm's episodes."""
    folder = tmp_path_factory.mktemp("moving")
    assert record.record(record.RecordRequest(folder, [("explore", "rover")], episodes=6, first_seed=0, workers=1)) == 6
    assert record.record(record.RecordRequest(folder, [("arm", "kuka")], episodes=1, first_seed=0, workers=1)) == 1
    return folder


@pytest.fixture(scope="module")
def spaces(moving):
    return {space.name: space for space in measure(list_episodes(moving), ())[0]}


@pytest.fixture(scope="module")
def camera(moving, spaces):
    ((name, found),) = moving_cameras_of(read_footers(list_episodes(moving)), list(spaces.values())).items()
    assert name == "rover_twist"  # an arm's camera stands still
    return found


@pytest.fixture(scope="module")
def model(moving, tmp_path_factory):
    out = tmp_path_factory.mktemp("run")
    parser = OneLineParser()
    train.add_arguments(parser)
    words = [
        "--data",
        str(moving),
        "--out",
        str(out),
        "--autoencoder-steps",
        "2",
        "--compositor-steps",
        "2",
        "--dynamics-steps",
        "2",
        "--dynamics-batch",
        "3",
        "--autoencoder-batch",
        "2",
        "--device",
        "cpu",
        "--rollout-from",
        "0",
    ]
    train.run(parser.parse_args(words))
    # What was found stays, whatever comes: a run that goes on must not change.
    found = read_embodiments(out)
    assert list(found.moving_cameras) == ["rover_twist"]
    found.moving_cameras["rover_twist"]["inverse_depth"][0][0] = 0.125
    write_embodiments(out, found)
    with refusal(CheckpointError, "dynamics.safetensors") as error:
        train.run(parser.parse_args([*words, "--without", "reprojection"]))
    assert error.value.differing == {"network reprojection": (True, False)}
    train.run(parser.parse_args(words))
    assert read_embodiments(out) == found
    return out / "model"


def test_the_floor_is_found_from_pictures_and_motion_alone(camera):
    """The rover's camera is 35 cm up and looks ahead with 80 degrees: the lowest floor that it sees
    is 0.42 m ahead, and the walls are metres away."""
    depth = 1 / camera.inverse_depth
    assert 0.3 < np.median(depth[-1]) < 0.6
    assert np.median(depth[3]) > 3 * np.median(depth[-1])


def test_a_real_picture_seen_from_elsewhere_is_nearly_what_is_seen_there(moving, spaces, camera):
    episode = load_episode(list_episodes(moving, "rover_twist")[-1])
    lens, gap = inverse_depth_camera(camera, episode.frames.shape[1:3]), 2
    starts = np.arange(0, len(episode) - gap)
    travel = np.stack(
        [
            camera.camera_poses(spaces["rover_twist"], episode.motion[at : at + gap + 1].astype(float), 0.25)[-1:]
            for at in starts
        ]
    )
    before, after = (frames_to_tensor(episode.frames[starts + later]) for later in (0, gap))
    views, seen = reproject(before, torch.from_numpy(travel), lens)
    quality = [
        psnr(frames.movedim(1, -1).numpy()[None], after.movedim(1, -1).numpy()[None])[0]
        for frames in (before, views[:, 0])
    ]
    moved = quality[0] < 30
    assert moved.sum() > 5
    assert quality[1][moved].mean() > quality[0][moved].mean() + 2.0  # dB
    assert 0.5 < float(seen.mean()) < 1.0


def stored_with(folder, moving, cameras):
    """The rover's first episodes, with other cameras; None is an unknown one."""
    folder.mkdir()
    for number, (path, camera) in enumerate(zip(list_episodes(moving, "rover_twist"), cameras)):
        save_episode(episode_path(folder, "rover_twist", number), replace(load_episode(path), camera=camera))
    return list_episodes(folder)


def test_cameras_that_differ_are_refused_and_unknown_ones_passed_over(moving, spaces, camera, tmp_path):
    mine = camera.camera.to_dict()
    longer = {**mine, "fx": 1.2 * mine["fx"]}
    differing = read_footers(stored_with(tmp_path / "two", moving, [mine, None, longer]))
    with refusal(DatasetError, "rover_twist_000002.parquet", "camera"):
        moving_cameras_of(differing, list(spaces.values()))
    # Calibrated anew, or drawn at another size, it is the same one.
    small = {**camera.camera.resized(48, 48).to_dict(), "cx": 23.9}
    paths = stored_with(tmp_path / "same", moving, [None, mine, small])
    found = moving_cameras_of(read_footers(paths), list(spaces.values()))["rover_twist"]
    assert found.camera == camera.camera
    assert not moving_cameras_of(read_footers(paths[:1]), list(spaces.values()))
    # An episode whose camera is not known has no view from elsewhere, the others have.
    settings = ClipSettings([spaces["rover_twist"]], 4, 16, cameras={"rover_twist": found})
    data = LatentDataset(settings, paths, Astra(preset("tiny")).autoencoder)
    assert data.clip([0, 1], [5, 5]).poses_known.tolist() == [False, True]


def test_rollouts_hold_pictures_of_the_same_moments(moving, spaces, camera):
    """Of the rover: what geometry says of a moment is most like what was seen in that moment."""
    torch.manual_seed(0)
    config = replace(
        preset("tiny"),
        num_layers=1,
        context_layers=1,
        drawing=False,
        action_dims=(spaces["rover_twist"].dim,),
        modalities=("twist",),
    )
    settings = ClipSettings([spaces["rover_twist"]], 4, 16, cameras={"rover_twist": camera})
    paths = list_episodes(moving, "rover_twist")
    made = CompositorClips(settings, paths, Astra(config).eval(), seed=0, frames=64, progress=False)
    assert [clip.robot_renders for clip in made.clips] == [None] * 4
    decoded, seen, known, truth = (
        torch.stack([getattr(clip, name) for clip in made.clips]) for name in ("decoded", "seen", "known", "truth")
    )
    assert decoded.shape == truth.shape == seen.shape == (4, 16, 3, 64, 64)
    assert set(known.unique().tolist()) <= {0, 255} and known.float().mean() > 25
    seen, truth, known = seen.float(), truth.float(), (known > 0).float()

    def apart(shift):
        """From what was seen `shift` frames later, over the same moments."""
        there = slice(1, 5)
        later = slice(1 + shift, 5 + shift)
        return float(((seen[:, there] - truth[:, later]).abs() * known[:, there]).mean())

    assert apart(0) < min(apart(-1), apart(1))


def test_episodes_that_are_too_short_are_refused(moving, spaces):
    episode = load_episode(list_episodes(moving, "rover_twist")[0])
    labels = {name: values[:5] for name, values in episode.labels.items()}
    short = replace(episode, frames=episode.frames[:5], motion=episode.motion[:5], labels=labels)
    with refusal(DatasetError, "rover_twist", "more than 5 frames"):
        fit_depth_prior([short], spaces["rover_twist"])


def test_a_known_robot_keeps_its_camera(moving, model, tmp_path):
    """Fine-tuning goes on with what the model knows, and refuses a camera that it does not."""
    parser = OneLineParser()
    train.add_arguments(parser)

    def run(data, out):
        train.run(
            parser.parse_args(
                [
                    "--from",
                    str(model),
                    "--data",
                    str(data),
                    "--out",
                    str(tmp_path / out),
                    "--autoencoder-steps",
                    "0",
                    "--compositor-steps",
                    "0",
                    "--dynamics-steps",
                    "1",
                    "--dynamics-batch",
                    "1",
                    "--device",
                    "cpu",
                ]
            )
        )
        return read_embodiments(tmp_path / out).moving_cameras

    kept = run(moving, "same")
    assert kept["rover_twist"]["inverse_depth"][0][0] == 0.125  # as in the model, not found anew
    known = kept["rover_twist"]["camera"]
    stored_with(tmp_path / "zoomed", moving, [{**known, "fx": 1.2 * known["fx"]}] * 2)
    with refusal(DatasetError, "", "camera"):
        run(tmp_path / "zoomed", "other")
    card = load_world_model("torch", model).card
    with refusal(DatasetError, "", "camera"):
        HeldOutClips([load_episode(path) for path in list_episodes(tmp_path / "zoomed")], card, 8, 1, 0, None)


def test_it_is_found_the_same_again(moving, spaces):
    episodes = [load_episode(path) for path in list_episodes(moving, "rover_twist")[:2]]
    one, other = (fit_depth_prior(episodes, spaces["rover_twist"]) for _ in range(2))
    np.testing.assert_array_equal(one.inverse_depth, other.inverse_depth)


def test_clips_have_the_last_picture_from_where_the_camera_will_be(moving, spaces, camera):
    torch.manual_seed(0)
    config = preset("tiny")
    autoencoder = Astra(config).autoencoder
    paths = list_episodes(moving)
    names = list(spaces)
    settings = ClipSettings(list(spaces.values()), 4, 16, config.outcomes, cameras={"rover_twist": camera})
    data = LatentDataset(settings, paths, autoencoder)
    rover = next(i for i, path in enumerate(paths) if path.name.startswith("rover"))
    arm = next(i for i, path in enumerate(paths) if path.name.startswith("kuka"))
    clip = data.clip([arm, rover, rover], [3, 5, 9])
    assert clip.poses_known.tolist() == [False, True, True]
    assert [names[number] for number in clip.spaces] == ["kuka_joints", "rover_twist", "rover_twist"]
    episode = load_episode(paths[rover])
    travel = camera.camera_poses(spaces["rover_twist"], episode.motion[9 : 9 + 17].astype(float), 0.25)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        wanted = reprojected_latents(
            autoencoder,
            frames_to_tensor(episode.frames[9:10]),
            torch.from_numpy(travel)[None],
            inverse_depth_camera(camera, (64, 64)),
        )
    torch.testing.assert_close(clip.reprojected[2], wanted[0].float(), atol=0.05, rtol=0.05)
    # Without cameras there is none, and what is not known is the last observed latent.
    model = Astra(
        replace(
            config,
            action_dims=tuple(space.dim for space in spaces.values()),
            modalities=tuple(space.modality for space in spaces.values()),
        )
    )
    ready = losses.prepare(model, clip, torch.Generator().manual_seed(1))
    torch.testing.assert_close(ready.reprojected[0, :, :-1], clip.latents[0, 3].expand(16, -1, -1, -1))
    assert (ready.reprojected[0, :, -1] == 0).all()
    blind = LatentDataset(replace(settings, cameras=None), paths, autoencoder)
    assert losses.prepare(model, blind.clip([rover], [9]), torch.Generator()).reprojected is None


def test_a_model_knows_its_moving_cameras_and_uses_them(moving, model):
    loaded = load_world_model("torch", model)
    card = loaded.card
    space, known = card.action_spaces["rover_twist"], card.moving_cameras["rover_twist"]
    episode = load_episode(list_episodes(moving, "rover_twist")[0])
    motion = np.zeros((2, 4, 2))
    motion[1, 1:, 1] = 1.0  # the second plan turns
    actions = np.repeat(space.encode(motion)[:1], 2, axis=0)  # both are told the same
    travel = known.camera_poses(space, motion, card.dt_s)

    def run(travel):
        return loaded.imagine(episode.frames[:4], Conditioning(space.name, actions, camera_poses=travel)).latents

    blind, seeing = run(None), run(travel)
    np.testing.assert_allclose(blind[0], blind[1], atol=1e-5)
    assert np.abs(seeing[1] - seeing[0]).max() > 0.05
    with fault(ValueError, "camera_poses", "'kuka_joints'", ["rover_twist"]):
        still = Conditioning("kuka_joints", np.zeros((1, 3, 14), np.float32), camera_poses=travel[:1])
        loaded.imagine(episode.frames[:4], still)
    with fault(ValueError, "camera_poses", "(1, 3, 4, 4)", "(2, 3, 4, 4)"):
        run(travel[:1])
    loaded.warmup(2, 3)


def test_evaluation_sees_again_unless_told_not_to(moving, model, tmp_path, monkeypatch):
    monkeypatch.setattr(action_following, "PROBE_STEPS", 10)  # what the probe reads is not looked at
    card = load_world_model("torch", model).card
    episodes = [load_episode(path) for path in list_episodes(moving, "rover_twist")]
    clips = HeldOutClips(episodes, card, 8, 1, 0, None)
    assert clips.own.camera_poses.shape == clips.shuffled.camera_poses.shape == (6, 8, 4, 4)
    assert not np.allclose(clips.own.camera_poses, clips.shuffled.camera_poses)
    request = EvaluationRequest(model=model, data=moving, probe_data=moving, spaces=["rover_twist"], horizon=4)
    made = []
    for reprojection in (True, False):
        out = tmp_path / f"{len(made)}.json"
        evaluate(replace(request, clips_per_episode=1, reprojection=reprojection, out=out))
        made.append(json.loads(out.read_text())["spaces"]["rover_twist"])
    assert [figures["reprojected"] for figures in made] == [True, False]
    assert made[0]["psnr_db"]["model"] != made[1]["psnr_db"]["model"]
    assert made[0]["psnr_db"]["copy"] == made[1]["psnr_db"]["copy"]
    # Geometry alone is a baseline of its own, and a hard one for the first frames.
    assert made[0]["psnr_db"]["geometry"]["1"] > made[0]["psnr_db"]["copy"]["1"] + 1.0
    assert "geometry" not in made[1]["psnr_db"]
    # Pixels that were seen before are moved by geometry; of those that were not, nobody knows anything.
    seen = made[0]["seen"]
    assert set(seen["seen_db"]) == {"ceiling", "model", "decoded", "geometry", "copy"} and "seen" not in made[1]
    assert 1.0 >= seen["share"]["1"] > seen["share"]["4"] > 0.3
    assert seen["seen_db"]["geometry"]["1"] > seen["seen_db"]["copy"]["1"] + 1.0


def test_a_card_with_a_broken_camera_is_named(model, tmp_path):
    for path in model.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    card = json.loads((tmp_path / "card.json").read_text())
    card["moving_cameras"]["rover_twist"]["inverse_depth"] = [[0.0]]
    (tmp_path / "card.json").write_text(json.dumps(card))
    with refusal(ModelError, tmp_path / "card.json", "CameraError", "inverse_depth", 0):
        load_world_model("torch", tmp_path)


def test_clips_that_begin_at_some_frames_only_keep_what_a_camera_will_see(moving, spaces, camera):
    torch.manual_seed(0)
    autoencoder = Astra(replace(preset("tiny"), num_layers=1, context_layers=1)).autoencoder
    cameras = {"rover_twist": camera}
    paths = list_episodes(moving, "rover_twist")[:2]
    some, every = (
        LatentDataset(
            ClipSettings([spaces["rover_twist"]], 4, 16, cameras=cameras, starts_every=gap), paths, autoencoder, False
        )
        for gap in (8, 1)
    )
    generator = torch.Generator().manual_seed(0)
    first = some.sample(24, generator)
    assert {start for _, start in some._kept} == {0, 8, 16} and not every._kept
    for (episode, start), kept in list(some._kept.items()):
        made = every.clip([episode], [start]).reprojected
        torch.testing.assert_close(kept[None].float(), made, atol=5e-3, rtol=0)
        torch.testing.assert_close(some.clip([episode], [start]).reprojected, made, atol=5e-3, rtol=0)
    assert torch.equal(some.sample(24, torch.Generator().manual_seed(0)).reprojected, first.reprojected)
    assert first.reprojected.shape == (24, 16, 25, 8, 8)
