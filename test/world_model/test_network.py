"""The network's parts: shapes, what may depend on what, and what must not."""

from dataclasses import replace

import pytest
import torch
from networks import SMALL, random_network
from user_errors import fault

from astra_ros.world_model.action_encoder import ActionConditionEncoder
from astra_ros.world_model.astra import Astra
from astra_ros.world_model.config import AstraConfig, preset
from astra_ros.world_model.denoiser import RobotRenderTokens
from astra_ros.world_model.rollout import FrameContext
from astra_ros.world_model.temporal import Patchify, TemporalTransformer


@pytest.fixture(scope="module")
def model():
    return random_network(SMALL)


def denoise_inputs(batch=2, chunks=3, frames=1):
    torch.manual_seed(1)
    before_all, each = (batch, chunks), (batch, chunks, frames)
    context = FrameContext(
        newest=torch.randn(*before_all, *SMALL.latent_shape),
        before=torch.randn(*before_all, *SMALL.latent_shape),
        clean=torch.randn(*before_all, *SMALL.latent_shape),
        history_noise=torch.full(before_all, 0.1),
        age=torch.ones(each),
        condition=torch.randn(*each, SMALL.hidden_dim),
    )
    return torch.randn(*each, *SMALL.latent_shape), torch.zeros(each), context


def test_patchify_is_undone_by_its_inverse():
    patchify, latents = Patchify(SMALL), torch.randn(2, 3, *SMALL.latent_shape)
    tokens = patchify(latents)
    assert tokens.shape == (2, 3, 16, SMALL.latent_channels * 4)
    assert torch.equal(patchify.inverse(tokens), latents)
    # Token 0 is the top left patch, channel by channel.
    assert torch.equal(tokens[0, 0, 0].view(-1, 2, 2), latents[0, 0, :, :2, :2])


def test_autoencoder_shapes_and_range(model):
    frames = torch.rand(2, 3, 64, 64)
    latents = model.autoencoder.encode(frames)
    assert latents.shape == (2, *SMALL.latent_shape)
    decoded = model.autoencoder.decode(100 * latents)
    assert decoded.shape == frames.shape and 0 <= decoded.min() and decoded.max() <= 1


def test_latents_are_normalised_in_training_and_the_statistics_follow():
    torch.manual_seed(0)
    autoencoder = Astra(SMALL).autoencoder.train()
    frames = torch.rand(8, 3, 64, 64)
    latents = autoencoder.encode(frames)
    assert latents.mean((0, 2, 3)).abs().max() < 1e-4
    assert (latents.std((0, 2, 3)) - 1).abs().max() < 1e-2
    for _ in range(1000):
        autoencoder.encode(frames)
    torch.testing.assert_close(autoencoder.eval().encode(frames), latents, atol=0.02, rtol=0.02)


def test_an_action_changes_nothing_before_it():
    encoder = ActionConditionEncoder(SMALL)
    actions = torch.randn(2, 8, 6)
    changed = actions.clone()
    changed[:, 5] += 1
    before, after = encoder(actions, 0), encoder(changed, 0)
    assert torch.equal(before[:, :5], after[:, :5])
    assert (before[:, 5:8] != after[:, 5:8]).any(-1).all()


def test_action_spaces_have_their_own_input_and_refuse_others():
    encoder = ActionConditionEncoder(SMALL)
    assert encoder(torch.randn(3, 8, 4), 1).shape == (3, 8, SMALL.hidden_dim)
    with fault(ValueError, "6 numbers", "action space 1", 4):
        encoder(torch.randn(3, 8, 6), 1)
    with fault(ValueError, "action space 2", 2):
        encoder(torch.randn(3, 8, 6), 2)


def test_a_mixed_batch_is_encoded_as_each_of_its_spaces():
    encoder = ActionConditionEncoder(SMALL)
    wide = torch.randn(3, 8, 6)
    made = encoder.of_many(wide, torch.tensor([1, 0, 1]))
    torch.testing.assert_close(made[1:2], encoder(wide[1:2], 0))
    torch.testing.assert_close(made[[0, 2]], encoder(wide[[0, 2], :, :4], 1))


