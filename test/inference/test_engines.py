"""Loading a model: everything that can be wrong says so; a sound one imagines."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from networks import NARROW, network_of
from user_errors import fault

from astra_ros.inference import Conditioning, ModelError, load_world_model
from astra_ros.inference import torch_style_file as style_file
from astra_ros.inference.card import ModelCard, model_directory
from astra_ros.inference.torch_style_file import read_style, write_style
from astra_ros.plans.action_spaces.joints import JointSpace
from astra_ros.training.export import Embodiments, write_model
from astra_ros.world_model.astra import Astra
from astra_ros.world_model.style_transfer import StyleConfig, StyleTransfer

SPACE = JointSpace("two_joints", ("a", "b"), (0.0, 0.1), (1.0, 0.5), (0.1, 0.1))
LABELLED = ("obstacle_contact", "tool_position")


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    torch.manual_seed(0)
    config = replace(NARROW, num_layers=2, action_dims=(SPACE.dim,), modalities=("joints",))
    return write_model(
        tmp_path_factory.mktemp("model"), Astra(config), Embodiments((SPACE,), 0.25, {SPACE.name: LABELLED}), "test"
    )


@pytest.fixture
def copy(directory, tmp_path):
    return shutil.copytree(directory, tmp_path / "copy")


def test_a_sound_model_imagines(directory):
    model = load_world_model("torch", directory)
    card = model.card
    assert (card.name, card.image_size, card.dt_s, card.history) == ("test", (64, 64), 0.25, 4)
    assert card.action_spaces == {"two_joints": SPACE}
    model.warmup(2, 3)
    history = np.random.default_rng(0).integers(0, 256, (4, 64, 64, 3), np.uint8)
    actions = SPACE.encode(np.zeros((2, 4, 2)))
    plans = Conditioning("two_joints", actions)
    made = model.imagine(history, plans, seed=1)
    assert made.latents.shape == (2, 3, *card.latent_shape)
    # The network has more heads, but of this robot it was told no more.
    assert set(made.outcomes) == set(card.outcomes["two_joints"]) == set(LABELLED)
    again = model.imagine(history, plans, seed=1)
    np.testing.assert_array_equal(made.latents, again.latents)
    assert model.decode(made.latents[0]).shape == (3, 64, 64, 3)
    shown = model.pictures(made.latents, history[-1], plans, 0)
    # A new compositor hardly changes what is decoded, least where the last picture is much the same.
    assert shown.shape == (3, 64, 64, 3) and shown.dtype == np.uint8
    assert np.abs(shown.astype(int) - model.decode(made.latents[0])).mean() < 3
    with fault(ValueError, "camera_poses", "'two_joints'", "no moving camera", "none"):
        model.pictures(made.latents, history[-1], replace(plans, camera_poses=np.zeros((2, 3, 4, 4))))
    assert model.encode(history).shape == (4, *card.latent_shape)
    with fault(ValueError, "action space 'feet'", ["two_joints"]):
        model.imagine(history, replace(plans, space="feet"))
    with fault(ValueError, "uint8 (4, 32, 64, 3)", "uint8 [N, 64, 64, 3]"):
        model.encode(history[:, :32])


def test_a_warm_up_runs_what_a_request_of_that_robot_runs(directory, monkeypatch):
    model, drawn = load_world_model("torch", directory), []
    monkeypatch.setattr(model._engine, "robot_tokens", lambda renders: drawn.append(renders.shape))
    model.warmup(2, 3, "two_joints")
    assert drawn == []
    model.card = replace(model.card, cameras={"two_joints": {}})
    model.warmup(2, 3, "two_joints")
    assert drawn == [(1, 2, 3, 3, 64, 64)]


@pytest.fixture
def styled(copy):
    """A model that can take on a look: its card, and what gives frames that look."""
    card = ModelCard.read(copy)
    torch.manual_seed(1)
    transfer = StyleTransfer(StyleConfig(card.latent_shape[0], width=16, heads=2))
    torch.nn.init.normal_(transfer.out.weight, std=0.5)  # zero at first, and nothing would show
    write_style(copy, transfer, network_of(copy).autoencoder)
    return card, transfer.half().float().eval()


def test_frames_take_on_the_look_of_a_picture(styled):
    card, transfer = styled
    model = load_world_model("torch", card.path)
    frames, one, other = (np.random.default_rng(k).integers(0, 256, (4, 64, 64, 3), np.uint8) for k in range(3))
    assert model.can_restyle
    made = model.restyle(frames, one[0])
    assert made.dtype == np.uint8 and made.shape == frames.shape
    with torch.inference_mode():
        expected = transfer(torch.from_numpy(model.encode(frames)), torch.from_numpy(model.encode(one[:1]))).numpy()
    np.testing.assert_allclose(made.astype(int), model.decode(expected), atol=1)
    assert np.abs(made.astype(int) - model.restyle(frames, other[0] // 4)).max() > 2
    with fault(ValueError, "uint8 (1, 32, 64, 3)", "uint8 [N, 64, 64, 3]"):
        model.restyle(frames, one[0, :32])
    with fault(ValueError, "image of a style", "[h, w, 3]", "[4, 64, 64, 3]"):
        model.restyle(frames, one)


def test_a_style_file_that_cannot_be_used_is_named(styled):
    card, transfer = styled
    file = card.path / "style.safetensors"
    whole = file.read_bytes()
    frames = np.zeros((1, 64, 64, 3), np.uint8)

    def refused():
        model = load_world_model("torch", card.path)  # which needs no style
        with pytest.raises(ModelError) as error:
            model.restyle(frames, frames[0])
        assert error.value.thing == str(file) and f"astra style {card.path}" in error.value.cure
        return model, error.value.problem

    file.write_bytes(whole[:-4] + bytes(4 * [whole[-4] ^ 1]))
    assert "sha256" in refused()[1]
    file.write_bytes(whole[:1000])
    assert "damaged" in refused()[1]
    torch.manual_seed(3)
    write_style(card.path, transfer, Astra(card.network).autoencoder)
    assert "autoencoder" in refused()[1]
    file.unlink()
    model, problem = refused()
    assert "not there" in problem and not model.can_restyle


def test_a_style_goes_on_with_a_model_that_keeps_its_autoencoder(styled):
    """And what was read may be trained on."""
    card, _ = styled
    frames = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), np.uint8)
    before = load_world_model("torch", card.path).restyle(frames, frames[1])
    network = network_of(card.path)
    assert not next(network.parameters()).is_inference() and next(network.parameters()).requires_grad
    assert not next(read_style(card.path, network.autoencoder).parameters()).is_inference()
    with torch.no_grad():
        network.denoiser.position += 1
    write_model(card.path, network, Embodiments((SPACE,), 0.25, {SPACE.name: LABELLED}), "test")
    again = load_world_model("torch", card.path)
    assert again.card.sha256 != card.sha256
    np.testing.assert_array_equal(again.restyle(frames, frames[1]), before)


def test_a_style_file_that_cannot_be_written_is_named_and_the_old_one_stays(styled, tmp_path, monkeypatch):
    card, transfer = styled
    with pytest.raises(ModelError) as error:
        write_style(tmp_path / "nowhere", transfer, torch.nn.Linear(1, 1))
    assert error.value.thing == str(tmp_path / "nowhere/style.safetensors")
    before = {path.name: path.read_bytes() for path in card.path.iterdir()}

    def full(tensors, name, metadata):
        Path(name).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(style_file, "save_file", full)
    with pytest.raises(ModelError) as error:
        write_style(card.path, transfer, network_of(card.path).autoencoder)
    assert "No space left on device" in error.value.problem and "repeat" in error.value.cure
    assert {path.name: path.read_bytes() for path in card.path.iterdir()} == before


@pytest.mark.parametrize(
    "backend, device, named",
    [("tarot", "cpu", "tarot"), ("torch", "toaster", "toaster"), ("torch", "cuda:99", "cuda:99")],
)
def test_unknown_backend_or_device(directory, backend, device, named):
    with pytest.raises(ModelError) as error:
        load_world_model(backend, directory, device)
    assert named in str(error.value) and error.value.cure


def test_a_folder_of_the_same_name_does_not_hide_a_shipped_model(tmp_path, monkeypatch):
    shipped = model_directory("tiny")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny").mkdir()
    assert model_directory("tiny") == shipped
    (tmp_path / "tiny" / "model").mkdir()
    (tmp_path / "tiny" / "model" / "card.json").touch()  # one's own training does
    with pytest.raises(ModelError) as error:
        load_world_model("torch", "tiny")
    assert "tiny/model" in error.value.cure


def refused(model):
    with pytest.raises(ModelError) as error:
        load_world_model("torch", model)
    assert error.value.cure
    return error.value


def test_no_such_model():
    error = refused("nowhere")
    assert "nowhere" in error.thing and "tiny" in error.cure


def test_directory_without_a_model(tmp_path):
    error = refused(tmp_path)
    assert str(tmp_path) in error.thing and "card.json" in error.problem


def test_damaged_weights(copy):
    weights = copy / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 255
    weights.write_bytes(data)
    assert refused(copy).thing == str(weights)


def test_damaged_card(copy):
    (copy / "card.json").write_text('{"name": ')
    assert refused(copy).thing == str(copy / "card.json")


@pytest.mark.parametrize(
    "change, named",
    [
        ({"card_version": 9}, "9"),
        ({"network": {"depth": 1}}, "depth"),
        ({"action_spaces": [{"name": "x"}]}, "not a model card"),
    ],
)
def test_card_of_something_else(copy, change, named):
    card = json.loads((copy / "card.json").read_text())
    (copy / "card.json").write_text(json.dumps({**card, **change}))
    error = refused(copy)
    assert error.thing == str(copy / "card.json") and named in error.problem


def test_weights_of_another_network(copy):
    card = json.loads((copy / "card.json").read_text())
    card["network"]["num_layers"] = 3
    (copy / "card.json").write_text(json.dumps(card))
    assert refused(copy).thing == str(copy / "model.safetensors")
