"""Scores, ranks, verdicts and reasons from known costs."""

import math
import warnings

import numpy as np
import pytest
from user_errors import fault

from astra_ros.critics import DEFAULT_CRITICS, Critic, CriticInput, CriticResult, CriticSettings, load_critic
from astra_ros.critics.collision import CollisionCritic
from astra_ros.critics.goal import GoalCritic, GoalSettings
from astra_ros.critics.goal_pose import GoalPoseCritic
from astra_ros.critics.scoring import ScoringSettings
from astra_ros.critics.scoring import score_plans as rank_plans
from astra_ros.critics.uncertainty import UncertaintyCritic
from astra_ros.inference.imagination import Imagination
from astra_ros.plans.action_spaces.joints import JointSpace

NAMES = ("a", "b", "c")

ONE_JOINT = JointSpace("one", ("x",), (0.0,), (1.0,), (1.0,))


class Fixed(Critic):
    """A critic with given costs."""

    def __init__(self, name, cost, settings=CriticSettings(), veto=(), risky=(), role=""):
        self.name, self.role, self.cost, self.veto, self.risky = name, role, cost, veto, risky
        super().__init__(settings)

    def score(self, inp):
        reasons = tuple(f"cost {value:g}" for value in self.cost)
        return CriticResult(self.cost, self.cost, reasons, self.veto, self.risky)


def score_plans(*args):
    return rank_plans(*args).scores


def missing_critics(inp, critics):
    return rank_plans(NAMES[: inp.imagination.plans], inp, critics).missing


def make_input(contact=None, plans=3, **changes):
    outcomes = {} if contact is None else {"obstacle_contact": contact}
    made = Imagination(np.zeros((plans, 2, 1, 1, 1)), np.zeros((plans, 2)), outcomes)
    return CriticInput(made, np.zeros((plans, 3, 1)), ONE_JOINT, 0.25, np.zeros((1, 1, 1)), None)


def test_score_is_the_exponential_of_the_weighted_costs():
    critics = [
        Fixed("x", (0.5, 0.0, 0.2), CriticSettings(weight=2.0)),
        Fixed("y", (0.5, 0.0, 0.1), CriticSettings(weight=1.0, power=2)),
    ]
    a, b, c = score_plans(NAMES, make_input(), critics)
    # a: 2*0.5 + 0.5^2 = 1.25; b: 0; c: 2*0.2 + 0.01 = 0.41.
    np.testing.assert_allclose([a.score, b.score, c.score], np.exp([-1.25, 0, -0.41]))
    assert (a.rank, b.rank, c.rank) == (2, 0, 1)
    assert a.critics["x"] == (0.5, 2.0, 0.5) and a.critics["x"].weight == 2.0
    assert a.penalties == {"x": 1.0, "y": 0.25} and a.penalty("z") == 0.0
    assert [s.verdict for s in (a, b, c)] == ["risky", "accepted", "accepted"]
    assert [s.name for s in (a, b, c)] == list(NAMES)


def test_critics_that_answer_the_same_question_count_as_their_mean():
    critics = [
        Fixed("x", (1.0, 0.0, 0.4), role="goal"),
        Fixed("z", (0.1,) * 3),
        Fixed("y", (0.2, 0.4, 0.0), CriticSettings(weight=2.0), role="goal"),
    ]
    a, b, c = score_plans(NAMES, make_input(), critics)
    # (1 + 2 * 0.2) / 2 + 0.1; (0 + 0.8) / 2 + 0.1; 0.4 / 2 + 0.1.
    np.testing.assert_allclose([a.score, b.score, c.score], np.exp([-0.8, -0.5, -0.3]))
    assert a.penalties == pytest.approx({"x": 0.5, "z": 0.1, "y": 0.2})
    # Who has no weight takes nothing from the other.
    critics[2] = Fixed("y", (0.2, 0.4, 0.0), CriticSettings(weight=0.0), role="goal")
    a, *_ = score_plans(NAMES, make_input(), critics)
    assert a.penalties == pytest.approx({"x": 1.0, "z": 0.1, "y": 0.0})


def test_reasons_go_by_penalty():
    critics = [Fixed("x", (0.1, 0.3, 0.0)), Fixed("y", (0.2, 0.2, 0.0))]
    a, b, _ = score_plans(NAMES, make_input(), critics)
    assert a.reasons == ("y: cost 0.2", "x: cost 0.1")
    assert b.reasons == ("x: cost 0.3", "y: cost 0.2")


def test_vetoed_plans_come_last_by_score():
    critics = [Fixed("x", (0.0, 0.9, 0.1), veto=(True, False, True))]
    a, b, c = score_plans(NAMES, make_input(), critics)
    assert [s.verdict for s in (a, b, c)] == ["vetoed", "risky", "vetoed"]
    assert (a.rank, b.rank, c.rank) == (1, 0, 2)
    assert a.reasons[0] == "x: cost 0" and a.score == 1.0
    assert a.flags == {"x": "vetoed"} and b.flags == {}


def test_ties_keep_the_plans_order():
    assert [s.rank for s in score_plans(NAMES, make_input(), [Fixed("x", (0.1,) * 3)])] == [0, 1, 2]


