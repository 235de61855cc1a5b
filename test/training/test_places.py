"""An object token learns its places before all else: from the right labels, once, and only where there are some."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from networks import network_of
from safetensors.torch import load_file

from astra_ros.commands import train
from astra_ros.datasets.dataset import list_episodes, load_episode
from astra_ros.training.clips import ClipSettings, LatentDataset, measure
from astra_ros.training.outcome_loss import FINE_UNIT_M
from astra_ros.training.places import LabelledPlaces, PlacesLoss
from astra_ros.training.resident_episodes import ResidentEpisodes
from astra_ros.world_model.astra import Astra
from astra_ros.world_model.config import preset


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    config = replace(preset("tiny"), num_layers=1, context_layers=1, drawing=False, object_token=True)
    return Astra(replace(config, action_dims=(14,), modalities=("joints",))).eval()


@pytest.fixture(scope="module")
def loaded(data, model):
    paths = list_episodes(data)
    spaces, _ = measure(paths, ())

    def load(outcomes=model.config.outcomes):
        return LatentDataset(ClipSettings(spaces, 4, 16, outcomes), paths, model.autoencoder, progress=False)

    return load


def test_frames_and_actions_come_with_their_own_labels(data, loaded, model):
    dataset = loaded()
    places = LabelledPlaces(dataset, model)
    episodes = [load_episode(path) for path in list_episodes(data)]
    latents, objects, conditions, tools = places.sample(50, torch.Generator().manual_seed(0))
    assert latents.shape == (50, *model.config.latent_shape) and conditions.shape == (200, model.config.hidden_dim)
    known = np.concatenate([each.labels["object_position"] for each in episodes])
    for latent, place in zip(latents[:10], objects):
        row = int((dataset.resident.latents.float() == latent).flatten(1).all(1).nonzero()[0])
        np.testing.assert_array_equal(place, known[row].astype(np.float32))
    made, after = [], []
    for number, episode in enumerate(episodes):
        with torch.no_grad():
            made.append(model.action_encoder(dataset.episodes[number].actions[None], 0)[0])
        after.append(torch.tensor(episode.labels["tool_position"][1:]))
    made, after = torch.cat(made), torch.cat(after)
    for condition, tool in zip(conditions[:10], tools):
        nearest = int((made - condition).abs().sum(1).argmin())
        torch.testing.assert_close(made[nearest], condition)
        torch.testing.assert_close(after[nearest].float(), tool)


def test_places_are_learned_from_frames_that_were_seen(data, loaded, model):
    dataset = loaded()
    first = replace(dataset.episodes[0], frames_seen=3)
    branches = ResidentEpisodes([first, *dataset.episodes[1:]], 14, torch.device("cpu"))
    dataset.resident = branches
    rows = LabelledPlaces(dataset, model).rows.tolist()
    assert rows[:3] == [0, 1, 2] and rows[3] == len(first)


def test_the_loss_by_hand(model):
    token = model.denoiser.object_token
    latents, conditions = torch.randn(2, *model.config.latent_shape), torch.randn(3, model.config.hidden_dim)
    with torch.no_grad():
        objects = token.locate(latents)[0] + FINE_UNIT_M * torch.tensor([0.5, 3.0, 0.0])
        tools = token.tool_after(conditions) - FINE_UNIT_M
    loss, parts = PlacesLoss(token)(latents, objects, conditions, tools)
    assert float(parts["object"]) == pytest.approx((0.5**2 / 2 + 2.5 + 0) / 3, rel=1e-4)
    assert float(parts["tool"]) == pytest.approx(0.5, rel=1e-4) and float(loss.detach()) == pytest.approx(
        float(sum(parts.values()))
    )


def test_without_labels_there_are_none(loaded, model):
    assert LabelledPlaces(loaded(), model)
    assert not LabelledPlaces(loaded(outcomes=()), model)
    assert not LabelledPlaces(loaded(outcomes=("tool_position",)), model)


def test_it_comes_first_and_once(data, tmp_path, arguments):
    few = ("--places-steps", "3", "--places-batch", "8")
    steps = (*few, "--autoencoder-steps", "0", "--dynamics-steps", "0", "--compositor-steps", "0")
    train.run(arguments(data, tmp_path / "run", "--one-pass", "--object-token", *steps))
    trained = load_file(tmp_path / "run/places.safetensors")
    token = network_of(tmp_path / "run/model").denoiser.object_token
    assert not token.embed_places.weight.any()
    for name in ("vote.weight", "cell_place.2.bias", "tool.2.bias"):
        torch.testing.assert_close(token.state_dict()[name], trained[f"average.{name}"], atol=1e-3, rtol=1e-3)
        assert not torch.equal(trained[f"average.{name}"], trained[f"model.{name}"])
    assert len((tmp_path / "run/places.jsonl").read_text().splitlines()) == 3
    # A model whose token is trained keeps it; so does one that was told to leave that out.
    train.run(
        arguments(data, tmp_path / "tuned", "--from", str(tmp_path / "run/model"), *few, "--autoencoder-steps", "0")
    )
    model = str(tmp_path / "tuned/model")
    assert network_of(tmp_path / "tuned/model").denoiser.object_token.embed_places.weight.any()
    train.run(arguments(data, tmp_path / "again", "--from", model, *steps))
    train.run(arguments(data, tmp_path / "none", "--one-pass", "--object-token", *steps, "--places-steps", "0"))
    assert not any((tmp_path / name / "places.safetensors").exists() for name in ("again", "none"))
