"""`astra style`: trains, goes on, writes beside the model; and what it cannot use."""

import json
import os
import re
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from networks import network_of
from safetensors import safe_open
from user_errors import fault, refusal

from astra_ros.commands import style
from astra_ros.commands.arguments import OneLineParser
from astra_ros.datasets.dataset import episode_path, list_episodes, load_episode, save_episode
from astra_ros.datasets.episode import DatasetError
from astra_ros.files import OutputError
from astra_ros.inference import load_world_model
from astra_ros.inference.torch_style_file import write_style
from astra_ros.plans.action_spaces.joints import JointSpace
from astra_ros.training import style as trained_style
from astra_ros.training.checkpoint import CheckpointError
from astra_ros.training.clips import frames_to_tensor
from astra_ros.training.errors import TrainingError
from astra_ros.training.export import Embodiments, write_model
from astra_ros.training.settings import StyleSettings
from astra_ros.training.style import StyledScenes, StyleLoss, fit_style, scenes_to_train_on
from astra_ros.world_model.astra import Astra
from astra_ros.world_model.config import preset
from astra_ros.world_model.style_transfer import StyleConfig, StyleTransfer

ROOT = Path(__file__).parents[2]


@pytest.fixture
def model(tmp_path):
    torch.manual_seed(0)
    space = JointSpace("kuka_joints", tuple("abcdefg"), (0.0,) * 7, (1.0,) * 7, (0.1,) * 7)
    config = replace(
        preset("tiny"),
        hidden_dim=48,
        num_layers=1,
        num_heads=4,
        context_layers=1,
        action_dims=(space.dim,),
        modalities=("joints",),
    )
    return write_model(tmp_path / "model", Astra(config), Embodiments((space,), 0.25, {space.name: ()}), "test")


def arguments(model, data, out, *more):
    parser = OneLineParser()
    style.add_arguments(parser)
    return parser.parse_args(
        [
            str(model),
            "--data",
            str(data),
            "--out",
            str(out),
            "--style-steps",
            "6",
            "--style-batch",
            "4",
            "--checkpoint-every",
            "3",
            "--device",
            "cpu",
            *more,
        ]
    )


