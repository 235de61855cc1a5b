"""A second strategy is one class: it imagines some plans less far, and critics, pictures and sheet go along."""

import numpy as np
import pytest
from known_model import HISTORY, WHITE, KnownModel, plan
from user_errors import fault

from astra_ros.inference.imagination import Imagination
from astra_ros.ranking.doubtful_plans import least_costs
from astra_ros.ranking.imaginer import Imaginer, RankingSettings
from astra_ros.ranking.strategies import ALL_AT_ONCE, STRATEGIES, Strategy, StrategyError
from astra_ros.registry import UnknownName


class HalfOfThemHalfWay(Strategy):
    """All plans are imagined to half the horizon, and the better half of them then to the whole."""

    def __call__(self, rollouts):
        rollouts.imagine(horizon=rollouts.horizon // 2, steps=1)
        scores = rollouts.score().scores
        best_first = sorted(range(rollouts.plans), key=lambda k: scores[k].rank)
        rollouts.imagine(best_first[: rollouts.plans // 2])


class Lazy(Strategy):
    def __call__(self, rollouts):
        rollouts.imagine([1])


@pytest.fixture
def strategies():
    loaded = dict(STRATEGIES._loaded)
    STRATEGIES.register("half", HalfOfThemHalfWay)
    STRATEGIES.register("lazy", Lazy)
    yield
    STRATEGIES._loaded.clear()
    STRATEGIES._loaded.update(loaded)


class WaveringModel(KnownModel):
    """Expects an error of 0.1 in the first step, 0.2 in the second and so on."""

    def imagine(self, history, conditioning, *, stride=1, **how):
        made = super().imagine(history, conditioning, stride=stride, **how)
        error = np.broadcast_to(0.1 * np.arange(1, made.horizon + 1), made.uncertainty.shape)
        return Imagination(made.latents, error, made.outcomes, strides=made.strides)


def imaginer(strategy):
    settings = RankingSettings(horizon=4, strategy=strategy, denoising_steps=3)
    return Imaginer(WaveringModel(), settings)


# Joint a goes to its end within 2 s, which are four steps: latents are a quarter, a half ... of the end.
PLANS = [plan("away", -1.0, end_s=2.0), plan("there", 1.0, end_s=2.0), plan("half", 0.5, end_s=2.0),
         plan("stay", 0.0, end_s=2.0)]  # fmt: skip


def test_all_at_once_is_one_call_to_the_horizon():
    made = imaginer(ALL_AT_ONCE)
    result = made.score(HISTORY, PLANS, goal_frame=WHITE, seed=7)
    assert made.model.asked == [((4, 4, 4), "two", 7, 3)]
    np.testing.assert_array_equal(result.imagination.imagined_steps, [4] * 4)


def test_plans_that_are_imagined_less_far_are_scored_by_what_was_imagined(strategies):
    made = imaginer("half")
    result = made.score(HISTORY, PLANS, goal_frame=WHITE, seed=7)
    assert made.model.asked == [((4, 2, 4), "two", 7, 1), ((2, 4, 4), "two", 7, 3)]
    np.testing.assert_array_equal(result.imagination.imagined_steps, [2, 4, 4, 2])
    whole = imaginer(ALL_AT_ONCE).score(HISTORY, PLANS, goal_frame=WHITE, seed=7)
    # What was imagined to the end is scored as ever.
    for k in (1, 2):
        assert result.scores[k].critics == whole.scores[k].critics
    # The goal is 1. After two of four steps "away" is at -0.5, not at -1: 1.5^2 and not 2^2.
    assert result.scores[0].critics["goal"].cost == pytest.approx(2.25)
    assert whole.scores[0].critics["goal"].cost == pytest.approx(4.0)
    # Mean expected error of two steps, 0.1 and 0.2, and of four.
    assert [round(score.critics["uncertainty"].raw, 6) for score in result.scores] == [0.15, 0.25, 0.25, 0.15]
    assert sorted(score.rank for score in result.scores) == [0, 1, 2, 3] and result.names[result.best] == "there"


def test_pictures_repeat_after_the_last_imagined_step(strategies):
    made = imaginer("half")
    result = made.score(HISTORY, [PLANS[2], PLANS[1]], goal_frame=WHITE)
    np.testing.assert_array_equal(result.imagination.imagined_steps, [2, 4])
    grey = made.pictures(result)[..., 0, 0, 0]
    assert grey.tolist() == [[31, 63, 63, 63], [63, 127, 191, 255]]
    np.testing.assert_array_equal(made.pictures(result, np.s_[0, [0, 3]])[:, 0, 0, 0], [31, 63])
    # Robot renders and camera poses are those of the picture that repeats.
    np.testing.assert_array_equal(made.model.which[1], [0, 1])


def test_a_strategy_that_leaves_a_plan_out_is_a_fault(strategies):
    with fault(ValueError, [0, 2, 3]):
        imaginer("lazy").score(HISTORY, PLANS)


def test_an_unknown_strategy_names_the_known_one():
    with fault(ValueError, "strategy", "'guess'", "all_at_once"):
        RankingSettings(strategy="guess")
    with pytest.raises(UnknownName):
        STRATEGIES["guess"]


class FlatteringModel(KnownModel):
    """Sees each plan of 0.5 at the goal while it looks coarsely, and notes what it was asked."""

    def imagine(self, history, conditioning, *, stride=1, **how):
        made = super().imagine(history, conditioning, stride=stride, **how)
        self.asked[-1] = len(conditioning.actions), stride
        if stride > 1:
            made.latents[made.latents == 0.5] = 1.0
        return made


def coarse_to_fine(model, **settings):
    return Imaginer(model, RankingSettings(horizon=4, strategy="coarse_to_fine", coarse_stride=2, **settings))


# Two groups of plans: to the goal and away from it. Neighbours are 0.02 apart.
MANY = [plan(f"{end:.2f}", end, end_s=2.0) for end in (0.5, *np.linspace(0.72, 0.86, 8), *np.linspace(-0.86, -0.72, 8))]


def test_the_best_by_their_coarse_view_and_two_others_are_imagined_frame_by_frame():
    made, early = coarse_to_fine(FlatteringModel(), doubt=0.0), []
    result = made.score(HISTORY, MANY, goal_frame=WHITE, preliminary=early.append)
    assert made.model.asked == [(17, 2), (4, 1)]
    # 0.50 and 0.86 look best; 0.80 and 0.72 follow on places 4 and 8 of 17.
    assert np.flatnonzero(result.imagination.strides == 1).tolist() == [0, 1, 5, 8]
    assert result.names[result.best] == "0.86"
    coarsely = ["imagined coarsely, one frame in 2" in score.reasons for score in result.scores]
    assert coarsely == (result.imagination.strides == 2).tolist()
    # The first look was shown, with the scores that it gave.
    assert len(early) == 1 and early[0].names[early[0].best] == "0.50"
    assert early[0].imagination.strides.tolist() == [2] * 17
    assert early[0].timings_s["total"] >= early[0].timings_s["imagine"] > 0
    # What was refined is scored as if everything had been imagined.
    whole = Imaginer(KnownModel(), RankingSettings(horizon=4)).score(HISTORY, MANY, goal_frame=WHITE)
    for k in (0, 1, 5, 8):
        assert result.scores[k].critics == whole.scores[k].critics


class SlanderingModel(FlatteringModel):
    """Sees plans to the goal the worse while it looks coarsely, the nearer to it they come: 0.72 looks best."""

    def imagine(self, history, conditioning, *, stride=1, **how):
        made = super().imagine(history, conditioning, stride=stride, **how)
        if stride > 1:
            near = made.latents > 0.7
            made.latents[near] -= 1.5 * (made.latents[near] - 0.7)
        return made


def test_the_doubtful_are_imagined_frame_by_frame_too():
    """That 0.72, 0.74 and 0.80 turn out better, the more the nearer they are to 0.86, tells that others may, too."""
    model = SlanderingModel()
    result = coarse_to_fine(model).score(HISTORY, MANY[1:], goal_frame=WHITE)
    assert model.asked[:2] == [(16, 2), (4, 1)] and result.names[result.best] == "0.86"
    # Plans of the other group are nothing like these, but by far too bad; one of them was among the first four.
    assert np.flatnonzero(result.imagination.strides[8:] == 1).tolist() == [7]


def test_no_more_are_refined_than_asked_for():
    made = coarse_to_fine(SlanderingModel(), refined_plans=6)
    made.score(HISTORY, MANY[1:], goal_frame=WHITE)
    assert made.model.asked == [(16, 2), (4, 1), (2, 1)]


def test_what_a_closer_look_changed_is_expected_of_plans_nearby():
    """By hand: at 0, 1 and 5 (median distance 4, so the kernel's length is 1), the costs of the ends are known."""
    motions, coarse, known = np.array([[[0.0]], [[1.0]], [[5.0]]]), np.array([1.0, 2.0, 3.0]), [0, 2]
    made = least_costs(motions, coarse, known, np.array([0.0, 4.0]), doubt=0.0)
    # Differences -1 and 1, their mean 0; plan 1 is like plan 0 by exp(-1/2), like plan 2 by exp(-8).
    assert made == pytest.approx([0.0, 2.0 - np.exp(-0.5) + np.exp(-8), 4.0], abs=2e-3)
    doubtful = least_costs(motions, coarse, known, np.array([0.0, 4.0]), doubt=2.0)
    unexplained = np.sqrt(1.0 - np.exp(-1.0) - np.exp(-16.0))  # of a standard deviation of 1
    assert made[1] - doubtful[1] == pytest.approx(2.0 * unexplained, abs=2e-3)
    assert made[[0, 2]] - doubtful[[0, 2]] == pytest.approx([0.0, 0.0], abs=0.1)


def test_differences_that_agree_leave_some_doubt():
    motions = np.zeros((3, 2, 1))  # all plans alike
    assert least_costs(motions, np.ones(3), [1], np.array([3.0]), doubt=0.0) == pytest.approx([3.0] * 3)
    motions[2] = 1.0
    made = least_costs(motions, np.ones(3), [1], np.array([3.0]), doubt=2.0)
    assert made[2] == pytest.approx(3.0 - 2.0 * np.sqrt(1e-3)) and 3.0 - made[1] < 0.01


def test_what_wins_has_been_refined():
    """The one refined plan was flattered. The next best one wins then, and is refined before it may."""
    made = coarse_to_fine(FlatteringModel(), refined_plans=1)
    result = made.score(HISTORY, MANY, goal_frame=WHITE)
    assert made.model.asked == [(17, 2), (1, 1), (1, 1)]
    assert result.names[result.best] == "0.86" and result.imagination.strides[[0, 8]].tolist() == [1, 1]


def test_few_plans_are_imagined_frame_by_frame_at_once():
    made, early = coarse_to_fine(FlatteringModel()), []
    made.score(HISTORY, MANY[:4], goal_frame=WHITE, preliminary=early.append)
    assert made.model.asked == [(4, 1)] and early == []


def test_a_model_that_knows_no_stride_is_refused():
    model = KnownModel()
    with fault(StrategyError, "coarse_to_fine", 3, 2):
        Imaginer(model, RankingSettings(strategy="coarse_to_fine", coarse_stride=3))
    model.card.network.strides = (1,)
    with fault(StrategyError, "coarse_to_fine", "all_at_once"):
        coarse_to_fine(model)
