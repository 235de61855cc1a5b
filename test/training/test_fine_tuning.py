"""Trainings that begin with a model."""

import hashlib
import json

import numpy as np
import torch
from networks import network_of
from safetensors.torch import load_file, save_file
from user_errors import refusal

from astra_ros.commands import train
from astra_ros.datasets import record
from astra_ros.datasets.dataset import list_episodes, read_footers
from astra_ros.datasets.episode import DatasetError
from astra_ros.datasets.robot_renders import cameras_of
from astra_ros.inference import Conditioning, load_world_model
from astra_ros.training.errors import TrainingError
from astra_ros.training.export import SPACES_FILE, read_embodiments


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


def test_a_compositor_of_another_version_is_left_out_and_can_be_learned_anew(data, tmp_path, arguments, caplog):
    train.run(arguments(data, tmp_path / "old"))
    model, words = tmp_path / "old/model", ("--autoencoder-steps", "0", "--dynamics-steps", "0")
    weights = load_file(model / "model.safetensors")
    earlier = {name: value for name, value in weights.items() if not name.startswith("compositor.")}
    save_file(earlier | {"compositor.body.0.bias": torch.zeros(48)}, model / "model.safetensors")
    card = json.loads((model / "card.json").read_text())
    card["sha256"] = hashlib.sha256((model / "model.safetensors").read_bytes()).hexdigest()
    (model / "card.json").write_text(json.dumps(card))
    old = load_world_model("torch", model)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    latents = np.zeros((1, 2, *old.card.latent_shape), np.float32)
    space = old.card.action_spaces["kuka_joints"]
    plan = Conditioning("kuka_joints", np.zeros((1, 2, space.dim)))
    shown = old.pictures(latents, np.zeros((*old.card.image_size, 3), np.uint8), plan)
    np.testing.assert_array_equal(shown[0], old.decode(latents[0]))
    train.run(arguments(data, tmp_path / "new", "--from", str(model), *words))
    new = load_file(tmp_path / "new/model/model.safetensors")
    assert new["compositor.out.weight"].abs().max() > 0
    assert all(torch.equal(value, new[name]) for name, value in earlier.items())


def test_a_model_gets_an_object_token(data, tmp_path, arguments):
    """All that it has is kept. What is new is trained with the rest."""
    train.run(arguments(data, tmp_path / "old", "--one-pass"))
    few = ("--places-steps", "3", "--places-batch", "8")
    old, words = network_of(tmp_path / "old/model"), (*few, "--autoencoder-steps", "0", "--compositor-steps", "0")
    given = ("--from", str(tmp_path / "old/model"), "--object-token", *words)
    train.run(arguments(data, tmp_path / "same", *given, "--dynamics-steps", "0"))
    same = network_of(tmp_path / "same/model")
    assert not old.config.object_token and same.config.object_token
    width, kept = old.config.hidden_dim, same.state_dict()
    for name, value in old.state_dict().items():
        if name == "outcome_heads.mlp.0.weight":
            assert torch.equal(kept[name][:, :-width], value) and not kept[name][:, -width:].any()
        elif not name.startswith("outcome_heads.mlp.2."):
            assert torch.equal(kept[name], value), name
    # Heads of positions begin at the token's places, all others as they were.
    features = torch.randn(3, old.config.tokens_per_frame, width)
    places = torch.rand(3, 1, 6)
    more = torch.cat([features, torch.zeros(3, 1, width), torch.nn.functional.pad(places, (0, width - 6))], dim=1)
    with torch.no_grad():
        before, after = old.outcome_heads(features), same.outcome_heads(more)
    torch.testing.assert_close(after["object_position"], places[:, 0, :3])
    torch.testing.assert_close(after["tool_position"], places[:, 0, 3:])
    assert after["obstacle_contact"].shape == before["obstacle_contact"].shape
    train.run(arguments(data, tmp_path / "new", *given))
    token = network_of(tmp_path / "new/model").denoiser.object_token
    assert token.embed_places.weight.any() and token.seen.weight.any(), "they began at zero"
    # Going on from it, nothing is added twice.
    again = ("--from", str(tmp_path / "new/model"), "--object-token", *words, "--dynamics-steps", "0")
    train.run(arguments(data, tmp_path / "again", *again))
    assert network_of(tmp_path / "again/model").config == network_of(tmp_path / "new/model").config
