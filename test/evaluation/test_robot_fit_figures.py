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
    assert "--fit-scenes is 10" in capsys.readouterr().err


@pytest.fixture(scope="module")
def episodes(tmp_path_factory):
    """A folder with 8 s of a simulated arm."""
    from astra_ros.datasets.dataset import episode_path, save_episode
    from astra_ros.datasets.record import record_episode
    from astra_ros.simulation.arm.episodes import make

    folder = tmp_path_factory.mktemp("episodes")
    with make("panda", 128) as world:
        save_episode(episode_path(folder, "panda_joints", 1), record_episode(world, 1))
    return folder


def test_a_limit_follows_from_recorded_episodes(model, episodes):
    words = ["monitor", "--scenes", "0", "--fit-data", str(episodes), "--fit-false-alarms", "0.34", "--write"]
    assert cli.main([*words, "--model", str(model)]) == 0
    limit = ModelCard.read(model).robot_fit_limits["panda_joints"]
    assert limit.plans == 2 and limit.limit < 0.4


def test_too_few_recordings_are_refused_with_what_they_would_allow(model, episodes, capsys):
    words = ["monitor", "--scenes", "0", "--fit-data", str(episodes), "--model", str(model)]
    assert cli.main(words) == 1
    assert "0.33" in capsys.readouterr().err
