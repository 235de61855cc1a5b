"""`astra bench closed-loop`: the figures' arithmetic by hand, files that runs go on with, and the table of both."""

import json

import numpy as np
import pytest
from result_tables.closed_loop import closed_loop as closed_loop_table

from astra_ros.control.vehicle import VehicleState
from astra_ros.evaluation.closed_loop.comfort import smoothness
from astra_ros.evaluation.closed_loop.records import PlayedEpisode, Records, RecordsError, RobotRecords
from astra_ros.evaluation.closed_loop.result import ClosedLoopResult, Difference, Estimate
from astra_ros.evaluation.metrics import mcnemar, sign_flip, wilson
from astra_ros.evaluation.results import as_json

SETTINGS = {"model": "m", "plans": 3}


def test_intervals_of_shares_by_hand():
    # p = 0.8, n = 10, z^2 = 3.8415: (0.8 + 0.19207) / 1.38415 -+ 1.96 / 1.38415 * sqrt(0.016 + 0.0096037)
    assert wilson(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert wilson(0, 10) == pytest.approx((0.0, 0.2775), abs=1e-4)
    assert wilson(10, 10)[1] == pytest.approx(1.0)


def test_mcnemar_by_hand():
    # 7 scenes differ; as lopsided as 6 to 1, to either side: 2 (1 + 7) / 128
    assert mcnemar(6, 1) == mcnemar(1, 6) == 16 / 128
    assert mcnemar(0, 5) == 2 / 32
    assert mcnemar(0, 0) == mcnemar(3, 3) == 1.0


def test_the_permutation_test_by_hand():
    # |sums| of 1, 2 and -4 with all signs: 1, 3, 5 and 7, each twice. As far as 1 or further: all.
    assert sign_flip(np.array([1.0, 2.0, -4.0])) == 1.0
    assert sign_flip(np.array([1.0, 2.0, 4.0])) == 2 / 8
    assert sign_flip(np.array([2.0])) == sign_flip(np.zeros(20)) == 1.0
    assert sign_flip(np.full(6, 0.1)) == 2 / 64
    # Beyond 14 pairs, random signs: as a sign test where all gaps are equal, 2 sum C(16, k <= 3) / 2^16.
    many = sign_flip(np.array([0.1] * 13 + [-0.1] * 3))
    assert many == pytest.approx(2 * (1 + 16 + 120 + 560) / 2**16, abs=0.004) and sign_flip(np.ones(60)) > 0.0


def test_differences_are_of_the_same_scenes():
    won = Difference.of([True] * 8 + [False] * 2, [False] * 7 + [True, False, False])
    assert (won.more, won.less, won.mean) == (7, 0, 0.7) and won.p == 2 / 128 and won.significant
    even = Difference.of([True, False, True], [False, True, True])
    assert even.mean == 0.0 and even.p == 1.0 and not even.significant
    more = Difference.of([3.0, 4.0, 5.0], [1.0, 2.5, 2.0])
    # All three gaps have one sign, as 2 of 8 ways of signs do: its interval leaves 0 out, and yet that may be chance.
    assert (
        more.mean == pytest.approx(6.5 / 3) and more.interval_95[0] > 0.0 and more.p == 2 / 8 and not more.significant
    )
    assert Estimate.of([1.0, 2.0, 6.0]).mean == 3.0


def test_smoothness_is_the_share_of_comfortable_steps():
    def states(*speeds, turns=None):
        return [VehicleState(0.0, 0.0, 0.0, v, w) for v, w in zip(speeds, turns or [0.0] * len(speeds))]

    assert smoothness(states(4.0, 4.0, 4.0, 4.0, 4.0), 0.25) == 1.0
    # 1 m/s more in a step is 4 m/s^2, above 2.4, and the next step takes that back: a jerk of 16 m/s^3.
    assert smoothness(states(4.0, 5.0, 5.0, 5.0, 5.0), 0.25) == 0.5
    # 0.2 m/s more in a step: 0.8 m/s^2 and a jerk of 3.2 m/s^3 are fine, and going on costs nothing.
    assert smoothness(states(4.0, 4.2, 4.4, 4.6), 0.25) == 1.0
    # 6 m/s and 1 rad/s: 6 m/s^2 to the side in each step.
    assert smoothness(states(6.0, 6.0, 6.0, turns=[1.0, 1.0, 1.0]), 0.25) == 0.0


def test_a_run_that_was_killed_goes_on_with_what_is_whole(tmp_path):
    path = tmp_path / "car.jsonl"
    records = Records(path, SETTINGS)
    records.add(PlayedEpisode("random", 5, {"success": True, "way_m": 1.5}, 0.3))
    with open(path, "a") as file:
        file.write('{"policy": "random", "se')  # killed while it wrote
    again = Records(path, SETTINGS)
    assert ("random", 5) in again and ("random", 6) not in again
    assert again["random", 5].figures == {"success": True, "way_m": 1.5}
    again.add(PlayedEpisode("random", 6, {"success": False, "way_m": 0.5}))
    assert [json.loads(line).get("seed") for line in path.read_text().splitlines()] == [None, 5, 6]


def test_episodes_of_other_settings_are_not_mixed(tmp_path):
    Records(tmp_path / "car.jsonl", SETTINGS)
    with pytest.raises(RecordsError) as found:
        Records(tmp_path / "car.jsonl", SETTINGS | {"plans": 8})
    assert found.value.line == 1 and found.value.thing == str(tmp_path / "car.jsonl")
    (tmp_path / "other.jsonl").write_text(json.dumps({"settings": SETTINGS}) + "\n{}\n")
    with pytest.raises(RecordsError) as found:
        Records(tmp_path / "other.jsonl", SETTINGS)
    assert found.value.line == 2
    (tmp_path / "binary.jsonl").write_bytes(b"\xff\xfe\n\x00\n")
    with pytest.raises(RecordsError) as found:
        Records(tmp_path / "binary.jsonl", SETTINGS)
    assert found.value.line == 1


def test_other_weights_play_imagination_anew_and_keep_what_no_model_chose(tmp_path):
    shared, old, new = {"plans": 3}, {"sha256": "old"}, {"sha256": "new"}
    records = RobotRecords(tmp_path, "car", shared, old)
    for policy in ("imagination", "random"):
        records.add(PlayedEpisode(policy, 5, {"no_contact": policy == "random"}))
    assert [records[policy, 5].figures["no_contact"] for policy in ("imagination", "random")] == [False, True]
    with pytest.raises(RecordsError) as found:
        RobotRecords(tmp_path, "car", shared, new)
    assert found.value.thing == str(tmp_path / "car.imagination.jsonl")
    assert ("random", 5) in RobotRecords(tmp_path, "car", shared, None)
    (tmp_path / "car.imagination.jsonl").unlink()
    again = RobotRecords(tmp_path, "car", shared, new)
    assert ("random", 5) in again and ("imagination", 5) not in again


def test_figures_are_of_scenes_that_every_policy_played(tmp_path):
    records = Records(tmp_path / "car.jsonl", SETTINGS)
    for seed in range(4):
        records.add(PlayedEpisode("imagination", seed, {"no_contact": seed > 0}))
    for seed in range(3):
        records.add(PlayedEpisode("random", seed, {"no_contact": seed > 1}))
    result = ClosedLoopResult.of("car", records, SETTINGS, ["imagination", "random"], range(4))
    assert result.episodes == 3 and result.world == "drive"
    assert result.policies["imagination"]["no_contact"].mean == pytest.approx(2 / 3)
    assert result.imagination_over["random"]["no_contact"].more == 1
    assert ClosedLoopResult.of("car", records, SETTINGS, ["imagination", "oracle"], range(4)) is None


def test_the_table_says_who_is_better_and_whether_that_is_significant(tmp_path):
    records = Records(tmp_path / "rover.jsonl", SETTINGS)
    for seed in range(4):
        records.add(PlayedEpisode("imagination", seed, {"seen_m2": 12.0 + seed, "no_contact": True}))
        records.add(PlayedEpisode("plan-alone", seed, {"seen_m2": 10.0, "no_contact": seed > 0}))
    result = ClosedLoopResult.of("rover", records, SETTINGS, ["imagination", "plan-alone"], range(4))
    text = closed_loop_table({"rover": as_json(result)})
    assert "| rover, 4 episodes | **imagination** | 13.5 (" in text and "| 100% (51% to 100%) |" in text
    gain, contact = [line for line in text.splitlines() if line.startswith("- rover")]
    assert ": +3.5 (" in gain and "better in 4 scenes, worse in 0, p = 0.125; not significant" in gain
    assert ": +25% (" in contact and "p = 1.000; not significant" in contact
    for seed in range(4):
        records.add(PlayedEpisode("first-plan", seed, {"seen_m2": 14.0, "no_contact": True}))
    result = ClosedLoopResult.of("rover", records, SETTINGS, ["imagination", "first-plan", "plan-alone"], range(4))
    lines = [line for line in closed_loop_table({"rover": as_json(result)}).splitlines() if line.startswith("- rover")]
    assert lines[::2] == [gain, contact] and "over the planner's first plan: -0.5 (" in lines[1]
