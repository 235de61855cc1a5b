"""Networks that imagine a clip in one pass: how they begin, what they are trained on, and that it is what they do."""

import json
from dataclasses import replace

import pytest
import torch
from networks import NARROW, SMALL, network_of, random_network
from user_errors import refusal

from astra_ros.commands import train
from astra_ros.training import initial_model, losses, stages
from astra_ros.training.clips import Clip, imagine_clips
from astra_ros.training.errors import TrainingError
from astra_ros.training.requests import InitialModel
from astra_ros.world_model.astra import Astra
from astra_ros.world_model.config import preset
from astra_ros.world_model.denoiser import OutcomeHeads
from astra_ros.world_model.one_pass import one_pass, one_pass_config
from astra_ros.world_model.rollout import FrameContext

HORIZON = 5


@pytest.fixture(scope="module")
def frame_by_frame():
    return random_network(SMALL, std=0.1)


def clip_of(config):
    torch.manual_seed(1)
    latents = torch.randn(3, config.temporal_window + HORIZON, *config.latent_shape)
    sizes = {name: OutcomeHeads.SIZES[name] for name in config.outcomes}
    outcomes = {name: torch.zeros(3, HORIZON, size).squeeze(-1) for name, size in sizes.items()}
    return Clip(latents, torch.randn(3, HORIZON, 6), torch.tensor([0, 1, 0]), outcomes)


def passes_of(model, monkeypatch, count=1, **how):
    """What the network is asked by the loss on `count` batches: (noisy, time, frame)."""
    asked, real = [], Astra.denoise

    def denoise(self, noisy, time, frame, memory):
        asked.append((noisy, time, frame))
        return real(self, noisy, time, frame, memory)

    monkeypatch.setattr(Astra, "denoise", denoise)
    generator = torch.Generator().manual_seed(3)
    for _ in range(count):
        loss, _ = losses.one_step_loss(model, clip_of(model.config), generator, **how)
    assert loss.isfinite()
    return asked


def test_a_frame_by_frame_model_gives_its_weights_and_nothing_is_disturbed(frame_by_frame):
    """The same inputs give the same bits, for several frames in one chunk."""
    made = one_pass(frame_by_frame, HORIZON)
    config = made.config
    assert config.time_attention and (config.chunk, config.initial_noise, config.history_noise) == (HORIZON, 0.0, 0.0)
    own = made.state_dict()
    assert all(torch.equal(own[name], value) for name, value in frame_by_frame.state_dict().items())
    torch.manual_seed(2)
    noisy = torch.randn(1, 2, HORIZON, *config.latent_shape)
    newest, history = torch.randn(1, 2, *config.latent_shape), torch.randn(1, 4, *config.latent_shape)
    frame = FrameContext(
        newest,
        newest,
        newest,
        torch.zeros(1, 2),
        torch.arange(1.0, HORIZON + 1).expand(1, 2, -1),
        torch.randn(1, 2, HORIZON, config.hidden_dim),
    )
    time = torch.zeros(1, 2, HORIZON)
    then, now = (model.denoise(noisy, time, frame, model.remember(history)) for model in (frame_by_frame, made))
    assert all(torch.equal(*pair) for pair in zip(then, now))


def test_the_new_time_attention_learns_from_the_first_step(frame_by_frame):
    made = one_pass(frame_by_frame, HORIZON).train()
    optimizer = torch.optim.SGD(made.parameters(), 1.0)
    for step in range(2):
        optimizer.zero_grad()
        losses.one_step_loss(made, clip_of(made.config), torch.Generator().manual_seed(step))[0].backward()
        for block in made.denoiser.blocks:
            assert block.time_attention.out.weight.grad.abs().max() > 0
            assert (block.time_attention.query.weight.grad.abs().max() > 0) == (step == 1)
        optimizer.step()


def test_frames_that_were_not_seen_teach_outcomes_alone(frame_by_frame):
    made = one_pass(frame_by_frame, HORIZON).train()
    clip, window = clip_of(made.config), made.config.temporal_window
    seen = torch.tensor([True, False, True])

    def parts_of(clip):
        return losses.one_step_loss(made, clip, torch.Generator().manual_seed(3))[1]

    some = replace(clip, seen=seen)
    other = some.latents.clone()
    other[:, window:][~seen] = 7.0
    assert parts_of(some) == parts_of(replace(some, latents=other)), "what stands in place of a frame does not count"
    assert parts_of(some)["latent"] != parts_of(clip)["latent"]
    contacts = some.outcomes["obstacle_contact"].clone()
    contacts[~seen] = 1.0
    told = parts_of(replace(some, outcomes=some.outcomes | {"obstacle_contact": contacts}))
    assert told["obstacle_contact"] != parts_of(some)["obstacle_contact"] and told["latent"] == parts_of(some)["latent"]
    none = replace(clip, seen=torch.zeros(3, dtype=torch.bool))
    loss, parts = losses.one_step_loss(made, none, torch.Generator().manual_seed(3))
    assert parts["latent"] == 0 and parts["error"] == 0 and loss > 0


