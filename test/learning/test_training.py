"""Recording, training with resume, and the written model, small enough for seconds."""

import argparse
import shutil
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from astra_ros.backends import ModelError, load_backend
from astra_ros.learning import export, record, train
from astra_ros.learning.clips import LatentDataset, fit_action_space, restyle
from astra_ros.learning.dataset import (
    DatasetError,
    episode_path,
    list_episodes,
    load_episode,
    save_episode,
)
from astra_ros.world_model import Astra, preset


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp('data')
    assert record.record(folder, ('kuka',), episodes=3, first_seed=0, workers=1) == 3
    return folder


def arguments(data, out, *more):
    parser = argparse.ArgumentParser()
    train.add_arguments(parser)
    return parser.parse_args(['--data', str(data), '--out', str(out), '--autoencoder-steps', '4',
                              '--dynamics-steps', '6', '--dynamics-batch', '2',
                              '--autoencoder-batch', '4', '--device', 'cpu', *more])


def test_recording_goes_on_where_it_was_and_repeats_itself(data, tmp_path):
    assert record.record(data, ('kuka',), episodes=3, first_seed=0, workers=1) == 0
    record.record(tmp_path, ('kuka',), episodes=1, first_seed=1, workers=1)
    first, again = load_episode(list_episodes(data)[1]), load_episode(list_episodes(tmp_path)[0])
    assert len(first) == record.FRAMES and first.frames.shape[1:] == (64, 64, 3)
    for name in ('frames', 'commanded', 'object_position', 'obstacle_contact'):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))


def test_a_damaged_episode_is_named(data, tmp_path):
    whole = list_episodes(data)[0]
    broken = tmp_path / whole.name
    broken.write_bytes(whole.read_bytes()[:2000])
    with pytest.raises(DatasetError, match=f'{broken.name}: damaged'):
        load_episode(broken)
    with pytest.raises(DatasetError, match='no episodes of panda'):
        list_episodes(data, 'panda')


def test_clips_line_up_with_the_recording(data):
    paths = list_episodes(data)
    episode = load_episode(paths[0])
    space = fit_action_space('kuka_joints', [episode])
    torch.manual_seed(0)
    autoencoder = Astra(preset('tiny')).autoencoder
    clips = LatentDataset([space], window=4, horizon=16)
    clips.encode(paths[:1], autoencoder, torch.device('cpu'))
    clip = clips.clip([0, 0], [0, 7])
    assert clip.latents.shape[:2] == (2, 20)
    # Before the episode the scene stood still: history frames 0..3 are its first frame.
    for index in range(4):
        assert torch.equal(clip.latents[0, index], clips.latents[0][0])
    assert torch.equal(clip.latents[1, 3], clips.latents[0][7])
    assert torch.equal(clip.latents[1, 4], clips.latents[0][8])
    # The action of frame 8 leads from the joints commanded at frame 7 to those at frame 8.
    expected = space.encode(episode.commanded[7:9])[0]
    np.testing.assert_allclose(clip.actions[1, 0].numpy(), expected, rtol=1e-6)
    assert clip.outcomes['object_position'][1, 0].tolist() == episode.object_position[8].tolist()


def test_restyling_keeps_a_picture_in_range_and_changes_it():
    frames = torch.rand(2, 3, 8, 8)
    other = restyle(frames, torch.Generator().manual_seed(0))
    assert 0 <= other.min() and other.max() <= 1 and not torch.allclose(frames, other)


def test_a_killed_training_resumes_to_the_same_weights(data, tmp_path, monkeypatch):
    """Stopped after step 3 of 6 and started again, against the run that was never stopped."""
    monkeypatch.setattr(train, 'CHECKPOINT_EVERY', 3)
    train.run(arguments(data, tmp_path / 'whole'))

    class Killed(Exception):
        pass

    save = train.save_checkpoint

    def die_once(path, *rest):
        save(path, *rest)
        if path.name == 'dynamics.safetensors':
            monkeypatch.setattr(train, 'save_checkpoint', save)
            raise Killed

    monkeypatch.setattr(train, 'save_checkpoint', die_once)
    with pytest.raises(Killed):
        train.run(arguments(data, tmp_path / 'stopped'))
    train.run(arguments(data, tmp_path / 'stopped'))
    whole = load_file(tmp_path / 'whole/dynamics.safetensors')
    resumed = load_file(tmp_path / 'stopped/dynamics.safetensors')
    assert whole.keys() == resumed.keys()
    for name, value in whole.items():
        torch.testing.assert_close(resumed[name], value, rtol=1e-4, atol=1e-5, msg=name)
    model = load_backend('torch', tmp_path / 'whole/model')
    assert model.card.action_spaces['kuka_joints'].joint_names[0] == 'lbr_iiwa_joint_1'


