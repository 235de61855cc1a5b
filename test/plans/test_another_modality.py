"""The modality of the docs page, in a package of its own: from plans to scores, found by entry point."""

import sys

import numpy as np
import pytest
from installed_package import code_of, install
from known_model import HISTORY, WHITE, KnownModel

from astra_ros.datasets.rosbag.import_settings import bag_spaces
from astra_ros.plans.action_spaces import ACTION_SPACES, action_space_class, action_space_from_dict
from astra_ros.plans.errors import StartError
from astra_ros.ranking.imaginer import Imaginer, RankingSettings
from astra_ros.ranking.prepare import NothingToImagine

NOW = {"left": 1.0, "right": 1.0}


@pytest.fixture
def winch(tmp_path, monkeypatch):
    """The module, installed and not yet imported."""
    entry = {"astra_ros.action_spaces": {"winch": "winch:WinchSpace"}}
    monkeypatch.syspath_prepend(str(install(tmp_path, "winch", code_of("add-a-robot.md"), entry)))
    yield lambda: sys.modules["winch"]
    # This name alone: what the test imported beside it is registered once, by its import.
    ACTION_SPACES._loaded.pop("winch", None)
    sys.modules.pop("winch", None)


@pytest.fixture
def crane(winch):
    """An imaginer whose model knows one crane; its latent becomes the left rope's length."""
    model = KnownModel()
    space = action_space_from_dict(
        {"modality": "winch", "name": "crane", "motion_names": ["left", "right"], "length_std": [2.0, 2.0]}
    )
    model.card.action_spaces = {"crane": space}
    model.card.outcomes = {"crane": ("obstacle_contact",)}
    return Imaginer(model, RankingSettings(horizon=2))


def test_a_model_card_brings_the_modality_in(winch, monkeypatch):
    assert "winch" in ACTION_SPACES and "winch" not in sys.modules
    space = action_space_class("winch").fit("crane", ["left"], [np.array([[0.0], [2.0]])])
    assert space.length_std == (1.0,) and action_space_from_dict(space.to_dict()) == space
    np.testing.assert_array_equal(space.encode([[[0.0], [2.0], [3.0]]]), [[[2.0], [3.0]]])
    assert list(bag_spaces()) == ["joints", "twist", "camera"]
    monkeypatch.setattr(action_space_class("winch"), "bag_types", (("std_msgs/msg/Float64",),))
    assert list(bag_spaces()) == ["joints", "twist", "winch", "camera"]


def test_plans_are_prepared_imagined_and_scored(crane, winch):
    plan = winch().RopePlan
    plans = [
        plan(("left", "right"), np.array([1.0, 1.0]), "stay"),
        plan(("right", "left"), np.array([0.5, 2.0]), "lower"),
    ]
    result = crane.score(HISTORY, plans, NOW, goal_frame=WHITE)
    # Times 0, 0.5 and 1 s; lengths in the model's order, from where the ropes are.
    np.testing.assert_allclose(result.prepared.motion[1], [[1.0, 1.0], [1.5, 0.75], [2.0, 0.5]])
    # White is 1: the latent of the second plan becomes 2 m / 2.
    assert result.best == 1 and result.scores[1].critics["goal"].cost == pytest.approx(0.0)
    assert any("0.00 m/s^2 RMS" in reason for reason in result.scores[0].reasons)
    assert "progress" not in result.scores[0].critics and not result.undrawn


def test_rest_is_a_plan_like_others(crane, winch):
    rest = action_space_class("winch").rest(("left", "right"), NOW, 1.0, "hold")
    motion = crane.prepare([rest], NOW).motion
    np.testing.assert_array_equal(motion, np.ones((1, 3, 2)))


def test_the_start_is_checked_by_the_modality(crane, winch):
    plan = winch().RopePlan(("left", "right"), np.array([1.0, 1.0]), "p")
    with pytest.raises(NothingToImagine) as error:
        crane.prepare([plan], {"left": 1.0})
    assert error.value.unknown_joints == ("right",)
    with pytest.raises(NothingToImagine) as error:
        crane.prepare([plan], {"left": 0.01, "right": 1.0})
    assert "wound up" in error.value.refused["p"].problem
    with pytest.raises(StartError):
        crane.prepare.check_start(plan, {"left": 0.01, "right": 1.0})
    with pytest.raises(NothingToImagine) as error:
        crane.prepare([winch().RopePlan(("left", "middle"), np.array([1.0, 1.0]), "p")], NOW)
    reason = error.value.refused["p"]
    assert reason.known == ("crane",) and "ropes left, middle" in reason.problem
