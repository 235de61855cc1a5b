"""MovedLatent against pictures shifted by hand."""

from dataclasses import replace

import pytest
import torch
from networks import NARROW
from user_errors import fault

from astra_ros.world_model.astra import Astra
from astra_ros.world_model.moved_latent import MovedLatent
from astra_ros.world_model.rollout import FrameContext
from astra_ros.world_model.temporal import Patchify


@pytest.fixture
def moving():
    """Looks at one place only, whatever the tokens; everything stays."""
    alone = replace(NARROW, displacements=1, observed_displacements=0)
    made = MovedLatent(alone, Patchify(NARROW))
    torch.nn.init.zeros_(made.displacement.weight)
    torch.nn.init.constant_(made.gate.bias, 50.0)
    return made


def at(moving, x, y):
    """Every cell comes from x cells to the right and y cells below."""
    cells = NARROW.patch**2
    with torch.no_grad():
        moving.displacement.bias.copy_(torch.tensor([x] * cells + [y] * cells))
    latent = torch.randn(1, 1, 1, *NARROW.latent_shape, generator=torch.Generator().manual_seed(0))
    tokens = torch.zeros(1, 1, 1, NARROW.tokens_per_frame, NARROW.hidden_dim)
    with torch.no_grad():
        return latent, moving.patchify.inverse(moving(tokens, latent, latent))


def test_whole_cells_are_moved_exactly_and_edges_are_continued(moving):
    latent, same = at(moving, 0.0, 0.0)
    torch.testing.assert_close(same, latent, atol=1e-5, rtol=0)
    latent, moved = at(moving, 2.0, -1.0)
    torch.testing.assert_close(moved[..., 1:, :-2], latent[..., :-1, 2:], atol=1e-5, rtol=0)
    torch.testing.assert_close(moved[..., 1:, -1], latent[..., :-1, -1], atol=1e-5, rtol=0)


def test_half_a_cell_is_the_mean_of_two(moving):
    latent, moved = at(moving, 0.5, 0.0)
    wanted = (latent[..., :-1] + latent[..., 1:]) / 2
    torch.testing.assert_close(moved[..., :-1], wanted, atol=1e-5, rtol=0)


def test_a_closed_gate_leaves_nothing(moving):
    torch.nn.init.constant_(moving.gate.bias, -50.0)
    assert at(moving, 0.0, 0.0)[1].abs().max() < 1e-6


def test_cells_come_from_the_newest_and_from_the_observed_latent():
    moving = MovedLatent(replace(NARROW, displacements=2, observed_displacements=1), Patchify(NARROW))
    cells = NARROW.patch**2
    latent, observed = torch.randn(2, 2, 3, 1, *NARROW.latent_shape)
    tokens = torch.zeros(2, 3, 1, NARROW.tokens_per_frame, NARROW.hidden_dim)
    with torch.no_grad():
        torch.nn.init.zeros_(moving.displacement.weight)
        torch.nn.init.zeros_(moving.displacement.bias)
        torch.nn.init.constant_(moving.gate.bias, 50.0)
        moving.mix.bias.copy_(torch.tensor([0.0, -50.0, 0.0]).repeat_interleave(cells))
        half = moving.patchify.inverse(moving(tokens, latent, observed))
        moving.mix.bias.copy_(torch.tensor([-50.0, -50.0, 50.0]).repeat_interleave(cells))
        moving.displacement.bias[-2 * cells : -cells] = 1.0  # x of the last place
        seen = moving.patchify.inverse(moving(tokens, latent, observed))
    torch.testing.assert_close(half, (latent + observed) / 2, atol=1e-5, rtol=0)
    torch.testing.assert_close(seen[..., :-1], observed[..., 1:], atol=1e-5, rtol=0)


def test_what_is_moved_is_the_clean_latent():
    torch.manual_seed(0)
    model = Astra(replace(NARROW, reprojection=False)).eval()
    assert model.denoiser.moved is not None
    draw = lambda *lead: torch.randn(*lead, *NARROW.latent_shape)  # noqa: E731
    noisy, newest, clean = draw(2, 3, 1), draw(2, 3), draw(2, 3)
    ones = torch.ones(2, 3)
    condition, memory = torch.randn(2, 3, 1, NARROW.hidden_dim), model.remember(draw(2, 3))
    twice = memory._replace(observed=2 * memory.observed)

    def made(clean, memory):
        frame = FrameContext(newest, newest, clean, ones, ones[..., None], condition)
        with torch.no_grad():
            return model.denoise(noisy, 0 * ones[..., None], frame, memory).prediction

    # Nothing is made up at the start, and the network sees the noisy one only.
    torch.testing.assert_close(made(2 * clean, twice), 2 * made(clean, memory))
    assert not torch.allclose(made(clean, memory), made(newest, memory), atol=1e-2)


def test_models_without_it_still_load():
    without = replace(NARROW, displacements=0, observed_displacements=0)
    assert Astra(without).denoiser.moved is None
    assert Astra(replace(NARROW, residual=False)).denoiser.moved is None
    old = replace(NARROW, observed_displacements=0)
    stored = old.to_dict()
    del stored["observed_displacements"]  # as in cards from before there were any
    Astra(type(NARROW).from_dict(stored)).load_state_dict(Astra(old).state_dict())


def test_places_in_the_observed_latent_alone_are_refused():
    with fault(ValueError, "observed_displacements", "displacements"):
        replace(NARROW, displacements=0)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e30])
def test_places_that_are_no_numbers_do_not_crash(moving, value):
    latent = torch.randn(1, 1, 1, *NARROW.latent_shape)
    tokens = torch.full((1, 1, 1, NARROW.tokens_per_frame, NARROW.hidden_dim), value, requires_grad=True)
    moving.displacement.weight.data.fill_(1.0)
    moving(tokens, latent, latent).sum().backward()
    assert tokens.grad is not None  # the crash was in the backward pass
