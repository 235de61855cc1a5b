"""The figures' arithmetic, by hand."""

from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest

from astra_ros.errors import UserError
from astra_ros.evaluation.bench_result import Percentiles
from astra_ros.evaluation.figures import _Quality
from astra_ros.evaluation.metrics import (
    auroc,
    interval,
    kendall,
    masked_psnr,
    mean_rank_violation,
    psnr,
    ranks,
    spearman,
)
from astra_ros.evaluation.rank import known_robots
from astra_ros.evaluation.ranking_result import OverallRanking, RobotRanking, VerdictFigures
from astra_ros.evaluation.scene import Scene
from astra_ros.inference import ModelCard, ModelError
from astra_ros.training.trainer import learning_rate


def test_ranks_share_ties():
    # 5 is lowest, the two 7s share places 1 and 2, 9 is highest.
    assert ranks(np.array([7, 5, 9, 7])).tolist() == [1.5, 0.0, 3.0, 1.5]


def test_spearman_and_kendall_by_hand():
    a, b = np.array([1, 2, 3, 4]), np.array([10, 30, 20, 40])
    # Rank differences 0, 1, 1, 0: rho = 1 - 6 * 2 / (4 * 15) = 0.8. One of six pairs is discordant.
    assert spearman(a, b) == pytest.approx(0.8)
    assert kendall(a, b) == pytest.approx((5 - 1) / 6)
    assert spearman(a, np.ones(4)) == 0.0


def test_mean_rank_violation_by_hand():
    # Guessed c < a < b, truly a < b < c: c is ordered wrongly with both.
    guessed, true = np.array([2, 3, 1]), np.array([0.1, 0.4, 0.9])
    # a gives away 0.8 (to c), b 0.5 (to c), c 0.8 (to a).
    assert mean_rank_violation(guessed, true) == pytest.approx((0.8 + 0.5 + 0.8) / 3)
    assert mean_rank_violation(true, true) == 0.0


def test_psnr_by_hand():
    a, b = np.zeros((2, 4, 4, 3)), np.full((2, 4, 4, 3), 0.1)
    np.testing.assert_allclose(psnr(a, b), [20.0, 20.0])


def test_psnr_of_some_pixels_by_hand():
    a, b = np.zeros((2, 2, 4, 3)), np.zeros((2, 2, 4, 3))
    b[:, 0] = 0.1  # the upper row
    b[0, 1] = 1.0
    upper = np.zeros((2, 2, 4), bool)
    upper[:, 0] = True
    np.testing.assert_allclose(masked_psnr(a, b, upper, 0.5), [20.0, 20.0])
    np.testing.assert_allclose(masked_psnr(a, b, ~upper, 0.5), [0.0, 100.0])
    # One pixel of eight is enough or not; none never is.
    one = np.zeros((2, 2, 4), bool)
    one[0, 0, 0] = True
    np.testing.assert_allclose(masked_psnr(a, b, one, 0.125), [20.0, np.nan])
    np.testing.assert_allclose(masked_psnr(a, b, one, 0.13), [np.nan, np.nan])


def test_pixels_that_were_seen_are_told_apart_by_hand():
    truth = np.zeros((3, 4, 2, 2, 3), np.float32)
    copy, model = truth + np.float32(0.5), truth.copy()
    model[:, :, 0], model[:, :, 1] = 0.1, 1.0  # right to 20 dB where it was seen, all wrong below
    copy[2] = 0.0  # the last clip stands still, and does not count
    seen = np.zeros((3, 4, 2, 2), bool)
    seen[:, 0] = True
    seen[:, 3, 0] = True
    seen[1, 3, 0] = False
    figures = _Quality({"model": model, "shuffled": copy, "copy": copy}, truth).seen(seen, [1, 4])
    assert figures.share == {"1": 1.0, "4": 0.25}  # of two clips: half and nothing
    half = -20 * np.log10(0.5)
    assert figures.seen_db == {
        "model": pytest.approx({"1": -10 * np.log10((0.01 + 1) / 2), "4": 20.0}, abs=1e-4),
        "copy": pytest.approx({"1": half, "4": half}, abs=1e-4),
    }
    # After one frame all was seen. After four: the lower row of the first clip, all of the second.
    assert figures.unseen_db == {
        "model": pytest.approx({"4": (0 - 10 * np.log10((0.01 + 1) / 2)) / 2}, abs=1e-4),
        "copy": pytest.approx({"4": half}, abs=1e-4),
    }
    head, *rows = figures.quality()
    assert head[1:] == ["1 frames (100%)", "4 frames (25%)"]
    assert rows[0][0] == "model, seen" and rows[0][2] == "20.00"
    assert rows[3] == ["copy the last frame, not seen", "-", "6.02"]


def test_auroc_by_hand():
    # Positives 0.9 and 0.4 against negatives 0.5 and 0.1: three of four pairs are right.
    assert auroc(np.array([0.9, 0.5, 0.4, 0.1]), np.array([1, 0, 1, 0])) == pytest.approx(0.75)
    assert auroc(np.array([0.9, 0.5]), np.array([1, 1])) is None