def test_training_refuses_a_checkpoint_of_other_settings(data, tmp_path):
    train.run(arguments(data, tmp_path, '--stage', 'autoencoder'))
    with pytest.raises(DatasetError, match=r'another configuration \(autoencoder_rate: 0.001 there, 0.5 now'):
        train.run(arguments(data, tmp_path, '--stage', 'autoencoder', '--autoencoder-rate', '0.5'))


def test_fine_tuning_starts_from_the_models_own_weights_and_actions(data, tmp_path):
    train.run(arguments(data, tmp_path / 'first'))
    first = tmp_path / 'first/model'
    none = ('--from', str(first), '--autoencoder-steps', '0', '--dynamics-steps', '0')
    train.run(arguments(data, tmp_path / 'same', *none, '--model', str(tmp_path / 'same')))
    before, after = (load_file(folder / 'model.safetensors')
                     for folder in (first, tmp_path / 'same'))
    assert before.keys() == after.keys()
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    some = ('--from', str(first), '--autoencoder-steps', '0', '--rollout-from', '0')
    train.run(arguments(data, tmp_path / 'tuned', *some))
    tuned = load_backend('torch', tmp_path / 'tuned/model')
    assert tuned.card.action_spaces == load_backend('torch', first).card.action_spaces
    changed = load_file(tmp_path / 'tuned/model/model.safetensors')
    kept = {name for name, value in before.items() if torch.equal(value, changed[name])}
    assert kept >= {name for name in before if name.startswith('autoencoder.')}
    assert 'denoiser.out.weight' not in kept


def test_fine_tuning_refuses_a_folder_with_other_actions(data, tmp_path):
    train.run(arguments(data, tmp_path))
    with pytest.raises(DatasetError, match="not the action spaces of 'tiny'"):
        train.run(arguments(data, tmp_path, '--from', 'tiny'))


def test_training_refuses_held_out_seeds_mixed_rates_and_devices_that_are_not_there(data, tmp_path):
    held_out = tmp_path / 'held_out'
    shutil.copytree(data, held_out)
    episode = load_episode(list_episodes(data)[0])
    save_episode(episode_path(held_out, 'kuka', 1_900_001), replace(episode, seed=1_900_001))
    with pytest.raises(DatasetError, match='1900001.npz: seeds from 900000 on are held out'):
        train.run(arguments(held_out, tmp_path / 'run'))
    mixed = tmp_path / 'mixed'
    shutil.copytree(data, mixed)
    save_episode(episode_path(mixed, 'kuka', 7), replace(episode, seed=7, dt_s=0.1))
    with pytest.raises(DatasetError, match='frames are 0.1 s apart'):
        train.run(arguments(mixed, tmp_path / 'run'))
    with pytest.raises(ModelError, match="device 'moon'"):
        train.run(arguments(data, tmp_path / 'run', '--device', 'moon'))


def test_export_keeps_the_step_of_the_recording(data, tmp_path):
    slow = tmp_path / 'slow'
    slow.mkdir()
    for path in list_episodes(data):
        save_episode(slow / path.name, replace(load_episode(path), dt_s=0.5))
    train.run(arguments(slow, tmp_path / 'run'))
    parser = argparse.ArgumentParser()
    export.add_arguments(parser)
    export.run(parser.parse_args(['--run', str(tmp_path / 'run'), '--out', str(tmp_path / 'out'),
                                  '--history-noise', '0.01']))
    card = load_backend('torch', tmp_path / 'out').card
    assert card.dt_s == 0.5 and card.network['history_noise'] == 0.01


def test_ctrl_c_ends_the_step_at_hand_and_saves_it(data, tmp_path, capsys):
    def interrupting(*_):
        signal.raise_signal(signal.SIGINT)
        return one_step(*_)

    one_step = train.one_step_loss
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, 'one_step_loss', interrupting)
        with pytest.raises(KeyboardInterrupt):
            train.run(arguments(data, tmp_path))
    assert 'stopped after step 1 of 6, all saved' in ''.join(capsys.readouterr())
    with safe_open(tmp_path / 'dynamics.safetensors', 'pt') as file:
        assert file.metadata()['step'] == '1'
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    train.run(arguments(data, tmp_path))
    assert load_backend('torch', tmp_path / 'model')
