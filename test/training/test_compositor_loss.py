"""What compositor and discriminator learn in one step, each from its own part of the loss."""

import pytest
import torch
from torch.nn import functional as F

from astra_ros.training.compositor_loss import CompositorGan, CompositorLoss, Discriminator
from astra_ros.world_model.compositor import Compositor

SIZE = 16
THING = torch.zeros(2, 1, SIZE, SIZE)
THING[:, :, 4:8, 4:8] = 1


@pytest.fixture
def gan():
    torch.manual_seed(0)
    made = CompositorGan(Compositor()).eval()  # spectral norms stay as they are
    torch.nn.init.normal_(made.compositor.out.weight, std=0.05)
    return made


def batch():
    generator = torch.Generator().manual_seed(1)
    decoded, seen, truth = (torch.rand(2, 3, SIZE, SIZE, generator=generator) for _ in range(3))
    return decoded, seen, torch.ones(2, 1, SIZE, SIZE), torch.rand(2, 6, SIZE, SIZE, generator=generator), truth, THING


def gradients(module):
    return torch.cat([parameter.grad.flatten() for parameter in module.parameters()])


def test_the_discriminator_learns_only_to_tell_pictures_from_camera_images(gan):
    decoded, seen, known, robot, truth, _ = batch()
    CompositorLoss(gan, None, 4.0)(*batch())[0].backward()
    whole = gradients(gan.discriminator)
    gan.zero_grad()
    given = seen, known, robot[:, :3]
    made = gan.compositor.raw(decoded, seen, known, robot).detach()
    real, drawn = gan.discriminator(truth, *given)[1], gan.discriminator(made, *given)[1]
    (F.relu(1 - real).mean() + F.relu(1 + drawn).mean()).backward()
    torch.testing.assert_close(whole, gradients(gan.discriminator))
    assert whole.abs().max() > 0


def test_the_compositor_learns_to_be_taken_for_a_camera(gan):
    """A small step along its gradient brings the picture nearer to the truth, and nearer to what passes."""
    given = batch()
    loss = CompositorLoss(gan, None, 0.0)
    before, parts = loss(*given)
    before.backward()
    with torch.no_grad():
        for parameter in gan.compositor.parameters():
            parameter -= 1e-3 * parameter.grad / gradients(gan.compositor).norm()
    _, after = loss(*given)
    assert after["feature_matching"] < parts["feature_matching"] and after["psnr_db"] > parts["psnr_db"]
    assert all(parameter.requires_grad for parameter in gan.parameters())


def test_a_discriminator_sees_what_is_known_of_an_image():
    torch.manual_seed(0)
    judge = Discriminator().eval()
    image, seen, known = torch.rand(1, 3, 64, 40), torch.rand(1, 3, 64, 40), torch.ones(1, 1, 64, 40)
    robot = torch.rand(1, 3, 64, 40)
    levels, logits = judge(image, seen, known, robot)
    assert [tuple(level.shape[2:]) for level in levels] == [(32, 20), (16, 10), (8, 5)]
    assert logits.shape == (1, 1, 8, 5)
    assert not torch.equal(judge(image, seen, known, 0 * robot)[1], logits)
    # of what was not observed, it is shown nothing
    torch.testing.assert_close(judge(image, seen, 0 * known, robot)[1], judge(image, 0 * seen, 0 * known, robot)[1])


def test_errors_where_the_object_is_count_more(gan):
    """Of the squared error alone, a weight of 3 makes the gradient of an image four times as strong there."""
    decoded, seen, known, robot, truth, thing = batch()
    made = torch.rand(2, 3, SIZE, SIZE, requires_grad=True)
    gan.compositor.raw = lambda *_: made
    gradient = {}
    for weight in (0.0, 3.0):
        made.grad = None
        CompositorLoss(gan, None, weight)(decoded, seen, known, robot, truth, thing)[0].backward()
        gradient[weight] = made.grad
    more = gradient[3.0] - gradient[0.0]
    own = 2 * (made - truth) / (made - truth).square().sum((1, 2, 3), keepdim=True) / len(made)
    assert not more[(thing == 0).expand_as(more)].any()
    assert torch.allclose(more, 3 * own.detach() * thing, rtol=0.02, atol=1e-6)
