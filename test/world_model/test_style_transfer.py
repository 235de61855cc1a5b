"""The look of a picture, and frames that take it on."""

import pytest
import torch

from astra_ros.world_model.style_transfer import StyleConfig, StyleEncoder, StyleTransfer

CONFIG = StyleConfig(latent_channels=6, width=16, blocks=2, kinds=5, heads=2)


@pytest.fixture
def transfer():
    torch.manual_seed(0)
    made = StyleTransfer(CONFIG).eval()
    for weight in made.out.parameters():  # zero at first, and nothing would show
        torch.nn.init.normal_(weight, std=0.2)
    return made


def test_a_palette_does_not_say_where_things_are():
    torch.manual_seed(0)
    encoder = StyleEncoder(CONFIG)
    picture = torch.zeros(1, 6, 12, 12)
    picture[..., 2:4, 2:4] = torch.randn(1, 6, 2, 2)
    palette = encoder(picture)
    assert palette.shape == (1, 5, 16)
    torch.testing.assert_close(palette, encoder(picture.roll((5, 6), dims=(-2, -1))))
    assert not torch.allclose(palette, encoder(2 * picture), atol=1e-2)


def test_an_untrained_one_changes_nothing():
    latents, reference = torch.randn(2, 6, 4, 4), torch.randn(2, 6, 4, 4)
    assert torch.equal(StyleTransfer(CONFIG)(latents, reference), latents)


def test_what_is_made_depends_on_both_pictures(transfer):
    latents, references = torch.randn(2, 6, 4, 4), torch.randn(2, 6, 8, 4)
    made = transfer(latents, references)
    assert made.shape == latents.shape
    assert not torch.allclose(made, transfer(latents, 2 * references), atol=1e-3)
    assert not torch.allclose(made, transfer(2 * latents, references), atol=1e-3)
    # One picture for all is as good as the same one for each.
    one = references[:1]
    torch.testing.assert_close(transfer(latents, one), transfer(latents, one.expand(2, -1, -1, -1)))
