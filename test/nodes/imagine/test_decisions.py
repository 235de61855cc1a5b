"""Decisions of the node's core: choosing without flicker, backups, and the record of each request."""

import json
from dataclasses import replace
from hashlib import sha256

import numpy as np
import pytest
from imagine_bench import CoreBench, values
from known_model import HISTORY, KnownModel, plan

from astra_ros.critics.registry import load_critic
from astra_ros.nodes.imagine.decision import Decision, candidates
from astra_ros.nodes.imagine.decision_file import DecisionFile, DecisionFileSettings
from astra_ros.nodes.imagine.decision_record import Circumstances, as_line, decision_record
from astra_ros.nodes.imagine.inputs import Request
from astra_ros.nodes.imagine.message_readers import PlanMessage
from astra_ros.nodes.imagine.plan_inputs import HeldPlan
from astra_ros.nodes.imagine.settings import ImagineSettings, NodeSettings, PlanTopicSettings
from astra_ros.nodes.reports import WARN
from astra_ros.plans.limits import JointLimits
from astra_ros.plans.start import RobotNow
from astra_ros.ranking.choice import ChoiceSettings, PlanChooser
from astra_ros.ranking.imaginer import Imaginer, RankingSettings
from astra_ros.ranking.prepare import NothingToImagine

WITH_BACKUP = {"planner": PlanTopicSettings("/plans", keep=2), "stop": PlanTopicSettings("/stops", keep=1, backup=True)}


def bench(keep=2, sources=None, **own):
    sources = sources or {"candidates": PlanTopicSettings("/plans", keep=keep)}
    return CoreBench(ImagineSettings(settle_s=0.1, **own), sources).camera()


def test_the_plan_of_a_slot_is_handed_on_again_and_again_while_another_is_hardly_better():
    node = bench(choice=ChoiceSettings(margin=0.1, hold_s=3.0))
    handed = []
    for left, right in ((0.5, 0.4), (0.5, 0.55), (0.5, 0.52), (0.5, 0.65), (0.6, 0.65)):
        made = [node.plan(end=left), node.plan(end=right)]
        handed.append(made.index(node.handed_on[-1]))
        node.camera(count=1)
    assert handed == [0, 0, 0, 1, 1] and len(node.handed_on) == 5
    assert "candidates/0 with score 0.500 stays chosen: candidates/1 is better by 0.050" in node.summaries[1]


def test_without_a_margin_the_better_plan_is_handed_on():
    node = bench()
    first = [node.plan(end=0.5), node.plan(end=0.4)][0]
    second = [node.plan(end=0.5), node.plan(end=0.501)][1]
    assert node.handed_on == [first, second]


def test_a_plan_that_was_imagined_coarsely_is_not_handed_on_however_firmly_it_was_chosen():
    node = bench(choice=ChoiceSettings(margin=0.1, hold_s=30.0))
    first = [node.plan(end=0.5), node.plan(end=0.4)][0]
    node.imaginer.coarse = ("candidates/0",)
    second = [node.plan(end=0.5), node.plan(end=0.55)][1]
    assert node.handed_on == [first, second] and node.records[-1]["choice"]["why"] == "best"
    node.imaginer.coarse = ("candidates/0", "candidates/1")
    node.plan(end=0.6), node.plan(end=0.7)
    assert len(node.handed_on) == 2 and node.records[-1]["outcome"] == "none"


def test_a_plan_that_is_kept_and_was_handed_on_is_not_handed_on_again():
    sources = {name: PlanTopicSettings(f"/{name}", keep=1) for name in "ab"}
    node = bench(sources=sources, choice=ChoiceSettings(margin=0.1, hold_s=3.0))
    old, _ = node.plan(end=0.5, source="a"), node.plan(end=0.4, source="b")
    assert node.handed_on == [old]
    node.plan(end=0.55, source="b")
    node.pass_time(0.2)
    assert node.decisions[-1].repeats and node.handed_on == [old] and node.records[-1]["outcome"] == "repeats"


