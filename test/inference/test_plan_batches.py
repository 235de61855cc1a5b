"""Engines that run out of memory or fail: fewer plans at a time with the same results, or one clear error."""

import logging

import numpy as np
import pytest
import torch
from small_models import ARM, some_images, some_plans, write_random_model
from user_errors import refusal

from astra_ros.inference import Engine, ModelCard, ModelError, WorldModel, load_world_model, plan_batches, world_model
from astra_ros.inference.engine_failures import EngineSpent, NotEnoughMemory, is_out_of_memory
from astra_ros.inference.plan_batches import Batches, free_bytes
from astra_ros.plans.joint_plan import JointPlan
from astra_ros.ranking.imaginer import Imaginer, RankingSettings
from astra_ros.world_model.rollout import Denoised

# What was seen of torch on a CPU and of ONNX Runtime, and what torch documents of GPUs.
CPU_TEXT = (
    "[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: you tried to allocate 4 bytes"
)
ONNX_TEXT = "[ONNXRuntimeError] : 1 : FAIL : bfc_arena.cc:360 Failed to allocate memory for requested buffer of size 4"
SHORT = {
    "numpy": MemoryError("Unable to allocate 8.00 GiB"),
    "torch on a GPU": torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    "torch on a CPU": RuntimeError(CPU_TEXT),
    "ONNX Runtime": RuntimeError(ONNX_TEXT),
    "CUDA": RuntimeError("CUDA failure 2: out of memory ; GPU=0"),
}


class ToyEngine(Engine):
    """The next frame is the last one plus the mean of the action. Holds `most` plans and images at once."""

    device = "cpu"
    runs_on = "toy 1.0"
    most = 1000
    error: Exception = MemoryError()

    def __init__(self, card):
        self.shape, self.calls = card.latent_shape, []

    def _hold(self, count):
        self.calls.append(count)
        if count > self.most:
            raise self.error

    def array(self, values):
        return np.asarray(values, np.float32)

    numpy = array

    def encode(self, images):
        return np.repeat(images.mean((1, 2, 3))[:, None] / 255, np.prod(self.shape), 1).reshape(-1, *self.shape)

    def decode(self, latents):
        self._hold(len(latents))
        return np.full((len(latents), 32, 48, 3), latents.mean((1, 2, 3))[:, None, None, None], np.uint8)

    def condition(self, actions, space):
        return actions.mean(-1, keepdims=True)

    def remember(self, history):
        return history

    def denoise(self, noisy, time, frame, memory):
        self._hold(frame.condition.shape[1])
        prediction = frame.clean[:, :, None] + 0.1 * noisy + frame.condition[..., None, None]
        return Denoised(prediction, 0 * frame.condition, frame.condition)

    def outcomes(self, features):
        return {"obstacle_contact": features[..., 0] - 5}


@pytest.fixture(scope="module")
def card(tmp_path_factory):
    changes = dict(num_layers=1, drawing=False, reprojection=False, compositing=False)
    return ModelCard.read(write_random_model(tmp_path_factory.mktemp("model") / "one", **changes))


@pytest.fixture
def toy(card):
    engine = ToyEngine(card)
    return WorldModel(engine, card), engine


def imagined(model, plans):
    return model.imagine(some_images(3), plans, seed=3)


@pytest.mark.parametrize("error", SHORT.values(), ids=SHORT)
def test_what_memory_does_not_hold_at_once_is_imagined_in_parts(toy, card, error, caplog):
    model, engine = toy
    plans = some_plans(ARM, 11, 3)
    whole = imagined(model, plans)
    engine.most, engine.error, engine.calls = 3, error, []
    made = imagined(model, plans)
    np.testing.assert_array_equal(made.latents, whole.latents)
    np.testing.assert_array_equal(made.uncertainty, whole.uncertainty)
    np.testing.assert_array_equal(made.outcomes["obstacle_contact"], whole.outcomes["obstacle_contact"])
    # 11, 6 and then 3: three frames each of 3, 3, 3 and 2 plans
    assert engine.calls == [11, 6, *[3] * 9, *[2] * 3]
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2
    assert all("toy 1.0" in text for text in caplog.messages)
    assert "6 plans" in caplog.messages[-1] and "3 at a time" in caplog.messages[-1]
    engine.calls = []
    imagined(model, plans)
    assert engine.calls == [*[3] * 9, *[2] * 3] and len(caplog.records) == 2, "it is remembered, and said once"


