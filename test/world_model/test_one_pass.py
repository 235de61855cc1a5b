"""All frames of a chunk in one pass: causal, in chunks, at any F, and what it starts from."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from networks import SMALL, random_history, random_network

from astra_ros.world_model.imagine import PlanBatch, imagine_latents
from astra_ros.world_model.layers import ConditionedBlock, attend
from astra_ros.world_model.rollout import Denoised, Noise, PlanConditions, Sampling, Start, rollout
from astra_ros.world_model.sampler import FlowSampler

ONE_PASS = replace(SMALL, time_attention=True, chunk=4, initial_noise=0.0, history_noise=0.0)


@pytest.fixture(scope="module")
def model():
    return random_network(ONE_PASS, std=0.1)


@pytest.fixture(scope="module")
def history():
    return random_history(SMALL)


def imagined(model, history, actions, chunk=4, **how):
    model.config = replace(ONE_PASS, chunk=chunk)
    return imagine_latents(model, history, PlanBatch(actions), **how)


@pytest.mark.parametrize("chunk, steps", [(4, 1), (8, 1), (3, 1), (1, 1), (4, 2)])
def test_a_prefix_of_a_plan_imagines_the_same_prefix(model, history, chunk, steps):
    """Causal: what comes later in a plan changes nothing before it."""
    actions = torch.randn(1, 2, 7, 6)
    changed = actions.clone()
    changed[:, :, 3:] += 3
    whole, other = (imagined(model, history, each, chunk, steps=steps) for each in (actions, changed))
    cut = imagined(model, history, actions[:, :, :3], chunk, steps=steps)
    torch.testing.assert_close(whole.latents[:, :, :3], other.latents[:, :, :3])
    torch.testing.assert_close(whole.latents[:, :, :3], cut.latents)
    torch.testing.assert_close(whole.uncertainty[:, :, :3], cut.uncertainty)
    assert (whole.latents - other.latents)[:, :, 3].abs().max() > 1e-3


def test_a_frame_attends_to_the_earlier_ones_of_its_chunk(model, history):
    actions = torch.randn(1, 1, 4, 6)
    gates = [block.time_gate.data.clone() for block in model.denoiser.blocks]
    with_time = imagined(model, history, actions).latents
    for block in model.denoiser.blocks:
        block.time_gate.data.zero_()
    without = imagined(model, history, actions).latents
    for block, gate in zip(model.denoiser.blocks, gates):
        block.time_gate.data.copy_(gate)
    assert (with_time - without).abs().max() > 1e-3


def test_plans_of_one_batch_are_imagined_as_alone(model, history):
    """In the second chunk each plan has its own memory, so none may see another's."""
    actions = torch.randn(1, 3, 7, 6)
    together = imagined(model, history, actions)
    for plan in range(3):
        alone = imagined(model, history, actions[:, plan : plan + 1])
        torch.testing.assert_close(together.latents[:, plan], alone.latents[:, 0], rtol=1e-4, atol=1e-5)


def test_a_chunk_after_the_first_is_a_request_from_what_was_imagined(model, history):
    """Chunk by chunk equals asking anew with the imagined frames as the history."""
    actions = torch.randn(1, 1, 8, 6)
    model.action_encoder.temporal_conv.weight.data[..., :-1] = 0  # an action's code is its own alone
    whole = imagined(model, history, actions).latents[:, 0]
    again = imagined(model, whole[:, :4], actions[:, :, 4:]).latents[:, 0]
    torch.testing.assert_close(whole[:, 4:], again, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("of", [np.asarray, torch.from_numpy], ids=["numpy", "torch"])
def test_memory_of_each_plan_by_hand(of):
    """A latent is one number: a frame is the sum of its plan's memory and the frame's age."""

    class Sum:
        def __init__(self):
            self.histories = []

        def remember(self, history):
            self.histories.append(history[..., 0, 0, 0].tolist())
            return history.sum(1)[:, None, None]

        def denoise(self, noisy, time, frame, memory):
            ages = frame.age[..., None, None, None]
            made = memory + ages + 0 * frame.condition[..., None, None] + noisy
            return Denoised(made, frame.condition, frame.condition)

    history = of(np.array([[1, 2], [10, 20]], np.float32).reshape(2, 2, 1, 1, 1))
    network, plans = Sum(), of(np.zeros((2, 2, 4, 1), np.float32))
    start = Start(history, network.remember(history))
    noise = Noise(*(of(np.full((2, 2, *size, 1, 1, 1), 9, np.float32)) for size in ((), (2,))))
    sampling = Sampling(FlowSampler(), chunk=2, initial_noise=0.0, renew_memory=True)
    made = list(rollout(network, start, PlanConditions(of(np.arange(1.0, 5.0)), plans), noise, sampling))
    assert [chunk.prediction[..., 0, 0, 0].tolist() for chunk in made] == [
        [[[4, 5]] * 2, [[31, 32]] * 2],
        [[[10, 11]] * 2, [[64, 65]] * 2],  # 4 + 5 + 1 ..: the age begins anew
    ]
    assert network.histories[1] == [[4, 5], [4, 5], [31, 32], [31, 32]]  # a history for each plan


def test_attention_written_out_is_causal_too():
    query, key, value = torch.randn(3, 2, 4, 5, 8)
    fused = attend(query, key, value, causal=True)
    written = attend(query.bfloat16(), key.bfloat16(), value.bfloat16(), causal=True)
    torch.testing.assert_close(written.float(), fused, rtol=0.05, atol=0.05)
    torch.testing.assert_close(fused[:, :, 0], value[:, :, 0])  # the first row has but itself


def test_one_frame_attends_to_itself_alone():
    block = ConditionedBlock(16, 2, 4, time_attention=True)
    x, condition, shared = torch.randn(1, 3, 5, 16), torch.randn(1, 3, 16), torch.randn(1, 3, 9 * 16)
    memory = block.memory_attention.project(torch.randn(1, 4, 16))
    together = block(x, condition, shared, memory, chunk=1)
    alone = block(x[:, 1:2], condition[:, 1:2], shared[:, 1:2], memory)
    torch.testing.assert_close(together[:, 1:2], alone)


@pytest.mark.parametrize("name", ["initial_noise", "history_noise"])
def test_levels_outside_0_to_1_are_refused(name):
    with pytest.raises(ValueError) as error:
        replace(ONE_PASS, **{name: 1.5})
    assert name in str(error.value) and "1.5" in str(error.value)
