"""Better plans around the best candidates: with scores by arithmetic, and bent motions of a real arm's description."""

from types import SimpleNamespace

import numpy as np
import pytest

from astra_ros.agents.loop import Choice, Moment
from astra_ros.agents.plan_improvement import ByImprovement, ImprovementSettings
from astra_ros.critics.scoring import ACCEPTED, VETOED
from astra_ros.plans.joint_plan import JointPlan
from astra_ros.settings import SettingError

MOMENT = Moment(3, 0.0, np.zeros((1, 2, 2, 3), np.uint8))
BEST = np.array([0.3, -0.2])


def plan(name, end):
    return JointPlan(("a", "b"), np.array([0.0, 1.0]), np.array([[0.0, 0.0], end]), name)


class Scorer:
    """The nearer a plan ends to BEST, the better; joint a beyond 0.35 is vetoed, however good. Each look takes 1 s."""

    def __init__(self):
        self.seconds, self.asked = 0.0, []

    def __call__(self, moment, plans):
        self.seconds += 1.0
        self.asked.append([each.name for each in plans])
        scores = [float(np.exp(-np.abs(each.positions[-1] - BEST).sum())) for each in plans]
        vetoed = [each.positions[-1, 0] > 0.35 for each in plans]
        order = sorted(range(len(plans)), key=lambda k: (vetoed[k], -scores[k]))
        made = [
            SimpleNamespace(name=each.name, score=scores[k] + vetoed[k], rank=order.index(k),
                            verdict=VETOED if vetoed[k] else ACCEPTED)
            for k, each in enumerate(plans)
        ]  # fmt: skip
        result = SimpleNamespace(scores=made, names=tuple(each.name for each in plans))
        return Choice(None if vetoed[order[0]] else order[0], result)

    def clock(self):
        return self.seconds


def vary(around, change, name):
    return plan(name, around.positions[-1] + change[-1])


def improved(settings, seed=0, vary=vary, candidates=None):
    scorer = Scorer()
    candidates = candidates or [plan("far", (-0.5, 0.5)), plan("near", (0.1, 0.0)), plan("beyond", (0.36, -0.2))]
    choose = ByImprovement(scorer, vary, settings, seed, scorer.clock)
    choice = choose(MOMENT, candidates)
    return choose, choice, [*candidates, *choice.made], scorer


def score_of(choice, plans):
    return {each.name: each.score for each in choice.result.scores}[plans[choice.index].name]


def test_plans_get_better_and_a_seed_repeats_them():
    settings = ImprovementSettings(seconds=10.0, samples=6, spread=0.1, bends=2)
    choose, choice, plans, scorer = improved(settings)
    assert choose.rounds == 10 and len(scorer.asked) == 11
    assert len(choice.made) == 1 and choice.index == 3 and plans[3].name.startswith("near~")
    assert score_of(choice, plans) - np.exp(-0.4) == pytest.approx(choose.gain) and choose.gain > 0.2
    assert np.abs(plans[3].positions[-1] - BEST).max() < 0.05
    again = improved(settings)[2][3]
    np.testing.assert_array_equal(again.positions, plans[3].positions)
    assert not np.array_equal(improved(settings, seed=1)[2][3].positions, plans[3].positions)
    names = [name for names in scorer.asked for name in names]
    assert len(set(names)) == len(names)


def test_what_is_vetoed_is_nothing_to_go_on_from():
    choose, choice, plans, scorer = improved(ImprovementSettings(seconds=5.0, spread=0.1))
    assert not any(name.startswith("beyond~") for name in sum(scorer.asked, []))
    assert plans[choice.index].positions[-1, 0] <= 0.35
    choose, choice, *_ = improved(ImprovementSettings(seconds=5.0), candidates=[plan("beyond", (0.5, 0.0))])
    assert choice.index is None and choose.rounds == 0 and choice.made == ()


def test_the_best_candidate_stays_where_nothing_is_better():
    at_best = [plan("far", (-0.5, 0.5)), plan("there", BEST)]
    choose, choice, plans, _ = improved(ImprovementSettings(seconds=3.0), candidates=at_best)
    assert choose.rounds == 3 and choice.index == 1 and choice.made == () and choose.gain == 0.0
    # No sample can be executed: the time is spent, and the candidate stays.
    choose, choice, plans, scorer = improved(ImprovementSettings(seconds=3.0), vary=lambda *_: None)
    assert plans[choice.index].name == "near" and len(scorer.asked) == 1


@pytest.mark.parametrize("seconds, rounds", [(0.0, 0), (0.5, 0), (1.0, 1), (2.9, 2)])
def test_a_round_begins_only_if_it_should_end_in_time(seconds, rounds):
    choose, choice, plans, scorer = improved(ImprovementSettings(seconds=seconds))
    assert choose.rounds == rounds and scorer.seconds == 1.0 + rounds


def test_rounds_are_limited_and_settings_checked():
    assert improved(ImprovementSettings(seconds=100.0, most_rounds=4))[0].rounds == 4
    with pytest.raises(SettingError):
        ImprovementSettings(seconds=-1.0)
    with pytest.raises(SettingError):
        ImprovementSettings(elites=0)
