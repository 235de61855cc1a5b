"""Training in two processes on a CPU, as torchrun starts them: both strategies, and going on."""

import json
import os
import shutil
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

from astra_ros.backends import load_backend
from astra_ros.learning import train as command
from astra_ros.learning.distributed import STRATEGIES, Processes
from astra_ros.learning.episode import DatasetError

TORCHRUN = [sys.executable, '-m', 'torch.distributed.run', '--standalone', '--nproc-per-node', '2',
            '-m', 'astra_ros.cli']


def train(data, out, *more):
    environment = {**os.environ, 'OMP_NUM_THREADS': '1'}
    done = subprocess.run(
        [*TORCHRUN, 'train', '--data', str(data), '--out', str(out), '--autoencoder-steps', '2',
         '--autoencoder-batch', '4', '--dynamics-batch', '2', '--device', 'cpu',
         '--warmup-steps', '2', *more],
        capture_output=True, text=True, timeout=240, env=environment)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope='module')
def runs(data, tmp_path_factory):
    """The folder of a training of three steps with each strategy; odd steps are roll-outs."""
    folders = {}
    for strategy in STRATEGIES:
        folders[strategy] = tmp_path_factory.mktemp(strategy)
        code, text = train(data, folders[strategy], '--strategy', strategy, '--rollout-from', '0',
                           '--dynamics-steps', '3')
        assert code == 0, text
    return folders


def losses(run):
    lines = [json.loads(line) for line in (run / 'dynamics.jsonl').read_text().splitlines()]
    return [(line['step'], line['loss']) for line in lines]


@pytest.mark.slow
@pytest.mark.parametrize('strategy', STRATEGIES)
def test_two_processes_train_one_model(runs, strategy):
    state = load_file(runs[strategy] / 'dynamics.safetensors')
    # Each process drew its own random numbers, the log is the first one's alone.
    assert not torch.equal(state['generator.0'], state['generator.1'])
    assert [step for step, _ in losses(runs[strategy])] == [0, 1, 2]
    assert load_backend('torch', runs[strategy] / 'model').card.action_spaces


@pytest.mark.slow
@pytest.mark.parametrize('strategy', STRATEGIES)
def test_two_processes_go_on_where_they_were(data, runs, tmp_path, strategy):
    shutil.copytree(runs[strategy], tmp_path / 'run')
    code, text = train(data, tmp_path / 'run', '--strategy', strategy, '--rollout-from', '0',
                       '--dynamics-steps', '3')
    assert code == 0, text                                    # nothing is left to do
    before, after = (load_file(run / 'dynamics.safetensors')
                     for run in (runs[strategy], tmp_path / 'run'))
    assert all(torch.equal(value, after[name]) for name, value in before.items())


@pytest.mark.slow
def test_split_weights_train_as_whole_ones(runs):
    """FSDP computes what DDP does, up to rounding, and its checkpoint is of whole tensors."""
    whole, split = (losses(runs[strategy]) for strategy in STRATEGIES)
    assert [loss for _, loss in split] == pytest.approx([loss for _, loss in whole], rel=1e-2)
    one, other = (load_file(runs[strategy] / 'dynamics.safetensors') for strategy in STRATEGIES)
    assert {name: value.shape for name, value in one.items()} == {
        name: value.shape for name, value in other.items()}


@pytest.mark.slow
def test_other_than_as_many_processes_are_refused(data, runs, arguments):
    more = ('--warmup-steps', '2', '--autoencoder-steps', '2', '--dynamics-steps', '3',
            '--rollout-from', '0')
    with pytest.raises(DatasetError, match='made by 2 processes, there are 1 now; go on with as many'):
        command.run(arguments(data, runs['ddp'], *more))


def test_a_batch_is_shared_evenly_or_refused():
    two = Processes(1, 2, 'ddp', torch.device('cpu'))
    assert two.share(16) == 8 and not two.first and not two.splits
    with pytest.raises(ValueError, match='a batch of 5 cannot be split evenly among 2 processes'):
        two.share(5)
