"""Are probabilities of contact true, and what makes them so: figures known by hand."""

import json
import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from user_errors import fault

from astra_ros import cli
from astra_ros.evaluation import rank
from astra_ros.evaluation.calibrate import CalibrationError, calibrate, cross_calibrated, fit
from astra_ros.evaluation.contact_calibration import (
    ContactFigures,
    ReliabilityBin,
    VetoLimit,
    expected_calibration_error,
    fit_platt,
    reliability,
)
from astra_ros.evaluation.requests import CALIBRATED_FROM, RANKED_FROM, RankRequest
from astra_ros.inference.calibration import logit
from astra_ros.inference.card import ModelCard, model_directory


def test_reliability_and_ece_by_hand():
    chance = np.array([0.05, 0.05, 0.35, 0.3, 1.0])
    happened = np.array([False, True, False, False, True])
    bins = reliability(chance, happened)
    assert bins == [
        ReliabilityBin(pytest.approx(0.05), 0.5, 2),
        ReliabilityBin(pytest.approx(0.325), 0.0, 2),
        ReliabilityBin(1.0, 1.0, 1),
    ]
    # 2 * 0.45 + 2 * 0.325 + 0, of five plans.
    assert expected_calibration_error(bins) == pytest.approx((2 * 0.45 + 2 * 0.325) / 5)


def test_a_veto_limit_follows_from_the_miss_rate():
    hits, harmless = [0.1, 0.4, 0.5, 0.8, 0.9], [0.05, 0.2, 0.45, 0.85]
    chance, happened = np.array(hits + harmless), np.array([True] * 5 + [False] * 4)
    # None may be missed: just below 0.1. One of five may: just below 0.4. The limit itself does not veto.
    assert VetoLimit.of(chance, happened, 0.0) == VetoLimit(0.0, 0.099, 0.0, 0.75)
    assert VetoLimit.of(chance, happened, 0.2) == VetoLimit(0.2, 0.399, pytest.approx(0.2), 0.5)
    assert VetoLimit.of(chance, happened, 0.39) == VetoLimit(0.39, 0.399, pytest.approx(0.2), 0.5)
    assert VetoLimit.of(chance, happened, 0.4).veto_above == 0.499
    assert VetoLimit.of(np.array([0.5]), np.array([True]), 0.1) == VetoLimit(0.1, 0.499, 0.0, None)
    assert VetoLimit.of(np.array([0.0, 0.5]), np.array([True, False]), 0.0) == VetoLimit(0.0, 0.0, 1.0, 1.0)
    assert VetoLimit.of(chance, np.zeros(9, bool), 0.1) is None


def test_contact_figures_by_hand():
    figures = ContactFigures.of(np.array([0.9, 0.5, 0.4, 0.1]), np.array([True, False, True, False]))
    assert (figures.plans, figures.base_rate, figures.auroc) == (4, 0.5, pytest.approx(0.75))
    assert figures.brier == pytest.approx((0.01 + 0.25 + 0.36 + 0.01) / 4)
    assert figures.ece == pytest.approx((0.1 + 0.5 + 0.6 + 0.1) / 4)
    assert figures.line().endswith("collision.veto_above 0.399 misses 0% and vetoes 50% of the others")
    scenes = [SimpleNamespace(raw={"collision": [0.9, 0.5]}, collision=[True, False])]
    scenes.append(SimpleNamespace(raw={"collision": [0.4, 0.1]}, collision=[True, False]))
    assert ContactFigures.of_scenes(scenes, 0.1) == figures
    assert ContactFigures.of_scenes([*scenes, SimpleNamespace(raw={}, collision=[True])], 0.1) is None


def groups(*members):
    """(probability, plans, collisions) -> probabilities [N] and what happened [N]."""
    chance = np.concatenate([np.full(count, value) for value, count, _ in members])
    happened = np.concatenate([np.arange(count) < hits for _, count, hits in members])
    return chance, happened


def test_platt_scaling_by_hand():
    # Two probabilities and two numbers to fit: the mean target of each group is met.
    chance, happened = groups((0.2, 40, 20), (0.8, 40, 38))
    calibration = fit_platt(chance, happened)
    sure, safe = 59 / 60, 1 / 24  # 58 plans collide, 22 do not
    expected = [(20 * sure + 20 * safe) / 40, (38 * sure + 2 * safe) / 40]
    np.testing.assert_allclose(calibration(np.array([0.2, 0.8])), expected, atol=1e-5)
    assert (calibration.plans, calibration.happened) == (80, 58)
    # Its slope joins two points of log odds, which are log 4 away from 0.
    slope = (logit(np.array(expected[1])) - logit(np.array(expected[0]))) / (2 * np.log(4))
    assert calibration.slope == pytest.approx(slope, abs=1e-4)


def test_platt_scaling_finds_what_made_the_data():
    rng = np.random.default_rng(0)
    score = rng.normal(size=20000) * 2
    happened = rng.random(20000) < 1 / (1 + np.exp(-(0.5 * score - 1.0)))
    calibration = fit_platt(1 / (1 + np.exp(-score)), happened)
    assert (calibration.slope, calibration.offset) == pytest.approx((0.5, -1.0), abs=0.05)