def test_a_winner_that_is_not_handed_on_again_holds_no_better_plan_back():
    """The robot executes the plan of `b` all the while; that of `a` was handed on before it."""
    sources = {name: PlanTopicSettings(f"/{name}", keep=1) for name in "ab"}
    node = bench(sources=sources, choice=ChoiceSettings(margin=0.1, hold_s=30.0))
    made = [node.plan(end=0.5, source="a"), node.plan(end=0.4, source="b")]
    for end in (0.65, 0.2, 0.58):
        made.append(node.plan(end=end, source="b"))
        node.pass_time(0.2)
    assert [record["outcome"] for record in node.records][-2:] == ["repeats", "handed_on"]
    assert node.handed_on == [made[0], made[2], made[4]]


def test_a_backup_is_handed_on_only_where_all_others_are_vetoed():
    node = bench(sources=WITH_BACKUP)
    stop = node.plan(end=0.1, source="stop")
    node.pass_time(0.2)
    assert node.handed_on == [] and node.records[-1]["outcome"] == "none", "there is nothing that it replaces"
    good = [node.plan(end=0.5, source="planner"), node.plan(end=0.05, source="planner")][0]
    assert node.handed_on == [good], "at once: a backup is not waited for"
    node.plan(end=-0.5, source="planner"), node.plan(end=-0.6, source="planner")
    assert node.handed_on == [good, stop]
    assert node.records[-1]["choice"]["why"] == "backup" and "2 vetoed" in node.records[-1]["choice"]["reason"]


def test_a_backup_counts_too_where_all_others_break_limits():
    node = bench(sources=WITH_BACKUP)
    node.core.description.joint_limits = {"a": JointLimits(-1.0, 1.0)}
    stop = node.plan(end=0.1, source="stop")
    node.plan(end=2.0, source="planner"), node.plan(end=3.0, source="planner")
    assert node.handed_on == [stop] and node.imaginer.scored[-1] == ["stop/0"]
    node.plan(end=-0.1, source="stop")
    node.pass_time(0.2)
    assert node.handed_on == [stop] and "all vetoed" in node.summaries[-1]


def test_refused_plans_neither_call_a_backup_nor_hold_it_back():
    node = bench(sources=WITH_BACKUP)
    stop = node.plan(end=0.1, source="stop")
    for _ in range(2):
        node.plan(source="planner", joints=("unknown",))
    assert node.handed_on == [] and node.records[-1]["outcome"] == "none", "nothing was judged"
    assert [each["verdict"] for each in node.records[-1]["plans"]] == ["refused", "refused", "accepted"]
    assert node.status("requests").level == WARN
    node.plan(end=-0.5, source="planner")
    node.pass_time(0.2)
    assert node.handed_on == [stop] and node.records[-1]["choice"]["why"] == "backup"
    assert "1 vetoed" in node.records[-1]["choice"]["reason"]


def test_one_source_must_not_be_a_backup():
    with pytest.raises(ValueError, match="stop"):
        NodeSettings(sources={"stop": WITH_BACKUP["stop"]})


def test_each_request_that_begins_has_a_record_also_where_nothing_is_imagined():
    node = bench()
    node.core.description.joint_limits = {"a": JointLimits(-1.0, 1.0)}
    good, bad = node.plan(end=0.5), node.plan(end=-0.2)
    node.plan(end=2.0), node.plan(end=0.5, start=0.5)
    with pytest.raises(NothingToImagine):
        node.ask()
    first, second, third = node.records
    assert [each["number"] for each in node.records] == [1, 2, 3]
    assert (first["outcome"], first["choice"]["plan"], first["choice"]["why"]) == ("handed_on", "candidates/0", "best")
    assert first["choice"]["sha256"] == sha256(good).hexdigest()
    assert [each["sha256"] for each in first["plans"]] == [sha256(each).hexdigest() for each in (good, bad)]
    assert [each["verdict"] for each in first["plans"]] == ["accepted", "vetoed"]
    assert (second["outcome"], second["choice"]["plan"]) == ("none", "") and "2 vetoed" in second["choice"]["reason"]
    assert [each["imagined"] for each in second["plans"]] == [False, False]
    assert second["plans"][0]["limit"] == {
        "kind": "position", "column": "a", "time_s": 1.0, "value": 2.0, "limit": 1.0, "unit": "rad",
    }  # fmt: skip
    assert second["plans"][1]["limit"]["kind"] == "start" and third["outcome"] == "none"


