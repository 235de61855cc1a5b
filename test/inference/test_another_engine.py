"""An engine of another package: one class, found by an entry point, on numpy alone."""

import subprocess
import sys

import numpy as np
import pytest
from installed_package import code_of, install

from astra_ros.inference import ENGINES, Conditioning, load_world_model
from astra_ros.plans.joint_plan import JointPlan
from astra_ros.ranking.imaginer import Imaginer, RankingSettings


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """The class of the docs page, as pip would leave it."""
    engines = {"astra_ros.engines": {"toy": "toy_engine:ToyEngine"}}
    monkeypatch.syspath_prepend(str(install(tmp_path, "toy_engine", code_of("add-an-engine.md"), engines)))
    yield
    sys.modules.pop("toy_engine", None)
    ENGINES._loaded.pop("toy", None)


def test_another_packages_engine_imagines_through_the_same_rollout_and_is_scored(installed):
    model = load_world_model("toy", "tiny")
    model.warmup(2, 3)
    card = model.card
    history = np.full((card.history, *card.image_size, 3), 51, np.uint8)  # 0.2
    space = card.action_spaces["panda_joints"]
    actions = np.zeros((2, 3, space.dim), np.float32)
    actions[1] = 0.5
    made = model.imagine(history, Conditioning("panda_joints", actions), seed=4)
    # The first frame is 0.2, a tenth of the first sample, and the action.
    first = made.latents[:, 0] - np.float32(0.2)
    np.testing.assert_allclose(first[1] - first[0], 0.5, atol=1e-6)
    torch = pytest.importorskip("torch")
    generator = torch.Generator("cpu").manual_seed(4)
    torch.randn(card.latent_shape, generator=generator)  # the history's
    np.testing.assert_allclose(first[0], 0.1 * torch.randn(card.latent_shape, generator=generator), atol=1e-6)
    assert made.uncertainty.tolist() == [[1.0] * 3] * 2
    np.testing.assert_allclose(made.outcomes["obstacle_contact"][1], 1 / (1 + np.exp(4.5)), rtol=1e-5)
    assert model.pictures(made.latents, history[-1], Conditioning("panda_joints", actions), 0).shape == (3, 64, 64, 3)
    assert not model.can_restyle

    rest = np.zeros((2, len(space.motion_names)))
    plans = [JointPlan(space.motion_names, np.array([0.0, 1.0]), rest + k, f"plan {k}") for k in (0, 1)]
    result = Imaginer(model, RankingSettings(horizon=4)).score(history, plans)
    assert result.names == ("plan 0", "plan 1") and all(0 <= score.score <= 1 for score in result.scores)
    # Its card says that the network tells where the object is; this engine does not.
    result = Imaginer(model, RankingSettings(horizon=4)).score(history, plans, goal_frame=history[-1])
    assert result.critic_input.goal_position is None and result.best is not None


def test_two_engines_start_from_the_same_noise(installed, monkeypatch):
    """What each network is given first, of the same seed."""
    seen = {}
    for backend in ("toy", "torch"):
        model = load_world_model(backend, "tiny")
        engine, given = model._engine, []
        real = engine.denoise
        monkeypatch.setattr(engine, "denoise", lambda noisy, *rest, real=real, given=given: (
            given.append(np.asarray(noisy)), real(noisy, *rest))[1])  # fmt: skip
        history = np.zeros((4, 64, 64, 3), np.uint8)
        dim = model.card.action_spaces["panda_joints"].dim
        model.imagine(history, Conditioning("panda_joints", np.zeros((3, 4, dim))), seed=7)
        seen[backend] = given
    assert len(seen["toy"]) == len(seen["torch"]) == 4
    for ours, theirs in zip(seen["toy"], seen["torch"]):
        np.testing.assert_array_equal(ours, theirs)
        assert ours.shape[:2] == (1, 1)  # and all plans of a request


def test_an_engine_without_torch_needs_no_torch(installed):
    program = (
        "import sys; sys.modules['torch'] = None\n"
        "from astra_ros.inference import load_world_model\n"
        "load_world_model('toy', 'tiny').warmup(1, 2)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env={"PYTHONPATH": ":".join(sys.path)}
    )
    assert done.returncode == 0, done.stderr
