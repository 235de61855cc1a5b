"""A frame is encoded once, and what is read of an imagination leaves the device once."""

import numpy as np
import pytest

from astra_ros.inference import Conditioning, load_world_model
from astra_ros.inference import frame_latents as module
from astra_ros.inference.frame_latents import FrameLatents


class CountingEngine:
    """The latent of a frame is its mean."""

    def __init__(self):
        self.asked = []

    def encode(self, images):
        self.asked.append(len(images))
        return images.mean(axis=(1, 2, 3), dtype=np.float32)[:, None, None, None]


def frames(*values):
    return np.stack([np.full((2, 2, 3), value, np.uint8) for value in values])


def test_only_frames_that_are_not_known_are_encoded():
    engine = CountingEngine()
    latents = FrameLatents(engine)
    assert latents(frames(1, 2, 1, 3)).ravel().tolist() == [1, 2, 1, 3] and engine.asked == [3]
    assert latents(frames(3, 4)).ravel().tolist() == [3, 4] and engine.asked == [3, 1]
    assert latents(frames(4, 1)).ravel().tolist() == [4, 1] and engine.asked == [3, 1]


def test_as_many_are_kept_as_are_used_and_no_more(monkeypatch):
    monkeypatch.setattr(module, "KEPT", 3)
    engine = CountingEngine()
    latents = FrameLatents(engine)
    assert latents(frames(*range(5))).ravel().tolist() == [0, 1, 2, 3, 4] and engine.asked == [5]
    assert latents(frames(2)).shape == (1, 1, 1, 1) and len(latents._kept) == 3
    latents(frames(5))  # 3 is the one that was not used for longest
    assert latents(frames(2, 4, 5)).ravel().tolist() == [2, 4, 5] and engine.asked == [5, 1]
    latents(frames(3))
    assert engine.asked == [5, 1, 1]


@pytest.fixture
def counted(monkeypatch):
    """A model, and its engine's calls: how many frames are encoded, and how many arrays are read from the device."""
    pytest.importorskip("torch")
    model = load_world_model("torch", "tiny")
    engine, calls = model._engine, {"encode": [], "numpy": []}
    for name, seen in calls.items():
        real = getattr(engine, name)
        monkeypatch.setattr(engine, name, lambda x, real=real, seen=seen: (seen.append(len(x)), real(x))[1])
    return model, calls


def test_a_request_encodes_its_new_frames_and_reads_once(counted):
    model, calls = counted
    history = np.random.default_rng(0).integers(0, 256, (5, *model.card.image_size, 3), dtype=np.uint8)
    dim = model.card.action_spaces["panda_joints"].dim
    actions = np.random.default_rng(1).normal(size=(2, 3, dim))
    model.imagine(history[:4], Conditioning("panda_joints", actions[:, :1]), seed=5)
    one_frame = len(calls["numpy"])
    made = model.imagine(history[1:], Conditioning("panda_joints", actions), seed=5)
    assert calls["encode"] == [4, 1], "the second request has one new frame"
    assert len(calls["numpy"]) == 2 * one_frame, "not once for every frame"
    fresh = load_world_model("torch", "tiny").imagine(history[1:], Conditioning("panda_joints", actions), seed=5)
    np.testing.assert_allclose(made.latents, fresh.latents, atol=1e-5)
    assert made.outcomes.keys() == fresh.outcomes.keys() == set(model.card.outcomes["panda_joints"])
    for name, values in fresh.outcomes.items():
        np.testing.assert_allclose(made.outcomes[name], values, atol=1e-4)


def test_latents_that_were_returned_may_be_changed(counted):
    model, _ = counted
    frame = np.full((1, *model.card.image_size, 3), 9, np.uint8)
    first = model.encode(frame)
    kept = first.copy()
    first[:] = 7.0
    np.testing.assert_array_equal(model.encode(frame), kept)