def test_platt_scaling_of_separate_and_of_certain_groups_stays_finite():
    calibration = fit_platt(*groups((0.0, 20, 0), (1.0, 20, 20)))
    assert np.isfinite([calibration.slope, calibration.offset]).all()
    np.testing.assert_allclose(calibration(np.array([1e-6, 1 - 1e-6])), [1 / 22, 21 / 22], atol=1e-4)


@pytest.mark.parametrize("members", [((0.2, 40, 30), (0.8, 40, 10)), ((0.5, 40, 20),)])
def test_probabilities_that_tell_nothing_are_not_calibrated(members):
    with fault(ValueError, "slope", "slope > 0"):
        fit_platt(*groups(*members))


def scenes_of(chance, happened, plans=4):
    cut = range(0, len(chance), plans)
    return [
        SimpleNamespace(contact=chance[at : at + plans].tolist(), collision=happened[at : at + plans].tolist())
        for at in cut
    ]


def drawn(slope, offset, count, seed=0):
    """Plans whose log odds of contact are slope * those that the model gives + offset."""
    rng = np.random.default_rng(seed)
    score = rng.normal(size=count) * 2
    return 1 / (1 + np.exp(-score)), rng.random(count) < 1 / (1 + np.exp(-(slope * score + offset)))


def test_each_half_of_the_scenes_is_calibrated_by_the_other():
    even, odd = groups((0.2, 4, 1), (0.8, 4, 3)), groups((0.2, 4, 2), (0.8, 4, 4))
    scenes = [scene for pair in zip(scenes_of(*even), scenes_of(*odd)) for scene in pair]
    chance, happened = cross_calibrated(scenes)
    np.testing.assert_allclose(chance[:8], fit_platt(*odd)(even[0]))
    np.testing.assert_allclose(chance[8:], fit_platt(*even)(odd[0]))
    np.testing.assert_array_equal(happened, np.concatenate([even[1], odd[1]]))


@pytest.fixture
def card(tmp_path):
    directory = tmp_path / "model"
    shutil.copytree(model_directory("tiny"), directory, ignore=shutil.ignore_patterns("style*"))
    return ModelCard.read(directory)


def test_a_calibration_is_printed_and_written(card, capsys):
    chance, happened = drawn(0.5, -1.0, 4000)
    nothing = scenes_of(chance, np.zeros(4000, bool))
    calibrate(card, {"panda_joints": scenes_of(chance, happened), "car_twist": nothing, "rover_twist": []}, 0.1, 16)
    told = capsys.readouterr().out
    assert "car_twist: not calibrated: 0 of 4000 plans collide" in told
    assert "rover_twist: not calibrated" in told
    before, after = (float(part.split("ECE ")[1].split(",")[0]) for part in told.split("calibrated on the other half"))
    assert before > 0.15 and after < 0.05
    assert told.count("collision.veto_above") == 2
    found = ModelCard.read(card.path).calibrations
    assert list(found) == ["panda_joints"]
    fitted = found["panda_joints"]["obstacle_contact"]
    assert fitted == replace(fit(scenes_of(chance, happened)), horizon=16)
    assert (fitted.slope, fitted.offset) == pytest.approx((0.5, -1.0), abs=0.1)
    assert (fitted.plans, fitted.happened) == (4000, happened.sum())


def test_a_model_that_cannot_be_calibrated_is_named_and_stays(card):
    text = (card.path / "card.json").read_text()
    with pytest.raises(CalibrationError) as error:
        calibrate(card, {"panda_joints": [SimpleNamespace(contact=[], collision=[True, False])] * 4}, 0.1, 16)
    assert card.name in error.value.thing and error.value.cure
    assert (card.path / "card.json").read_text() == text


def test_calibration_takes_other_scenes_than_those_that_figures_are_stated_of(card, monkeypatch, tmp_path):
    assert RankRequest().begins_at == RANKED_FROM == 950_000
    assert RankRequest(calibrate=True).begins_at == CALIBRATED_FROM > RANKED_FROM + 10_000
    assert RankRequest(first_seed=3, calibrate=True).begins_at == 3
    given = {}
    names = "card", "scenes", "rate", "horizon"
    monkeypatch.setattr(rank, "calibrate", lambda *values: given.update(zip(names, values)))
    words = ["--robots", "panda", "--scenes", "1", "--plans", "2", "--calibrate", "--miss-rate", "0.05"]
    raw = tmp_path / "raw.json"
    assert cli.main(["rank", "--model", str(card.path), *words, "--raw", str(raw)]) == 0
    (scene,) = given["scenes"]["panda_joints"]
    assert given["horizon"] == 16  # four seconds of a quarter each
    assert scene.seed >= CALIBRATED_FROM and given["rate"] == 0.05 and given["card"].path == card.path
    (stored,) = json.loads(raw.read_text())["panda"]
    assert stored["contact"] == scene.contact == pytest.approx(stored["raw"]["collision"])


@pytest.mark.parametrize("rate", ["1", "-0.1", "nan"])
def test_a_miss_rate_that_is_none_is_refused(rate, capsys):
    assert cli.main(["rank", "--model", "tiny", "--miss-rate", rate]) != 0
    assert "--miss-rate is " in capsys.readouterr().err
