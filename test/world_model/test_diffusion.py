"""Both diffusion processes against numbers derived by hand."""

import numpy as np
import pytest
import torch

from astra_ros.world_model.diffusion import Ddpm, FlowMatching, snr_weighted_mse
from astra_ros.world_model.sampler import DdimSampler, FlowSampler


def test_flow_adds_noise_on_a_straight_line():
    x, noise = torch.full((2, 1), 4.0), torch.full((2, 1), -2.0)
    # time 0: noise; time 0.25: 0.25 * 4 + 0.75 * -2 = -0.5
    assert FlowMatching().add_noise(x, noise, torch.tensor([0.0, 0.25])).flatten().tolist() == [-2.0, -0.5]


@pytest.mark.parametrize("of", [torch.tensor, np.array])
def test_flow_steps_reach_the_data_whatever_their_number(of):
    x = of([3.0])
    for steps in (1, 2, 7):
        sample = of([-1.0])
        for step in range(steps):
            sample = FlowSampler().advance(sample, x, step / steps, (step + 1) / steps)
            # With the true x as prediction the sample stays on the line from -1 to 3.
            assert sample.item() == pytest.approx(-1 + 4 * (step + 1) / steps, abs=1e-5)


def test_linear_betas_have_their_published_product():
    ddpm = Ddpm(1000, 1e-4, 2e-2)
    # The first step keeps 1 - beta_0; the last one 4.04e-5 of the power (Ho et al. 2020).
    assert ddpm.alpha_bar(torch.tensor(1 - 1 / 1000)).item() == pytest.approx(0.9999, rel=1e-6)
    assert ddpm.alpha_bar(torch.tensor(0.0)).item() == pytest.approx(4.04e-5, rel=1e-2)
    assert ddpm.alpha_bar(torch.tensor(1.0)).item() == 1.0


def test_two_betas_by_hand():
    # betas 0.1, 0.5: alpha_bar = 0.9, 0.45. SNR of the noisier step: 0.45 / 0.55.
    ddpm = Ddpm(2, 0.1, 0.5)
    assert ddpm.alpha_bar(torch.tensor([0.5, 0.0])).tolist() == pytest.approx([0.9, 0.45])
    assert ddpm.snr(torch.tensor(0.0)).item() == pytest.approx(0.45 / 0.55)
    x, noise = torch.tensor([2.0]), torch.tensor([1.0])
    noisy = ddpm.add_noise(x, noise, torch.tensor([0.0]))
    assert noisy.item() == pytest.approx(0.45**0.5 * 2 + 0.55**0.5)
    assert ddpm.to_x(noisy, noise, torch.tensor([0.0])).item() == pytest.approx(2.0, rel=1e-5)


@pytest.mark.parametrize("of", [lambda x: x, lambda x: x.numpy()], ids=["torch", "numpy"])
def test_ddim_with_the_true_noise_recovers_the_data(of):
    x, noise = torch.randn(3, 4), torch.randn(3, 4)
    sample, noise = of(Ddpm().add_noise(x, noise, torch.zeros(3))), of(noise)
    for step in range(10):
        sample = DdimSampler().advance(sample, noise, step / 10, (step + 1) / 10)
    np.testing.assert_allclose(sample, x, atol=1e-3, rtol=1e-3)


def test_training_and_sampling_destroy_and_restore_by_the_same_schedule():
    sampler = DdimSampler()
    for time in (0.0, 0.25, 0.5, 0.98, 1.0):
        assert sampler.alpha_bar(time) == pytest.approx(Ddpm().alpha_bar(torch.tensor(time)).item(), rel=1e-5)


def test_snr_weighted_mse_by_hand():
    predicted = torch.tensor([[1.0, 1.0], [0.0, 2.0]])
    noise = torch.zeros(2, 2)
    # Errors 1 and 2. Weights min(snr, 0.5) / snr: snr 2 -> 0.25; snr 0.1 -> 1.
    loss = snr_weighted_mse(predicted, noise, torch.tensor([2.0, 0.1]), gamma=0.5)
    assert loss.item() == pytest.approx((0.25 * 1 + 1 * 2) / 2)