def test_what_is_trained_is_what_is_done(frame_by_frame, monkeypatch):
    """One chunk from zeros at time 0, whose frames are 1 to H old, seen from the last observed frame."""
    model = one_pass(frame_by_frame, HORIZON)
    asked = passes_of(model, monkeypatch, count=20)
    clip = clip_of(model.config)
    for noisy, time, frame in asked:
        assert noisy.shape[:3] == time.shape == (3, 1, HORIZON) and not noisy.any() and not time.any()
        assert torch.equal(frame.age[0, 0], torch.arange(1.0, HORIZON + 1))
        assert torch.equal(frame.clean[:, 0], clip.latents[:, model.config.temporal_window - 1])
    levels = torch.cat([frame.history_noise.flatten() for *_, frame in asked])
    # Half of the clips have no noise on the newest frame, as when imagining; 60 clips, 3.6 deviations either way.
    assert 16 <= (levels == 0).sum() <= 44 and levels.max() < losses.MAX_HISTORY_NOISE
    asked.clear()
    imagine_clips(model, clip.row(0))
    assert len(asked) == 1
    (noisy, time, frame), *_ = asked
    assert noisy.shape[2] == HORIZON and not noisy.any() and not time.any() and not frame.history_noise.any()


def test_a_network_that_starts_from_noise_is_trained_from_noise(frame_by_frame, monkeypatch):
    torch.manual_seed(4)
    model = Astra(replace(one_pass_config(SMALL, HORIZON), initial_noise=0.25))
    (noisy, time, _), *_ = passes_of(model, monkeypatch, max_noise=0.0)
    assert (time == 0).any() and (time > 0).any()
    assert 0.2 < noisy[time == 0].std() < 0.3


def test_the_schedule_has_no_rollouts_and_the_chunk_follows_the_horizon(data, tmp_path, arguments, monkeypatch):
    def none(*_):
        raise AssertionError("a rollout")

    monkeypatch.setattr(stages, "rollout_loss", none)
    monkeypatch.setattr(initial_model, "preset", lambda _: NARROW)
    words = ("--one-pass", "--horizon", "6", "--compositor-steps", "1")
    assert train.run(arguments(data, tmp_path, *words)) == 0
    lines = [json.loads(line) for line in (tmp_path / "dynamics.jsonl").read_text().splitlines()]
    kinds = [[name for name in line if name.endswith("latent")] for line in lines]
    assert kinds == 2 * [["latent"], ["stride_4_latent"], ["stride_8_latent"]]
    card = json.loads((tmp_path / "model/card.json").read_text())
    assert card["network"]["time_attention"] and card["network"]["chunk"] == 6
    assert network_of(tmp_path / "model").compositor is not None  # it learns from what is imagined in one pass
    # From there, a longer horizon makes the chunk longer; the weights and the noise stay.
    longer = ("--from", str(tmp_path / "model"), "--horizon", "8", "--autoencoder-steps", "0", "--dynamics-steps", "0")
    assert train.run(arguments(data, tmp_path / "longer", *longer, "--compositor-steps", "0")) == 0
    then, now = (network_of(run / "model") for run in (tmp_path, tmp_path / "longer"))
    assert now.config == replace(then.config, chunk=8)
    assert all(torch.equal(value, now.state_dict()[name]) for name, value in then.state_dict().items())


def test_a_one_pass_model_without_strides_learns_them(frame_by_frame):
    older = one_pass(frame_by_frame, HORIZON)
    older.config = replace(older.config, strides=(1,))
    assert initial_model._for_horizon(older, InitialModel(base="older"), HORIZON).config.strides == (1, 4, 8)


def test_from_a_frame_by_frame_model(data, tmp_path, arguments):
    none = ("--autoencoder-steps", "0", "--dynamics-steps", "0", "--compositor-steps", "0")
    assert train.run(arguments(data, tmp_path, "--from", "tiny", "--one-pass", *none)) == 0
    then, now = network_of("tiny").state_dict(), network_of(tmp_path / "model").state_dict()
    assert network_of(tmp_path / "model").config.chunk == 16
    new = {name.split(".")[3] for name in now.keys() - then.keys()}
    assert new == {"norm_time", "time_attention", "time_gate"}
    # Weights of an older version are folded when they are loaded, and stored with 16 bits.
    assert [name for name, value in then.items() if not torch.equal(now[name], value.half().float())] == []


def test_one_pass_is_refused_where_noise_is_predicted():
    with refusal(TrainingError, "one_pass", "paper"):
        InitialModel(preset="paper", one_pass=True)
    with pytest.raises(ValueError) as error:
        one_pass_config(preset("paper"), 16)
    assert "ddpm" in str(error.value)


def test_a_horizon_that_chunks_do_not_fill_is_refused(data, tmp_path, arguments, monkeypatch):
    monkeypatch.setattr(initial_model, "preset", lambda name: replace(preset(name), chunk=4))
    with refusal(TrainingError, "horizon", "6", "4"):
        train.run(arguments(data, tmp_path, "--horizon", "6"))
