"""`astra rank` in every world, with a model that knows nothing: what is played, not how well."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from networks import NARROW

from astra_ros import cli
from astra_ros.evaluation.metrics import spearman
from astra_ros.plans.action_spaces import action_space_class
from astra_ros.simulation.worlds import WORLDS, default_worlds, make_world
from astra_ros.training.export import Embodiments, write_model
from astra_ros.world_model.astra import Astra
from astra_ros.world_model.config import preset


def space_of(world: str, robot: str):
    made = make_world(world, robot, 16)
    body = made.embodiment
    made.close()
    cls = action_space_class(body.modality)
    scales = [(1.0,) * len(body.motion_names)] * (3 if body.modality == "joints" else 2)
    return cls(body.space, body.motion_names, *scales)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    torch.manual_seed(0)
    spaces = tuple(space_of(world, robot) for world in default_worlds() for robot in WORLDS[world].robots)
    config = replace(
        NARROW, action_dims=tuple(space.dim for space in spaces), modalities=tuple(space.modality for space in spaces)
    )
    outcomes = {space.name: config.outcomes for space in spaces}
    return write_model(tmp_path_factory.mktemp("model"), Astra(config), Embodiments(spaces, 0.25, outcomes), "blind")


def test_every_robot_is_ranked_by_what_its_world_asks_for(model, tmp_path):
    out, raw = tmp_path / "out.json", tmp_path / "new/raw.json"
    assert (
        cli.main(["rank", "--model", str(model), "--scenes", "2", "--plans", "3", "--out", str(out), "--raw", str(raw)])
        == 0
    )
    result, scenes = json.loads(out.read_text()), json.loads(raw.read_text())
    robots = [robot for world in default_worlds() for robot in WORLDS[world].robots]
    assert list(result["robots"]) == robots and result["overall"]["worlds"] == sorted(default_worlds())
    truths = {"panda": ["progress"], "car": ["progress", "off_road"], "drone": ["gain"]}
    for robot, parts in truths.items():
        figures = result["robots"][robot]
        assert list(figures["with_truth"]) == ["contact", *parts, "all"]
        assert set(figures["critics_alone"]) == set(scenes[robot][0]["raw"])
        assert figures["without_imagination"]["spearman"] == np.mean(
            [spearman(np.array(each["plan_alone"]["order"]), np.array(each["outcomes"])) for each in scenes[robot]]
        )
        assert figures["contact"]["plans"] == 6
        # Who knows what becomes of a plan chooses a good one, however blind the model is.
        assert figures["with_truth"]["all"]["top1_regret"] < 0.2
    asked = {robot: set(scenes[robot][0]["raw"]) for robot in robots}
    assert asked["panda"] == {"goal", "goal_pose", "collision", "uncertainty", "smoothness"}
    assert asked["car"] == {"progress", "off_road", "collision", "uncertainty", "smoothness"}
    assert asked["drone"] == {"curiosity", "collision", "uncertainty", "smoothness"}
    for robot in robots:
        for scene in scenes[robot]:
            parts = [dict(zip(scene["parts"], values)) for values in zip(*scene["parts"].values())]
            for part, hit, outcome in zip(parts, scene["collision"], scene["outcomes"]):
                good = part.get("progress", part.get("gain"))
                assert outcome == pytest.approx(good - hit - 0.5 * part.get("off_road", 0))
            assert np.ptp(scene["outcomes"]) > 1e-3  # or it would have been left out
            if robot in ("panda", "kuka"):
                assert scene["still"] == pytest.approx(0.0, abs=0.01)
            else:  # who stops sees and does nothing more, but for the way to a stop
                assert scene["still"] < 0.6


def test_pushes_of_a_planner_are_ranked_by_how_they_begin(model, tmp_path):
    raw = tmp_path / "raw.json"
    asked = ["--worlds", "pushing", "--robots", "kuka", "--scenes", "2", "--plans", "3"]
    assert cli.main(["rank", "--model", str(model), *asked, "--raw", str(raw)]) == 0
    for scene in json.loads(raw.read_text())["kuka"]:
        assert set(scene["kinds"]) == {"planned_push"} and len(scene["kinds"]) == len(scene["outcomes"]) <= 3


def test_a_robot_that_the_model_does_not_know_is_refused(model, tmp_path, capsys):
    small = write_model(
        tmp_path / "arm",
        Astra(replace(preset("tiny"), action_dims=(14,), modalities=("joints",))),
        Embodiments((space_of("arm", "panda"),), 0.25, {"panda_joints": ()}),
        "arm",
    )
    assert cli.main(["rank", "--model", str(small), "--robots", "rover"]) != 0
    assert "does not know rover_twist" in capsys.readouterr().err
