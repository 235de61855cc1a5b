"""What cannot end well is said before hours of work, in one line, and leaves alone what is there."""

import argparse
import multiprocessing
import os
import signal
import subprocess
import sys
import time

import pytest
from user_errors import fault, refusal

from astra_ros.commands import bench, eval, export, rank, style, train
from astra_ros.commands.arguments import OneLineParser, at_least, frame_size
from astra_ros.datasets.episode import DatasetError
from astra_ros.evaluation.results import check_writable, write_result
from astra_ros.files import OutputError
from astra_ros.inference import ModelError
from astra_ros.training.errors import TrainingError
from astra_ros.training.pretrained_weights import MetricError
from astra_ros.training.training_data import claim


def parsed(command, *words):
    parser = OneLineParser()
    command.add_arguments(parser)
    return parser.parse_args([str(word) for word in words])


@pytest.mark.parametrize(
    "command, flag", [(eval, "--out"), (eval, "--report"), (rank, "--out"), (rank, "--raw"), (bench, "--out")]
)
def test_where_nothing_can_be_written_nothing_is_measured(tmp_path, monkeypatch, command, flag):
    (tmp_path / "file").touch()
    for module in ("evaluate", "rank"):
        monkeypatch.setattr(f"astra_ros.evaluation.{module}.load_world_model", lambda *_: 1 / 0)
    monkeypatch.setattr("astra_ros.evaluation.benchmark.ModelCard", None)
    with pytest.raises(OutputError) as error:
        command.run(parsed(command, flag, tmp_path / "file" / "sub"))
    assert str(tmp_path / "file" / "sub") in error.value.thing and error.value.cure


def test_episodes_that_are_too_short_for_the_horizon_are_refused_before_the_autoencoder_is_trained(data, tmp_path):
    with pytest.raises(DatasetError) as error:
        train.run(parsed(train, "--data", data, "--out", tmp_path / "run", "--horizon", 1000))
    assert "1000" in error.value.problem and error.value.cure and not (tmp_path / "run").exists()


@pytest.mark.parametrize("flag", ["--from", "--autoencoder"])
def test_a_model_that_is_missing_is_named_before_the_data_are_read(tmp_path, flag):
    with refusal(ModelError, "model 'tniy'"):
        words = ("--autoencoder-steps", 0) if flag == "--autoencoder" else ()
        train.run(parsed(train, flag, "tniy", "--data", tmp_path / "nothing", "--out", tmp_path / "run", *words))
    assert not (tmp_path / "run").exists()


def test_asking_leaves_nothing_behind_and_changes_nothing(tmp_path):
    (tmp_path / "there.json").write_text("mine")
    check_writable(None, tmp_path / "there.json", tmp_path / "new" / "result.json")
    assert (tmp_path / "there.json").read_text() == "mine" and list((tmp_path / "new").iterdir()) == []
    write_result(tmp_path / "new" / "result.json", {"a": 1})
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError) as error:
        write_result(tmp_path / "folder", {"a": 1})
    assert error.value.thing == str(tmp_path / "folder") and "repeat" in error.value.cure


def test_weights_that_are_not_those_of_lpips_are_refused_before_anything_is_trained(data, tmp_path, arguments):
    (tmp_path / "alexnet.ckpt").write_bytes(b"half a download")
    with refusal(MetricError, "alexnet.ckpt", "damaged download"):
        train.run(arguments(data, tmp_path / "run", "--lpips-weights", str(tmp_path / "alexnet.ckpt")))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "setting, value, limits",
    [
        ("dynamics_rate", "-1", "1e-08 to 1"),
        ("autoencoder_rate", "nan", "1e-08 to 1"),
        ("autoencoder_rate", "1000", "1e-08 to 1"),
        ("average_decay", "2", "0 to 0.999999"),
        ("clip_norm", "0", "1e-06 or more"),
        ("rollout_from", "-3", "0 to 1"),
        ("weight_decay", "inf", "0 to 1"),
    ],
)
def test_numbers_that_cannot_work_are_refused(tmp_path, arguments, setting, value, limits):
    with refusal(TrainingError, setting, f"is {value}", limits):
        train.run(arguments("data", tmp_path / "run", f"--{setting.replace('_', '-')}={value}"))
    assert not (tmp_path / "run").exists()


