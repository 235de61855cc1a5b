"""What was seen, and the robot, laid over what is decoded."""

from dataclasses import replace

import pytest
import torch

from astra_ros.world_model.astra import Astra
from astra_ros.world_model.compositor import Compositor
from astra_ros.world_model.config import preset
from astra_ros.world_model.reprojection import InverseDepthCamera, last_seen

SIZE = 16


def pictures(seed, count=4):
    return torch.rand(count, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(seed))


def known(left_half):
    made = torch.zeros(4, 1, SIZE, SIZE)
    made[..., : SIZE // 2] = 1
    return made if left_half else 1 - made


def trained(scene, steps):
    """A compositor after so many steps; `scene(seed)` gives its arguments and what should come out."""
    torch.manual_seed(0)
    compositor = Compositor()
    optimizer = torch.optim.AdamW(compositor.parameters(), lr=2e-3)
    for step in range(steps):
        given, truth = scene(step)
        loss = (compositor(*given) - truth).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return compositor


def test_a_new_one_hardly_changes_anything():
    torch.manual_seed(0)
    decoded = pictures(0)
    torch.testing.assert_close(Compositor()(decoded, pictures(1), known(True)), decoded, atol=0.02, rtol=0)


def test_what_was_not_seen_is_never_taken():
    torch.manual_seed(0)
    compositor = Compositor()
    with torch.no_grad():
        compositor.out.bias[:4] = 50.0  # everything from the observed picture
    decoded, seen = pictures(0), pictures(1)
    made = compositor(decoded, seen, known(True))
    torch.testing.assert_close(made[..., : SIZE // 2], seen[..., : SIZE // 2])
    torch.testing.assert_close(made[..., SIZE // 2 :], decoded[..., SIZE // 2 :])


def test_it_learns_what_still_holds():
    """The observed picture is right but where something has moved, which the soft picture shows."""

    def scene(seed):
        generator = torch.Generator().manual_seed(seed)
        seen = 0.5 + 0.1 * torch.randn(8, 3, SIZE, SIZE, generator=generator)
        truth = seen.clone()
        truth[..., 4:8, 4:8] = 1.0
        soft = torch.nn.functional.avg_pool2d(truth, 3, 1, 1)
        return (soft, seen, torch.ones(8, 1, SIZE, SIZE)), truth

    compositor = trained(scene, 150)
    (soft, seen, there), truth = scene(1000)

    def error(made):
        return float((made - truth).square().mean())

    with torch.no_grad():
        made = error(compositor(soft, seen, there))
    assert made < 0.5 * min(error(soft), error(seen))


def test_without_renders_no_robot_is_drawn():
    torch.manual_seed(0)
    compositor = Compositor()
    torch.nn.init.normal_(compositor.out.weight, std=0.1)
    given = pictures(0), pictures(1), known(True)
    made = compositor(*given)
    torch.testing.assert_close(made, compositor(*given, torch.zeros(4, 6, SIZE, SIZE)))
    assert (made - compositor(*given, torch.ones(4, 6, SIZE, SIZE))).abs().max() > 0.01


@pytest.mark.parametrize("size", [(16, 16), (24, 40)])
def test_pictures_have_the_size_and_range_of_images(size):
    torch.manual_seed(0)
    compositor = Compositor()
    with torch.no_grad():
        compositor.out.bias[4:] = 5.0
    made = compositor(torch.rand(2, 3, *size), torch.rand(2, 3, *size), torch.ones(2, 1, *size))
    assert made.shape == (2, 3, *size) and 0.9 < made.min() and made.max() == 1.0


def test_what_moved_takes_its_look_from_where_it_was():
    """A square has moved by ten pixels. What is decoded shows where, but it is faint and has no colour."""

    def scene(seed):
        generator = torch.Generator().manual_seed(seed)
        seen = torch.full((8, 3, 32, 32), 0.8)
        truth, soft = seen.clone(), seen.clone()
        for row, top in enumerate(torch.randint(2, 24, (8,), generator=generator).tolist()):
            colour = torch.rand(3, 1, 1, generator=generator)
            seen[row, :, top : top + 6, 4:10] = colour
            truth[row, :, top : top + 6, 14:20] = colour
            soft[row, :, top : top + 6, 14:20] = 0.7
        return (soft, seen, torch.ones(8, 1, 32, 32)), truth

    compositor = trained(scene, 250)
    given, truth = scene(1000)
    with torch.no_grad():
        error = (compositor(*given) - truth).square().mean()
    assert error < 0.5 * (given[0] - truth).square().mean()


def test_it_learns_how_the_robot_looks():
    """It is grey, darker where it is further away, and nothing of it is decoded."""

    def scene(seed):
        generator = torch.Generator().manual_seed(seed)
        soft = 0.9 + 0.05 * torch.randn(8, 3, SIZE, SIZE, generator=generator)
        robot_renders = torch.zeros(8, 6, SIZE, SIZE)
        truth = soft.clone()
        for row, corner in enumerate(torch.randint(0, SIZE - 6, (8, 2), generator=generator).tolist()):
            where = (slice(corner[0], corner[0] + 6), slice(corner[1], corner[1] + 6))
            near = torch.rand((), generator=generator)
            robot_renders[row, 0][where], robot_renders[row, 1][where] = 1.0, near
            truth[row, :, where[0], where[1]] = 0.6 * near
        return (soft, soft, torch.ones(8, 1, SIZE, SIZE), robot_renders), truth

    compositor = trained(scene, 200)
    given, truth = scene(1000)
    with torch.no_grad():
        error = (compositor(*given) - truth).square().mean()
        blind = (compositor(*given[:3]) - truth).square().mean()
    assert error < 0.1 * blind


def test_the_last_picture_stays_or_travels():
    frame = pictures(0, 1)[0]
    seen, there = last_seen(frame, 3, None, None, moves=False)
    assert seen.shape == (3, 3, SIZE, SIZE) and there.shape == (3, 1, SIZE, SIZE)
    assert torch.equal(seen[2], frame) and there.all()
    lens = InverseDepthCamera(10.0, 10.0, 7.5, 7.5, torch.full((SIZE, SIZE), 0.5))
    way = torch.eye(4).repeat(2, 1, 1)
    way[1, 0, 3] = 1.0  # a metre to the right, things at 2 m: by five pixels
    seen, there = last_seen(frame, 2, way, lens, moves=True)
    torch.testing.assert_close(seen[0], frame, atol=1e-4, rtol=0)
    torch.testing.assert_close(seen[1, :, :, :-5], frame[:, :, 5:], atol=1e-3, rtol=0)
    assert not there[1, ..., -4:].any()
    _, there = last_seen(frame, 2, None, None, moves=True)  # its way is not known
    assert not there.any()


@pytest.mark.parametrize("compositing", [False, True])
def test_a_model_shows_its_latents(compositing):
    torch.manual_seed(0)
    model = Astra(replace(preset("tiny"), num_layers=1, context_layers=1, compositing=compositing))
    latents = torch.randn(2, *model.config.latent_shape)
    seen = torch.rand(2, 3, 64, 64)
    there = torch.ones(2, 1, 64, 64)
    with torch.no_grad():
        made = model.composite(latents, seen, there)
        if compositing:
            model.compositor.out.bias[:4] = 50.0
            torch.testing.assert_close(model.composite(latents, seen, there), seen)
        else:
            assert torch.equal(made, model.autoencoder.decode(latents))
    assert made.shape == (2, 3, 64, 64) and 0 <= made.min() and made.max() <= 1
