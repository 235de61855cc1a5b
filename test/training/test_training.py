"""Training with resume, and the written model, small enough for seconds."""

import argparse
import json
import shutil
import signal
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from networks import network_of
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from user_errors import fault, refusal

from astra_ros.commands import export, train
from astra_ros.datasets import record
from astra_ros.datasets.dataset import episode_path, list_episodes, load_episode, read_footers, save_episode
from astra_ros.datasets.episode import DatasetError
from astra_ros.datasets.robot_renders import cameras_of
from astra_ros.inference import ModelError, load_world_model
from astra_ros.training import losses, settings, stages, trainer
from astra_ros.training.augmentation import recoloured
from astra_ros.training.checkpoint import CheckpointError
from astra_ros.training.clips import Clip, ClipSettings, LatentDataset, measure
from astra_ros.training.errors import TrainingError
from astra_ros.training.export import SPACES_FILE, read_embodiments
from astra_ros.training.precision import has_bfloat16, mixed_precision
from astra_ros.world_model.astra import Astra
from astra_ros.world_model.config import preset


def clips_of(paths):
    torch.manual_seed(0)
    config = preset("tiny")
    settings = ClipSettings(measure(paths, ())[0], window=4, horizon=16, outcomes=config.outcomes)
    return LatentDataset(settings, paths, Astra(config).autoencoder)


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


def test_restyling_keeps_a_picture_in_range_and_greys_grey():
    frames = torch.rand(2, 3, 8, 8)
    other = recoloured(frames, torch.Generator().manual_seed(0))
    assert 0 <= other.min() and other.max() <= 1 and not torch.allclose(frames, other)
    # Turning the hue leaves grey alone; what is left differs by a gain for each colour only.
    grey = recoloured(torch.full((1, 3, 2, 2), 0.5), torch.Generator().manual_seed(1))
    assert torch.allclose(grey, grey[..., :1, :1].expand_as(grey))


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


def test_a_new_network_takes_the_autoencoder_of_a_model(data, tmp_path, arguments):
    train.run(arguments(data, tmp_path / "first"))
    words = ("--autoencoder", str(tmp_path / "first/model"), "--seed", "7")
    with refusal(TrainingError, "autoencoder_steps", "first/model"):
        train.run(arguments(data, tmp_path / "second", *words, "--autoencoder-steps", "5"))
    train.run(arguments(data, tmp_path / "second", *words, "--autoencoder-steps", "0"))
    first, second = (load_file(tmp_path / run / "model/model.safetensors") for run in ("first", "second"))
    same = {name for name, value in first.items() if torch.equal(value, second[name])}
    assert same >= {name for name in first if name.startswith("autoencoder.")}
    assert "denoiser.out.weight" not in same
    train.run(arguments(data, tmp_path / "other", "--seed", "3"))
    other = ("--autoencoder", str(tmp_path / "other/model"), "--autoencoder-steps", "0", "--seed", "7")
    with refusal(TrainingError, "second/action_spaces.json", "begun with --autoencoder ", "now with --autoencoder "):
        train.run(arguments(data, tmp_path / "second", *other))
    with refusal(TrainingError, "first/model", "'tiny'"):
        train.run(arguments(data, tmp_path / "third", *words, "--autoencoder-steps", "0", "--from", "tiny"))
    with refusal(TrainingError, "first/model", "other shapes"):
        train.run(arguments(data, tmp_path / "fourth", *words, "--autoencoder-steps", "0", "--preset", "paper"))


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


def test_what_is_moved_in_training_is_the_clean_last_observed_latent():
    """Neither the noisy one that attention sees, nor one of the future."""
    torch.manual_seed(0)
    config = replace(
        preset("tiny"),
        hidden_dim=48,
        num_heads=4,
        num_layers=1,
        context_layers=1,
        action_dims=(6,),
        modalities=("joints",),
    )
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


def test_fine_tuning_starts_from_the_models_own_weights_and_actions(data, tmp_path, arguments):
    train.run(arguments(data, tmp_path / "first"))
    first = tmp_path / "first/model"
    none = ("--from", str(first), "--autoencoder-steps", "0", "--dynamics-steps", "0", "--compositor-steps", "0")
    train.run(arguments(data, tmp_path / "same", *none, "--model", str(tmp_path / "same")))
    before, after = (load_file(folder / "model.safetensors") for folder in (first, tmp_path / "same"))
    assert before.keys() == after.keys()
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    some = ("--from", str(first), "--autoencoder-steps", "0", "--rollout-from", "0")
    train.run(arguments(data, tmp_path / "tuned", *some))
    tuned = load_world_model("torch", tmp_path / "tuned/model")
    assert tuned.card.action_spaces == load_world_model("torch", first).card.action_spaces
    assert tuned.card.outcomes == {
        "kuka_joints": ("obstacle_contact", "object_contact", "object_position", "tool_position")
    }
    changed = load_file(tmp_path / "tuned/model/model.safetensors")
    kept = {name for name, value in before.items() if torch.equal(value, changed[name])}
    assert kept >= {name for name in before if name.startswith("autoencoder.")}
    assert "denoiser.out.weight" not in kept