def test_each_modality_has_its_expert_and_starts_with_what_all_share():
    torch.manual_seed(0)
    mixed = ActionConditionEncoder(SMALL)
    torch.manual_seed(0)
    alone = ActionConditionEncoder(replace(SMALL, modalities=()))
    assert set(mixed.experts) == {"joints", "twist"} and not alone.experts
    alone.load_state_dict(
        {name: value for name, value in mixed.state_dict().items() if not name.startswith("experts.")}
    )
    actions = torch.randn(2, 8, 6)
    torch.testing.assert_close(mixed(actions, 0), alone(actions, 0))
    # An expert that has learned changes its own modality and no other.
    before = mixed(torch.ones(2, 8, 4), 1)
    torch.nn.init.ones_(mixed.experts["joints"][-1].weight)
    assert not torch.allclose(mixed(actions, 0), alone(actions, 0))
    assert torch.equal(mixed(torch.ones(2, 8, 4), 1), before)


def test_robots_of_one_modality_share_an_expert():
    three = replace(SMALL, action_dims=(6, 4, 4), modalities=("joints", "twist", "twist"))
    assert len(ActionConditionEncoder(three).experts) == 2
    with fault(ValueError, "2 modalities", "3 action_dims"):
        replace(SMALL, action_dims=(6, 4, 4))


def test_a_drawing_acts_on_the_tokens_under_it_only():
    torch.manual_seed(0)
    picture = RobotRenderTokens(SMALL)
    torch.nn.init.normal_(picture.embed.weight)
    torch.nn.init.normal_(picture.unknown)
    blank = torch.zeros(2, 3, 3, 64, 64)
    drawn = blank.clone()
    drawn[..., 0:16, 16:32] = 1  # rows 0-15, columns 16-31: the second of 4 x 4 tokens
    changed = (picture(drawn) != picture(blank)).any(-1)
    assert changed[0, 0].nonzero().flatten().tolist() == [1]
    some = picture(drawn, torch.tensor([True, False]))
    torch.testing.assert_close(some[0], picture(drawn)[0])
    assert (some[1] == picture.unknown).all()
    torch.testing.assert_close(picture((255 * drawn).to(torch.uint8)), picture(drawn))


def test_a_model_uses_renders_of_the_robot_and_does_without(model):
    noisy, time, frame = denoise_inputs()
    memory = model.remember(torch.zeros(2, 4, *SMALL.latent_shape))
    renders = torch.rand(2, 3, 3, 64, 64)
    tokens = model.render_tokens(renders)[:, :, None]
    seen = model.denoise(noisy, time, frame._replace(robot_tokens=tokens), memory).prediction
    blind = model.denoise(noisy, time, frame, memory).prediction
    assert not torch.allclose(seen, blind, atol=1e-4)
    assert Astra(replace(SMALL, drawing=False)).render_tokens(renders) is None


def test_history_may_be_shorter_but_not_longer_than_the_window():
    encoder = TemporalTransformer(SMALL)
    history = torch.randn(2, 4, *SMALL.latent_shape)
    assert encoder(history).shape == (2, 4 * 16, SMALL.hidden_dim)
    assert encoder(history[:, :1]).shape == (2, 16, SMALL.hidden_dim)
    with fault(ValueError, "8 frames", "1 to 4"):
        encoder(torch.cat([history, history], 1))


def test_plans_of_a_request_do_not_see_each_other(model):
    noisy, time, frame = denoise_inputs(frames=2)
    memory = model.remember(torch.randn(2, 4, *SMALL.latent_shape))
    together = model.denoise(noisy, time, frame, memory)
    one = FrameContext(*(None if part is None else part[:, 1:2] for part in frame))
    alone = model.denoise(noisy[:, 1:2], time[:, 1:2], one, memory)
    torch.testing.assert_close(together.prediction[:, 1:2], alone.prediction, atol=1e-4, rtol=1e-4)
    assert together.prediction.shape == noisy.shape and together.log_error.shape == (2, 3, 2, 16)


