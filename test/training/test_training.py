"""A training and the written model, small enough for seconds."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from networks import NARROW, network_of
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from user_errors import refusal

from astra_ros.commands import export, train
from astra_ros.commands.arguments import OneLineParser
from astra_ros.datasets.dataset import list_episodes, load_episode, save_episode
from astra_ros.inference import load_world_model
from astra_ros.training import losses, trainer
from astra_ros.training.augmentation import recoloured
from astra_ros.training.clips import Clip
from astra_ros.training.errors import TrainingError
from astra_ros.training.precision import has_bfloat16, mixed_precision
from astra_ros.world_model.astra import Astra


def test_restyling_keeps_a_picture_in_range_and_greys_grey():
    frames = torch.rand(2, 3, 8, 8)
    other = recoloured(frames, torch.Generator().manual_seed(0))
    assert 0 <= other.min() and other.max() <= 1 and not torch.allclose(frames, other)
    # Turning the hue leaves grey alone; what is left differs by a gain for each colour only.
    grey = recoloured(torch.full((1, 3, 2, 2), 0.5), torch.Generator().manual_seed(1))
    assert torch.allclose(grey, grey[..., :1, :1].expand_as(grey))


def test_bfloat16_is_for_devices_that_compute_in_it(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (7, 5) if device.index else (8, 0))
    assert has_bfloat16("cuda:0") and not has_bfloat16("cuda:1")
    for level, has in (("AVX2", False), ("AVX512", True)):
        monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda level=level: level)
        with mixed_precision("cpu"):
            made = torch.nn.Linear(2, 2)(torch.zeros(1, 2)).dtype
        assert made == (torch.bfloat16 if has else torch.float32)


def test_a_horizon_of_one_frame_trains(data, tmp_path, arguments):
    train.run(arguments(data, tmp_path, "--horizon", "1", "--dynamics-steps", "2", "--compositor-steps", "0"))


def test_training_can_be_followed(data, tmp_path, arguments):
    """A line a step, TensorBoard's files, and real beside imagined frames at the end."""
    train.run(arguments(data, tmp_path))
    last = json.loads((tmp_path / "dynamics.jsonl").read_text().splitlines()[-1])
    assert last["step"] == 5 and {"loss", "rollout_latent", "gradient_norm"} <= set(last)
    events = EventAccumulator(str(tmp_path / "tensorboard/dynamics"))
    events.Reload()
    assert [point.step for point in events.Scalars("loss")] == [0]  # every tenth
    assert {"flops_utilisation", "validation/psnr_16_kuka_joints"} <= set(events.Tags()["scalars"])
    assert events.Tags()["images"] == ["validation/imagined"]
    figures = json.loads((tmp_path / "validation.jsonl").read_text())
    assert figures["step"] == 6 and figures["psnr_16_kuka_joints"] > 5
    picture = cv2.imread(str(tmp_path / "validation/dynamics_000006.png"))
    # Two clips of one robot, real above imagined; the newest frame and six of the future, twice as
    # large; words above and beside them.
    rows, columns, _ = picture.shape
    assert 2 * 2 * 128 < rows < 2 * 2 * 128 + 64 and 7 * 128 < columns < 7 * 128 + 200


def test_what_is_moved_in_training_is_the_clean_last_observed_latent():
    """Neither the noisy one that attention sees, nor one of the future."""
    torch.manual_seed(0)
    config = replace(NARROW, action_dims=(6,), modalities=("joints",))
    shape = (2, config.temporal_window + 3, *config.latent_shape)
    clip = Clip(torch.randn(shape), torch.randn(2, 3, 6), torch.zeros(2, dtype=torch.long), {}, None, None)
    model = Astra(config)
    ready = losses.prepare(model, clip, torch.Generator().manual_seed(0), memory_noise=0.5)
    last = clip.latents[:, config.temporal_window - 1]
    assert torch.equal(ready.remember(model).observed, last)
    assert not torch.allclose(ready.history[:, -1], last, atol=0.01)


