"""What a calibration makes of a probability, and how a card keeps it."""

import json
import shutil

import numpy as np
import pytest
from user_errors import fault

from astra_ros.files import OutputError
from astra_ros.inference.calibration import Calibration
from astra_ros.inference.card import ModelCard, ModelError, model_directory, write_calibrations
from astra_ros.inference.exported_files import card_digest


def test_a_calibration_by_hand():
    # Odds of 3 squared are 9; odds of 1 tripled are 3; certainty stays, and so does what is no number.
    assert Calibration(2.0, 0.0)(np.array([0.75]))[0] == pytest.approx(0.9)
    assert Calibration(1.0, np.log(3))(np.array([0.5]))[0] == pytest.approx(0.75)
    np.testing.assert_array_equal(Calibration(0.5, -1.0)(np.array([0.0, 1.0, np.nan])), [0.0, 1.0, np.nan])
    chances = np.linspace(0, 1, 50)
    np.testing.assert_allclose(Calibration(1.0, 0.0)(chances), chances, atol=1e-12)
    assert (np.diff(Calibration(0.3, 2.0)(chances)) > 0).all()  # the order of plans stays


@pytest.mark.parametrize("slope, offset", [(0.0, 0.0), (-1.0, 0.0), (np.nan, 0.0), (1.0, np.inf)])
def test_a_calibration_that_turns_the_order_is_refused(slope, offset):
    with fault(ValueError, "slope", slope, "offset", offset):
        Calibration(slope, offset)


@pytest.fixture
def directory(tmp_path):
    return shutil.copytree(model_directory("tiny"), tmp_path / "model", ignore=shutil.ignore_patterns("style*"))


def test_a_card_keeps_calibrations(directory):
    (directory / "card.json").write_text(json.dumps(json.loads((directory / "card.json").read_text()) | {"mine": 1}))
    arm, car = Calibration(0.5, -1.0, 800, 200), Calibration(2.0, 1.0, 80, 30)
    write_calibrations(directory, {"panda_joints": {"obstacle_contact": arm}, "car_twist": {"off_road": car}})
    write_calibrations(directory, {"car_twist": {"obstacle_contact": car}})
    card = ModelCard.read(directory)
    assert card.calibrations == {
        "panda_joints": {"obstacle_contact": arm},
        "car_twist": {"off_road": car, "obstacle_contact": car},
    }
    assert json.loads((directory / "card.json").read_text())["mine"] == 1  # the rest of the card stays


def test_a_calibrated_model_keeps_its_exported_files(directory):
    before = card_digest(ModelCard.read(directory))
    write_calibrations(directory, {"car_twist": {"obstacle_contact": Calibration(2.0, 1.0)}})
    assert card_digest(ModelCard.read(directory)) == before
    path = directory / "card.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"name": "other"}))
    assert card_digest(ModelCard.read(directory)) != before


def test_a_damaged_calibration_is_named(directory):
    write_calibrations(directory, {"car_twist": {"obstacle_contact": Calibration(1.0, 0.0)}})
    path = directory / "card.json"
    path.write_text(path.read_text().replace('"slope": 1.0', '"slope": -1.0'))
    with pytest.raises(ModelError) as error:
        ModelCard.read(directory)
    assert error.value.thing == str(path) and "slope" in error.value.problem


def test_a_card_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(OutputError) as error:
        write_calibrations(tmp_path, {})
    assert error.value.thing == str(tmp_path / "card.json")