def test_a_model_goes_on_with_larger_pictures(data, tmp_path, arguments):
    train.run(arguments(data, tmp_path / "first"))
    wide = tmp_path / "wide"
    assert record.record(record.RecordRequest(wide, [("arm", "kuka")], 2, first_seed=0, workers=1, size=128)) == 2
    base = ("--from", str(tmp_path / "first/model"))
    train.run(arguments(wide, tmp_path / "larger", *base))
    made = load_world_model("torch", tmp_path / "larger/model")
    assert made.card.image_size == (128, 128) and network_of(tmp_path / "larger/model").config.tokens_per_frame == 64
    assert made.card.cameras == cameras_of(read_footers(list_episodes(wide)).values())
    train.run(arguments(wide, tmp_path / "as-quick", *base, "--patch", "4"))
    assert network_of(tmp_path / "as-quick/model").config.tokens_per_frame == 16
    with refusal(TrainingError, "patch", "is 3", "multiple of 2"):
        train.run(arguments(wide, tmp_path / "no", *base, "--patch", "3"))
    odd = tmp_path / "odd"
    assert record.record(record.RecordRequest(odd, [("arm", "kuka")], 2, first_seed=0, workers=1, size=72)) == 2
    with refusal(DatasetError, ".parquet", "72 x 72 pixels", "first/model", "multiples of 16"):
        train.run(arguments(odd, tmp_path / "cut", *base))


def test_a_damaged_checkpoint_is_named(data, tmp_path, arguments):
    train.run(arguments(data, tmp_path, "--stage", "autoencoder"))
    file = tmp_path / "autoencoder.safetensors"
    file.write_bytes(file.read_bytes()[:1000])
    with refusal(CheckpointError, "autoencoder.safetensors", "not a readable checkpoint"):
        train.run(arguments(data, tmp_path))


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


def test_fine_tuning_refuses_a_folder_with_other_actions(data, tmp_path, arguments):
    train.run(arguments(data, tmp_path))
    with refusal(TrainingError, "action_spaces.json", "begun with random weights", "now with --from "):
        train.run(arguments(data, tmp_path, "--from", "tiny"))
    # A folder of before it was noted down what a training began with.
    spaces = tmp_path / SPACES_FILE
    spaces.write_text(json.dumps({**json.loads(spaces.read_text()), "began_with": None}))
    with refusal(TrainingError, "action_spaces.json", "not those of 'tiny'"):
        train.run(arguments(data, tmp_path, "--from", "tiny"))
    train.run(arguments(data, tmp_path))
    assert read_embodiments(tmp_path).began_with is None  # still not known


def test_a_training_that_began_with_a_model_does_not_go_on_without_it(data, tmp_path, arguments):
    """Or the dynamics would begin with random weights, unnoticed."""
    train.run(arguments(data, tmp_path / "first", "--stage", "dynamics"))
    base = str(tmp_path / "first/model")
    for flag in ("--from", "--autoencoder"):
        out = tmp_path / flag
        words = ("--autoencoder-steps", "0", "--stage", "autoencoder", flag, base)
        train.run(arguments(data, out, *words))
        with refusal(TrainingError, "action_spaces.json", f"begun with {flag} ", "now with random weights"):
            train.run(arguments(data, out))
        assert train.run(arguments(data, out, *words)) == 0
    for checkpoint in out.glob("*.safetensors"):  # not a step was made: it may begin otherwise
        checkpoint.unlink()
    train.run(arguments(data, out, "--stage", "autoencoder"))
    assert read_embodiments(out).began_with == ""


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


def test_export_keeps_the_step_of_the_recording(data, tmp_path, arguments):
    slow = tmp_path / "slow"
    slow.mkdir()
    for path in list_episodes(data):
        save_episode(slow / path.name, replace(load_episode(path), dt_s=0.5))
    train.run(arguments(slow, tmp_path / "run"))
    parser = argparse.ArgumentParser()
    export.add_arguments(parser)
    export.run(
        parser.parse_args(["--run", str(tmp_path / "run"), "--out", str(tmp_path / "out"), "--history-noise", "0.01"])
    )
    card = load_world_model("torch", tmp_path / "out").card
    assert card.dt_s == 0.5 and card.network.history_noise == 0.01


def test_the_compositor_is_trained_last_and_a_model_does_without(data, tmp_path, arguments, capsys):
    def exported(name):
        parser = argparse.ArgumentParser()
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
    assert np.mean(gains[-10:]) > 1.5 and np.mean(gains[:5]) < 0.3


def test_an_older_model_learns_a_compositor_and_its_training_goes_on(data, tmp_path, arguments):
    first = arguments(data, tmp_path / "old", "--without", "compositor")
    train.run(first)
    old, old_network = load_world_model("torch", tmp_path / "old/model"), network_of(tmp_path / "old/model")
    assert old_network.compositor is None and not old.card.network.compositing
    train.run(
        arguments(
            data,
            tmp_path / "new",
            "--from",
            str(tmp_path / "old/model"),
            "--autoencoder-steps",
            "0",
            "--dynamics-steps",
            "0",
        )
    )
    new = network_of(tmp_path / "new/model")
    assert new.compositor.out.weight.abs().max() > 0
    assert torch.equal(new.denoiser.out.weight, old_network.denoiser.out.weight)
    # The same folder without that --without: the dynamics are finished and stay, the compositor is added.
    before = (tmp_path / "old/dynamics.safetensors").read_bytes()
    train.run(arguments(data, tmp_path / "old"))
    assert (tmp_path / "old/dynamics.safetensors").read_bytes() == before
    assert network_of(tmp_path / "old/model").compositor is not None


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
