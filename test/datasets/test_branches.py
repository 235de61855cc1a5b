"""Branches: labels of plans that are executed and undone."""

import numpy as np
import pytest
from user_errors import refusal

from astra_ros.commands import record as command
from astra_ros.commands.arguments import OneLineParser
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


def test_branches_are_recorded_and_gone_on_with(tmp_path, capsys):
    parser = OneLineParser()
    command.add_arguments(parser)

    def run(more=""):
        words = f"--out {tmp_path} --robots kuka --episodes 2 --seconds 4 --size 32 --workers 1 --branches 2 {more}"
        return command.run(parser.parse_args(words.split()))

    assert run() == 0
    paths = list_episodes(tmp_path)
    assert [path.stem[-6:] for path in paths] == ["000000", "000001", "001000", "001001"]
    episode = load_episode(paths[2], branch=True)
    assert (episode.seed, episode.frames_seen, len(episode)) == (1, HISTORY, FRAMES)
    paths[0].unlink()
    assert run() == 0 and len(list_episodes(tmp_path)) == 4
    with refusal(DatasetError, "000000.parquet", "branch"):
        load_episode(paths[0])
    with refusal(DatasetError, "000000.parquet", "branch"):
        run("--branches 0 --seconds 4.75")
    for seconds in ("3", "6", "600"):
        with refusal(UserError, "seconds", f"{seconds} s"):
            run(f"--seconds {seconds}")
    with refusal(UserError, "two_styles"):
        run("--two-styles")
