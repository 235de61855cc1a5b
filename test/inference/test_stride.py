"""Plans imagined at a stride: which frames, by what, and that every engine and the training mean the same by it."""

import numpy as np
import pytest
import torch
from small_models import ARM, BASE, some_images, some_plans, write_random_model
from user_errors import fault

from astra_ros.inference import ModelCard, load_world_model
from astra_ros.inference.imagination import Imagination
from astra_ros.inference.torch_engine import load_network
from astra_ros.training import losses
from astra_ros.training.clips import Clip
from astra_ros.world_model.denoiser import OutcomeHeads
from astra_ros.world_model.rollout import PlanConditions, coarse_frames

HISTORY, H = 3, 8


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    changes = dict(time_attention=True, chunk=8, initial_noise=0.0, history_noise=0.0, strides=(1, 3, 4))
    return write_random_model(tmp_path_factory.mktemp("model") / "strided", **changes)


@pytest.fixture(scope="module")
def model(directory):
    return load_world_model("torch", directory)


@pytest.mark.parametrize("horizon, stride, kept", [(16, 4, [4, 8, 12, 16]), (10, 4, [4, 8, 10]), (3, 8, [3]),
                                                   (3, 1, [1, 2, 3])])  # fmt: skip
def test_every_so_many_th_frame_and_the_last(horizon, stride, kept):
    assert coarse_frames(horizon, stride) == kept


@pytest.mark.parametrize("of", [np.asarray, torch.from_numpy], ids=["numpy", "torch"])
def test_a_coarse_frame_is_conditioned_by_all_steps_since_the_one_before(of):
    condition = np.arange(1.0, 6.0).reshape(1, 1, 5, 1)
    made = PlanConditions(of(np.arange(1.0, 6.0)), of(condition)).at([2, 4, 5])
    assert made.age.tolist() == [2, 4, 5] and made.condition.ravel().tolist() == [1.5, 3.5, 5.0]


def test_what_is_imagined_stands_for_the_interval_that_ends_there():
    values = np.arange(1.0, 4.0)[None]
    made = Imagination(values[..., None, None, None], values, {"obstacle_contact": values / 10}).spread([3, 6, 7], 3)
    assert made.latents[0, :, 0, 0, 0].tolist() == [1, 1, 1, 2, 2, 2, 3]
    assert made.uncertainty.tolist() == [[1, 1, 1, 2, 2, 2, 3]]
    assert made.imagined_steps.tolist() == [7] and made.strides.tolist() == [3]
    assert made.outcomes["obstacle_contact"][0, ::3] == pytest.approx([0.1, 0.2, 0.3])


@pytest.mark.parametrize("space, how", [(ARM, dict(renders=True)), (BASE, dict(moving=True)), (ARM, {})])
def test_steps_between_and_before_count_and_later_ones_do_not(model, space, how):
    images, plans = some_images(HISTORY), some_plans(space, 2, H, **how)
    made = model.imagine(images, plans, stride=4).latents
    assert made.shape[:2] == (2, H) and (made[:, :4] == made[:, 3:4]).all() and (made[:, 4:] == made[:, 7:]).all()
    assert np.abs(made[:, 3] - made[:, 7]).max() > 1e-3
    assert np.abs(made - model.imagine(images, plans).latents).max() > 1e-3
    # The action of step 6 belongs to the second coarse frame and to no other.
    plans.actions[1, 5] += 3
    again = model.imagine(images, plans, stride=4).latents
    np.testing.assert_allclose(again[:, 3], made[:, 3], atol=1e-5)
    np.testing.assert_allclose(again[0, 7], made[0, 7], atol=1e-5)
    assert np.abs(again[1, 7] - made[1, 7]).max() > 1e-3
    # A plan that ends with the first interval imagines that.
    cut = model.imagine(images, plans.cut(4), stride=4).latents
    np.testing.assert_allclose(cut[:, 3], made[:, 3], atol=1e-5)


