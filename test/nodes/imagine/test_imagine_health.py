"""What the imagine node reports of itself while it works, and of what it served; without a node."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from imagine_bench import CoreBench, image_message, pose_message

from astra_ros.nodes.imagine.health import LastRequest
from astra_ros.nodes.imagine.settings import ImagineSettings, PlanTopicSettings
from astra_ros.nodes.imagine.statuses import INPUTS_START_S, SLOW_S
from astra_ros.nodes.reports import ERROR, OK, WARN


@pytest.fixture
def bench():
    """A core without a model; no time passes by itself."""
    return CoreBench(ImagineSettings(auto_imagine=False), {"candidates": PlanTopicSettings()}, model=False)


def values(status):
    return {key: str(value) for key, value in status.values.items()}


def levels(bench):
    return {each.part: each.level for each in bench.core.statuses()}


def count(lines, words):
    return len([line for line in lines if words in line])


def test_every_part_has_one_status(bench):
    assert [each.part for each in bench.core.statuses()] == [
        "model", "camera", "goal", "plans", "joint_states", "requests", "prediction", "robot_fit", "topics",
        "markers", "robot_description",
    ]  # fmt: skip


def test_a_camera_that_is_missed_is_named_and_logged_once(bench):
    assert bench.status("camera").message == "no image yet on /camera" and bench.log.warnings == []
    bench.pass_time(INPUTS_START_S + 0.1)
    bench.status("camera"), bench.status("camera")
    assert count(bench.log.warnings, "no images come on /camera; check") == 1
    bench.image(1)
    bench.status("camera"), bench.status("camera")
    assert count(bench.log.infos, "images come on /camera") == 1


def test_a_model_that_failed_is_what_the_log_ends_with(bench):
    bench.core.health.model_failed("model 'none': no such directory")
    said = list(bench.log.warnings)
    bench.pass_time(INPUTS_START_S + 0.1)
    assert bench.status("camera").message == "no image yet on /camera" and bench.log.warnings == said


def test_a_camera_whose_images_cannot_be_used_is_not_missed(bench):
    bench.pass_time(INPUTS_START_S + 0.1)
    bench.image(1, encoding="yuv420")
    status = bench.status("camera")
    assert status.level == ERROR and "yuv420" in status.message and bench.log.warnings == []


def test_images_of_which_no_history_can_be_made_are_a_warning(bench):
    bench.load()
    for _ in range(8):  # a driver that does not stamp its images
        bench.image(0, stamp_s=0.0)
    status = bench.status("camera")
    assert status.level == WARN and status.message.startswith("images arrive, but cannot be used yet: ")


def test_plans_that_are_all_too_old_are_a_warning(bench):
    assert bench.status("plans").message == "no plans yet"
    bench.plan()
    assert bench.status("plans").message == "plans arrive"
    bench.pass_time(61.0)
    status = bench.status("plans")
    assert status.level == WARN and "all plans are older than their source's max_age_s" in status.message


def test_a_request_that_takes_long_is_seen_while_it_lasts(bench):
    bench.core.health.begin()
    assert bench.status("requests").level == OK
    bench.pass_time(SLOW_S + 0.1)
    assert bench.status("requests").level == WARN and float(values(bench.status("requests"))["busy_s"]) > SLOW_S
    bench.core.health.end()
    assert bench.status("requests").level == OK


def test_none_chosen_is_worth_a_warning(bench):
    bench.core.health.done(LastRequest(plans=2, summary="2 plans imagined, all vetoed", none_chosen=True))
    assert bench.status("requests").level == WARN
    bench.core.health.done(LastRequest(plans=2, summary="2 plans imagined, best is a"))
    status = bench.status("requests")
    assert status.level == OK and values(status)["requests_done"] == "2"


def test_complaints_about_joint_states_and_goals_do_not_hide_what_is_wrong_with_plans_and_camera(bench):
    refuse = bench.core.health.refuse
    refuse("plans", "/plans: a plan without points")
    refuse("joint_states", "/joint_states: 7 names but 0 positions")
    for _ in range(4):
        bench.image(0, stamp_s=0.0)
    refuse("goal_images", "/goal_image: a depth image")
    refuse("markers", "no link 'tool'")
    assert bench.status("plans").message == "/plans: a plan without points"
    assert bench.status("joint_states").message == "/joint_states: 7 names but 0 positions"
    assert "header.stamp of the images is 0" in bench.status("camera").message
    assert bench.status("goal").message == "/goal_image: a depth image"
    assert bench.status("markers").message == "no link 'tool'"


@pytest.mark.parametrize("kind", ["goal_images", "goal_poses"])
def test_a_refused_goal_is_a_warning_of_the_goal_and_not_of_the_camera(bench, kind):
    bench.image(0, stamp_s=1.0)
    bench.core.health.refuse(kind, "/goal: cannot be used")
    found = levels(bench)
    assert found["goal"] == WARN and found["camera"] == OK


@pytest.mark.parametrize("contradicts", [True, False])
def test_only_publishers_that_contradict_each_other_are_a_warning_of_the_plans(bench, contradicts, monkeypatch):
    conflict = SimpleNamespace(key="a", contradicts=contradicts)
    monkeypatch.setattr(type(bench.inputs.joints), "conflicts", property(lambda self: {"a": conflict}))
    found = levels(bench)
    assert found["joint_states"] == WARN and found["plans"] == (WARN if contradicts else OK)


def test_a_good_image_ends_the_complaint_about_a_bad_one_at_once(bench):
    bench.image(0, stamp_s=1.0, encoding="yuv420")
    assert bench.status("camera").level == ERROR
    bench.pass_time(0.1)
    bench.image(0, stamp_s=2.0)
    status = bench.status("camera")
    assert status.level == OK and values(status)["images_refused"] == "1"
    bench.pass_time(0.1)
    bench.image(0, stamp_s=3.0, encoding="yuv420")
    assert bench.status("camera").level == ERROR


def test_a_good_goal_ends_the_complaint_about_a_bad_one_at_once_and_a_bad_one_stays(bench):
    bench.core.on_goal_image(image_message(1.0, encoding="yuv420"))
    assert bench.status("goal").level == WARN
    bench.pass_time(0.1)
    bench.core.on_goal_pose(pose_message())
    status = bench.status("goal")
    assert status.level == OK and "yuv420" in values(status)["last_refusal"]
    bench.pass_time(0.1)
    bench.core.on_goal_pose(pose_message(frame="map"))
    assert bench.status("goal").level == WARN and "/goal_pose" in bench.status("goal").message


def model_of(bench, joints=True, **outcomes):
    """A loaded model of these action spaces."""
    spaces = {name: SimpleNamespace(columns_are_joints=joints) for name in outcomes}
    card = SimpleNamespace(**vars(bench.imaginer.card) | {"action_spaces": spaces, "outcomes": outcomes})
    bench.core.health.model_loaded(card, "", 0.0)


def test_a_goal_pose_that_the_model_can_never_score_is_a_warning(bench):
    bench.core.on_goal_pose(pose_message())
    model_of(bench, arm=("object_position",), mine=())
    assert bench.status("goal").level == OK, "of which robot plans will be is not known yet"
    bench.core.health.done(LastRequest(space="mine"))
    assert bench.status("goal").level == WARN and "object_position" in bench.status("goal").message
    bench.core.health.done(LastRequest(space="arm"))
    assert bench.status("goal").level == OK
    model_of(bench, mine=())
    bench.core.health.done(LastRequest())
    assert bench.status("goal").level == WARN
    bench.core.on_goal_image(image_message(1.0))
    assert bench.status("goal").level == OK


def test_joint_states_that_an_arm_needs_and_that_do_not_come_are_a_warning_and_logged_once(bench):
    assert bench.status("joint_states").level == OK, "the model is not there yet"
    model_of(bench, arm=())
    status = bench.status("joint_states")
    assert status.level == WARN and "/joint_states" in status.message and "start_tolerance" in status.message
    assert bench.log.warnings == []
    bench.pass_time(INPUTS_START_S + 0.1)
    for _ in range(3):
        bench.status("joint_states")
    assert count(bench.log.warnings, "no joint states came") == 1
    bench.joints(a=0.0)
    assert bench.status("joint_states").level == OK
    assert count(bench.log.infos, "joint states come on") == 1


@pytest.mark.parametrize("tolerance, joints", [(0.0, True), (0.1, False)])
def test_joint_states_that_nobody_needs_are_not_missed(bench, tolerance, joints):
    model_of(bench, joints, arm=())
    bench.settings = replace(bench.settings, own=ImagineSettings(start_tolerance=tolerance))
    assert bench.status("joint_states").level == OK


def test_critics_of_goals_are_missed_only_where_a_goal_is_wanted(bench):
    health = bench.core.health
    missing = {"goal": "no goal image", "goal_pose": "no goal pose"}
    health.done(LastRequest(summary="1 plan imagined", missing=missing))
    assert bench.status("requests").level == OK and bench.status("requests").message == "1 plan imagined"
    assert values(bench.status("requests"))["goal.missing"] == "no goal image"
    health.done(LastRequest(missing=missing | {"collision": "no outcome"}))
    status = bench.status("requests")
    assert status.level == WARN and status.message.startswith("collision does not score")
    health.done(LastRequest(missing=missing))
    bench.core.on_goal_pose(pose_message())
    status = bench.status("requests")
    assert status.level == WARN and "goal_pose does not score" in status.message
    bench.core.clear_goal()
    assert bench.status("requests").level == OK
    bench.core.on_goal_pose(pose_message(frame="map"))
    assert bench.status("requests").level == WARN, "one is wanted, and was refused"
    bench.pass_time(0.1)
    bench.core.clear_goal()
    assert bench.status("requests").level == OK and bench.status("goal").level == OK


def test_how_many_plans_were_lost_is_said(bench):
    for _ in range(11):
        bench.plan()
    status = bench.status("plans")
    assert status.level == WARN and "(3 of 11 so far)" in status.message
    assert values(status)["candidates.pushed_out"] == "3" and count(bench.log.infos, "never judged") == 1


def test_a_topic_that_cannot_be_heard_is_the_reason_for_a_missing_camera(bench):
    bench.graph.faults = {"image": "/camera: /driver publishes another type"}
    bench.pass_time(INPUTS_START_S + 0.1)
    assert bench.status("topics").level == WARN and values(bench.status("topics")) == bench.graph.faults
    assert bench.status("camera").message == bench.graph.faults["image"]
    assert bench.log.warnings == [bench.graph.faults["image"]], "logged once, by the topics"
    bench.graph.faults = {"image": ""}
    bench.status("topics")
    assert bench.log.infos == ["topic image: all right again"]


def test_nothing_is_all_right_again_before_a_description_is_looked_at(bench, monkeypatch):
    model_of(bench, arm=())
    states = [(False, "none has come"), (True, ""), (False, "a mesh is missing"), (True, ""), (False, "")]
    seen = []
    for state in states:
        monkeypatch.setattr(type(bench.core.description), "state", state)
        seen.append(bench.status("robot_description").level)
        if state[1] or state[0]:
            assert count(bench.log.infos, "all right again") == 0
    assert seen == [WARN, OK, WARN, OK, OK] and "robot_description: all right again" in bench.log.infos


def test_markers_without_the_tool_are_a_warning(bench):
    bench.load()
    bench.draw = lambda *_: "no link 'tool'"
    bench.camera()
    bench.plan()
    bench.ask()
    status = bench.status("markers")
    assert status.level == WARN and status.message == "no link 'tool'"
    assert values(status)["markers_without_tool"] == "1"


def test_the_state_of_the_model_is_reported_with_its_card(bench):
    assert bench.status("model").level == WARN and bench.status("model").message == "loading"
    bench.core.health.model_prepares()
    assert "shapes" in bench.status("model").message
    bench.load()
    status = bench.status("model")
    assert status.level == OK and values(status)["sha256"] == "0" * 64 and values(status)["image_size"] == "4 x 4"
    assert count(bench.log.infos, "loaded rule from /models/rule") == 1