def test_interval_holds_the_mean_and_narrows():
    few, many = np.tile([0.0, 1.0], 10), np.tile([0.0, 1.0], 1000)
    assert interval(few)[0] < 0.5 < interval(few)[1]
    assert np.diff(interval(many)) < np.diff(interval(few)) / 5


def test_percentiles_are_milliseconds():
    figures = Percentiles.of([0.1] * 99 + [0.3])
    assert figures.p50_ms == pytest.approx(100) and figures.runs == 100


def test_learning_rate_warms_up_and_cools_down():
    assert learning_rate(0, 100, 1.0, 10) == pytest.approx(0.1)
    assert learning_rate(9, 100, 1.0, 10) == pytest.approx(1.0)
    assert learning_rate(100, 100, 1.0, 10) == pytest.approx(0.02)


def scene(chosen, outcomes, collision, order):
    return Scene(
        seed=0,
        kinds=[],
        scores=[],
        order=order,
        verdicts=["vetoed" if hit else "accepted" for hit in collision],
        raw={},
        chosen=chosen,
        parts={},
        collision=collision,
        outcomes=outcomes,
        still=-0.1,
        still_collision=True,
    )


def test_ranking_figures_by_hand():
    scenes = [scene(1, [0.2, 0.8], [False, False], [-1, 0]), scene(None, [-1.0, 0.4], [True, False], [0, -1])]
    figures = RobotRanking.of("arm", scenes)
    right, wrong = (RobotRanking.of("arm", [each]) for each in scenes)
    assert (right.kendall, right.mmrv) == (1.0, 0.0)
    assert (wrong.kendall, wrong.mmrv) == (-1.0, pytest.approx(1.4))
    # Chosen: 0.8, and standing still where every plan was vetoed.
    assert figures.outcome == pytest.approx({"score": 0.35, "random": (0.5 - 0.3) / 2, "oracle": 0.6})
    assert figures.spearman == pytest.approx(0.0)  # +1 and -1
    # Given away: nothing of 0.6, and 0.5 of the range 1.4.
    assert figures.top1_regret == pytest.approx((0 + 0.5 / 1.4) / 2)
    assert figures.none_accepted == 0.5
    assert (figures.vetoed_of_colliding, figures.vetoed_of_harmless) == (1.0, 0.0)
    assert figures.verdicts == {
        "accepted": VerdictFigures(0.75, pytest.approx(1.4 / 3), 0.0),
        "vetoed": VerdictFigures(0.25, -1.0, 1.0),
    }
    assert figures.chosen_verdicts == {
        "accepted": VerdictFigures(0.5, 0.8, 0.0),
        "vetoed": VerdictFigures(0.5, -0.1, 1.0),  # standing still collides too
    }
    assert figures.collisions == pytest.approx({"score": 0.5, "random": 0.25, "oracle": 0.0})


def test_the_overall_ranking_is_the_mean_over_worlds():
    one = RobotRanking.of("arm", [scene(0, [0.2, 0.8], [False, False], [0, -1])])
    robots = {
        "panda": replace(one, world="arm", spearman=0.8, top1_regret=0.1),
        "kuka": replace(one, world="arm", spearman=0.6, top1_regret=0.3),
        "car": replace(one, world="drive", spearman=0.1, top1_regret=0.4),
    }
    assert OverallRanking.of(robots) == OverallRanking(["arm", "drive"], pytest.approx(0.4), pytest.approx(0.3))


def test_robots_to_rank_are_those_that_the_model_knows():
    card = SimpleNamespace(name="m", action_spaces={"panda_joints": 0, "car_twist": 0, "mine_twist": 0})
    card.check_knows = partial(ModelCard.check_knows, card)
    assert known_robots(None, card) == [("arm", "panda", "joints"), ("drive", "car", "twist")]
    assert known_robots(["car"], card) == [("drive", "car", "twist")]
    assert known_robots(None, card, ["drive", "pushing"]) == [("drive", "car", "twist"), ("pushing", "panda", "joints")]
    with pytest.raises(UserError) as error:
        known_robots(["panda"], card, ["arm", "pushing"])
    assert "arm" in error.value.thing and "panda" in error.value.problem and error.value.cure
    with pytest.raises(UserError) as error:
        known_robots(["car", "panda"], card, ["pushing"])
    assert error.value.thing == "car" and "pushing" in error.value.problem
    for asked in (["car"], None):  # none of its robots was asked for; the model knows none of them
        with pytest.raises(UserError) as error:
            known_robots(asked, card, ["explore", "drive"])
        assert error.value.thing == "world explore" and "rover" in error.value.cure
    with pytest.raises(ModelError) as refused:
        known_robots(["car", "drone"], card)
    assert "drone_camera" in str(refused.value) and "car_twist" in str(refused.value)
    with pytest.raises(UserError) as error:
        known_robots(None, SimpleNamespace(name="m", action_spaces={"mine_twist": 0}))
    assert "'m'" in error.value.thing and "mine_twist" in error.value.problem and error.value.cure
