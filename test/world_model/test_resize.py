"""A network for pictures of another size moves the same things to the same places."""

import pytest
import torch
from networks import NARROW
from user_errors import fault

from astra_ros.world_model.astra import Astra
from astra_ros.world_model.resize import resized
from astra_ros.world_model.seed_api import denoise


@pytest.fixture
def model():
    torch.manual_seed(0)
    return Astra(NARROW).eval()


@pytest.mark.parametrize("size, times", [((128, 128), (2, 2)), ((64, 128), (1, 2))])
def test_what_was_moved_by_whole_cells_is_moved_by_as_much_of_the_picture(model, size, times):
    moved = model.denoiser.moved
    cells = NARROW.patch**2
    with torch.no_grad():
        moved.displacement.weight.zero_()
        places = torch.tensor([[0.0, 0.0], [2.0, -1.0], [-3.0, 0.0], [1.0, 4.0]])  # x, y in cells
        places = torch.cat([places, -places])  # of the newest latent, of the observed one
        moved.displacement.bias.copy_(places.reshape(-1, 1).expand(-1, cells).reshape(-1))
    wide = resized(model, size)
    latent = torch.randn(1, 1, 1, *NARROW.latent_shape)

    def doubled(x):
        return x.repeat_interleave(times[0], -2).repeat_interleave(times[1], -1)

    def run(network, at):
        tokens = torch.zeros(1, 1, 1, network.config.tokens_per_frame, NARROW.hidden_dim)
        with torch.no_grad():
            return network.denoiser.patchify.inverse(network.denoiser.moved(tokens, at, at.flip(-1)))

    torch.testing.assert_close(run(wide, doubled(latent)), doubled(run(model, latent)), atol=1e-4, rtol=0)


def test_positions_are_interpolated_and_all_else_stays(model):
    rows, cols = 4, 4
    with torch.no_grad():
        ramp = torch.arange(rows).float()[:, None].expand(rows, cols).reshape(-1, 1)
        model.denoiser.position.copy_(ramp.expand(-1, NARROW.hidden_dim))
    wide = resized(model, (128, 64))
    column = wide.denoiser.position.detach()[:, 0].reshape(2 * rows, cols)[:, 0]
    # Twice as many rows at the same height of the picture: row i lies at i / 2 - 1 / 4 of before.
    torch.testing.assert_close(column[3:5], torch.tensor([1.25, 1.75]), atol=0.02, rtol=0)
    assert column.diff().min() > 0
    before, after = model.state_dict(), wide.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {
        "temporal_encoder.position",
        "denoiser.position",
        "denoiser.moved.displacement.weight",
        "denoiser.moved.displacement.bias",
    }


def test_a_wide_model_predicts_pictures_of_its_size(model):
    wide = resized(model, (96, 128))
    assert not wide.training
    frames = torch.rand(2, 3, 96, 128)
    with torch.no_grad():
        latent = wide.autoencoder.encode(frames)
        history = latent[:, None].expand(-1, NARROW.temporal_window, -1, -1, -1)
        next_one = denoise(wide, torch.randn_like(latent), torch.zeros(2), torch.zeros(2, 14), history)
    assert next_one.shape == latent.shape and next_one.isfinite().all()


def test_a_size_that_cuts_tokens_is_refused(model):
    with fault(ValueError, "image_size", "(72, 64)", 16):
        resized(model, (72, 64))


def test_with_as_many_larger_tokens_it_predicts_the_same_of_a_larger_picture(model):
    """Where each cell stands four times, so does each cell of the prediction."""
    with torch.no_grad():
        for weights in model.parameters():  # those that start at zero would hide a mistake
            weights.add_(0.05 * torch.randn_like(weights))
        displacement = model.denoiser.moved.displacement
        displacement.weight.zero_()
        displacement.bias.round_()  # whole cells, or a sharper picture is blurred less
    wide = resized(model, (128, 128), patch=2 * NARROW.patch)
    assert wide.config.tokens_per_frame == NARROW.tokens_per_frame

    def doubled(x):
        return x.repeat_interleave(2, -2).repeat_interleave(2, -1)

    history, noisy = torch.randn(2, 4, *NARROW.latent_shape), torch.randn(2, *NARROW.latent_shape)
    drawing = torch.rand(2, 1, 3, *NARROW.image_size)
    time, actions = torch.rand(2), torch.randn(2, 14)
    with torch.no_grad():
        expected = denoise(model, noisy, time, actions, history)
        torch.testing.assert_close(
            denoise(wide, doubled(noisy), time, actions, doubled(history)), doubled(expected), atol=1e-4, rtol=0
        )
        torch.testing.assert_close(
            wide.render_tokens(doubled(drawing)), model.render_tokens(drawing), atol=1e-4, rtol=0
        )


def test_a_patch_that_would_cut_old_tokens_is_refused(model):
    with fault(ValueError, "patch 3", 2):
        resized(model, (96, 96), patch=3)