def test_a_request_that_fails_has_a_record_too():
    node = bench(keep=1)
    node.imaginer.meanwhile = lambda: 1 / 0
    node.plan()
    (record,) = node.records
    assert record["outcome"] == "unserved" and "division" in record["choice"]["unserved"]
    assert record["plans"][0]["verdict"] == "not judged"


@pytest.fixture
def record():
    """The record of a decision about four plans, with the critics of this package."""
    names = ("goal", "goal_pose", "progress", "collision", "smoothness")
    critics = {name: load_critic(name).settings_class() for name in names}
    critics["smoothness"] = replace(critics["smoothness"], weight=0.5)
    imaginer = Imaginer(KnownModel(), RankingSettings(horizon=2, critics=names), critics)
    imaginer.model.card.sha256 = "f" * 64
    made = {f"s/{k}": plan(f"s/{k}", end) for k, end in enumerate((0.5, 3.0, 0.9))}
    made["s/3"] = plan("s/3", 0.5, joints=("x", "y"))
    held = {name: HeldPlan("s", 10.0, PlanMessage(each, 0, name.encode())) for name, each in made.items()}
    now = RobotNow({"a": 0.0, "b": 0.0}, limits={"a": JointLimits(-1.0, 1.0)})
    result = imaginer.score(HISTORY, list(made.values()), now)
    settings = NodeSettings(sources={"s": PlanTopicSettings()})
    request = Request(HISTORY, 7, "cam", 11.0, list(made.values()), held, {"a": 0.0}, None, None, {"goal_kind": "none"})
    decision = Decision(request, result, result.prepared.refused)
    choice = PlanChooser(["s"]).choose(candidates(held, decision.scores, settings.sources), ChoiceSettings(), 12.0)
    decision = replace(decision, choice=choice, handed_on=held["s/0"])
    return decision_record(decision, imaginer, Circumstances(5, 99, 12.0, 12.5, settings, "<robot/>")), result


def test_a_record_tells_inputs_plans_critics_choice_and_timing(record):
    made, result = record
    assert json.loads(as_line(made)) == made and "\n" not in as_line(made)
    assert (made["format"], made["number"], made["at_ns"], made["outcome"]) == (1, 5, 99, "handed_on")
    zero = made["plans"][0]
    numbers = result.scores[0]
    assert (zero["name"], zero["rank"], zero["score"], zero["verdict"]) == (
        "s/0", numbers.rank, numbers.score, numbers.verdict,
    )  # fmt: skip
    assert set(zero["critics"]) == set(numbers.critics)
    smooth = zero["critics"]["smoothness"]
    assert smooth["raw"] == numbers.critics["smoothness"].raw and smooth["weight"] == 0.5
    assert smooth["cost"] == numbers.critics["smoothness"].cost and smooth["penalty"] == pytest.approx(
        smooth["cost"] / 2
    )
    assert zero["reasons"] == list(numbers.reasons) and zero["age_s"] == 2.0
    assert made["plans"][1]["limit"]["value"] == 3.0 and made["plans"][1]["imagined"] is False
    assert made["plans"][3]["verdict"] == "refused" and "x" in made["plans"][3]["reasons"][0]
    inputs = made["inputs"]
    assert inputs["history_sha256"] == sha256(HISTORY.tobytes()).hexdigest() and inputs["image_stamp_ns"] == 7
    assert inputs["robot_description_sha256"] == sha256(b"<robot/>").hexdigest() and inputs["goal_image_sha256"] == ""
    assert made["model"] == {"name": "known", "sha256": "f" * 64}
    assert made["timing"]["image_to_decision_s"] == 1.5 and made["timing"]["request_s"] == 0.5
    assert made["timing"]["parts_s"] == result.timings_s


