"""The seed document's functions, by its names and arguments."""

import torch
from networks import SMALL
from test_rollout import model  # noqa: F401
from user_errors import fault

from astra_ros.world_model.imagine import PlanBatch, imagine_latents
from astra_ros.world_model.seed_api import conditional_video_generation, denoise, multi_step_prediction
from astra_ros.world_model.style_transfer import StyleConfig, StyleTransfer


def test_denoising_has_the_seed_signature(model):  # noqa: F811
    noisy, history = torch.randn(2, *SMALL.latent_shape), torch.randn(2, 4, *SMALL.latent_shape)
    made = denoise(model, noisy, torch.zeros(2), torch.randn(2, 6), history)
    assert made.shape == noisy.shape
    assert not torch.allclose(made, denoise(model, noisy, torch.zeros(2), torch.randn(2, 6), history))
    assert denoise(model, noisy, torch.zeros(2), torch.randn(2, 6), history[:, :1]).shape == noisy.shape


def test_multi_step_prediction_is_generation_without_style(model):  # noqa: F811
    frames, actions = torch.rand(2, 4, 3, 64, 64), torch.randn(2, 3, 6)
    plain = multi_step_prediction(model, frames, actions)
    assert plain.shape == (2, 3, 3, 64, 64) and plain.min() >= 0 and plain.max() <= 1
    torch.testing.assert_close(plain, conditional_video_generation(model, frames, actions))


def test_in_a_style_it_goes_on_from_frames_in_that_style(model):  # noqa: F811
    frames, actions, picture = torch.rand(2, 4, 3, 64, 64), torch.randn(2, 3, 6), torch.rand(2, 3, 64, 64)
    with fault(ValueError, "style", "transfer"):
        conditional_video_generation(model, frames, actions, picture)
    transfer = StyleTransfer(StyleConfig(SMALL.latent_channels, width=16, heads=2)).eval()
    torch.nn.init.normal_(transfer.out.weight, std=0.2)
    with torch.inference_mode():
        styled = conditional_video_generation(model, frames, actions, picture, transfer=transfer)
        history = torch.stack(
            [
                transfer(model.autoencoder.encode(frames[row]), model.autoencoder.encode(picture[row : row + 1]))
                for row in range(2)
            ]
        )
        made = imagine_latents(model, history, PlanBatch(actions[:, None])).latents[:, 0]
        expected = model.autoencoder.decode(made.flatten(0, 1)).unflatten(0, (2, 3))
        plain = conditional_video_generation(model, frames, actions)
    torch.testing.assert_close(styled, expected)
    assert not torch.allclose(styled, plain, atol=1e-3)


def test_one_frame_is_history_enough_and_horizons_are_checked(model):  # noqa: F811
    frame, actions = torch.rand(1, 3, 64, 64), torch.randn(1, 3, 6)
    assert conditional_video_generation(model, frame, actions, horizon=2).shape[1] == 2
    with fault(ValueError, "4 frames", "3 actions"):
        conditional_video_generation(model, frame, actions, horizon=4)
