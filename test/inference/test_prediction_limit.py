"""The conformal limit of prediction errors, by hand."""

import json
import math

import numpy as np
import pytest
from small_models import write_random_model

from astra_ros.inference.card import ModelCard, write_prediction_limits
from astra_ros.inference.exported_files import card_digest
from astra_ros.inference.prediction_limit import (
    LEAST_EXPECTED,
    PredictionLimit,
    conformal_quantile,
    fit_limit,
    frame_error,
    least_plans,
    plan_figure,
    ratio,
)

SCORES = [9.0, 1.0, 8.0, 2.0, 7.0, 3.0, 6.0, 4.0, 5.0]  # 1 to 9


@pytest.mark.parametrize(
    ("false_alarms", "quantile"),
    [
        (0.5, 5.0),  # ceil(10 * 0.5) = 5th smallest
        (0.2, 8.0),  # ceil(10 * 0.8) = 8th
        (0.15, 9.0),  # ceil(8.5) = 9th
        (0.1, 9.0),  # ceil(9.0) = 9th, although 10 * 0.9 is a little more in floating point
        (0.09, math.inf),  # ceil(9.1) = 10th of 9
    ],
)
def test_quantile_by_hand(false_alarms, quantile):
    assert conformal_quantile(SCORES, false_alarms) == quantile


def test_a_limit_needs_enough_plans():
    assert fit_limit(SCORES, 0.1) == PredictionLimit(9.0, 0.1, 9)
    with pytest.raises(ValueError):
        fit_limit(SCORES, 0.05)
    assert least_plans(0.1) == 9 and least_plans(0.05) == 19 and least_plans(0.4) == 2


def test_the_stated_share_of_false_alarms_is_kept():
    # 400 limits of 99 plans each, at 5 %: the mean share of further plans above them is 5 % (standard error 0.1 %).
    random = np.random.default_rng(0)
    above = [
        (random.lognormal(size=200) > conformal_quantile(random.lognormal(size=99), 0.05)).mean() for _ in range(400)
    ]
    assert np.mean(above) == pytest.approx(0.05, abs=0.005)


def test_error_of_a_frame_by_hand():
    # Latents of one channel and two cells. At step 2.1, steps 1 to 3 are tried; step 3 fits best.
    imagined = np.array([[0, 0], [3, 3], [1, 0], [0.3, 0.1], [0, 0]], np.float32).reshape(5, 1, 1, 2)
    expected = np.array([0.0, 0.5, 0.5, 0.5, 0.5])
    error, limited = frame_error(np.zeros((1, 1, 2), np.float32), imagined, expected, 2.1)
    assert error == pytest.approx(np.sqrt((0.09 + 0.01) / 2)) and limited == 0.5
    # At the first step, nothing is expected to be wrong; the error counts against the least one.
    error, limited = frame_error(np.full((1, 1, 2), 0.1, np.float32), imagined, expected, 0.0)
    assert error == pytest.approx(0.1) and limited == LEAST_EXPECTED
    # Behind the last step there is none to try.
    assert frame_error(np.zeros((1, 1, 2), np.float32), imagined, expected, 4.4) == (0.0, 0.5)


def test_ratio_and_figure_by_hand():
    assert ratio([(3.0, 1.0), (4.0, 2.0)]) == pytest.approx(np.sqrt(25 / 5))
    # Windows of two frames: (1, 1), (1, 3), (3, 2); the last one is sqrt((9 + 4) / 2).
    assert plan_figure([(1.0, 1.0), (1.0, 1.0), (3.0, 1.0), (2.0, 1.0)], 2) == pytest.approx(np.sqrt(13 / 2))
    assert plan_figure([(2.0, 1.0)], 2) == 2.0


def test_the_card_keeps_limits(tmp_path):
    folder = write_random_model(tmp_path)
    assert ModelCard.read(folder).prediction_limits == {}
    exported = card_digest(ModelCard.read(folder))
    write_prediction_limits(folder, {"arm": PredictionLimit(2.5, 0.01, 100)})
    assert card_digest(ModelCard.read(folder)) == exported  # exported files stay those of the model
    write_prediction_limits(folder, {"other": PredictionLimit(2.0, 0.01, 100)})
    assert ModelCard.read(folder).prediction_limits["arm"] == PredictionLimit(2.5, 0.01, 100)
    values = json.loads((folder / "card.json").read_text())
    assert list(values["prediction_limits"]) == ["arm", "other"]
