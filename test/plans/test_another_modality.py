"""A modality of another package: one file, found by its entry point, goes all the way from plans to scores."""

import sys

import numpy as np
import pytest
from installed_package import install
from known_model import HISTORY, WHITE, KnownModel

from astra_ros.datasets.rosbag.import_settings import bag_spaces
from astra_ros.plans.action_spaces import ACTION_SPACES, action_space_class, action_space_from_dict
from astra_ros.plans.errors import StartError
from astra_ros.ranking.imaginer import Imaginer, ImaginerSettings
from astra_ros.ranking.prepare import NothingToImagine

# Rope lengths of a crane: a plan type of its own, with its own rest, start check and motion.
WINCH = """
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from astra_ros.plans.action_spaces import ActionSpace
from astra_ros.plans.errors import RobotUnknown, StartError


@dataclass(frozen=True)
class RopePlan:
    motion_names: tuple
    ends: np.ndarray = field(repr=False)
    name: str = "plan"
    duration_s: float = 1.0

    def motion(self, times_s, now=None):
        share = np.clip(np.asarray(times_s) / self.duration_s, 0.0, 1.0)[:, None]
        return now + share * (self.ends - now)

    def reordered(self, names):
        order = [self.motion_names.index(name) for name in names]
        return RopePlan(tuple(names), self.ends[order], self.name, self.duration_s)


@dataclass(frozen=True)
class WinchSpace(ActionSpace):
    length_std: tuple

    modality: ClassVar[str] = "winch"
    units: ClassVar[str] = "m of rope"
    plan: ClassVar[type] = RopePlan
    column_noun: ClassVar[str] = "ropes"
    acceleration_unit: ClassVar[str] = "m/s^2"
    bag_types: ClassVar[tuple] = (("std_msgs/msg/Float64",),)
    bag_motion: ClassVar[str] = "winch:RopeMotion"

    @property
    def dim(self):
        return len(self.motion_names)

    def _numbers(self, motion):
        return motion[..., 1:, :] / np.array(self.length_std)

    def accelerations(self, motion, dt_s):
        return np.diff(motion, n=2, axis=-2) / dt_s**2

    def begun_from(self, other, motion):
        return other - other[..., :1, :] + motion[..., :1, :]

    @staticmethod
    def rest(motion_names, now, seconds, name):
        return RopePlan(tuple(motion_names), np.array([now[each] for each in motion_names]), name, seconds)

    @staticmethod
    def distances(rows, times_s):
        return np.abs(rows - rows[0]).max(axis=1)

    @staticmethod
    def extents(rows):
        return np.ptp(rows, axis=0)

    def check_start(self, plan, robot, rules):
        if unknown := robot.unknown(self.motion_names):
            raise RobotUnknown("a rope's length is not known", thing=f"plan '{plan.name}'", cure="", joints=unknown)
        if min(robot.values[name] for name in self.motion_names) < rules.tolerance:
            raise StartError("a rope is wound up", thing=f"plan '{plan.name}'", limit=rules.tolerance)

    @classmethod
    def fit(cls, name, motion_names, motions):
        return cls(name, tuple(motion_names), tuple(np.concatenate(motions).std(axis=0)))


class RopeMotion:
    pass
"""
NOW = {"left": 1.0, "right": 1.0}


@pytest.fixture
def winch(tmp_path, monkeypatch):
    """The module, installed and not yet imported."""
    entry = {"astra_ros.action_spaces": {"winch": "winch:WinchSpace"}}
    monkeypatch.syspath_prepend(str(install(tmp_path, "winch", WINCH, entry)))
    monkeypatch.setattr(ACTION_SPACES, "_loaded", dict(ACTION_SPACES._loaded))
    yield lambda: sys.modules["winch"]
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
    return Imaginer(model, ImaginerSettings(horizon=2))


def test_a_model_card_brings_the_modality_in(winch):
    assert "winch" in ACTION_SPACES and "winch" not in sys.modules
    space = action_space_class("winch").fit("crane", ["left"], [np.array([[0.0], [2.0]])])
    assert space.length_std == (1.0,) and action_space_from_dict(space.to_dict()) == space
    np.testing.assert_array_equal(space.encode([[[0.0], [2.0], [3.0]]]), [[[2.0], [3.0]]])
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