def test_an_easy_robot_counts_as_much_as_a_hard_one():
    """Errors of 0.1 and 0.3 of one robot, 2.0 of another: the mean is 0.8, and each robot's gradient is
    its number of clips, by its own mean error."""
    error = torch.tensor([0.1, 2.0, 0.3], requires_grad=True)
    loss = losses.balanced(error, torch.tensor([4, 1, 4]))
    assert float(loss.detach()) == pytest.approx(0.8)
    loss.backward()
    torch.testing.assert_close(error.grad, 0.8 / 3 / torch.tensor([0.2, 2.0, 0.2]))


def test_what_a_preset_is_meant_for_and_what_compiling_needs_is_said(data, tmp_path, arguments, capsys, monkeypatch):
    none = ("--autoencoder-steps", "0", "--dynamics-steps", "0", "--compositor-steps", "0")
    train.run(arguments(data, tmp_path / "run", "--preset", "small", *none))
    assert "small' is meant for frames of 128 x 128 pixels" in capsys.readouterr().err
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    with refusal(TrainingError, "compile", "C++ compiler"):
        train.run(arguments(data, tmp_path / "other", "--compile"))


def test_short_runs_warm_up_for_a_tenth_of_their_steps():
    assert [trainer.learning_rate(step, 20, 1.0, 200) for step in range(3)] == pytest.approx([0.5, 1.0, 1.0], abs=0.01)
    assert trainer.learning_rate(99, 4000, 1.0, 200) == pytest.approx(0.5)


def test_export_keeps_the_step_of_the_recording(data, tmp_path, arguments):
    slow = tmp_path / "slow"
    slow.mkdir()
    for path in list_episodes(data):
        save_episode(slow / path.name, replace(load_episode(path), dt_s=0.5))
    train.run(arguments(slow, tmp_path / "run"))
    parser = OneLineParser()
    export.add_arguments(parser)
    export.run(
        parser.parse_args(["--run", str(tmp_path / "run"), "--out", str(tmp_path / "out"), "--history-noise", "0.01"])
    )
    card = load_world_model("torch", tmp_path / "out").card
    assert card.dt_s == 0.5 and card.network.history_noise == 0.01


def test_the_compositor_is_trained_last_and_a_model_does_without(data, tmp_path, arguments, capsys):
    def exported(name):
        parser = OneLineParser()
        export.add_arguments(parser)
        export.run(parser.parse_args(["--run", str(tmp_path / "run"), "--out", str(tmp_path / name)]))
        return network_of(tmp_path / name)

    train.run(arguments(data, tmp_path / "run", "--stage", "dynamics"))
    assert network_of(tmp_path / "run/model").compositor is None
    capsys.readouterr()
    assert exported("early").compositor is None
    assert "note: the compositor" in capsys.readouterr().out
    dynamics = (tmp_path / "run/dynamics.safetensors").read_bytes()
    train.run(arguments(data, tmp_path / "run"))
    assert (tmp_path / "run/dynamics.safetensors").read_bytes() == dynamics
    lines = [json.loads(line) for line in (tmp_path / "run/compositor.jsonl").read_text().splitlines()]
    assert len(lines) == 6 and all(np.isfinite(line["gain_db"]) for line in lines)
    weights = exported("whole").compositor.state_dict()
    assert weights["out.weight"].abs().max() > 0  # it began at zero
    trained = network_of(tmp_path / "run/model").compositor.state_dict()
    assert all(torch.equal(value, trained[name]) for name, value in weights.items())


def test_a_compositor_gains_on_pictures_of_a_scene_that_stands_still(data, tmp_path, arguments):
    """The dynamics know next to nothing, so nearly all comes from the last picture."""
    train.run(arguments(data, tmp_path, "--compositor-steps", "60", "--compositor-batch", "16"))
    lines = [json.loads(line) for line in (tmp_path / "compositor.jsonl").read_text().splitlines()]
    gains = [line["gain_db"] for line in lines]
    assert np.mean(gains[-10:]) > 3 and np.mean(gains[:5]) < 1
