"""Roll-outs: what plans share, what they do not, and what a prefix promises."""

import pytest
import torch
from test_network import SMALL

from astra_ros.world_model import Astra, conditional_video_generation, imagine_latents, multi_step_prediction
from astra_ros.world_model.style import StyleConfig, StyleTransfer


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    model = Astra(SMALL).eval()
    for parameter in model.denoiser.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    return model


@pytest.fixture(scope="module")
def history():
    return torch.randn(1, 4, *SMALL.latent_shape, generator=torch.Generator().manual_seed(2))


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_shapes_and_ranges(model, history):
    made = imagine_latents(model, history, torch.randn(1, 3, 5, 6), generator=seeded())
    assert made.latents.shape == (1, 3, 5, *SMALL.latent_shape)
    assert made.uncertainty.shape == (1, 3, 5) and (made.uncertainty > 0).all()
    contact = made.outcomes["obstacle_contact"]
    assert contact.shape == (1, 3, 5) and ((contact > 0) & (contact < 1)).all()


def test_equal_plans_imagine_equal_futures_and_others_do_not(model, history):
    actions = torch.randn(1, 1, 5, 6).repeat(1, 3, 1, 1)
    actions[:, 2, 3] += 2
    latents = imagine_latents(model, history, actions, generator=seeded()).latents[0]
    torch.testing.assert_close(latents[0], latents[1])
    torch.testing.assert_close(latents[0, :3], latents[2, :3])  # alike up to the change
    assert not torch.allclose(latents[0, 3], latents[2, 3], atol=1e-4)


def test_seed_decides_the_noise(model, history):
    actions = torch.randn(1, 2, 4, 6)
    first, again, other = (
        imagine_latents(model, history, actions, generator=seeded(seed)).latents for seed in (3, 3, 4)
    )
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_a_shorter_plan_imagines_the_same_prefix(model, history):
    actions = torch.randn(1, 2, 6, 6)
    whole = imagine_latents(model, history, actions, generator=seeded()).latents
    prefix = imagine_latents(model, history, actions[:, :, :3], generator=seeded()).latents
    torch.testing.assert_close(whole[:, :, :3], prefix)


def test_more_denoising_steps_and_guidance_are_heard(model, history):
    actions = torch.randn(1, 2, 3, 6)
    one = imagine_latents(model, history, actions, generator=seeded(), steps=1).latents
    two = imagine_latents(model, history, actions, generator=seeded(), steps=2).latents
    guided = imagine_latents(model, history, actions, generator=seeded(), guidance=2.0).latents
    assert not torch.allclose(one, two) and not torch.allclose(one, guided)
    # One step: the guided frame is the free one plus twice what the action changes of it.
    plain, free = (
        imagine_latents(model, history, actions[:, :, :1], generator=seeded(), guidance=g).latents for g in (1.0, 1e-9)
    )
    torch.testing.assert_close(guided[:, :, :1], free + 2 * (plain - free), rtol=1e-3, atol=1e-4)
    with pytest.raises(ValueError, match="at least 1"):
        imagine_latents(model, history, actions, steps=0)


def test_multi_step_prediction_is_generation_without_style(model):
    frames, actions = torch.rand(2, 4, 3, 64, 64), torch.randn(2, 3, 6)
    plain = multi_step_prediction(model, frames, actions, generator=seeded())
    assert plain.shape == (2, 3, 3, 64, 64) and plain.min() >= 0 and plain.max() <= 1
    torch.testing.assert_close(plain, conditional_video_generation(model, frames, actions, generator=seeded()))


def test_in_a_style_it_goes_on_from_frames_in_that_style(model):
    frames, actions, picture = torch.rand(2, 4, 3, 64, 64), torch.randn(2, 3, 6), torch.rand(2, 3, 64, 64)
    with pytest.raises(ValueError, match="style is given without transfer"):
        conditional_video_generation(model, frames, actions, picture)
    transfer = StyleTransfer(StyleConfig(SMALL.latent_channels, width=16, heads=2)).eval()
    torch.nn.init.normal_(transfer.out.weight, std=0.2)
    with torch.inference_mode():
        styled = conditional_video_generation(model, frames, actions, picture, generator=seeded(), transfer=transfer)
        history = torch.stack(
            [
                transfer(model.autoencoder.encode(frames[row]), model.autoencoder.encode(picture[row : row + 1]))
                for row in range(2)
            ]
        )
        made = imagine_latents(model, history, actions[:, None], generator=seeded()).latents[:, 0]
        expected = model.autoencoder.decode(made.flatten(0, 1)).unflatten(0, (2, 3))
        plain = conditional_video_generation(model, frames, actions, generator=seeded())
    torch.testing.assert_close(styled, expected)
    assert not torch.allclose(styled, plain, atol=1e-3)


def test_one_frame_is_history_enough_and_horizons_are_checked(model):
    frame, actions = torch.rand(1, 3, 64, 64), torch.randn(1, 3, 6)
    assert conditional_video_generation(model, frame, actions, horizon=2).shape[1] == 2
    with pytest.raises(ValueError, match="4 frames asked for, 3 actions given"):
        conditional_video_generation(model, frame, actions, horizon=4)


def test_ddpm_imagines_too(history):
    from dataclasses import replace

    torch.manual_seed(0)
    model = Astra(replace(SMALL, process="ddpm", denoising_steps=3)).eval()
    made = imagine_latents(model, history, torch.randn(1, 2, 2, 6), generator=seeded())
    assert torch.isfinite(made.latents).all()
