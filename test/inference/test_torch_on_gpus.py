"""What can be said of torch on GPUs without one: no step of a rollout waits for the device, and float32 is float32."""

import pytest
import torch
from small_models import ARM, BASE, some_images, some_plans, write_random_model
from torch.utils._python_dispatch import TorchDispatchMode

from astra_ros.inference import load_world_model, torch_engine, world_model
from astra_ros.world_model.rollout import repeated

# Operations that read a tensor's values on the host, or make a tensor of the host's values: a GPU is waited for.
WAITS = {"_local_scalar_dense", "nonzero", "masked_select", "lift_fresh", "is_nonzero", "equal", "unique"}


class Watch(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.calls, self.waits = 0, []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.overloadpacket.__name__
        self.calls += 1
        self.waits += [name] * (name in WAITS)
        return func(*args, **(kwargs or {}))


def test_the_watch_sees_what_waits():
    x = torch.ones(1, 2)
    for waits in (lambda: x[[0, 0]], lambda: x.sum().item(), lambda: x.new_tensor([1.0]), lambda: bool((x > 0).all())):
        with Watch() as watch:
            waits()
        assert watch.waits
    with Watch() as watch:
        assert repeated(x, 3, 0).shape == (3, 2)
    assert watch.calls and not watch.waits


@pytest.mark.parametrize("network", [{}, {"time_attention": True, "chunk": 2}], ids=["frame by frame", "one pass"])
def test_no_step_of_a_rollout_waits_for_the_device(tmp_path, monkeypatch, network):
    model = load_world_model("torch", write_random_model(tmp_path / "model", **network))
    real, watches = world_model.rollout, []

    def watched(*given):
        with Watch() as watch:  # from the first pass to the outcomes of the last
            yield from real(*given)
        watches.append(watch)

    monkeypatch.setattr(world_model, "rollout", watched)
    for plans in (some_plans(ARM, 3, 5, renders=True), some_plans(BASE, 3, 5, moving=True)):
        model.imagine(some_images(3), plans, steps=2)
    assert [watch.waits for watch in watches] == [[], []] and watches[0].calls > 100


@pytest.fixture
def tf32():
    """Torch's switches, as they were before."""
    switches = torch.backends.cudnn, torch.backends.cuda.matmul
    before = [each.allow_tf32 for each in switches]
    for each in switches:
        each.allow_tf32 = True
    yield switches
    for each, value in zip(switches, before):
        each.allow_tf32 = value


def test_a_gpu_computes_float32_without_tf32(tf32, monkeypatch, tmp_path):
    """Torch's default for convolutions is TF32: engines would differ by more than the parity that `auto` demands."""
    model = write_random_model(tmp_path / "model", num_layers=1)
    load_world_model("torch", model)
    assert all(each.allow_tf32 for each in tf32), "on a CPU nothing is switched"

    class Gpu:
        type = "cuda"

    monkeypatch.setattr(torch_engine, "usable_device", lambda device: Gpu())
    with pytest.raises(TypeError):  # the network cannot go there
        load_world_model("torch", model, "cuda")
    assert not any(each.allow_tf32 for each in tf32)
