"""Plans that break a hard limit are vetoed by their numbers and not imagined; the others are."""

import numpy as np
import pytest
from known_model import HISTORY, KnownModel, plan

from astra_ros.plans.action_spaces.twist import TwistSpace
from astra_ros.plans.errors import Breach
from astra_ros.plans.limits import JointLimits, LimitSettings
from astra_ros.plans.start import RobotNow
from astra_ros.plans.velocity_plan import VelocityPlan
from astra_ros.ranking.imaginer import Imaginer, RankingSettings
from astra_ros.ranking.prepare import NothingToImagine, PlanPreparer, PlanSettings
from astra_ros.ranking.vetoes import vetoed_by_numbers

NOW = RobotNow({"a": 0.0, "b": 0.0}, limits={"a": JointLimits(-1.0, 1.0, 2.0)})
PLANS = [plan("s/0", 0.5), plan("s/1", 3.0), plan("s/2", 0.9, end_s=0.2), plan("s/3", -0.5)]


def imaginer(**limits):
    return Imaginer(KnownModel(), RankingSettings(horizon=2, limits=LimitSettings(**limits)))


def test_plans_that_break_limits_are_not_imagined_and_the_others_are():
    made = imaginer()
    result = made.score(HISTORY, PLANS, NOW)
    assert result.names == ("s/0", "s/3") and made.model.asked[-1][0][0] == 2, "two plans went to the model"
    too_far, too_fast = vetoed_by_numbers(result.prepared.refused, len(result.scores))
    assert (too_far.name, too_far.rank, too_far.score, too_far.verdict) == ("s/1", 2, 0.0, "vetoed")
    assert too_far.breach == Breach("position", "a", 1.0, 3.0, 1.0, "rad") and too_far.critics == {}
    assert (too_fast.name, too_fast.rank) == ("s/2", 3)
    assert too_fast.breach.kind == "velocity" and too_fast.breach.value == pytest.approx(4.5)
    for part in ("numbers", "a", "3 rad", "1.00 s", "upper limit of 1"):
        assert part in too_far.reasons[0]


def test_one_parameter_switches_the_check_off():
    assert imaginer(enabled=False).score(HISTORY, PLANS, NOW).names == ("s/0", "s/1", "s/2", "s/3")


def test_nothing_is_checked_where_nothing_is_known():
    assert len(imaginer().score(HISTORY, PLANS, RobotNow({"a": 0.0, "b": 0.0})).names) == 4
    assert len(imaginer().score(HISTORY, PLANS).names) == 4


def test_a_plan_that_starts_elsewhere_is_vetoed_too():
    with pytest.raises(NothingToImagine) as caught:
        imaginer().score(HISTORY, PLANS[:1], RobotNow({"a": 0.8, "b": 0.0}))
    (score,) = vetoed_by_numbers(caught.value.refused, 0)
    assert score.breach == Breach("start", "a", 0.0, 0.8, 0.1)


def test_the_whole_plan_is_checked_also_what_is_not_imagined():
    made = PlanPreparer("known", KnownModel().card.action_spaces, 0.5, PlanSettings(horizon=1, partial_plans=True))
    with pytest.raises(NothingToImagine) as caught:
        made([plan("s/0", 3.0, end_s=2.0)], NOW)
    assert caught.value.refused["s/0"].breach.time_s == 2.0


def test_plans_of_bases_are_checked_against_the_settings():
    space = TwistSpace("base", ("linear.x", "angular.z"), velocity_std=(0.5, 1.0), change_std=(0.1, 0.2))
    settings = PlanSettings(horizon=2, limits=LimitSettings(speed=1.0))
    made = PlanPreparer("model", {"base": space}, 0.5, settings)
    plans = [
        VelocityPlan(("angular.z", "linear.x"), 0.5, np.array([[0.0, speed]]), f"s/{speed}") for speed in (1.0, 2.0)
    ]
    prepared = made(plans)
    assert [each.name for each in prepared.plans] == ["s/1.0"]
    (vetoed,) = vetoed_by_numbers(prepared.refused, 1)
    assert vetoed.breach == Breach("speed", "linear.x", 0.0, 2.0, 1.0, "m/s")