def test_so_are_images(toy):
    model, engine = toy
    plans = some_plans(ARM, 2, 5)
    latents = np.random.default_rng(0).uniform(0, 255, (2, 5, *model.card.latent_shape)).astype(np.float32)
    whole = model.pictures(latents, some_images(1)[0], plans)
    engine.most = 4
    np.testing.assert_array_equal(model.pictures(latents, some_images(1)[0], plans), whole)
    np.testing.assert_array_equal(model.decode(latents[0]), whole[0])
    assert len(model.decode(latents[0][:0])) == 0


def test_torch_imagines_in_parts_what_it_imagines_at_once(card, monkeypatch):
    model = load_world_model("torch", card.path)
    plans = some_plans(ARM, 5, 3)
    whole, real = imagined(model, plans), model._engine.denoise

    def denoise(noisy, time, frame, memory):
        if frame.condition.shape[1] > 2:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return real(noisy, time, frame, memory)

    monkeypatch.setattr(model._engine, "denoise", denoise)
    np.testing.assert_allclose(imagined(model, plans).latents, whole.latents, atol=1e-5)


def test_one_plan_that_is_too_large_is_refused(toy):
    model, engine = toy
    engine.most = 0
    with refusal(NotEnoughMemory, "'toy 1.0'", 4, "plans", cure=["horizon"]):
        imagined(model, some_plans(ARM, 4, 2))
    engine.most = 1
    assert imagined(model, some_plans(ARM, 4, 2)).plans == 4, "and the model lives on"


@pytest.mark.parametrize("call", ["imagine", "encode", "decode", "pictures"])
def test_an_engine_that_fails_half_way_is_named_once_and_the_model_lives_on(toy, call, monkeypatch):
    model, engine = toy
    images, plans = some_images(3), some_plans(ARM, 2, 3)
    latents = imagined(model, plans).latents
    calls = {
        "imagine": lambda: imagined(model, plans),
        "encode": lambda: model.encode(some_images(2, seed=8)),
        "decode": lambda: model.decode(latents[0]),
        "pictures": lambda: model.pictures(latents, images[-1], plans),
    }
    part = {"imagine": "denoise", "encode": "encode"}.get(call, "decode")
    with monkeypatch.context() as patch:
        patch.setattr(engine, part, lambda *given: given[99])
        with refusal(ModelError, "'toy 1.0'", "IndexError", "test_plan_batches.py", cure=["backend"]):
            calls[call]()
    calls[call]()


def test_the_request_of_a_caller_stays_the_caller_s_error(toy):
    model, _ = toy
    with pytest.raises(ValueError):
        model.imagine(some_images(3)[:, :16], some_plans(ARM, 1, 1))
    with pytest.raises(ValueError):
        model.imagine(some_images(3), some_plans(ARM, 1, 1), stride=7)
    for shape in ((0, 4, ARM.dim), (4, 0, ARM.dim)):
        with pytest.raises(ValueError):
            type(some_plans(ARM, 1, 1))(ARM.name, np.zeros(shape))
    for horizon in (0, 100_000):
        with pytest.raises(ValueError):
            RankingSettings(horizon=horizon)


def test_what_is_not_about_memory_is_not_tried_again():
    tried = []

    def work(part):
        tried.append(part)
        raise RuntimeError("device-side assert triggered")

    with pytest.raises(RuntimeError):
        Batches("plans", "toy")(8, work)
    assert len(tried) == 1
    wrapped = ModelError("failed")
    wrapped.__cause__ = RuntimeError(ONNX_TEXT)
    assert is_out_of_memory(wrapped) and not is_out_of_memory(ModelError("no memory of it"))


