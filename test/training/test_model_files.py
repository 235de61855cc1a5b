"""Files of a training and of a model: what is there stays until what replaces it is whole, and says its version."""

from pathlib import Path

import torch
from networks import network_of
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from user_errors import refusal

from astra_ros.commands import export, train
from astra_ros.commands.arguments import OneLineParser
from astra_ros.files import OutputError
from astra_ros.inference import load_world_model
from astra_ros.training import export as exporter
from astra_ros.training.checkpoint import CheckpointError
from astra_ros.training.errors import TrainingError
from astra_ros.training.training_log import TrainingLog


def exporting(run, out):
    parser = OneLineParser()
    export.add_arguments(parser)
    return parser.parse_args(["--run", str(run), "--out", str(out)])


def test_a_full_disk_leaves_the_model_that_was_there(data, tmp_path, arguments, monkeypatch):
    train.run(arguments(data, tmp_path / "run"))
    export.run(exporting(tmp_path / "run", tmp_path / "model"))
    before = {path.name: path.read_bytes() for path in (tmp_path / "model").iterdir()}

    def full(tensors, name, metadata):
        Path(name).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(exporter, "save_file", full)
    with refusal(OutputError, "model", "No space left"):
        export.run(exporting(tmp_path / "run", tmp_path / "model"))
    assert {path.name: path.read_bytes() for path in (tmp_path / "model").iterdir()} == before
    assert load_world_model("torch", tmp_path / "model")


def test_a_run_of_an_older_network_is_refused(data, tmp_path, arguments):
    """Networks once had a style vector; nothing translates their weights any more."""
    train.run(arguments(data, tmp_path / "run", "--stage", "dynamics"))
    path = tmp_path / "run" / "dynamics.safetensors"
    with safe_open(str(path), framework="pt") as file:
        metadata = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}
    for kind in ("model", "average"):
        tensors |= {f"{kind}.style_encoder.{name}": torch.ones(3) for name in ("as_observed", "out.bias")}
    save_file(tensors, str(path), metadata)
    with refusal(TrainingError, "run", "older version", "style_encoder"):
        export.run(exporting(tmp_path / "run", tmp_path / "older"))
    assert not (tmp_path / "older").exists()
    with refusal(CheckpointError, "dynamics.safetensors", "older version"):
        train.run(arguments(data, tmp_path / "run", "--stage", "dynamics"))


def test_a_file_in_place_of_the_folder_is_said(data, tmp_path, arguments):
    train.run(arguments(data, tmp_path / "run", "--stage", "dynamics"))
    (tmp_path / "model").write_text("mine")
    with refusal(OutputError, "model", "exists"):
        export.run(exporting(tmp_path / "run", tmp_path / "model"))
    assert (tmp_path / "model").read_text() == "mine"


def test_a_full_disk_while_training_is_said_and_loses_no_checkpoint(data, tmp_path, arguments, monkeypatch):
    words = ("--checkpoint-every", "2", "--stage", "dynamics")
    flush, calls = TrainingLog.flush, []

    def full(log):
        calls.append(1)
        if len(calls) >= 5:  # three of the autoencoder's, one of the dynamics' before
            raise OSError(28, "No space left on device")
        flush(log)

    monkeypatch.setattr(TrainingLog, "flush", full)
    with refusal(OutputError, tmp_path, "No space left"):
        train.run(arguments(data, tmp_path, *words))
    with safe_open(tmp_path / "dynamics.safetensors", "pt") as file:
        assert file.metadata()["step"] == "2"
    monkeypatch.undo()
    train.run(arguments(data, tmp_path, *words))
    assert load_world_model("torch", tmp_path / "model")


def test_a_stage_of_an_older_version_is_named_and_can_be_made_anew(data, tmp_path, arguments):
    train.run(arguments(data, tmp_path / "run"))
    path = tmp_path / "run/compositor.safetensors"
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    tensors = {
        name: value[:, :40].contiguous() if name.endswith("compositor.stem.1.weight") else value
        for name, value in load_file(path).items()
    }
    save_file(tensors, path, metadata)
    for more in ((), ("--compositor-steps", "9")):  # as another release's default may be
        with refusal(CheckpointError, "compositor.safetensors", "older version"):
            train.run(arguments(data, tmp_path / "run", *more))
    with refusal(TrainingError, "run", "older version", "compositor.stem.1"):
        export.run(exporting(tmp_path / "run", tmp_path / "model"))
    path.unlink()
    train.run(arguments(data, tmp_path / "run"))
    export.run(exporting(tmp_path / "run", tmp_path / "model"))
    assert network_of(tmp_path / "model").compositor is not None