def test_low_score_and_flag_make_a_plan_risky():
    # exp(-0.9) = 0.407 is below the default 0.45, exp(-0.7) = 0.497 is not; c is flagged.
    a, b, c = score_plans(NAMES, make_input(), [Fixed("x", (0.9, 0.7, 0.0), risky=(False, False, True))])
    assert [s.verdict for s in (a, b, c)] == ["risky", "accepted", "risky"]
    assert a.reasons == ("score 0.407 < risky_below 0.45: x: cost 0.9",)
    assert c.reasons == ("x: cost 0",) and c.flags == {"x": "risky"}
    strict = score_plans(NAMES, make_input(), [Fixed("x", (0.9, 0.7, 0.0))], ScoringSettings(0.5))
    assert [s.verdict for s in strict] == ["risky", "risky", "accepted"]


def test_a_score_just_below_a_limit_is_not_said_to_reach_it():
    (a, *_) = score_plans(NAMES, make_input(), [Fixed("x", (-math.log(0.44996), 0.0, 0.0))])
    assert a.verdict == "risky" and a.reasons[0].startswith("score 0.449 < risky_below 0.45: ")


def test_of_bad_plans_none_is_good_enough():
    # exp(-2.4) = 0.091 is below the default 0.1, exp(-2.2) = 0.11 is not.
    a, b, _ = score_plans(NAMES, make_input(), [Fixed("x", (2.4, 2.2, 0.0))])
    assert (a.verdict, b.verdict) == ("vetoed", "risky")
    assert a.reasons == ("score 0.091 < veto_below 0.1: x: cost 2.4",)
    # Where a flagged critic takes most, it is the one to be named, and once.
    critics = [Fixed("x", (0.3, 0.0, 0.0)), Fixed("y", (2.9, 0.0, 0.0), risky=(True, False, False))]
    a, _, _ = score_plans(NAMES, make_input(), critics)
    assert a.reasons == ("score 0.041 < veto_below 0.1: y: cost 2.9", "x: cost 0.3")


def test_a_critic_that_must_score_and_cannot_vetoes_every_plan():
    for score in score_plans(NAMES, make_input(), [CollisionCritic(), Fixed("x", (0.0,) * 3)]):
        assert score.verdict == "vetoed" and score.score == 1.0
        assert score.reasons[0].startswith("collision: the model has no 'obstacle_contact' outcome for this robot; ")
        assert "disable the critic" in score.reasons[0]


def test_real_critics_give_readable_reasons():
    contact = [[0.0, 0.83], [0.0, 0.3], [0.0, 0.0]]
    a, b, c = score_plans(NAMES, make_input(contact), [CollisionCritic()])
    assert a.verdict == "vetoed"
    assert a.reasons[0] == "collision: 83 % chance to touch the obstacle, worst at 0.50 s"
    assert b.verdict == "risky" and c.verdict == "accepted"


def test_critics_that_cannot_score_are_left_out_and_reported():
    critics = [GoalCritic(), CollisionCritic(), UncertaintyCritic()]
    inp = make_input()
    scores = score_plans(NAMES, inp, critics)
    assert all(set(s.critics) == {"uncertainty"} for s in scores)
    assert missing_critics(inp, critics) == {
        "goal": "no goal image",
        "collision": "the model has no 'obstacle_contact' outcome for this robot",
    }
    both = [GoalCritic(), GoalPoseCritic()]
    assert list(missing_critics(inp, both)) == ["goal", "goal_pose"]
    # One of the two is enough.
    made = Imagination(
        inp.imagination.latents,
        inp.imagination.uncertainty,
        {"object_position": np.zeros((*inp.imagination.latents.shape[:2], 3))},
    )
    posed = CriticInput(made, inp.motion, inp.space, inp.dt_s, inp.current_latent, goal_position=np.ones(3))
    assert missing_critics(posed, both) == {}
    off = [GoalCritic(GoalSettings(enabled=False))]
    assert missing_critics(inp, off) == {}


def test_disabled_critics_are_not_asked():
    off = Fixed("x", (1.0,) * 3, CriticSettings(enabled=False))
    assert score_plans(NAMES, make_input(), [off, Fixed("y", (0.0,) * 3)])[0].score == 1.0


def test_nothing_is_guessed_when_no_critic_can_score():
    for score in score_plans(NAMES, make_input(), [GoalCritic()]):
        assert score.verdict == "vetoed" and score.score == 0.0
        assert score.reasons == ("no critic could score this plan",)


@pytest.mark.parametrize("output", ["latents", "uncertainty", "obstacle_contact", "other"])
def test_values_that_are_not_finite_veto_only_their_plan(output):
    inp = make_input(np.zeros((3, 2)))
    inp.imagination.outcomes["other"] = np.zeros((3, 2), np.float32)
    values = (
        inp.imagination.outcomes.get(output) if output in inp.imagination.outcomes else getattr(inp.imagination, output)
    )
    values[1] = np.nan
    critics = [load_critic(name)() for name in DEFAULT_CRITICS]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        a, b, c = score_plans(NAMES, inp, critics)
    assert (a.verdict, b.verdict, c.verdict) == ("accepted", "vetoed", "accepted")
    assert b.score == 0.0 and b.rank == 2
    assert b.reasons[0] == f"model: it imagined values that are not finite ({output})"
    assert a.score == c.score > 0.9


def test_cost_that_is_not_finite_vetoes():
    a, b, _ = score_plans(NAMES, make_input(), [Fixed("x", (np.inf, np.nan, 0.0))])
    assert a.verdict == b.verdict == "vetoed" and a.score == b.score == 0.0
    assert a.reasons == ("x: cost inf",)


@pytest.mark.parametrize("names", [("a", "b"), ("a", "a", "b")])
def test_names_must_be_one_per_plan(names):
    with fault(AssertionError, "3 plans", names):
        score_plans(names, make_input(), [])