def test_a_patch_that_does_not_fit_the_frames_is_refused(data, tmp_path, arguments):
    with refusal(DatasetError, data.name, "preset tiny", "patch of 3", "multiples of 24"):
        train.run(arguments(data, tmp_path / "run", "--patch", "3"))
    assert not list(tmp_path.glob("run/*.safetensors"))


def test_the_same_of_astra_style():
    with refusal(TrainingError, "style_rate", "is -1"):
        style.run(parsed(style, "tiny", "--style-rate", "-1"))


def test_what_export_cannot_use_is_named(data, tmp_path, arguments):
    run = tmp_path / "run"
    train.run(arguments(data, run, "--stage", "dynamics"))
    with refusal(TrainingError, "history_noise", "-1.0", "0 to 1"):
        export.run(parsed(export, "--run", run, "--out", tmp_path / "model", "--history-noise", "-1"))
    path = run / "dynamics.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    with refusal(TrainingError, "dynamics.safetensors", "not a readable checkpoint"):
        export.run(parsed(export, "--run", run, "--out", tmp_path / "model"))


def test_two_trainings_do_not_share_a_folder(data, tmp_path, arguments):
    ready, done = multiprocessing.Event(), multiprocessing.Event()
    other = multiprocessing.get_context("fork").Process(
        target=lambda: (claim(tmp_path / "run"), ready.set(), done.wait(60))
    )
    other.start()
    assert ready.wait(60)
    with refusal(TrainingError, "run", "another training"):
        train.run(arguments(data, tmp_path / "run"))
    done.set()
    other.join()
    claim(tmp_path / "run")  # it has ended
    claim(tmp_path / "run")  # and one's own folder stays one's own
    (tmp_path / "file").touch()
    with refusal(OutputError, "file", "exists"):
        train.run(arguments(data, tmp_path / "file"))


def test_a_model_of_other_robots_is_refused_at_once(monkeypatch):
    class Read:
        @staticmethod
        def read(_directory):
            return Read

        @staticmethod
        def check_knows(space):
            raise ModelError(f"does not know {space}")

    monkeypatch.setattr("astra_ros.evaluation.benchmark.ModelCard", Read)
    with refusal(ModelError, "", "kuka_joints"):
        bench.run(parsed(bench, "--robot", "kuka"))


@pytest.mark.parametrize(
    "kind, text, facts",
    [
        (at_least(0, 51), "99", (51,)),
        (at_least(3), "2", (3,)),
        (frame_size, "abc", (16, "64", "96x64")),
        (frame_size, "63", (16, "64", "96x64")),
    ],
)
def test_arguments_say_what_is_expected(kind, text, facts):
    with fault(argparse.ArgumentTypeError, text, *facts):
        kind(text)


def test_the_workers_of_a_recording_that_is_killed_end_too(tmp_path):
    command = [
        sys.executable,
        "-m",
        "astra_ros.cli",
        "record",
        "--out",
        str(tmp_path),
        "--robots",
        "kuka",
        "--episodes",
        "200",
        "--workers",
        "2",
    ]
    parent = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob("*.parquet")) and time.monotonic() < deadline:
        time.sleep(0.1)
    children = [int(pid) for pid in os.listdir("/proc") if pid.isdigit() and _parent_of(int(pid)) == parent.pid]
    assert len(children) >= 3 and parent.poll() is None
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    deadline = time.monotonic() + 120
    while any(map(_alive, children)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(map(_alive, children))


def _stat_of(pid: int) -> list[str]:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()
    except OSError:
        return ["X", "0"]


def _parent_of(pid: int) -> int:
    return int(_stat_of(pid)[1])


def _alive(pid: int) -> bool:
    return _stat_of(pid)[0] not in "XZ"
