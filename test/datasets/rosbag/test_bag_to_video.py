"""A robot that no model knows, from its bag to imagined video, with the commands of docs/own-data.md."""

import json

import numpy as np
import pytest
from bag_maker import BagMaker, arm_bag

from astra_ros import cli
from astra_ros.critics.collision import CollisionSettings
from astra_ros.datasets.dataset import list_episodes, load_episode
from astra_ros.inference import Conditioning, load_world_model
from astra_ros.plans.joint_plan import JointPlan
from astra_ros.ranking.imaginer import Imaginer, RankingSettings


def astra(*words):
    assert cli.main([str(word) for word in words]) == 0


def mobile_bag(path):
    with BagMaker(path) as bag:
        for t in np.arange(0, 12, 0.1):
            bag.compressed(t)
            bag.twist(t, 0.3, 0.0, 0.2)


@pytest.mark.slow
def test_from_the_bags_of_an_unknown_arm_and_base_to_imagined_video(tmp_path, capsys):
    arm_bag(tmp_path / "arm", seconds=12.0, storage="sqlite3")
    mobile_bag(tmp_path / "base")
    data, run = tmp_path / "mine", tmp_path / "run"
    astra("import-bag", tmp_path / "arm", "--out", data, "--robot", "my_arm")
    astra("import-bag", tmp_path / "base", "--out", data, "--robot", "my_base")
    steps = (
        "--autoencoder-steps",
        0,
        "--dynamics-steps",
        4,
        "--compositor-steps",
        2,
        "--dynamics-batch",
        2,
        "--device",
        "cpu",
    )
    astra("train", "--from", "tiny", "--data", data, "--out", run, *steps)
    astra("export", "--run", run, "--out", tmp_path / "model")
    astra(
        "eval",
        "--model",
        tmp_path / "model",
        "--data",
        data,
        "--horizon",
        4,
        "--clips-per-episode",
        2,
        "--out",
        tmp_path / "e.json",
    )
    assert set(json.loads((tmp_path / "e.json").read_text())["spaces"]) == {"my_arm_joints", "my_base_twist"}
    model = load_world_model("torch", tmp_path / "model")
    # What the shipped model knew is still there, the new robots come behind it.
    shipped = load_world_model("torch", "tiny").card.action_spaces
    assert list(model.card.action_spaces) == [*shipped, "my_arm_joints", "my_base_twist"]
    assert set(model.card.outcomes.values()) == {()}  # nothing here has labels
    arm = load_episode(list_episodes(data, "my_arm_joints")[0])
    assert arm.source and arm.seed is None
    history = arm.frames[: model.card.history]
    names, here = arm.motion_names, arm.motion[model.card.history - 1].astype(float)
    plans = [
        JointPlan(names, np.array([0.0, 2.0]), np.stack([here, here + move]), f"plan {move}") for move in (0.0, 0.3)
    ]
    imaginer = Imaginer(model, RankingSettings(horizon=8))
    # Without labels there is no word on collisions, which nobody should overlook.
    unheard = imaginer.score(history, plans, dict(zip(names, here)))
    assert {score.verdict for score in unheard.scores} == {"vetoed"}
    assert "disable the critic" in unheard.scores[0].reasons[0]
    imaginer.configure(RankingSettings(horizon=8), {"collision": CollisionSettings(enabled=False)})
    result = imaginer.score(history, plans, dict(zip(names, here)))
    assert {score.verdict for score in result.scores} != {"vetoed"}
    frames = imaginer.pictures(result)
    assert frames.shape == (2, 8, 64, 64, 3) and frames.std() > 5
    assert result.prepared.space.name == "my_arm_joints" and len(result.scores) == 2
    # Four steps teach little, but the new input layer is heard: other plans, other images.
    assert not np.array_equal(result.imagination.latents[0], result.imagination.latents[1])
    base = load_episode(list_episodes(data, "my_base_twist")[0])
    space = model.card.action_spaces["my_base_twist"]
    made = model.imagine(base.frames[:4], Conditioning(space.name, space.encode(base.motion[None, 3:8])))
    assert model.decode(made.latents[0]).shape == (4, 64, 64, 3)
