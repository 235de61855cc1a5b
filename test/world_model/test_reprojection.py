"""Pictures moved by geometry, against what a camera would see, worked out by hand."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from networks import NARROW

from astra_ros.world_model.astra import Astra
from astra_ros.world_model.imagine import PlanBatch, imagine_latents
from astra_ros.world_model.reprojection import InverseDepthCamera, reproject, reprojected_latents

SIZE = 64
FOCAL = 40.0
MIDDLE = (SIZE - 1) / 2


def lens(depth_m=4.0):
    return InverseDepthCamera(FOCAL, FOCAL, MIDDLE, MIDDLE, torch.full((SIZE, SIZE), 1 / depth_m))


def pose(shift=(0.0, 0.0, 0.0), turn_y=0.0):
    made = torch.eye(4)
    c, s = np.cos(turn_y), np.sin(turn_y)
    made[:3, :3] = torch.tensor([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    made[:3, 3] = torch.tensor(shift)
    return made[None, None]


def picture():
    return torch.rand(1, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))


def test_from_the_same_place_nothing_changes():
    views, seen = reproject(picture(), pose(), lens())
    torch.testing.assert_close(views[:, 0], picture(), atol=1e-4, rtol=0)
    assert seen.all()


def test_a_camera_that_moves_to_the_right_sees_things_further_left():
    """By f * way / depth pixels: 0.5 m at 4 m and 40 pixels are five columns."""
    views, seen = reproject(picture(), pose((0.5, 0.0, 0.0)), lens(4.0))
    torch.testing.assert_close(views[0, 0, :, :, :-5], picture()[0, :, :, 5:], atol=1e-3, rtol=0)
    assert seen[..., :-5].all() and not seen[..., -4:].any()
    # Near things move more, a far wall not at all.
    views, _ = reproject(picture(), pose((0.5, 0.0, 0.0)), lens(1e9))
    torch.testing.assert_close(views[:, 0], picture(), atol=1e-3, rtol=0)


def test_a_turn_moves_the_middle_by_the_tangent_whatever_the_depth():
    angle = float(np.arctan(8 / FOCAL))  # to the right, by eight pixels in the middle
    spot = torch.zeros(1, 3, SIZE, SIZE)
    spot[..., 30:34, 38:42] = 1  # eight pixels right of the middle
    for depth in (0.5, 100.0):
        views, _ = reproject(spot, pose(turn_y=angle), lens(depth))
        column = (views[0, 0, 0].sum(0) * torch.arange(SIZE)).sum() / views[0, 0, 0].sum()
        assert float(column) == pytest.approx(MIDDLE, abs=0.2)


def test_going_ahead_magnifies():
    """2 m towards a wall at 4 m, seen then at 2 m: what was at x from the middle is at 2 x."""
    rows = torch.linspace(-1, 1, SIZE).expand(1, 3, SIZE, SIZE)
    views, seen = reproject(rows, pose((0.0, 0.0, 2.0)), lens(2.0))
    torch.testing.assert_close(views[:, 0], rows / 2, atol=1e-3, rtol=0)
    assert seen.all()


def test_wide_pictures_and_unequal_lenses():
    """32 rows of 48 columns, pixels twice as high as wide; the middle is off the centre."""
    wide = InverseDepthCamera(40.0, 20.0, 20.0, 18.0, torch.full((32, 48), 0.25))
    frames = torch.rand(2, 3, 32, 48)
    right, down = pose((0.5, 0.0, 0.0)), pose((0.0, 0.4, 0.0))
    travel = torch.cat([right, down], dim=1).expand(2, -1, -1, -1)
    views, seen = reproject(frames, travel, wide)
    assert views.shape == (2, 2, 3, 32, 48) and seen.shape == (2, 2, 1, 32, 48)
    torch.testing.assert_close(views[:, 0, :, :, :-5], frames[..., 5:], atol=1e-3, rtol=0)
    torch.testing.assert_close(views[:, 1, :, :-2], frames[..., 2:, :], atol=1e-3, rtol=0)
    # Turned about the optical axis by half a turn, what is in the axis stays.
    turn = torch.diag(torch.tensor([-1.0, -1.0, 1.0, 1.0]))[None, None]
    views, _ = reproject(frames[:1], turn, wide)
    torch.testing.assert_close(views[0, 0, :, 18, 20], frames[0, :, 18, 20], atol=1e-3, rtol=0)
    torch.testing.assert_close(views[0, 0, :, 16, 23], frames[0, :, 20, 17], atol=1e-3, rtol=0)


def test_places_are_not_rounded_under_autocast():
    travel = pose((0.3, 0.1, 0.5), 0.1)
    with torch.autocast("cpu", torch.bfloat16):
        rounded, _ = reproject(picture(), travel, lens())
    assert torch.equal(rounded, reproject(picture(), travel, lens())[0])


def test_what_lies_behind_was_not_seen():
    views, seen = reproject(picture(), pose(turn_y=np.pi), lens())
    assert not seen.any() and views.isfinite().all()


@pytest.fixture
def model():
    torch.manual_seed(0)
    made = Astra(NARROW).eval()
    torch.nn.init.normal_(made.denoiser.out.weight, std=0.1)
    return made


@torch.no_grad()
def test_the_latents_of_views_come_with_the_share_that_was_seen(model):
    views, seen = reproject(picture(), pose((0.5, 0.0, 0.0)), lens())
    reprojected = reprojected_latents(model.autoencoder, picture(), pose((0.5, 0.0, 0.0)), lens())
    torch.testing.assert_close(reprojected[:, 0, :-1], model.autoencoder.encode(views[:, 0]))
    # The last of eight columns of cells: three of its eight columns of pixels are still there.
    assert reprojected.shape == (1, 1, NARROW.latent_channels + 1, 8, 8)
    share = reprojected[0, 0, -1]
    assert (share[:, :-1] == 1).all() and ((share[:, -1] > 0.3) & (share[:, -1] < 0.6)).all()


@torch.no_grad()
def test_the_imagined_future_follows_the_views(model):
    history = torch.randn(1, 4, *NARROW.latent_shape)
    actions = torch.zeros(1, 2, 3, 14)

    def run(reprojected, network=model):
        return imagine_latents(network, history, PlanBatch(actions, reprojected=reprojected)).latents

    still = torch.cat([history[:, -1], torch.zeros(1, 1, 8, 8)], dim=1)
    reprojected = still.expand(1, 2, 3, -1, -1, -1).clone()
    torch.testing.assert_close(run(reprojected), run(None))  # nothing known of the way
    reprojected[:, 1, 1:, :-1] += 1.0
    other = run(reprojected)
    torch.testing.assert_close(other[:, 0], run(None)[:, 0])
    torch.testing.assert_close(other[:, 1, 0], run(None)[:, 1, 0])
    assert not torch.allclose(other[:, 1, 1], run(None)[:, 1, 1], atol=0.05)
    # The share of what was seen is an input of its own.
    reprojected = still.expand(1, 2, 3, -1, -1, -1).clone()
    reprojected[:, :, :, -1] = 1.0
    assert not torch.allclose(run(reprojected), run(None), atol=1e-4)


def test_a_model_without_it_has_the_inputs_of_before():
    without = Astra(replace(NARROW, reprojection=False))
    assert without.denoiser.embed.in_features == 3 * NARROW.latent_channels * NARROW.patch**2
    stored = NARROW.to_dict()
    del stored["reprojection"]  # as in cards from before there was any
    assert not type(NARROW).from_dict(stored).reprojection
