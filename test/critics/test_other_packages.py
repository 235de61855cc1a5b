"""Critics that are not in this package: an installed one, the one of the docs page, and broken ones."""

import importlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from installed_package import install

from astra_ros.critics import CRITICS, DEFAULT_CRITICS, Critic, CriticError, CriticInput, CriticResult, load_critic
from astra_ros.critics.scoring import score_plans
from astra_ros.inference.imagination import Imagination
from astra_ros.plans.action_spaces.joints import JointSpace
from astra_ros.registry import LoadError, UnknownName

ROOT = Path(__file__).resolve().parents[2]
ONE_JOINT = JointSpace("one", ("x",), (0.0,), (1.0,), (1.0,))


def make_input(positions, **outcomes):
    """K plans of one joint, [K, H + 1]."""
    motion = np.array(positions, float)[..., None]
    plans, horizon = motion.shape[0], motion.shape[1] - 1
    made = Imagination(np.zeros((plans, horizon, 1, 1, 1)), np.zeros((plans, horizon)), outcomes)
    return CriticInput(made, motion, ONE_JOINT, 0.5, np.zeros((1, 1, 1)))


@pytest.fixture
def registry():
    """Forgets afterwards which classes a test loaded."""
    loaded = dict(CRITICS._loaded)
    yield CRITICS
    CRITICS._loaded.clear()
    CRITICS._loaded.update(loaded)


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The folder into which pip installed the example package."""
    folder = tmp_path_factory.mktemp("site")
    source = tmp_path_factory.mktemp("source") / "example"
    shutil.copytree(ROOT / "examples" / "astra_ros_path_length_critic", source)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "--target", str(folder), str(source)], check=True, timeout=240)
    return folder


@pytest.fixture
def on_path(installed, registry, monkeypatch):
    monkeypatch.syspath_prepend(str(installed))
    importlib.invalidate_caches()
    yield
    sys.modules.pop("astra_ros_path_length_critic", None)


def test_an_installed_critic_is_found_by_name_and_scores(on_path):
    assert list(CRITICS)[: len(DEFAULT_CRITICS)] == list(DEFAULT_CRITICS) and "path_length" in CRITICS
    critic = load_critic("path_length")()
    # Three ways to 1: straight, with a detour of 2 there and back, and standing still.
    scored = score_plans("abc", make_input([[0, 0.5, 1], [0, 3, 1], [0, 0, 0]]), [critic])
    # Lengths 1, 5 and 0 over the scale of 3, a tenth of it counts.
    assert [score.critics["path_length"].raw for score in scored.scores] == [1.0, 5.0, 0.0]
    np.testing.assert_allclose([score.score for score in scored.scores], np.exp([-1 / 30, -5 / 30, 0.0]))
    assert scored.scores[1].reasons == ("path_length: joints travel 5.00 rad",)


def test_an_installed_critic_is_loaded_and_set_by_parameters(on_path):
    rclpy = pytest.importorskip("rclpy")
    from rclpy.node import Node
    from rclpy.parameter import Parameter

    from astra_ros.nodes.imagine.parameters import ImagineParameters

    context = rclpy.Context()
    rclpy.init(args=[], context=context)
    given = {"critics": ["path_length", "collision"], "path_length.scale": 1.0}
    overrides = [Parameter(name, value=value) for name, value in given.items()]
    node = Node("imagine", context=context, parameter_overrides=overrides)
    try:
        parameters = ImagineParameters(node)
        assert parameters.unusable_critics == "" and list(parameters().critics) == ["path_length", "collision"]
        assert node.describe_parameter("path_length.scale").floating_point_range[0].to_value == 1000.0
        assert not node.has_parameter("goal.weight")
        critic = load_critic("path_length")(parameters().critics["path_length"])
        (score,) = score_plans("a", make_input([[0, 1, 2]]), [critic]).scores
        assert score.score == pytest.approx(np.exp(-0.2))
        refused = node.set_parameters([Parameter("path_length.scale", value=-1.0)])[0]
        assert not refused.successful and "path_length.scale" in refused.reason
        unknown = Node(
            "second",
            context=context,
            parameter_overrides=[Parameter("critics", value=["goal", "charm", "path_length"])],
        )
        parameters = ImagineParameters(unknown)
        assert list(parameters().critics) == ["goal", "path_length"]
        assert all(name in parameters.unusable_critics for name in ("'charm'", *DEFAULT_CRITICS, "path_length"))
        unknown.destroy_node()
    finally:
        node.destroy_node()
        context.shutdown()


def test_the_critic_of_the_docs_page_runs(registry):
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "add-a-critic.md").read_text(), re.DOTALL)
    names = {}
    exec(compile(code, "add-a-critic.md", "exec"), names)
    registry.register("tool_height", names["ToolHeightCritic"])
    critic = load_critic("tool_height")()
    tool = np.array([[[0, 0, 0.3], [0, 0, 0.2]], [[0, 0, 0.3], [0, 0, 0.04]]])
    inp = make_input([[0, 0, 0]] * 2, tool_position=tool)
    high, low = score_plans(["high", "low"], inp, [critic]).scores
    assert (high.verdict, low.verdict) == ("accepted", "vetoed")
    assert low.reasons == ("tool_height: the tool comes down to 0.04 m",)
    blind = score_plans(["one"], make_input([[0, 0, 0]]), [critic])
    assert blind.missing == {"tool_height": "the model does not imagine the tool's position"}


def test_an_unknown_critic_names_the_known_ones():
    with pytest.raises(UnknownName) as error:
        load_critic("charm")
    assert error.value.name == "charm" and error.value.known[: len(DEFAULT_CRITICS)] == list(DEFAULT_CRITICS)


MODULES = {
    "absent": "raise ImportError('physics is not installed')",
    "raising": "1 / 0",
    "function": "def Named(): pass",
    "nameless": "from astra_ros.critics import Critic\nclass Named(Critic):\n    name = 'other'",
    "unset": "from astra_ros.critics import Critic\nclass Named(Critic):\n    name = 'unset'\n    settings_class = int",
    "demanding": "from astra_ros.critics import Critic\nfrom dataclasses import make_dataclass\n"
    "class Named(Critic):\n    name = 'demanding'\n    settings_class = make_dataclass('Demanding', ['x'])",
}


@pytest.mark.parametrize(
    "name, kind",
    [
        ("absent", LoadError),
        ("raising", LoadError),
        ("function", CriticError),
        ("nameless", CriticError),
        ("unset", CriticError),
        ("demanding", CriticError),
    ],
)
def test_a_package_whose_critic_cannot_be_loaded_is_named(name, kind, registry, tmp_path, monkeypatch):
    install(tmp_path, f"{name}_critic", MODULES[name], {"astra_ros.critics": {name: f"{name}_critic:Named"}})
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(kind) as error:
        load_critic(name)
    assert name in str(error.value)


class Broken(Critic):
    name = "broken"
    role = "collision"  # which another critic fills

    def __init__(self, fault, must_score=False):
        super().__init__()
        self.fault, self.must_score = fault, must_score

    def score(self, inp):
        if self.fault == "raises":
            raise RuntimeError("no gravity")
        return CriticResult([0.0], [0.0], ("one plan only",))


@pytest.mark.parametrize("fault, word", [("raises", "no gravity"), ("too few", "1 results for 2 plans")])
def test_a_critic_that_fails_is_named_and_the_others_score(fault, word):
    inp = make_input([[0, 0, 0], [0, 1, 0]], obstacle_contact=np.zeros((2, 2)))
    collision = load_critic("collision")()
    scored = score_plans("ab", inp, [Broken(fault), collision])
    assert [score.verdict for score in scored.scores] == ["accepted", "accepted"]
    assert list(scored.missing) == ["broken"] and word in scored.missing["broken"]
    assert "line " in scored.missing["broken"], "its author finds the place"
    # Nothing is handed on where it was not to be done without.
    scored = score_plans("ab", inp, [Broken(fault, must_score=True), collision])
    assert {score.verdict for score in scored.scores} == {"vetoed"} and word in scored.scores[0].reasons[0]