def test_exported_engines_imagine_the_same(directory, model):
    images = some_images(HISTORY)
    for name in ("onnx", "openvino"):
        other = load_world_model(name, directory)
        for plans in (some_plans(ARM, 3, 7, renders=True), some_plans(BASE, 2, 5, moving=True)):
            ours, theirs = (each.imagine(images, plans, seed=2, stride=3) for each in (other, model))
            np.testing.assert_allclose(ours.latents, theirs.latents, atol=1e-4, rtol=1e-4)
            for key, values in theirs.outcomes.items():
                np.testing.assert_allclose(ours.outcomes[key], values, atol=1e-4, rtol=1e-4)


def test_a_stride_that_was_not_trained_is_refused(model):
    with fault(ValueError, "stride 2", "1, 3, 4"):
        model.imagine(some_images(HISTORY), some_plans(ARM, 1, 4), stride=2)


@pytest.mark.parametrize("changes", [dict(strides=(2, 4)), dict(strides=(1, 0)), dict(strides=(1, 4))])
def test_strides_need_1_and_a_pass_over_all_frames(changes, tmp_path):
    changes = {"time_attention": changes["strides"] != (1, 4), **changes}
    with fault(ValueError, "strides", str(changes["strides"])):
        write_random_model(tmp_path, **changes)


def clip_of(network, latents):
    sizes = {name: OutcomeHeads.SIZES[name] for name in network.config.outcomes}
    outcomes = {name: torch.zeros(1, H, size).squeeze(-1) for name, size in sizes.items()}
    return Clip(latents, torch.randn(1, H, 4), torch.zeros(1, dtype=torch.long), outcomes)


def test_an_event_counts_in_its_whole_interval():
    class Network:
        config = type("Config", (), {"outcomes": ("obstacle_contact", "off_road", "tool_position")})

    clip = clip_of(Network, torch.zeros(1, 3 + H, 1, 1, 1))
    clip.outcomes["obstacle_contact"][0, 5] = 1
    clip.outcomes["off_road"][0, :5] = torch.nan
    clip.outcomes["tool_position"][0] = torch.arange(1.0, H + 1)[:, None]
    made = losses.coarse_labels(clip, 4).outcomes
    assert made["obstacle_contact"].tolist() == [[0, 1]]
    assert made["off_road"].isnan().tolist() == [[True, False]]  # 4 unknown steps, then one unknown and three known
    assert made["tool_position"][0, :, 0].tolist() == [4, 8]


def test_training_asks_what_imagining_asks(directory, monkeypatch):
    """The frames, ages and conditions of a clip at a stride are those of its plan at that stride."""
    network = load_network(ModelCard.read(directory)).eval()
    monkeypatch.setattr(losses, "ACTION_DROPPED", 0.0)
    clip = clip_of(network, torch.randn(1, HISTORY + H, *network.config.latent_shape))
    made = losses.prepare(network, clip, torch.Generator().manual_seed(0), 0.0, stride=3)
    every = PlanConditions(torch.arange(1.0, H + 1), network.action_encoder(clip.actions, 0)[:, None])
    coarse = every.at([3, 6, 8])
    torch.testing.assert_close(made.condition, coarse.condition[:, 0])
    assert made.age.tolist() == [3, 6, 8]
    torch.testing.assert_close(made.target, clip.latents[:, HISTORY:][:, [2, 5, 7]])
    loss, parts = losses.one_step_loss(network, clip, torch.Generator().manual_seed(0), stride=3)
    assert loss.isfinite() and parts["latent"] > 0


def test_cells_that_change_weigh_more(directory):
    network = load_network(ModelCard.read(directory)).eval()
    latents = torch.zeros(1, HISTORY + H, *network.config.latent_shape)
    latents[:, -1, :, 1, 2] = 3 * losses.MOVED
    clip = clip_of(network, latents)
    ready = losses.prepare(network, clip, torch.Generator().manual_seed(0), 0.0)
    moved = ready.moved
    assert moved.shape == (1, H, *network.config.latent_shape[1:])
    assert moved.sum() == 1 and moved[0, -1, 1, 2] == 1
    weights = losses._cell_weights(ready, clip, losses.LossWeights(moved=5.0))
    assert weights[0, -1, 1, 2] == 6 and weights.sum() == weights.numel() + 5