def test_the_frames_of_a_chunk_are_denoised_from_the_same_latents(model):
    """Two frames of one chunk are what two chunks of one frame are, that start from the same."""
    noisy, time, frame = denoise_inputs(chunks=1, frames=2)
    memory = model.remember(torch.randn(2, 4, *SMALL.latent_shape))
    together = model.denoise(noisy, time, frame, memory).prediction
    for at in (0, 1):
        one = frame._replace(age=frame.age[:, :, [at]], condition=frame.condition[:, :, [at]])
        alone = model.denoise(noisy[:, :, [at]], time[:, :, [at]], one, memory).prediction
        torch.testing.assert_close(together[:, :, [at]], alone, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(together[:, :, 0], together[:, :, 1], atol=1e-2)


@pytest.mark.parametrize("name", ["noisy", "time", "newest", "before", "clean", "history_noise", "age", "condition"])
def test_every_input_of_the_denoiser_matters(model, name):
    noisy, time, frame = denoise_inputs()
    memory = model.remember(torch.zeros(2, 4, *SMALL.latent_shape))
    before = model.denoise(noisy, time, frame, memory).prediction
    if name in ("noisy", "time"):
        noisy, time = noisy + 0.3 * (name == "noisy"), time + 0.3 * (name == "time")
    else:
        frame = frame._replace(**{name: getattr(frame, name) + 0.3})
    assert not torch.equal(before, model.denoise(noisy, time, frame, memory).prediction)


def test_the_history_matters(model):
    inputs = denoise_inputs()
    one = model.remember(torch.zeros(2, 4, *SMALL.latent_shape))
    other = model.remember(torch.randn(2, 4, *SMALL.latent_shape))
    before = model.denoise(*inputs, one).prediction
    # What attention sees of it, and what is moved from it.
    for changed in (one._replace(keys_values=other.keys_values), one._replace(observed=other.observed)):
        assert not torch.allclose(before, model.denoise(*inputs, changed).prediction, atol=1e-4)


def test_without_residual_an_untrained_model_predicts_nothing():
    model = Astra(replace(SMALL, residual=False))
    memory = model.remember(torch.randn(2, 4, *SMALL.latent_shape))
    assert not model.denoise(*denoise_inputs(), memory).prediction.any()


def test_an_untrained_model_predicts_a_still_picture():
    model = Astra(replace(SMALL, displacements=0, observed_displacements=0))
    noisy, time, frame = denoise_inputs()
    memory = model.remember(torch.randn(2, 4, *SMALL.latent_shape))
    assert torch.equal(model.denoise(noisy, time, frame, memory).prediction[:, :, 0], frame.newest)


def test_outcomes_are_named_and_shaped(model):
    features = torch.randn(2, 3, 16, SMALL.hidden_dim)
    outcomes = model.outcome_heads(features)
    assert {name: tuple(value.shape) for name, value in outcomes.items()} == {
        "obstacle_contact": (2, 3),
        "object_contact": (2, 3),
        "off_road": (2, 3),
        "object_position": (2, 3, 3),
        "tool_position": (2, 3, 3),
        "nearest_obstacle": (2, 3, 3),
    }


def test_presets_and_settings_that_do_not_fit():
    assert AstraConfig.from_dict(preset("tiny").to_dict()) == preset("tiny")
    paper = preset("paper")
    assert (paper.hidden_dim, paper.num_layers, paper.num_heads, paper.temporal_window) == (1024, 24, 16, 16)
    assert (paper.num_timesteps, paper.snr_gamma, paper.process) == (1000, 0.5, "ddpm")
    with fault(ValueError, "image_size", "(60, 64)", 16):
        replace(preset("tiny"), image_size=(60, 64))
    with fault(ValueError, "'huge'", ["paper", "small", "tiny"]):
        preset("huge")
    with fault(ValueError, ["depth"], "'action_dims'"):
        AstraConfig.from_dict({"depth": 3})


def test_paper_preset_trains_at_reduced_depth():
    """Its width, window, process and loss, two layers deep: one step changes the weights."""
    from astra_ros.training.clips import Clip
    from astra_ros.training.losses import one_step_loss

    config = replace(
        preset("paper"),
        num_layers=2,
        context_layers=1,
        image_size=(64, 64),
        action_dims=(6,),
        modalities=("joints",),
        encoder_widths=(16, 16, 16),
        decoder_widths=(16, 16, 16),
    )
    torch.manual_seed(0)
    model = Astra(config)
    shape = (2, config.temporal_window + 3, *config.latent_shape)
    unknown = torch.full((2, 3), torch.nan)
    clip = Clip(
        torch.randn(shape),
        torch.randn(2, 3, 6),
        torch.zeros(2, dtype=torch.long),
        {
            "obstacle_contact": torch.zeros(2, 3),
            "object_contact": torch.ones(2, 3),
            "off_road": unknown,
            "object_position": torch.zeros(2, 3, 3),
            "tool_position": torch.zeros(2, 3, 3),
            "nearest_obstacle": unknown[..., None] + torch.zeros(3),
        },
        torch.zeros(2, 3, 3, 64, 64, dtype=torch.uint8),
        torch.tensor([True, False]),
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    before = model.denoiser.out.weight.clone()
    loss, parts = one_step_loss(model, clip, torch.Generator().manual_seed(0))
    loss.backward()
    optimizer.step()
    assert torch.isfinite(loss) and not torch.equal(before, model.denoiser.out.weight)
    assert parts["off_road"] == 0  # nobody knows it, so it teaches nothing
