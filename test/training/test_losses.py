"""What the dynamics are shown in training, and what a step does to the weights, by hand."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from astra_ros.outcomes import OUTCOMES
from astra_ros.training import losses
from astra_ros.training.clips import Clip
from astra_ros.training.distributed import TrainingProcesses
from astra_ros.training.settings import TrainSettings
from astra_ros.training.trainer import Job, Trainer
from astra_ros.world_model.astra import Astra
from astra_ros.world_model.config import preset
from astra_ros.world_model.imagine import PlanBatch, imagine_latents
from astra_ros.world_model.noise import draw_noise

CONFIG = replace(
    preset("tiny"), hidden_dim=48, num_heads=4, num_layers=1, context_layers=1, action_dims=(6,), modalities=("joints",)
)
BATCH, HORIZON = 3, 5
LAST = CONFIG.temporal_window - 1


@pytest.fixture
def model():
    torch.manual_seed(0)
    made = Astra(CONFIG)
    for weight in made.parameters():  # those that begin at zero too, or nothing would show
        nn.init.normal_(weight, std=0.05) if not weight.any() else None
    return made


@pytest.fixture
def clip():
    torch.manual_seed(1)
    shape = (BATCH, CONFIG.temporal_window + HORIZON, *CONFIG.latent_shape)
    outcomes = {"obstacle_contact": torch.ones(BATCH, HORIZON), "tool_position": torch.full((BATCH, HORIZON, 3), 0.5)}
    outcomes |= {name: torch.full((BATCH, HORIZON), torch.nan) for name in ("object_contact", "off_road")}
    outcomes |= {name: torch.full((BATCH, HORIZON, 3), torch.nan) for name in ("object_position", "nearest_obstacle")}
    return Clip(
        torch.randn(shape),
        torch.randn(BATCH, HORIZON, 6),
        torch.zeros(BATCH, dtype=torch.long),
        outcomes,
        robot_renders=torch.full((BATCH, HORIZON, 3, *CONFIG.image_size), 255, dtype=torch.uint8),
        rendered=torch.ones(BATCH, dtype=torch.bool),
    )


@pytest.fixture
def usual(monkeypatch):
    """Nothing is left to chance: `usual(ACTION_DROPPED=1.0)` sets one probability, the others are 0."""

    def only(**given):
        for name in ("ACTION_DROPPED", "RENDERS_DROPPED"):
            monkeypatch.setattr(losses, name, given.get(name, 0.0))

    only()
    return only


def seeded():
    return torch.Generator().manual_seed(0)


def watched(model, monkeypatch):
    """The arguments of every pass of the denoiser, and what it predicted; chunks are single frames."""
    passes, real = [], model.denoise

    def denoise(noisy, time, frame, memory):
        made = real(noisy, time, frame, memory)
        passes.append(frame._asdict() | {"time": time, "made": made.prediction.detach()[:, :, 0]})
        return made

    monkeypatch.setattr(model, "denoise", denoise)
    return passes


def test_the_model_is_told_how_much_noise_is_on_the_newest_latents(model, clip, usual, monkeypatch):
    passes = watched(model, monkeypatch)
    losses.one_step_loss(model, clip, seeded())
    (seen,) = passes
    newest = clip.latents[:, LAST:-1]
    for noisy, clean in ((seen["newest"], newest), (seen["before"], clip.latents[:, LAST - 1 : -2])):
        torch.testing.assert_close((noisy - clean).flatten(2).std(-1), seen["history_noise"], rtol=0.1, atol=1e-6)
    assert torch.equal(seen["clean"], newest) and 0.1 < seen["history_noise"].max() <= losses.MAX_HISTORY_NOISE
    assert seen["age"][0].flatten().tolist() == [1, 2, 3, 4, 5]
    passes.clear()
    losses.one_step_loss(model, clip, seeded(), max_noise=0.0)
    assert torch.equal(passes[0]["newest"], newest) and not passes[0]["history_noise"].any()


def test_a_roll_out_goes_on_from_what_the_model_made(model, clip, usual, monkeypatch):
    passes = watched(model, monkeypatch)
    losses.rollout_loss(model, clip, seeded())
    assert len(passes) == HORIZON  # each frame but the last alone, then all in one pass
    alone, together = torch.cat([each["made"] for each in passes[:-1]], dim=1), passes[-1]
    assert torch.equal(together["clean"][:, 1:], alone)
    assert torch.equal(together["clean"][:, 0], clip.latents[:, LAST])
    assert not torch.allclose(alone, clip.latents[:, LAST + 1 : -1], atol=0.5)  # the truth is another
    assert (together["history_noise"] == CONFIG.history_noise).all() and not together["time"].any()
    noise = together["before"][:, 2:] - alone[:, :-1]
    assert float(noise.std()) == pytest.approx(CONFIG.history_noise, rel=0.05)


def test_training_rolls_out_as_inference_does(model, clip, usual, monkeypatch):
    """The frames that a roll-out in training goes on from are those that are imagined from the same noise."""
    model.eval()
    drawn = draw_noise(0, HORIZON, CONFIG.latent_shape, batch=BATCH)
    parts = iter(torch.from_numpy(part) for step in range(HORIZON - 1) for part in (
        drawn.history[:, [step]], drawn.samples[:, [step]]))  # fmt: skip
    real = losses._noise_like
    observed = clip.latents[:, : CONFIG.temporal_window]
    monkeypatch.setattr(
        losses, "_noise_like", lambda x, g: 0 * x if x.shape == observed.shape else next(parts, real(x, g))
    )
    passes = watched(model, monkeypatch)
    losses.rollout_loss(model, clip, seeded())
    renders = clip.robot_renders[:, None].float() / 255
    made = imagine_latents(model, observed, PlanBatch(clip.actions[:, None], robot_renders=renders), seed=0)
    torch.testing.assert_close(passes[HORIZON - 1]["clean"][:, 1:], made.latents[:, 0, :-1], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("chunk", [1, 5])
def test_both_losses_take_chunks(model, clip, usual, chunk):
    model.config = replace(CONFIG, chunk=chunk)
    for loss in (losses.one_step_loss, losses.rollout_loss):
        value, _ = loss(model, clip, seeded())
        assert torch.isfinite(value)


def test_a_dropped_action_takes_the_drawing_with_it(model, clip, usual):
    shown = losses.prepare(model, clip, seeded())
    actions = model.action_encoder.of_many(clip.actions, clip.spaces)
    torch.testing.assert_close(shown.condition, actions)
    unknown = model.denoiser.robot_tokens.unknown.expand_as(shown.robot_tokens)
    assert not torch.allclose(shown.robot_tokens, unknown)
    usual(RENDERS_DROPPED=1.0)
    undrawn = losses.prepare(model, clip, seeded())
    assert torch.equal(undrawn.robot_tokens, unknown) and torch.equal(undrawn.condition, shown.condition)
    usual(ACTION_DROPPED=1.0)
    free = losses.prepare(model, clip, seeded())
    torch.testing.assert_close(free.condition, model.action_encoder.unconditional(BATCH, HORIZON))
    assert torch.equal(free.robot_tokens, unknown)


def test_nothing_of_this_is_left_out_by_default():
    assert 0 < min(losses.ACTION_DROPPED, losses.RENDERS_DROPPED)


def test_outcomes_weigh_as_the_settings_say():
    usual, more = losses.LossWeights(), losses.LossWeights.of_settings(TrainSettings(outcome_weight=3.0))
    assert [more.of(name) for name in OUTCOMES] == [3.0 * usual.of(name) for name in OUTCOMES]
    assert losses.LossWeights.of_settings(TrainSettings()) == usual._replace(object_cells=TrainSettings().object_weight)


def test_heads_learn_from_the_labels_there_are(model, clip, usual):
    _, parts = losses.one_step_loss(model, clip, seeded())
    assert parts["obstacle_contact"] > 0 and parts["tool_position"] > 0
    assert parts["off_road"] == parts["object_position"] == 0  # no labels
    _, twice = losses.one_step_loss(model, clip, seeded(), weights=losses.LossWeights(events=0.4, positions=0.4))
    for name in ("obstacle_contact", "tool_position"):
        assert float(twice[name]) == pytest.approx(2 * float(parts[name]), rel=1e-4)
    loss, parts = losses.one_step_loss(model, clip, seeded())
    assert float(loss.detach()) == pytest.approx(sum(map(float, parts.values())), rel=1e-5)
    loss.backward()
    assert any(weight.grad.abs().max() > 0 for weight in model.outcome_heads.parameters())


class Pull(nn.Module):
    """The squared distance of two weights from a target."""

    def __init__(self):
        super().__init__()
        self.model = nn.Linear(2, 1, bias=False)
        nn.init.constant_(self.model.weight, 1.0)

    def forward(self, target, _=False):
        return ((self.model.weight - target) ** 2).sum(), {}


def trainer_of(tmp_path, **changes):
    settings = TrainSettings(compositor_steps=100, compositor_rate=0.1, **changes)
    job = Job("compositor", Pull(), settings, CONFIG.to_dict(), reads=("horizon",))
    return Trainer(job, tmp_path, TrainingProcesses(0, 1, "ddp", torch.device("cpu")))


def test_the_gradient_is_clipped_and_its_norm_reported(tmp_path):
    trainer = trainer_of(tmp_path, clip_norm=0.5, weight_decay=0.0)
    _, _, norm = trainer._step((torch.full((1, 2), -1.0),))
    assert norm == pytest.approx(4 * 2**0.5)  # 2 (1 - -1), twice
    assert float(trainer.module.weight.grad.norm()) == pytest.approx(0.5, rel=1e-4)


def test_weights_decay(tmp_path):
    trainer = trainer_of(tmp_path, weight_decay=0.2)
    trainer._step((torch.ones(1, 2),))  # no gradient: at its target
    torch.testing.assert_close(trainer.module.weight.detach(), torch.full((1, 2), 1 - 0.1 * 0.2))


def test_the_average_follows_fast_at_first_and_slowly_then(tmp_path):
    trainer = trainer_of(tmp_path, average_decay=0.9)
    for step, decay in ((0, 1 / 10), (1, 2 / 11), (1000, 0.9)):
        before, trainer.step = trainer.average.weight.clone(), step
        trainer._step((torch.full((1, 2), 5.0),))
        now = trainer.module.weight.detach()
        torch.testing.assert_close(trainer.average.weight, decay * before + (1 - decay) * now)
        assert not torch.allclose(trainer.average.weight, now)


def test_an_object_token_learns_places_of_its_own_where_they_are_labelled(clip, usual):
    torch.manual_seed(0)
    model = Astra(replace(CONFIG, object_token=True, time_attention=True, chunk=HORIZON, initial_noise=0.0))
    places = 0.6 * torch.rand(*clip.latents.shape[:2], 3)
    places[1:] = torch.nan  # only the first clip has them
    clip = replace(clip, object_places=places)

    def parts_of(clip, stride=1):
        made = losses.one_step_loss(model, clip, seeded(), stride=stride)[1]
        return {name: float(part) for name, part in made.items()}

    first = parts_of(clip)
    with torch.no_grad():
        expected = model.denoiser.object_token.locate(clip.latents[0])[0] - places[0]
    # smooth L1 of errors in units of 2 cm
    scaled = expected.abs() / (0.02 * places[0].norm(dim=-1, keepdim=True).clamp_min(1))
    by_hand = torch.where(scaled < 1, scaled.square() / 2, scaled - 0.5).mean()
    assert first["object_seen"] == pytest.approx(losses.LossWeights().positions * float(by_hand), rel=1e-4)
    assert first["tool_planned"] > 0
    assert parts_of(clip, stride=4)["tool_planned"] == pytest.approx(first["tool_planned"]), "of every step"
    assert "object_seen" not in parts_of(replace(clip, object_places=torch.full_like(places, torch.nan)))
    assert "object_seen" not in parts_of(replace(clip, object_places=None))
    branch = replace(clip, seen=torch.zeros(len(places), dtype=torch.bool))
    observed = clip.latents[0, : -clip.actions.shape[1]]
    with torch.no_grad():
        expected = model.denoiser.object_token.locate(observed)[0] - places[0, : len(observed)]
    scaled = expected.abs() / (0.02 * places[0, : len(observed)].norm(dim=-1, keepdim=True).clamp_min(1))
    by_hand = torch.where(scaled < 1, scaled.square() / 2, scaled - 0.5).mean()
    assert parts_of(branch)["object_seen"] == pytest.approx(losses.LossWeights().positions * float(by_hand), rel=1e-4)
