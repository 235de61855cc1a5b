"""The second part of `astra monitor`: what is played and written; a shipped model's card gives the camera."""

import json
import shutil

import pytest

pytest.importorskip("pybullet")

from astra_ros import cli
from astra_ros.inference.card import ModelCard, model_directory


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(model_directory("tiny"), folder)
    return folder


def test_limits_are_measured_and_written(model, tmp_path):
    before = ModelCard.read(model)
    out = tmp_path / "fit.json"
    words = "monitor --robots panda --scenes 0 --fit-scenes 3 --fit-tests 1 --fit-false-alarms 0.3 --write --fit-out"
    assert cli.main([*words.split(), str(out), "--model", str(model)]) == 0
    figures = json.loads(out.read_text())["robots"]["panda"]
    assert set(figures["noticed"]) == {
        "camera bumped", "camera bumped a little", "unknown robot", "joint off by 0.1 rad"
    }  # fmt: skip
    assert figures["noticed"]["camera bumped"]["within_2s"] == 1 == figures["noticed"]["unknown robot"]["within_2s"]
    written = ModelCard.read(model)
    assert written.robot_fit_limits["panda_joints"].limit == figures["limit"]["limit"] < 1.0
    assert written.prediction_limits == before.prediction_limits and written.sha256 == before.sha256


def test_too_few_scenes_are_refused_with_the_least_number(model, capsys):
    words = ["monitor", "--scenes", "0", "--fit-scenes", "10", "--model", str(model)]
    assert cli.main(words) == 1
    assert "fit_scenes" in capsys.readouterr().err
