"""Exploration in the closed loop: the film, and the comparison of policies."""

import json

import pytest

pytest.importorskip("pybullet")

from astra_ros.evaluation import explore_demo, exploring
from astra_ros.evaluation.loop_demo import LoopDemoRequest
from astra_ros.evaluation.requests import ExploreRequest
from astra_ros.registry import UnknownName


def test_policies_are_compared_in_the_same_houses(tmp_path):
    out = tmp_path / "exploration.json"
    policies = ("nearest", "random", "map", "imagined")
    request = ExploreRequest(
        model="tiny", policies=policies, houses=1, distance_m=5.0, most_s=1.0, act_steps=4, out=out
    )
    result = exploring.explore(request)
    written = json.loads(out.read_text())
    assert list(written["policies"]) == list(policies) and written["houses"] == 1 and written["commit"]
    for name in policies:
        (house,) = result.policies[name].houses
        assert house.time_s == 1.0 and house.seed == 1000 and not house.complete
    assert result.policies["nearest"].more_than_nearest["5"] == [0.0, 0.0, 0.0]
    assert "imagined" in exploring.table(result)


def test_intervals_are_of_houses_drawn_again():
    mean, low, high = exploring._interval([1.0, 2.0, 3.0, 4.0])
    assert mean == 2.5 and 1.0 <= low < 2.5 < high <= 4.0


def test_a_policy_that_is_not_known_is_refused():
    with pytest.raises(UnknownName):
        ExploreRequest(policies=("best",))


def test_the_film_shows_the_rover_and_what_was_imagined(tmp_path, capsys):
    request = LoopDemoRequest("rover", tmp_path, 1000, 3, "tiny")
    robot = explore_demo.explore_demo(request, most_choices=1)
    told = capsys.readouterr().out
    assert (tmp_path / "explore.mp4").stat().st_size > 1000 and "m^2 are known" in told
    assert robot.time_s == 0.25 * (3 + explore_demo.ACT_STEPS)
