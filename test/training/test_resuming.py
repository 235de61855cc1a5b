"""Trainings that were killed or stopped, and go on from their checkpoints."""

import json
import signal

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from user_errors import fault, refusal

from astra_ros.commands import train
from astra_ros.inference import load_world_model
from astra_ros.training import settings, stages, trainer
from astra_ros.training.checkpoint import CheckpointError
from astra_ros.training.errors import TrainingError


def losses_of(run):
    lines = [json.loads(line) for line in (run / "dynamics.jsonl").read_text().splitlines()]
    return [line["step"] for line in lines], [line["loss"] for line in lines]


def test_a_killed_training_resumes_to_the_same_curve_and_weights(data, tmp_path, arguments, monkeypatch):
    """Killed in step 5 of 6, its last checkpoint after step 3, against the run that never was."""

    class Killed(Exception):
        pass

    def killed(model, clip, generator, *rest):
        calls.append(1)
        if len(calls) == 5:
            raise Killed
        return real(model, clip, generator, *rest)

    calls, real = [], stages.one_step_loss
    once = ("--rollout-from", "1", "--checkpoint-every", "3")
    train.run(arguments(data, tmp_path / "whole", *once))
    with monkeypatch.context() as patch:
        patch.setattr(stages, "one_step_loss", killed)
        with pytest.raises(Killed):
            train.run(arguments(data, tmp_path / "killed", *once))
    # A kill may cut off the log's last line, and leaves lines after the checkpoint.
    with open(tmp_path / "killed/dynamics.jsonl", "a") as log:
        log.write('{"step": 4, "lo')
    train.run(arguments(data, tmp_path / "killed", *once))
    steps, losses = losses_of(tmp_path / "killed")
    assert steps == list(range(6))
    assert losses == losses_of(tmp_path / "whole")[1]
    whole = load_file(tmp_path / "whole/dynamics.safetensors")
    resumed = load_file(tmp_path / "killed/dynamics.safetensors")
    assert whole.keys() == resumed.keys()
    for name, value in whole.items():
        assert torch.equal(resumed[name], value), name
    model = load_world_model("torch", tmp_path / "whole/model")
    assert model.card.action_spaces["kuka_joints"].motion_names[0] == "lbr_iiwa_joint_1"


def test_a_training_that_explodes_stops_and_keeps_its_last_checkpoint(data, tmp_path, arguments, monkeypatch):
    monkeypatch.setattr(trainer, "MAX_BAD_STEPS", 3)
    monkeypatch.setattr(settings, "check_limits", lambda _: None)
    train.run(arguments(data, tmp_path, "--stage", "autoencoder", "--warmup-steps", "1"))
    with refusal(TrainingError, "dynamics_rate", "not finite in 3 ", "dynamics.safetensors"):
        train.run(
            arguments(
                data,
                tmp_path,
                "--dynamics-rate",
                "1e20",
                "--dynamics-steps",
                "20",
                "--warmup-steps",
                "1",
                "--checkpoint-every",
                "1",
            )
        )
    state = load_file(tmp_path / "dynamics.safetensors")
    assert all(
        torch.isfinite(value).all()
        for name, value in state.items()
        if name.startswith("model.") and value.is_floating_point()
    )


def test_the_dynamics_belong_to_their_autoencoder(data, tmp_path, arguments):
    train.run(arguments(data, tmp_path))
    # Another number of clips a step is the dynamics' business; the autoencoder goes on.
    with refusal(CheckpointError, "dynamics.safetensors") as error:
        train.run(arguments(data, tmp_path, "--max-history-noise", "0.1"))
    assert error.value.differing == {"max_history_noise": (0.5, 0.1)}
    (tmp_path / "autoencoder.safetensors").unlink()
    with refusal(CheckpointError, "dynamics.safetensors") as error:
        train.run(arguments(data, tmp_path, "--autoencoder-steps", "5"))
    assert list(error.value.differing) == ["autoencoder"]


def test_training_refuses_a_checkpoint_of_other_settings(data, tmp_path, arguments):
    train.run(arguments(data, tmp_path, "--stage", "autoencoder"))
    with refusal(CheckpointError, "autoencoder.safetensors") as error:
        train.run(arguments(data, tmp_path, "--stage", "autoencoder", "--autoencoder-rate", "0.5"))
    assert error.value.differing == {"autoencoder_rate": (0.001, 0.5)}


def test_a_checkpoint_from_before_a_setting_existed_goes_on(data, tmp_path, arguments):
    """As if the network had had its default of it, which is what defaults of new settings mean."""
    without = ("--without", "observed")
    train.run(arguments(data, tmp_path, *without))
    path = tmp_path / "dynamics.safetensors"
    with safe_open(str(path), framework="pt") as file:
        tensors, metadata = {name: file.get_tensor(name) for name in file.keys()}, file.metadata()
    config = json.loads(metadata["config"])
    assert config["model"].pop("observed_displacements") == 0
    save_file(tensors, str(path), metadata={**metadata, "config": json.dumps(config)})
    assert train.run(arguments(data, tmp_path, *without)) == 0
    with refusal(CheckpointError, "dynamics.safetensors") as error:
        train.run(arguments(data, tmp_path))
    assert error.value.differing == {"network observed_displacements": (0, 4)}


def test_a_damaged_checkpoint_is_named(data, tmp_path, arguments):
    train.run(arguments(data, tmp_path, "--stage", "autoencoder"))
    file = tmp_path / "autoencoder.safetensors"
    file.write_bytes(file.read_bytes()[:1000])
    with refusal(CheckpointError, "autoencoder.safetensors", "not a readable checkpoint"):
        train.run(arguments(data, tmp_path))


@pytest.mark.parametrize("stage", ["autoencoder", "compositor"])
def test_a_killed_stage_ends_with_the_same_weights(data, tmp_path, arguments, stage):
    """Of the autoencoder, too, whose weights lie in memory with the channels last."""
    loss = {"autoencoder": stages.AutoencoderLoss, "compositor": stages.CompositorLoss}[stage]
    words = ("--checkpoint-every", "2")
    train.run(arguments(data, tmp_path / "whole", *words))
    calls, real = [], loss.forward

    def killed(*parts):
        calls.append(1)
        if len(calls) == 5:
            raise RuntimeError("power cut")
        return real(*parts)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loss, "forward", killed)
        with fault(RuntimeError, "power cut"):
            train.run(arguments(data, tmp_path / "cut", *words))
    train.run(arguments(data, tmp_path / "cut", *words))
    whole, cut = (load_file(tmp_path / name / f"{stage}.safetensors") for name in ("whole", "cut"))
    assert all(torch.equal(value, cut[name]) for name, value in whole.items())


def test_ctrl_c_ends_the_step_at_hand_and_saves_it(data, tmp_path, arguments, capsys):
    def interrupting(*_):
        if not came:
            signal.raise_signal(signal.SIGINT)
            came.append(1)
        return one_step(*_)

    one_step, came = stages.one_step_loss, []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stages, "one_step_loss", interrupting)
        with pytest.raises(KeyboardInterrupt):
            train.run(arguments(data, tmp_path))
    assert "stopped after step 1 of 6, all saved" in "".join(capsys.readouterr())
    with safe_open(tmp_path / "dynamics.safetensors", "pt") as file:
        assert file.metadata()["step"] == "1"
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    train.run(arguments(data, tmp_path))
    assert load_world_model("torch", tmp_path / "model")
