"""The rollout: what plans share, what they do not, what a prefix promises, on numpy as on torch."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from networks import SMALL, random_history, random_network
from user_errors import fault

from astra_ros.world_model.astra import Astra
from astra_ros.world_model.imagine import PlanBatch, imagine_latents
from astra_ros.world_model.noise import draw_noise
from astra_ros.world_model.rollout import Denoised, Noise, PlanConditions, Sampling, Start, rollout
from astra_ros.world_model.sampler import FlowSampler


@pytest.fixture(scope="module")
def model():
    return random_network(SMALL)


@pytest.fixture(scope="module")
def history():
    return random_history(SMALL)


def imagine(model, history, actions, **how):
    return imagine_latents(model, history, PlanBatch(actions), **how)


def test_shapes_and_ranges(model, history):
    made = imagine(model, history, torch.randn(1, 3, 5, 6))
    assert made.latents.shape == (1, 3, 5, *SMALL.latent_shape)
    assert made.uncertainty.shape == (1, 3, 5) and (made.uncertainty > 0).all()
    contact = made.outcomes["obstacle_contact"]
    assert contact.shape == (1, 3, 5) and ((contact > 0) & (contact < 1)).all()


def test_equal_plans_imagine_equal_futures_and_others_do_not(model, history):
    actions = torch.randn(1, 1, 5, 6).repeat(1, 3, 1, 1)
    actions[:, 2, 3] += 2
    latents = imagine(model, history, actions).latents[0]
    torch.testing.assert_close(latents[0], latents[1])
    torch.testing.assert_close(latents[0, :3], latents[2, :3])  # alike up to the change
    assert not torch.allclose(latents[0, 3], latents[2, 3], atol=1e-4)


def test_seed_decides_the_noise(model, history):
    actions = torch.randn(1, 2, 4, 6)
    first, again, other = (imagine(model, history, actions, seed=seed).latents for seed in (3, 3, 4))
    assert torch.equal(first, again) and not torch.equal(first, other)


@pytest.mark.parametrize("chunk", [1, 2])
def test_a_shorter_plan_imagines_the_same_prefix(model, history, chunk, monkeypatch):
    monkeypatch.setattr(model, "config", replace(SMALL, chunk=chunk))
    actions = torch.randn(1, 2, 6, 6)
    whole = imagine(model, history, actions).latents
    prefix = imagine(model, history, actions[:, :, :3]).latents  # with chunks of two, the last one is cut
    torch.testing.assert_close(whole[:, :, :3], prefix)


def test_more_denoising_steps_and_guidance_are_heard(model, history):
    actions = torch.randn(1, 2, 3, 6)
    one = imagine(model, history, actions, steps=1).latents
    two = imagine(model, history, actions, steps=2).latents
    guided = imagine(model, history, actions, guidance=2.0).latents
    assert not torch.allclose(one, two) and not torch.allclose(one, guided)
    # One step: the guided frame is the free one plus twice what the action changes of it.
    plain, free = (imagine(model, history, actions[:, :, :1], guidance=g).latents for g in (1.0, 1e-9))
    torch.testing.assert_close(guided[:, :, :1], free + 2 * (plain - free), rtol=1e-3, atol=1e-4)
    with fault(ValueError, "denoising steps", 1, 0):
        imagine(model, history, actions, steps=0)


def test_ddpm_imagines_too(history):
    torch.manual_seed(0)
    model = Astra(replace(SMALL, process="ddpm", denoising_steps=3)).eval()
    assert torch.isfinite(imagine(model, history, torch.randn(1, 2, 2, 6)).latents).all()


class Adder:
    """A frame is the mean of its sample, twice the clean latent before it and its condition; it notes what it got."""

    def __init__(self):
        self.seen = []

    def denoise(self, noisy, time, frame, memory):
        self.seen.append((noisy, time, frame))
        clean = frame.clean[:, :, None]
        return Denoised(noisy + 2 * clean + frame.condition[..., None, None], 0 * frame.condition, frame.condition)


def adder_inputs(of, horizon, chunk, plans=2):
    """A latent is one number, and so is a condition: plan k's is k. The history is 5, 3, 1."""
    history = of(np.array([5, 3, 1], np.float32).reshape(1, 3, 1, 1, 1))
    condition = of(np.tile(np.arange(plans, dtype=np.float32)[None, :, None, None], (1, 1, horizon, 1)))
    number = of(np.arange(1, horizon + 1, dtype=np.float32))
    chunks = -(-horizon // chunk)
    noise = Noise(
        of(np.full((1, chunks, 1, 1, 1), 0.5, np.float32)),
        of(np.arange(chunks * chunk, dtype=np.float32).reshape(1, chunks, chunk, 1, 1, 1)),
    )
    return Start(history, None), PlanConditions(number, condition), noise


@pytest.mark.parametrize("of", [np.asarray, torch.from_numpy], ids=["numpy", "torch"])
def test_each_frame_follows_the_last_by_hand(of):
    start, plans, noise = adder_inputs(of, horizon=3, chunk=1)
    network = Adder()
    made = list(rollout(network, start, plans, noise, Sampling(FlowSampler(), history_noise=0.1)))
    # Plan 0: 0 + 2 * 1, 1 + 2 * 2, 2 + 2 * 5. Plan 1 has 1 more each: 3, 1 + 2 * 3 + 1, 2 + 2 * 8 + 1.
    assert [chunk.prediction[0, :, 0, 0, 0, 0].tolist() for chunk in made] == [[2, 3], [5, 8], [12, 19]]
    for number, (_, time, frame) in enumerate(network.seen):
        assert frame.age.tolist() == [[[number + 1]]] and time.tolist() == [[[0]]]
        assert frame.history_noise.tolist() == [[pytest.approx(0.1)]]
        np.testing.assert_allclose(frame.newest - frame.clean, 0.05, atol=1e-6)  # 0.1 * 0.5
    # What was newest is before it in the next one, with the next one's noise.
    assert network.seen[1][2].before[0, 0].item() == pytest.approx(1.05)
    assert network.seen[0][2].before[0, 0].item() == pytest.approx(3.05)


@pytest.mark.parametrize("of", [np.asarray, torch.from_numpy], ids=["numpy", "torch"])
def test_the_frames_of_a_chunk_start_from_the_last_chunk_by_hand(of):
    start, plans, noise = adder_inputs(of, horizon=3, chunk=2)
    network = Adder()
    made = list(rollout(network, start, plans, noise, Sampling(FlowSampler(), chunk=2)))
    # Plan 0: samples 0 and 1 from 1, then sample 2 from 3; plan 1 one more each time.
    assert made[0].prediction[0, :, :, 0, 0, 0].tolist() == [[2, 3], [3, 4]]
    assert made[1].prediction[0, :, :, 0, 0, 0].tolist() == [[8], [11]]
    assert network.seen[1][2].before[0, :, 0, 0, 0].tolist() == [2, 3] and network.seen[1][2].age[0, 0].tolist() == [3]


def test_gradients_go_through_the_whole_rollout():
    start, plans, noise = adder_inputs(torch.from_numpy, horizon=3, chunk=1)
    history = start.history.clone().requires_grad_()
    made = list(rollout(Adder(), start._replace(history=history), plans, noise, Sampling(FlowSampler())))
    made[-1].prediction.sum().backward()
    assert history.grad.flatten().tolist() == [0.0, 0.0, 16.0]  # twice, three times over, for two plans


def test_noise_is_that_of_torch():
    """Seeds and sizes as the shipped models use them, and some that are not multiples of 16."""
    shape = SMALL.latent_shape
    for seed in (0, 1, 12345, 2**32 + 7, 2**40):
        generator = torch.Generator("cpu").manual_seed(seed)
        drawn = draw_noise(seed, 3, shape)
        for step in range(3):
            for part in (drawn.history[:, step], drawn.samples[:, step, 0]):
                wanted = torch.randn((1, *shape), generator=generator)
                np.testing.assert_allclose(part, wanted, atol=2e-6, rtol=0)
    for shape in ((3, 3, 2), (24, 5, 5), (1, 4, 4)):
        generator = torch.Generator("cpu").manual_seed(5)
        drawn = draw_noise(5, 4, shape, chunk=2, batch=3)
        for step in range(2):
            np.testing.assert_allclose(drawn.history[:, step], torch.randn((3, *shape), generator=generator), atol=2e-6)
            wanted = torch.randn((3, 2, *shape), generator=generator)
            np.testing.assert_allclose(drawn.samples[:, step], wanted, atol=2e-6)


def test_noise_by_number():
    """So that an engine without torch imagines the same future too."""
    drawn = draw_noise(0, 2, (24, 8, 8))
    np.testing.assert_allclose(drawn.history[0, 0].ravel()[:3], [-1.125840, -1.152360, -0.250579], atol=2e-6)
