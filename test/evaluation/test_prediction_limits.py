"""`astra monitor` with a model that knows nothing: what is played and written, not how well."""

import json

import pytest
import torch

from astra_ros import cli
from astra_ros.inference.card import ModelCard
from astra_ros.plans.action_spaces.joints import JointSpace
from astra_ros.simulation.arm.robots import ROBOTS
from astra_ros.training.export import Embodiments, write_model
from astra_ros.world_model.astra import Astra
from astra_ros.world_model.config import AstraConfig, preset


@pytest.fixture
def model(tmp_path):
    from dataclasses import replace

    torch.manual_seed(0)
    spaces = tuple(
        JointSpace(f"{name}_joints", ROBOTS[name].joint_names, ROBOTS[name].ready, (0.5,) * 7, (0.1,) * 7)
        for name in ("panda", "kuka")
    )
    widths = dict.fromkeys(("encoder_widths", "decoder_widths"), (16, 16, 16)) | {"decoder_depths": (1, 1, 1)}
    config: AstraConfig = replace(
        preset("tiny"), image_size=(32, 32), hidden_dim=32, num_layers=1, num_heads=2, context_layers=1,
        action_dims=tuple(space.dim for space in spaces), modalities=("joints",) * 2, **widths,
    )  # fmt: skip
    outcomes = {space.name: ("obstacle_contact",) for space in spaces}
    return write_model(tmp_path / "model", Astra(config), Embodiments(spaces, 0.25, outcomes), "blind")


WORDS = ("monitor", "--fit-scenes", "0", "--robots", "panda", "--tests", "1")


def test_limits_are_measured_and_written(model, tmp_path):
    out = tmp_path / "prediction.json"
    words = [*WORDS, "--scenes", "2", "--false-alarms", "0.4", "--write", "--out"]
    assert cli.main([*words, str(out), "--model", str(model)]) == 0
    figures = json.loads(out.read_text())["robots"]["panda"]
    assert figures["held_out"] == 1 and figures["limit"]["plans"] == 2
    faults = {"camera bumped on the way", "camera bumped a little on the way", "camera bumped before", "new object"}
    assert set(figures["noticed"]) == {*faults, "unknown robot"}
    assert all(each["plans"] == 1 and each["within_2s"] <= each["flagged"] for each in figures["noticed"].values())
    # ceil(3 * 0.6) = 2: the larger of both.
    written = ModelCard.read(model).prediction_limits
    assert written["panda_joints"].limit == figures["limit"]["limit"] and list(written) == ["panda_joints"]


def test_too_few_scenes_are_refused_with_the_least_number(model, capsys):
    words = [*WORDS, "--scenes", "1", "--false-alarms", "0.01", "--model"]
    assert cli.main([*words, str(model)]) == 1
    assert "scenes" in capsys.readouterr().err
