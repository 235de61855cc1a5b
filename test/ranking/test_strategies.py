"""A second strategy is one class: it imagines some plans less far, and critics, pictures and sheet go along."""

import numpy as np
import pytest
from known_model import HISTORY, WHITE, KnownModel, plan
from user_errors import fault

from astra_ros.inference.imagination import Imagination
from astra_ros.ranking.imaginer import Imaginer, RankingSettings
from astra_ros.ranking.strategies import ALL_AT_ONCE, STRATEGIES
from astra_ros.registry import UnknownName


class HalfOfThemHalfWay:
    """All plans are imagined to half the horizon, and the better half of them then to the whole."""

    def __call__(self, rollouts):
        rollouts.imagine(horizon=rollouts.horizon // 2, steps=1)
        scores = rollouts.score().scores
        best_first = sorted(range(rollouts.plans), key=lambda k: scores[k].rank)
        rollouts.imagine(best_first[: rollouts.plans // 2])


class Lazy:
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

    def imagine(self, history, conditioning, *, seed=0, steps=None):
        made = super().imagine(history, conditioning, seed=seed, steps=steps)
        error = np.broadcast_to(0.1 * np.arange(1, made.horizon + 1), made.uncertainty.shape)
        return Imagination(made.latents, error, made.outcomes)


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
