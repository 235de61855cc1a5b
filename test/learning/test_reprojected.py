"""The last picture from where the camera will be: found in data, trained with, evaluated and run."""

import argparse
import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from astra_ros.backends import ModelError, load_backend
from astra_ros.backends.lenses import lens_of
from astra_ros.learning import evaluate, following, losses, record, train
from astra_ros.learning.clips import LatentDataset, frames_to_tensor, measure
from astra_ros.learning.dataset import episode_path, list_episodes, load_episode, save_episode
from astra_ros.learning.episode import DatasetError
from astra_ros.learning.export import read_embodiments
from astra_ros.learning.held_out import HeldOutClips
from astra_ros.learning.metrics import psnr
from astra_ros.learning.usual_depth import moving_cameras_of, usual_depth
from astra_ros.world_model import Astra, preset, reproject, seen_again


@pytest.fixture(scope='module')
def moving(tmp_path_factory):
    """A rover's and an arm's episodes."""
    folder = tmp_path_factory.mktemp('moving')
    assert record.record(folder, [('explore', 'rover')], episodes=6, first_seed=0, workers=1) == 6
    assert record.record(folder, [('arm', 'kuka')], episodes=1, first_seed=0, workers=1) == 1
    return folder


@pytest.fixture(scope='module')
def spaces(moving):
    return {space.name: space for space in measure(list_episodes(moving), ())[0]}


@pytest.fixture(scope='module')
def camera(moving, spaces):
    (name, found), = moving_cameras_of(list_episodes(moving), list(spaces.values())).items()
    assert name == 'rover_twist'        # an arm's camera stands still
    return found


@pytest.fixture(scope='module')
def model(moving, tmp_path_factory):
    out = tmp_path_factory.mktemp('run')
    parser = argparse.ArgumentParser()
    train.add_arguments(parser)
    words = ['--data', str(moving), '--out', str(out), '--autoencoder-steps', '2', '--dynamics-steps',
             '2', '--dynamics-batch', '3', '--autoencoder-batch', '2', '--device', 'cpu',
             '--rollout-from', '0']
    train.run(parser.parse_args(words))
    found = read_embodiments(out)
    train.run(parser.parse_args([*words[:-1], '0']))     # again: what was found stays
    assert read_embodiments(out) == found and list(found.moving_cameras) == ['rover_twist']
    return out / 'model'


def test_the_floor_is_found_from_pictures_and_motion_alone(camera):
    """The rover's camera is 35 cm up and looks ahead with 80 degrees: the lowest floor that it sees
    is 0.42 m ahead, and the walls are metres away."""
    depth = 1 / camera.inverse_depth
    assert 0.3 < np.median(depth[-1]) < 0.6
    assert np.median(depth[3]) > 3 * np.median(depth[-1])


def test_a_real_picture_seen_from_elsewhere_is_nearly_what_is_seen_there(moving, spaces, camera):
    episode = load_episode(list_episodes(moving, 'rover_twist')[-1])
    lens, gap = lens_of(camera, episode.frames.shape[1:3]), 2
    starts = np.arange(0, len(episode) - gap)
    travel = np.stack([camera.travel(spaces['rover_twist'],
                                     episode.motion[at:at + gap + 1].astype(float), 0.25)[-1:]
                       for at in starts])
    before, after = (frames_to_tensor(episode.frames[starts + later]) for later in (0, gap))
    views, seen = reproject(before, torch.from_numpy(travel), lens)
    quality = [psnr(frames.movedim(1, -1).numpy()[None], after.movedim(1, -1).numpy()[None])[0]
               for frames in (before, views[:, 0])]
    moved = quality[0] < 30
    assert moved.sum() > 5
    assert quality[1][moved].mean() > quality[0][moved].mean() + 2.0        # dB
    assert 0.5 < float(seen.mean()) < 1.0


def test_a_robot_with_two_cameras_is_refused(moving, spaces, tmp_path):
    for number, path in enumerate(list_episodes(moving, 'rover_twist')[:2]):
        episode = load_episode(path)
        changed = {**episode.camera, 'fx': episode.camera['fx'] + number}
        save_episode(episode_path(tmp_path, 'rover_twist', number), replace(episode, camera=changed))
    with pytest.raises(DatasetError, match="its camera is not where it is in other episodes of 'rover'"):
        moving_cameras_of(list_episodes(tmp_path), list(spaces.values()))


def test_a_known_robot_keeps_its_camera(moving, model, tmp_path):
    """Fine-tuning goes on with what the model knows, and refuses a camera that it does not."""
    parser = argparse.ArgumentParser()
    train.add_arguments(parser)

    def run(data, out):
        train.run(parser.parse_args(
            ['--from', str(model), '--data', str(data), '--out', str(tmp_path / out),
             '--autoencoder-steps', '0', '--dynamics-steps', '1', '--dynamics-batch', '1', '--device',
             'cpu']))
        return read_embodiments(tmp_path / out).moving_cameras

    assert run(moving, 'same') == read_embodiments(model.parent).moving_cameras
    (tmp_path / 'zoomed').mkdir()
    for number, path in enumerate(list_episodes(moving, 'rover_twist')[:2]):
        episode = load_episode(path)
        save_episode(episode_path(tmp_path / 'zoomed', 'rover_twist', number), replace(
            episode, camera={**episode.camera, 'fx': 1.2 * episode.camera['fx']}))
    with pytest.raises(DatasetError, match="is not the one that the model knows of 'rover'"):
        run(tmp_path / 'zoomed', 'other')


