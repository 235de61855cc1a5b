"""Training in two processes on a CPU, as torchrun starts them: both strategies, and going on."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file
from user_errors import refusal

from astra_ros.commands import train as command
from astra_ros.datasets.dataset import episode_path, list_episodes, load_episode, save_episode
from astra_ros.inference import load_world_model
from astra_ros.training.checkpoint import CheckpointError
from astra_ros.training.distributed import TrainingProcesses
from astra_ros.training.errors import TrainingError
from astra_ros.training.requests import STRATEGIES

STEPS = 6
# One clip a process: each then draws another robot in most steps.
COMMON = (
    "--object-token",
    "--places-steps",
    "2",
    "--places-batch",
    "4",
    "--autoencoder-steps",
    "2",
    "--autoencoder-batch",
    "4",
    "--dynamics-batch",
    "2",
    "--dynamics-steps",
    str(STEPS),
    "--compositor-steps",
    str(STEPS),
    "--compositor-batch",
    "4",
    "--warmup-steps",
    "2",
    "--rollout-from",
    "0",
    "--checkpoint-every",
    "3",
    "--device",
    "cpu",
)
# The first process is killed in its fifth step, after the checkpoint of the third one.
KILLED = """
import os, sys
from astra_ros.training.trainer import Trainer
steps = []
real = Trainer._step
def step(self, batch):
    if self.job.name == 'dynamics':
        steps.append(1)
        if len(steps) == 5 and self.processes.first:
            os._exit(9)
    return real(self, batch)
Trainer._step = step
from astra_ros.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def two_robots(data, tmp_path_factory):
    """The arm's episodes, and the same pictures as those of a base."""
    folder = tmp_path_factory.mktemp("two_robots")
    for number, path in enumerate(list_episodes(data)):
        arm = load_episode(path)
        save_episode(episode_path(folder, "kuka_joints", number), arm)
        save_episode(
            episode_path(folder, "rover_twist", number),
            replace(
                arm,
                robot="rover",
                modality="twist",
                motion_names=("linear.x", "angular.z"),
                motion=arm.motion[:, :2],
                labels={},
                camera=None,
            ),
        )
    return folder


def torchrun(data, out, strategy, *program):
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "torch.distributed.run",
            "--standalone",
            "--nproc-per-node",
            "2",
            *(program or ("-m", "astra_ros.cli")),
            "train",
            "--data",
            str(data),
            "--out",
            str(out),
            "--strategy",
            strategy,
            *COMMON,
        ],
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def runs(two_robots, tmp_path_factory):
    """The folder of a whole training with each strategy; odd steps are roll-outs."""
    folders = {}
    for strategy in STRATEGIES:
        folders[strategy] = tmp_path_factory.mktemp(strategy)
        code, text = torchrun(two_robots, folders[strategy], strategy)
        assert code == 0, text
    return folders


def losses(run):
    lines = [json.loads(line) for line in (run / "dynamics.jsonl").read_text().splitlines()]
    return [(line["step"], line["loss"]) for line in lines]


@pytest.mark.slow
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_two_processes_train_one_model(runs, strategy):
    state = load_file(runs[strategy] / "dynamics.safetensors")
    # Each process drew its own random numbers, the log is the first one's alone.
    assert not torch.equal(state["generator.0"], state["generator.1"])
    assert [step for step, _ in losses(runs[strategy])] == list(range(STEPS))
    assert set(load_world_model("torch", runs[strategy] / "model").card.action_spaces) == {"kuka_joints", "rover_twist"}


@pytest.mark.slow
def test_two_processes_that_were_killed_go_on_exactly(two_robots, runs, tmp_path):
    """With split weights; a checkpoint of whole ones is written by one process, as in test_resuming.py."""
    strategy = "fsdp"
    script = tmp_path / "killed.py"
    script.write_text(KILLED)
    code, _ = torchrun(two_robots, tmp_path / "run", strategy, str(script))
    assert code != 0 and not (tmp_path / "run/model").exists()
    code, text = torchrun(two_robots, tmp_path / "run", strategy)
    assert code == 0, text
    whole, resumed = (load_file(run / "dynamics.safetensors") for run in (runs[strategy], tmp_path / "run"))
    assert whole.keys() == resumed.keys()
    assert [name for name, value in whole.items() if not torch.equal(value, resumed[name])] == []
    assert losses(tmp_path / "run") == losses(runs[strategy])


@pytest.mark.slow
def test_split_weights_train_as_whole_ones(runs):
    """FSDP computes what DDP does, up to rounding, and its checkpoint is of whole tensors."""
    whole, split = (losses(runs[strategy]) for strategy in STRATEGIES)
    # The loss, which has a logarithm in it, changes its sign on the way.
    assert [loss for _, loss in split] == pytest.approx([loss for _, loss in whole], rel=2e-2, abs=1e-3)
    one, other = (load_file(runs[strategy] / "dynamics.safetensors") for strategy in STRATEGIES)
    assert {name: value.shape for name, value in one.items()} == {name: value.shape for name, value in other.items()}


@pytest.mark.slow
def test_other_than_as_many_processes_are_refused(two_robots, runs, arguments):
    with refusal(CheckpointError, "autoencoder.safetensors", "made by 2 processes", "has 1"):
        command.run(arguments(two_robots, runs["ddp"], *COMMON))


def test_a_batch_is_shared_evenly_or_refused():
    two = TrainingProcesses(1, 2, "ddp", torch.device("cpu"))
    assert two.share(16) == 8 and not two.first and not two.splits
    with refusal(TrainingError, "", "batch of 5", "2 processes"):
        two.share(5)
