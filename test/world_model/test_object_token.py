"""The token that knows places: it learns them finely, heads add to them, and the future stays hidden."""

from dataclasses import replace

import pytest
import torch
from networks import SMALL, random_history, random_network

from astra_ros.outcomes import OBJECT_POSITION, TOOL_POSITION
from astra_ros.world_model.denoiser import OutcomeHeads
from astra_ros.world_model.imagine import PlanBatch, imagine_latents
from astra_ros.world_model.object_token import ObjectToken

ONE_PASS = replace(SMALL, time_attention=True, chunk=8, initial_noise=0.0, history_noise=0.0, object_token=True)


@pytest.fixture(scope="module")
def model():
    return random_network(ONE_PASS, std=0.1)


def test_it_learns_where_the_object_is_finer_than_a_cell():
    """A blob in 16 x 16 cells, which are 4 cm wide, beside one of another look."""
    config = replace(ONE_PASS, image_size=(128, 128))
    assert config.latent_shape[1:] == (16, 16)
    torch.manual_seed(0)
    token = ObjectToken(config)
    steps = 200
    optimizer = torch.optim.AdamW(token.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=steps)

    def scene(generator):
        place = 2 + 12 * torch.rand(16, 2, 2, generator=generator)  # cells: the object's and another thing's
        at = torch.arange(16.0)
        x, y = (torch.exp(-((place[..., axis, None] - at) ** 2)) for axis in (0, 1))
        shown = y[..., :, None] * x[..., None, :]
        latents = 0.1 * torch.randn(16, *config.latent_shape, generator=generator)
        latents[:, 0] += 2 * shown[:, 0]
        latents[:, 1] += 2 * shown[:, 1]
        return latents, torch.cat([0.04 * place[:, 0], torch.full((16, 1), 0.03)], dim=1)

    def error(seed):
        latents, truth = scene(torch.Generator().manual_seed(seed))
        return (token.locate(latents)[0] - truth).norm(dim=-1).mean()

    for step in range(steps):
        loss = error(step)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        assert error(10_000) < 0.02  # m, half a cell; it reaches a quarter of that, rounding moves it by millimetres


def test_what_comes_later_in_a_plan_changes_nothing_before_it(model):
    actions = torch.randn(1, 2, 8, 6)
    changed = actions.clone()
    changed[:, :, 3:] += 3
    one, other = (imagine_latents(model, random_history(SMALL), PlanBatch(each)) for each in (actions, changed))
    torch.testing.assert_close(one.latents[:, :, :3], other.latents[:, :, :3])
    for name in (OBJECT_POSITION, TOOL_POSITION):
        torch.testing.assert_close(one.outcomes[name][:, :, :3], other.outcomes[name][:, :, :3])
        assert (one.outcomes[name] - other.outcomes[name])[:, :, 3].abs().max() > 1e-4


def test_a_plan_is_imagined_as_alone_and_longer_ones_chunk_by_chunk(model):
    actions = torch.randn(1, 3, 11, 6)
    together = imagine_latents(model, random_history(SMALL), PlanBatch(actions))
    alone = imagine_latents(model, random_history(SMALL), PlanBatch(actions[:, 1:2]))
    torch.testing.assert_close(together.latents[:, 1], alone.latents[:, 0], rtol=1e-4, atol=1e-5)
    assert together.outcomes[OBJECT_POSITION].shape == (1, 3, 11, 3)


def test_heads_say_how_far_from_its_place_the_object_is_moved(model):
    heads = OutcomeHeads(ONE_PASS)
    torch.nn.init.zeros_(heads.mlp[-1].weight)
    torch.nn.init.zeros_(heads.mlp[-1].bias)
    features = torch.randn(2, 5, ONE_PASS.tokens_per_frame + 2, ONE_PASS.hidden_dim)
    read = heads(features)
    torch.testing.assert_close(read[OBJECT_POSITION], features[..., -1, :3])
    torch.testing.assert_close(read[TOOL_POSITION], features[..., -1, 3:6])
    other = features.clone()
    other[..., -1, 6:] += 1  # behind the places there is nothing to read
    for name, values in heads(other).items():
        torch.testing.assert_close(values, read[name])


def test_every_token_of_a_frame_sees_where_the_object_was_found(model):
    """Other places, with the same image, change what is imagined of every cell."""
    actions, bias = torch.randn(1, 1, 4, 6), model.denoiser.object_token.cell_place[-1].bias
    before = bias.detach().clone()
    first = imagine_latents(model, random_history(SMALL), PlanBatch(actions)).latents
    with torch.no_grad():
        bias += 0.1
    second = imagine_latents(model, random_history(SMALL), PlanBatch(actions)).latents
    with torch.no_grad():
        bias.copy_(before)
    assert ((first - second).abs().amax((0, 1, 2, 3)) > 1e-6).all()