def test_it_is_found_the_same_again(moving, spaces):
    episodes = [load_episode(path) for path in list_episodes(moving, 'rover_twist')[:2]]
    one, other = (usual_depth(episodes, spaces['rover_twist']) for _ in range(2))
    np.testing.assert_array_equal(one.inverse_depth, other.inverse_depth)


def test_clips_have_the_last_picture_from_where_the_camera_will_be(moving, spaces, camera):
    torch.manual_seed(0)
    config = preset('tiny')
    autoencoder = Astra(config).autoencoder
    paths = list_episodes(moving)
    names = list(spaces)
    data = LatentDataset(list(spaces.values()), 4, 16, config.outcomes,
                         cameras={'rover_twist': camera})
    data.encode(paths, autoencoder, torch.device('cpu'))
    rover = next(i for i, path in enumerate(paths) if path.name.startswith('rover'))
    arm = next(i for i, path in enumerate(paths) if path.name.startswith('kuka'))
    clip = data.clip([arm, rover, rover], [3, 5, 9])
    assert clip.carried.tolist() == [False, True, True]
    assert [names[number] for number in clip.spaces] == ['kuka_joints', 'rover_twist', 'rover_twist']
    episode = load_episode(paths[rover])
    travel = camera.travel(spaces['rover_twist'], episode.motion[9:9 + 17].astype(float), 0.25)
    with torch.no_grad(), torch.autocast('cpu', torch.bfloat16):
        wanted = seen_again(autoencoder, frames_to_tensor(episode.frames[9:10]),
                            torch.from_numpy(travel)[None], lens_of(camera, (64, 64)))
    torch.testing.assert_close(clip.again[2], wanted[0].float(), atol=0.05, rtol=0.05)
    # Without cameras there is none, and what is not known is the last observed latent.
    model = Astra(replace(config, action_dims=tuple(space.dim for space in spaces.values()),
                          modalities=tuple(space.modality for space in spaces.values())))
    ready = losses.prepare(model, clip, torch.Generator().manual_seed(1))
    torch.testing.assert_close(ready.again[0, :, :-1], clip.latents[0, 3].expand(16, -1, -1, -1))
    assert (ready.again[0, :, -1] == 0).all()
    blind = LatentDataset(list(spaces.values()), 4, 16, config.outcomes)
    blind.encode(paths, autoencoder, torch.device('cpu'))
    assert losses.prepare(model, blind.clip([rover], [9]), torch.Generator()).again is None


def test_a_model_knows_its_moving_cameras_and_uses_them(moving, model):
    loaded = load_backend('torch', model)
    card = loaded.card
    space, known = card.action_spaces['rover_twist'], card.moving_cameras['rover_twist']
    episode = load_episode(list_episodes(moving, 'rover_twist')[0])
    motion = np.zeros((2, 4, 2))
    motion[1, 1:, 1] = 1.0      # the second plan turns
    actions = np.repeat(space.encode(motion)[:1], 2, axis=0)        # both are told the same
    travel = known.travel(space, motion, card.dt_s)

    def run(travel):
        return loaded.imagine(episode.frames[:4], actions, space.name, travel=travel).latents

    blind, seeing = run(None), run(travel)
    np.testing.assert_allclose(blind[0], blind[1], atol=1e-5)
    assert np.abs(seeing[1] - seeing[0]).max() > 0.05
    with pytest.raises(KeyError):
        loaded.imagine(episode.frames[:4], np.zeros((1, 3, 14), np.float32), 'kuka_joints',
                       travel=travel[:1])


def test_evaluation_sees_again_unless_told_not_to(moving, model, tmp_path, monkeypatch):
    monkeypatch.setattr(following, 'PROBE_STEPS', 10)      # what the probe reads is not looked at
    card = load_backend('torch', model).card
    episodes = [load_episode(path) for path in list_episodes(moving, 'rover_twist')]
    clips = HeldOutClips(episodes, card, 8, 1, 0, None)
    assert clips.travel.shape == clips.shuffled_travel.shape == (6, 8, 4, 4)
    assert not np.allclose(clips.travel, clips.shuffled_travel)
    parser = argparse.ArgumentParser()
    evaluate.add_arguments(parser)
    made = []
    for more in ([], ['--no-reprojection']):
        out = tmp_path / f'{len(made)}.json'
        evaluate.run(parser.parse_args(
            ['--model', str(model), '--data', str(moving), '--probe-data', str(moving), '--spaces',
             'rover_twist', '--horizon', '4', '--clips-per-episode', '1', '--out', str(out), *more]))
        made.append(json.loads(out.read_text())['spaces']['rover_twist'])
    assert [figures['reprojected'] for figures in made] == [True, False]
    assert made[0]['psnr_db']['model'] != made[1]['psnr_db']['model']
    assert made[0]['psnr_db']['copy'] == made[1]['psnr_db']['copy']
    # Geometry alone is a baseline of its own, and a hard one for the first frames.
    assert made[0]['psnr_db']['carried']['1'] > made[0]['psnr_db']['copy']['1'] + 1.0
    assert 'carried' not in made[1]['psnr_db']


def test_a_card_with_a_broken_camera_is_named(model, tmp_path):
    for path in model.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    card = json.loads((tmp_path / 'card.json').read_text())
    card['moving_cameras']['rover_twist']['inverse_depth'] = [[0.0]]
    (tmp_path / 'card.json').write_text(json.dumps(card))
    with pytest.raises(ModelError, match='inverse_depth must be rows of finite numbers'):
        load_backend('torch', tmp_path)