def weights(model):
    with safe_open(str(model / "style.safetensors"), framework="pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}


def test_stopped_and_gone_on_it_is_what_it_would_have_been(model, data, tmp_path, monkeypatch):
    before = (model / "model.safetensors").read_bytes()
    frames = load_episode(list_episodes(data)[0]).frames[:2]
    plain = load_world_model("torch", model)
    assert not plain.can_restyle
    style.run(arguments(model, data, tmp_path / "whole"))
    whole = weights(model)
    assert (model / "model.safetensors").read_bytes() == before
    assert load_world_model("torch", model).restyle(frames, frames[0]).shape == frames.shape
    assert (tmp_path / "whole/validation/style_000006.png").is_file()
    last = json.loads((tmp_path / "whole/validation.jsonl").read_text().splitlines()[-1])
    assert last["step"] == 6 and {"psnr_style_kuka_joints", "psnr_unchanged_kuka_joints"} < set(last)

    sample, calls = StyledScenes.sample, []

    def killed(self, *args):
        calls.append(args)
        if len(calls) == 6:
            raise RuntimeError("killed")
        return sample(self, *args)

    (model / "style.safetensors").unlink()
    with monkeypatch.context() as patch:
        patch.setattr(StyledScenes, "sample", killed)
        with fault(RuntimeError, "killed"):
            style.run(arguments(model, data, tmp_path / "parts"))
    assert not (model / "style.safetensors").exists()
    style.run(arguments(model, data, tmp_path / "parts"))
    again = weights(model)
    assert whole.keys() == again.keys() and all(torch.equal(whole[name], again[name]) for name in whole)
    assert any(value.abs().max() > 0 for name, value in whole.items() if name.startswith("out."))


def test_what_is_learned_from_lines_up(data, model):
    """The latents of one moment in two looks, and a reference from any moment of the wanted one."""
    first, second = list_episodes(data)[:2]
    scenes = StyledScenes([first, second], network_of(model).autoencoder, seed=0, progress=False)
    assert [len(looks) for looks in scenes.scenes] == [3, 2]
    episode = load_episode(first, restyled=True)
    recorded, recoloured, other = scenes.scenes[0]
    for frames, latents in ((episode.frames, recorded), (episode.restyled, other)):
        with torch.inference_mode():
            expected = network_of(model).autoencoder.encode(frames_to_tensor(frames))
        assert (latents.float() - expected).abs().mean() < 0.05 * expected.abs().mean()
    assert (recoloured.float() - recorded.float()).abs().mean() > 0.05
    found, unchanged = set(), 0
    places = {
        (scene, look, moment): latent.float()
        for scene, looks in enumerate(scenes.scenes)
        for look, latents in enumerate(looks)
        for moment, latent in enumerate(latents)
    }
    keys, values = list(places), torch.stack(list(places.values()))

    def where(latent):
        return keys[int((values - latent).abs().mean((1, 2, 3)).argmin())]

    for parts in zip(*scenes.sample(200, torch.Generator().manual_seed(0))):
        (scene, have, now), (of, shown, _), (same, want, then) = map(where, parts)
        assert scene == of == same and now == then and shown == want
        found.add((scene, have, want))
        unchanged += have == want
    assert {(0, 0, 2), (0, 2, 0), (0, 0, 1), (0, 1, 0), (1, 0, 1), (1, 1, 0)} <= found
    assert not {(0, 1, 2), (0, 2, 1)} & found and 5 <= unchanged <= 40


def test_without_second_styles_it_learns_from_recoloured_pictures_and_says_so(model, data, tmp_path, capsys):
    (tmp_path / "plain").mkdir()
    for path in list_episodes(data)[:2]:
        save_episode(tmp_path / "plain" / path.name, load_episode(path))
    assert style.run(arguments(model, tmp_path / "plain", tmp_path / "run")) == 0
    assert "was recorded in two styles" in capsys.readouterr().err


def test_a_robot_without_second_styles_is_named(data, tmp_path, capsys):
    first, second = list_episodes(data)[:2]
    save_episode(tmp_path / first.name, load_episode(first, restyled=True))
    other = replace(load_episode(second), robot="panda")
    save_episode(episode_path(tmp_path, "panda_joints", 1), other)
    assert [path.name for path in scenes_to_train_on(tmp_path)] == [first.name]
    notes = capsys.readouterr().err.splitlines()
    assert "note: 1 scene of kuka_joints" in notes[0] and "validation" in notes[0]
    assert "note: no scene of panda_joints" in notes[1] and "nothing is learned" in notes[1]
    (tmp_path / first.name).with_suffix(".style.mp4").unlink()
    with refusal(DatasetError, first.name, "one of its two videos"):
        scenes_to_train_on(tmp_path)


def test_what_cannot_end_well_is_refused_at_once(model, data, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setenv("WORLD_SIZE", "2")
        with refusal(TrainingError, "", "one process"):
            style.run(arguments(model, data, tmp_path / "run"))
    with refusal(TrainingError, model, "a model"):
        style.run(arguments(model, data, model))
    (tmp_path / "file").touch()
    with refusal(OutputError, "file", "exists"):
        style.run(arguments(model, data, tmp_path / "file"))
    write_style(model, StyleTransfer(StyleConfig(24)), network_of(model).autoencoder)
    with refusal(TrainingError, "model/style.safetensors", "exists already"):
        style.run(arguments(model, data, tmp_path / "run"))
    (model / "style.safetensors").write_bytes(b"damaged")  # no loss
    monkeypatch.setattr(trained_style, "scenes_to_train_on", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        style.run(arguments(model, data, tmp_path / "run"))
    monkeypatch.setattr(os, "access", lambda *_: False)  # as for a user who does not own the model
    with refusal(OutputError, model, "style.safetensors"):
        style.run(arguments(model, data, tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_a_style_that_is_there_is_replaced_when_asked_for(model, data, tmp_path):
    write_style(model, StyleTransfer(StyleConfig(24)), network_of(model).autoencoder)
    before = weights(model)
    assert style.run(arguments(model, data, tmp_path / "run", "--replace")) == 0
    assert not torch.equal(weights(model)["out.weight"], before["out.weight"])


def test_the_recipes_of_the_shipped_models_go_through_where_those_lie():
    """A checkout has the styles that the recipes make again, and the autoencoders are the same."""
    recipes = re.findall(r"astra style (models/astra-.*)$", (ROOT / "Makefile").read_text(), re.M)
    assert len(recipes) == 2
    for words in recipes:
        parser = OneLineParser()
        style.add_arguments(parser)
        args = parser.parse_args(words.split())
        assert args.replace and load_world_model("torch", ROOT / args.model).can_restyle


def test_the_loss_is_of_the_right_picture_and_falls(model, data, tmp_path):
    transfer = StyleTransfer(StyleConfig(4, width=16, heads=2))
    torch.nn.init.normal_(transfer.out.weight, std=0.5)
    latents, reference, target = torch.randn(3, 2, 4, 8, 8)
    loss, _ = StyleLoss(transfer)(latents, reference, target)
    torch.testing.assert_close(loss, (transfer(latents, reference) - target).square().mean())
    # Of a scene in another style nearly nothing is left to do after some steps on it.
    autoencoder, first = network_of(model).autoencoder, list_episodes(data)[:1]
    made = fit_style(first, autoencoder, StyleSettings(style_steps=120, style_batch=8), tmp_path, 24)
    scenes = StyledScenes(first, autoencoder, seed=0, progress=False)
    latents, reference, target = scenes.sample(64, torch.Generator().manual_seed(1))
    with torch.inference_mode():
        after = (made(latents, reference) - target).square().mean()
    assert after < 0.5 * (latents - target).square().mean()


def test_stopped_at_its_last_step_it_is_finished(model, data, tmp_path, monkeypatch):
    sample, calls = StyledScenes.sample, []

    def stopped(self, *args):
        calls.append(args)
        if len(calls) == 7:  # one for the speed before the first of six steps
            os.kill(os.getpid(), signal.SIGTERM)
        return sample(self, *args)

    monkeypatch.setattr(StyledScenes, "sample", stopped)
    assert style.run(arguments(model, data, tmp_path / "run")) == 0
    assert (model / "style.safetensors").is_file()


def test_other_data_or_another_model_is_refused(model, data, tmp_path):
    style.run(arguments(model, data, tmp_path / "run"))
    (tmp_path / "plain").mkdir()
    for path in list_episodes(data)[:1]:
        save_episode(tmp_path / "plain" / path.name, load_episode(path))
    with refusal(TrainingError, "data.json", "1 then, 1 now"):
        style.run(arguments(model, tmp_path / "plain", tmp_path / "run"))
    with refusal(CheckpointError, "style.safetensors") as error:
        style.run(arguments(model, data, tmp_path / "run", "--style-rate", "0.1"))
    assert error.value.differing == {"style_rate": (0.001, 0.1)}
    card = json.loads((model / "card.json").read_text())
    torch.manual_seed(1)
    loaded = load_world_model("torch", model)
    write_model(
        model,
        Astra(network_of(model).config),
        Embodiments(tuple(loaded.card.action_spaces.values()), 0.25, card["outcomes"]),
        "test",
    )
    with refusal(CheckpointError, "style.safetensors") as error:
        style.run(arguments(model, data, tmp_path / "run"))
    assert list(error.value.differing) == ["autoencoder"]
    episode = load_episode(list_episodes(data)[0])
    large = replace(episode, frames=np.repeat(np.repeat(episode.frames, 2, 1), 2, 2))
    (tmp_path / "large").mkdir()
    save_episode(tmp_path / "large" / list_episodes(data)[0].name, large)
    with refusal(DatasetError, "large", "128 x 128 pixels", "0.25 s", "'test'", "64 x 64 pixels"):
        style.run(arguments(model, tmp_path / "large", tmp_path / "other"))