def test_a_request_beyond_main_memory_is_refused_before_anything_is_drawn(toy, monkeypatch):
    model, engine = toy
    monkeypatch.setattr(plan_batches, "free_bytes", lambda: 10**9)
    plans = some_plans(ARM, 200, 256)  # of 4 x 4 x 6 numbers: 39 MB, for which nobody looks
    imaginer = Imaginer(model, RankingSettings(horizon=256))
    ends = [np.linspace([0.0, 0.0], [0.1 * k, 0.0], 2) for k in range(2)]
    two = [JointPlan(("a", "b"), np.array([0.0, 64.0]), end, f"plan {k}") for k, end in enumerate(ends)]
    assert imaginer.score(some_images(3), two).imagination.horizon == 256
    monkeypatch.setattr(plan_batches, "SMALL", 0)
    monkeypatch.setattr(plan_batches, "free_bytes", lambda: 39_000_000)
    with refusal(NotEnoughMemory, "'random'", 200, 256, "0.0 GB", cure=["horizon"]):
        imagined(model, plans)
    monkeypatch.setattr(plan_batches, "free_bytes", lambda: 1000)
    monkeypatch.setattr(imaginer, "plan_renders", None)
    with pytest.raises(NotEnoughMemory):
        imaginer.score(some_images(3), two)


def test_free_memory_is_the_machine_s_or_the_container_s(tmp_path):
    assert free_bytes(tmp_path) is None
    for folder in ("proc", "sys/fs/cgroup"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "proc/meminfo").write_text("MemTotal:  8000 kB\nMemAvailable:  4000 kB\nHugePages_Total: 0\n")
    assert free_bytes(tmp_path) == 4000 * 1024
    (tmp_path / "sys/fs/cgroup/memory.max").write_text("max\n")
    (tmp_path / "sys/fs/cgroup/memory.stat").write_text("anon 1000\nfile 9000\n")
    assert free_bytes(tmp_path) == 4000 * 1024
    (tmp_path / "sys/fs/cgroup/memory.max").write_text("3000\n")
    assert free_bytes(tmp_path) == 2000
    assert (free_bytes() or 1) > 0


@pytest.mark.parametrize("fails", [False, True], ids=["gives an older result", "raises"])
def test_openvino_that_was_short_of_memory_is_not_trusted_any_more(card, fails, monkeypatch):
    """With 60 MB of address space left, it gave tokens of the 4 plans before for 128, 64, ... and at last for 4."""
    model = load_world_model("openvino", card.path)
    engine, plans = model._engine, some_plans(ARM, 5, 2)
    imagined(model, plans)

    class Short:
        def __init__(self, request):
            self._request = request

        def __getattr__(self, name):
            return getattr(self._request, name)

        def infer(self, feed, **more):
            if fails:
                raise RuntimeError("Exception from infer_request.cpp:\nstd::bad_alloc")
            return {output: values[:, :2] for output, values in self._request.infer(feed, **more).items()}

    with monkeypatch.context() as patch:
        patch.setitem(engine._requests, "denoise", Short(engine._requests["denoise"]))
        with refusal(EngineSpent, "'openvino'", "'denoise'", cure=["anew", "backend"]):
            imagined(model, plans)
    with refusal(EngineSpent, "'openvino'", "'denoise'", cure=["anew"]):
        imagined(model, some_plans(ARM, 2, 2))
    assert imagined(load_world_model("openvino", card.path), plans).plans == 5


def test_results_that_memory_does_not_hold_are_refused(toy, monkeypatch):
    model, _ = toy

    def concatenated(arrays, axis):
        if axis == 0:  # of the parts
            raise MemoryError("Unable to allocate 6.00 MiB")
        return np.concatenate(arrays, axis)

    monkeypatch.setattr(world_model, "concatenated", concatenated)
    with refusal(NotEnoughMemory, "'toy 1.0'", "6.00 MiB", cure=["plans", "horizon"]):
        model.imagine(some_images(3), some_plans(ARM, 2, 2))
