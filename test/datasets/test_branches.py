"""Branches: labels of plans that are executed and undone."""

import numpy as np
import pytest
from user_errors import refusal

from astra_ros.commands import record as command
from astra_ros.commands.arguments import OneLineParser
from astra_ros.datasets import record
from astra_ros.datasets.branches import FRAMES, HISTORY, Branches
from astra_ros.datasets.dataset import list_episodes, load_episode
from astra_ros.datasets.episode import DatasetError
from astra_ros.errors import UserError
from astra_ros.simulation.worlds import make_world


@pytest.fixture(scope="module", params=[("arm", "kuka"), ("drive", "car")], ids=["arm", "drive"])
def branches(request):
    """Those of two choices, of which two plans each are tried."""
    with make_world(*request.param, 64) as world:
        made = list(Branches(world, 5, 32, 2).of(2))
        again = list(Branches(world, 5, 32, 2).of(2))
    assert len(made) == 4 and all(np.array_equal(a.motion, b.motion) for a, b in zip(made, again))
    return made


def test_a_branch_shows_what_was_seen_and_labels_what_comes(branches):
    for branch in branches:
        assert branch.frames.shape == (FRAMES, 32, 32, 3) and branch.frames_seen == HISTORY
        assert (branch.frames[HISTORY:] == branch.frames[HISTORY - 1]).all()
        assert all(len(values) == FRAMES for values in branch.labels.values())
    assert any(np.ptp(branch.motion[HISTORY:], axis=0).any() for branch in branches)
    for one, other in (branches[:2], branches[2:]):  # from one moment, and apart
        assert np.array_equal(one.frames, other.frames) and np.array_equal(one.motion[:HISTORY], other.motion[:HISTORY])
        assert not np.array_equal(one.motion[HISTORY:], other.motion[HISTORY:])
    assert np.ptp(branches[2].frames[:HISTORY], axis=0).any()


def test_a_branch_is_what_really_comes(branches):
    """One of the first two plans was executed for 1 to 4 s, and what it brought lies behind the next choice."""
    after = branches[2]

    def agrees(branch, end):
        pairs = [(branch.motion, after.motion, 1e-3)]
        pairs += [(values, after.labels[name], 2e-2) for name, values in branch.labels.items()]
        return all(
            np.allclose(then[end - HISTORY : end].astype(float), now[:HISTORY].astype(float), atol=most, equal_nan=True)
            for then, now, most in pairs
        )

    ends = range(HISTORY + 4, FRAMES + 1, 4)
    assert sum(any(agrees(branch, end) for end in ends) for branch in branches[:2]) == 1


def test_an_arm_that_pushes_goes_home_before_it_chooses_again():
    with make_world("pushing", "panda", 64) as world:
        made = list(Branches(world, 3, 32, 1).of(2))
    first, second = made
    assert np.abs(first.motion[-1] - world.spec.ready).max() > 0.1
    np.testing.assert_allclose(second.motion[HISTORY - 1], world.spec.ready, atol=1e-2)


@pytest.fixture
def recorded(tmp_path):
    """Records branches of two scenes, with further words of the command line."""
    parser = OneLineParser()
    command.add_arguments(parser)

    def run(more=""):
        words = f"--out {tmp_path} --robots kuka --episodes 2 --seconds 4 --size 32 --workers 1 --branches 2 {more}"
        return command.run(parser.parse_args(words.split()))

    assert run() == 0
    return run


def test_branches_are_recorded_and_gone_on_with(recorded, tmp_path):
    paths = list_episodes(tmp_path)
    assert [path.stem[-6:] for path in paths] == ["000000", "000001", "001000", "001001"]
    episode = load_episode(paths[2], branch=True)
    assert (episode.seed, episode.frames_seen, len(episode)) == (1, HISTORY, FRAMES)
    before = paths[1].read_bytes()
    for lost in (paths[0], paths[1].with_suffix(".mp4"), paths[1]):
        lost.unlink()
        assert recorded() == 0
    assert len(list_episodes(tmp_path)) == 4 and paths[1].read_bytes() == before
    for path in paths:
        if path.stem.endswith("1000"):
            path.unlink()
    (tmp_path / "kuka_joints_001007.parquet").write_bytes(before)  # of a command that was stopped in this scene
    assert recorded() == 0 and list_episodes(tmp_path) == paths
    card = (tmp_path / "README.md").read_text()
    assert "branches" in card and "4 episodes, 80 frames" in card


def test_a_world_may_have_branches_of_its_own(tmp_path, monkeypatch):
    asked = record.RecordRequest(tmp_path, [("drive", "car")], 1, seconds=0.25)
    with make_world("drive", "car", 128) as world:
        monkeypatch.setattr(world, "scene", lambda: {"branches": 3.0})
        monkeypatch.setattr(record, "_built", {("drive", "car", 128): world})
        monkeypatch.setattr(record, "local_workers", lambda *_: lambda function, jobs: (function(*job) for job in jobs))
        assert [record.record(asked), record.record(asked)] == [1, 0]


def test_a_folder_holds_branches_of_one_kind_or_none(recorded, tmp_path):
    (first, *_) = list_episodes(tmp_path)
    with refusal(DatasetError, first.name, "branch"):
        load_episode(first)
    for other in ("--branches 1", "--seconds 8"):
        with refusal(DatasetError, first.name, "2 plans", "1 choices"):
            recorded(other)
    with refusal(DatasetError, tmp_path.name, "branches"):
        recorded("--branches 0 --first-seed 7")
    first.unlink()
    whole = tmp_path / "whole"
    recorded(f"--out {whole} --branches 0 --episodes 1")
    with refusal(DatasetError, "whole", "whole episodes"):
        recorded(f"--out {whole} --first-seed 7")


def test_branches_that_cannot_be_recorded_are_refused(recorded):
    for seconds in ("3", "6", "600"):
        with refusal(UserError, "seconds", f"{seconds} s"):
            recorded(f"--seconds {seconds}")
    with refusal(UserError, "two_styles"):
        recorded("--two-styles")


class Idle:
    """A world that proposes nothing, or cannot propose."""

    def __init__(self, world, proposes):
        self._world, self.propose = world, lambda *_: []
        if not proposes:
            del self.propose

    def __getattr__(self, name):
        if name == "propose":
            raise AttributeError(name)
        return getattr(self._world, name)


def test_a_scene_where_nothing_is_proposed_has_no_branches(tmp_path, monkeypatch, capsys):
    asked = record.RecordRequest(tmp_path, [("drive", "car")], 1, branches=2, seconds=4.0)
    with make_world("drive", "car", 128) as world:
        monkeypatch.setattr(record, "_built", {("drive", "car", 128): Idle(world, proposes=True)})
        monkeypatch.setattr(record, "local_workers", lambda *_: lambda function, jobs: (function(*job) for job in jobs))
        with refusal(DatasetError, tmp_path.name, "no plan"):
            record.record(asked)
        assert "branches: 1" in capsys.readouterr().err
        monkeypatch.setattr(record, "_built", {("drive", "car", 128): Idle(world, proposes=False)})
        with refusal(UserError, "world drive", "propose"):
            record.record(asked)