def test_a_critic_that_does_not_score_is_named_with_its_reason_and_has_no_number(record):
    made, _ = record
    critics = made["critics"]
    assert critics["collision"] == critics["smoothness"] == {"scored": True, "why": ""}
    assert not critics["goal"]["scored"] and critics["goal"]["why"] and critics["progress"]["why"] == "disabled"
    for each in made["plans"]:
        assert "goal" not in each.get("critics", {}), "not 0, but left out"


def test_numbers_that_are_not_finite_are_words_in_a_record(record):
    made, result = record
    broken = replace(result.scores[0], critics={"goal": result.scores[0].critics["smoothness"]._replace(raw=np.nan)})
    held = {"s/0": HeldPlan("s", 0.0, PlanMessage(plan("s/0", 0.5), 0, b""))}
    request = Request(HISTORY, 7, "cam", 0.0, [], held, {"a": float("inf")}, None, np.zeros(3), {})
    imaginer = Imaginer(KnownModel(), RankingSettings(horizon=2))
    imaginer.model.card.sha256 = ""
    decision = Decision(request, replace(result, scores=[broken]))
    made = decision_record(decision, imaginer, Circumstances(1, 0, 0.0, 0.0, NodeSettings()))
    assert made["plans"][0]["critics"]["goal"]["raw"] == "nan" and made["inputs"]["joints"] == {"a": "inf"}
    assert made["inputs"]["goal_position"] == [0.0, 0.0, 0.0] and json.loads(as_line(made)) == made


def test_records_are_written_line_by_line_and_the_file_stays_bounded(tmp_path):
    path = tmp_path / "new" / "decisions.jsonl"
    node = bench(keep=1, decisions=DecisionFileSettings(str(path), max_mb=0.005, keep=2))
    for _ in range(12):
        node.plan()
    files = sorted(path.parent.iterdir())
    assert [each.name for each in files] == ["decisions.jsonl", "decisions.jsonl.1", "decisions.jsonl.2"]
    assert all(0 < each.stat().st_size <= 5000 for each in files)
    newest, *older = files
    lines = [json.loads(line) for each in (*older[::-1], newest) for line in each.read_text().splitlines()]
    assert lines == node.records[-len(lines) :]


def test_no_file_is_kept_aside_where_none_is_wanted(tmp_path):
    path, file = tmp_path / "d", DecisionFile()
    settings = DecisionFileSettings(str(path), max_mb=0.001, keep=0)
    for number in range(3):
        file.write(str(number) * 600, settings)
    assert [each.name for each in tmp_path.iterdir()] == ["d"] and path.read_text() == "2" * 600 + "\n"


def test_half_a_line_of_a_process_that_was_killed_spoils_no_other(tmp_path):
    path = tmp_path / "d"
    path.write_text('{"format":1}\n{"form')
    file = DecisionFile()
    for line in ("{}", "[]"):
        file.write(line, DecisionFileSettings(str(path)))
    assert path.read_text().splitlines() == ['{"format":1}', '{"form', "{}", "[]"]


def test_a_file_that_cannot_be_written_is_reported_and_stops_nothing(tmp_path):
    (tmp_path / "file").write_text("")
    node = bench(keep=1, decisions=DecisionFileSettings(str(tmp_path / "file" / "d")))
    data = node.plan()
    assert node.handed_on == [data] and len(node.records) == 1
    status = node.status("requests")
    assert status.level == WARN and str(tmp_path / "file") in status.message and "decisions.file" in status.message
    assert values(status)["decisions_not_written"] == "1"
