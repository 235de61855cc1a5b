"""The core of the imagine node, without ROS, threads or a graph: when it imagines, and which plan it hands on."""

import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from imagine_bench import ARM, CoreBench, image_message, pose_message, values
from user_errors import refusal

from astra_ros.inference import ModelError
from astra_ros.nodes.imagine.core import ModelFailed
from astra_ros.nodes.imagine.inputs import Refused
from astra_ros.nodes.imagine.settings import ImagineSettings, PlanTopicSettings
from astra_ros.nodes.reports import ERROR, OK, WARN
from astra_ros.ranking.prepare import NothingToImagine

SETTLE_S = 0.1


TWO_SOURCES = {"fast": PlanTopicSettings("/fast", keep=1), "slow": PlanTopicSettings("/slow", keep=2)}


# Waiting


def test_a_request_starts_when_no_plan_has_come_for_the_settle_time():
    bench = CoreBench().camera()
    bench.plan(end=0.5)
    bench.pass_time(0.9 * SETTLE_S)
    assert bench.decisions == []
    bench.pass_time(0.2 * SETTLE_S)
    assert len(bench.decisions) == 1 and bench.decisions[0].result.names == ("candidates/0",)


def test_first_scores_are_published_before_the_decision():
    bench = CoreBench().camera()
    bench.imaginer.looks_twice = True
    bench.plan(), bench.plan()
    early, decision = bench.decisions
    assert [score.name for score in early.scores] == list(decision.result.names) and decision.handed_on is not None


def test_first_scores_of_a_request_that_fails_are_taken_back():
    bench = CoreBench().camera()
    bench.imaginer.looks_twice, score = True, bench.imaginer.score

    def fails(*inputs):
        score(*inputs)
        raise RuntimeError("out of memory")

    bench.imaginer.score = fails
    bench.plan(), bench.plan()
    early, decision = bench.decisions
    assert len(early.scores) == 2
    assert decision.scores == [] and decision.outcome == "unserved" and "out of memory" in decision.unserved


def test_what_comes_while_the_model_loads_is_imagined_as_soon_as_it_is_there():
    """Its card is known before: images that come meanwhile are the history, so no more need to come."""
    bench = CoreBench(model=False)
    bench.core.expect(bench.imaginer.card)
    bench.image(9)
    bench.pass_time(1.5)  # the process is busy with loading, so images get lost: no news for a log
    bench.camera(4)
    assert bench.log.infos == []
    bench.plan(), bench.plan()
    assert bench.decisions == [] and "the model is not loaded" in bench.log.warnings[-1]
    bench.load()
    bench.core.start_waiting()
    bench.serve_wanted()
    (decision,) = bench.decisions
    assert decision.request.history[:, 0, 0, 0].tolist() == [2, 3]


@pytest.mark.parametrize(
    "starts, named, expected",
    [
        ({"joint_states"}, "", "arm"),
        ({"odom"}, "", "base"),
        ({"odom"}, "boat", "boat"),
        ({"odom"}, "not one of the model's", "base"),
        ({"odom", "joint_states"}, "", ""),
        ({""}, "", ""),
    ],
)
def test_the_action_space_that_a_model_is_warmed_up_for(starts, named, expected):
    bench = CoreBench(ImagineSettings(action_space=named))
    bench.inputs.starts = frozenset(starts)
    joints, other = SimpleNamespace(columns_are_joints=True), SimpleNamespace(columns_are_joints=False)
    card = SimpleNamespace(action_spaces={"base": other, "boat": other, "arm": joints})
    assert bench.core.expected_space(card) == expected


def test_an_error_while_the_request_that_waited_starts_is_logged_and_leaves_the_model_loaded():
    bench = CoreBench(model=False)
    bench.core.expect(bench.imaginer.card)
    bench.camera()
    bench.plan(), bench.plan()
    bench.start_request = lambda: 1 / 0
    bench.load()
    bench.core.start_waiting()
    assert len(bench.log.errors) == 1 and "ZeroDivisionError" in bench.log.errors[0]
    assert bench.status("model").level == OK


def test_each_new_plan_puts_the_request_off():
    bench = CoreBench(sources={"candidates": PlanTopicSettings("/plans", keep=4)}).camera()
    for _ in range(3):
        bench.plan()
        bench.pass_time(0.9 * SETTLE_S)
    assert bench.decisions == []
    bench.pass_time(SETTLE_S)
    assert [len(names) for names in bench.imaginer.scored] == [3]


def test_as_many_plans_as_are_kept_start_a_request_at_once():
    bench = CoreBench().camera()
    bench.plan(), bench.plan()
    assert len(bench.decisions) == 1 and bench.timer_s is None


def test_a_request_waits_for_all_sources_or_the_settle_time():
    bench = CoreBench(sources=TWO_SOURCES).camera()
    bench.plan(source="fast"), bench.plan(source="slow")
    assert bench.decisions == [], "slow keeps two"
    bench.plan(source="slow")
    assert bench.imaginer.scored == [["fast/0", "slow/0", "slow/1"]]
    bench.plan(source="fast")
    bench.pass_time(1.1 * SETTLE_S)
    assert len(bench.decisions) == 2


def test_plans_that_come_before_the_model_wait_for_it_and_for_the_history():
    bench = CoreBench(model=False)
    bench.plan()
    bench.pass_time(1.0)
    assert bench.wanted == 0 and "model is not loaded" in bench.status("requests").message
    bench.load()
    bench.camera(count=1)
    assert bench.decisions == []
    bench.camera(count=1)
    assert len(bench.decisions) == 1, "the image that fills the history starts it"
    bench.camera(count=3)
    assert len(bench.decisions) == 1


def test_nothing_starts_by_itself_without_auto_imagine():
    bench = CoreBench(ImagineSettings(auto_imagine=False)).camera()
    bench.plan(), bench.plan()
    bench.pass_time(10.0)
    assert bench.timer_s is None and bench.decisions == []
    bench.camera()
    assert "best is candidates/0" in bench.ask() and len(bench.decisions) == 1


def test_plans_wait_until_the_joints_are_known():
    bench = CoreBench()
    bench.image(0), bench.pass_time(0.5), bench.image(1)
    bench.joints(a=0.0)
    bench.plan(), bench.plan()
    assert [each.outcome for each in bench.decisions] == ["unserved"] and bench.log.warnings
    for _ in range(2):  # looking changes nothing
        assert bench.status("plans").level == WARN and "b" in bench.status("plans").message
    with refusal(
        Refused, "", "b", "/joint_states", "joint_states", "start_tolerance"
    ):  # who asks is told what to remap
        bench.ask()
    bench.joints(b=0.0)
    bench.image(2)
    assert bench.handed_on and bench.status("plans").level == OK


def test_joints_that_are_not_compared_are_not_waited_for():
    bench = CoreBench(ImagineSettings(start_tolerance=0.0))
    bench.image(0), bench.pass_time(0.5), bench.image(1)
    bench.plan(), bench.plan()
    assert len(bench.handed_on) == 1


def test_the_first_result_is_logged_with_the_topic_of_the_others():
    bench = CoreBench().camera()
    bench.plan(), bench.plan(), bench.ask()
    assert [line for line in bench.log.infos if "/scores" in line and "2 plans imagined" in line]
    assert len([line for line in bench.log.infos if "plans imagined" in line]) == 1


# Stamps of plans


@pytest.mark.parametrize(
    "rules, away_s, fate",
    [
        ({}, 10.0, "refused"),
        ({}, -10.0, "restamped"),
        ({}, 0.05, "passed"),
        ({"future_stamp": "restamp", "past_stamp": "refuse"}, 10.0, "restamped"),
        ({"future_stamp": "restamp", "past_stamp": "refuse"}, -10.0, "refused"),
        ({"future_stamp": "pass", "past_stamp": "pass"}, -10.0, "passed"),
    ],
)
def test_stamped_plans_follow_the_rule(rules, away_s, fate):
    bench = CoreBench(ImagineSettings(**rules)).camera()
    for _ in range(2):
        bench.plan(stamp_ns=bench.ros_ns + round(away_s * 1e9))
    bench.pass_time(0.0)
    assert len(bench.handed_on) == (fate != "refused")
    assert values(bench.status("plans"))["plans_refused"] == ("2" if fate == "refused" else "0")
    if fate != "refused":
        assert bench.decisions[0].restamp == (fate == "restamped")


def test_a_stamp_that_passes_while_the_plan_waits_counts_when_it_is_imagined():
    bench = CoreBench(ImagineSettings(past_stamp="refuse", auto_imagine=False)).camera()
    bench.plan(stamp_ns=bench.ros_ns)
    bench.camera()
    with pytest.raises(NothingToImagine) as error:
        bench.ask()
    assert list(error.value.refused) == ["candidates/0"]


def test_the_stamp_zero_is_logged_once_and_only_where_a_plan_goes_out_with_it():
    bench = CoreBench(sources={"candidates": PlanTopicSettings("/plans", keep=1)}).camera()

    def said():
        return len([line for line in bench.log.infos if "stamp 0" in line])

    bench.imaginer.meanwhile = lambda: bench.joints(a=0.5)
    bench.plan(stamp_ns=1)
    assert bench.decisions[-1].withheld and said() == 0
    bench.imaginer.meanwhile = lambda: None
    bench.joints(a=0.0)
    bench.plan(end=-1.0, stamp_ns=1)
    assert len(bench.decisions) == 2 and bench.handed_on == [] and said() == 0, "all are vetoed"
    bench.plan(stamp_ns=1)
    assert len(bench.handed_on) == 1 and said() == 1
    bench.core.serve(bench.imaginer)
    assert len(bench.handed_on) == 1 and not bench.decisions[-1].restamp, "it was handed on before"
    bench.plan(stamp_ns=1)
    assert len(bench.handed_on) == 2 and said() == 1


# Failures


def test_bytes_that_are_not_a_plan_are_refused_with_their_topic():
    bench = CoreBench().camera()
    bench.core.on_plan("candidates", b"rubbish")
    assert bench.timer_s is None and bench.log.errors[0].startswith("/plans: 7 bytes")
    assert values(bench.status("plans"))["plans_refused"] == "1"


def test_a_plan_that_is_held_and_refused_again_is_counted_once():
    bench = CoreBench().camera()
    bench.plan(start=1.0), bench.plan(start=1.0)
    for _ in range(3):
        with pytest.raises(NothingToImagine):
            bench.core.serve(bench.imaginer)
    assert values(bench.status("plans"))["plans_refused"] == "2"


def test_a_request_that_is_refused_waits_and_one_that_fails_does_not():
    bench = CoreBench().camera()
    bench.imaginer.score = lambda *inputs: 1 / 0
    bench.plan(), bench.plan()
    assert "ZeroDivisionError" in bench.log.errors[-1], "an error of the program is logged with its traceback"
    for _ in range(3):
        bench.camera(count=1)
    assert len(bench.log.errors) == 1 and bench.status("requests").level == WARN
    del bench.imaginer.score
    bench.plan(), bench.plan()
    assert len(bench.handed_on) == 1 and bench.status("requests").level == OK


def test_an_engine_that_fails_in_a_request_is_one_line_and_the_next_request_is_served():
    bench = CoreBench().camera()
    error = ModelError(
        "failed with RuntimeError: device lost (toy.py, line 7)", thing="engine 'toy 1.0'", cure="restart"
    )

    def fails(*inputs):
        raise error

    bench.imaginer.score = fails
    bench.plan(), bench.plan()
    assert [each.outcome for each in bench.decisions] == ["unserved"] and len(bench.log.errors) == 1
    assert str(error) in bench.log.errors[0] and "Traceback" not in bench.log.errors[0]
    assert bench.status("requests").level == WARN and str(error) in bench.status("requests").message
    bench.camera(count=1)
    del bench.imaginer.score
    bench.plan(), bench.plan()
    assert len(bench.handed_on) == 1 and bench.status("requests").level == OK


def test_a_stale_camera_refuses_requests_until_it_is_back():
    bench = CoreBench().camera()
    bench._to(bench.now_s + 3.0)
    bench.plan(), bench.plan()
    assert bench.decisions == [] and bench.status("camera").level == ERROR
    with pytest.raises(Refused):
        bench.core.serve(bench.imaginer)
    bench.camera()
    assert len(bench.handed_on) == 1 and bench.status("camera").level == OK


def test_plans_older_than_max_age_are_not_imagined():
    bench = CoreBench(sources={"candidates": PlanTopicSettings("/plans", keep=4, max_age_s=5.0)}).camera()
    bench.plan(end=0.9)
    bench.pass_time(6.0)
    bench.camera()
    newer = bench.plan(end=0.2)
    bench.pass_time(2 * SETTLE_S)
    assert bench.imaginer.scored[-1] == ["candidates/1"] and bench.handed_on[-1] == newer
    bench.pass_time(6.0)
    bench.camera()
    assert bench.status("plans").level == WARN
    with pytest.raises(Refused):
        bench.ask()


def test_a_model_that_cannot_be_loaded_is_an_error_and_the_reason_of_every_request():
    bench = CoreBench(model=False)
    bench.core.health.model_failed("model 'x': no such folder")
    bench.plan(), bench.plan()
    assert bench.wanted == 0 and bench.status("model").level == ERROR
    assert "model 'x': no such folder" in bench.status("requests").message
    bench.core.request_failed(ModelFailed("model 'x': no such folder"))
    assert bench.log.errors == ["model 'x': no such folder"], "without a traceback"


# Goals


def test_the_newest_goal_goes_into_the_request_until_it_is_too_old():
    bench = CoreBench(ImagineSettings(goal_max_age_s=5.0, auto_imagine=False)).camera()
    bench.plan()

    def goal():
        bench.camera()
        bench.ask()
        _, _, _, image, _, position = bench.imaginer.requests[-1]
        return None if image is None else int(image.max()), None if position is None else position.tolist()

    assert goal() == (None, None)
    bench.core.on_goal_image(image_message(1.0, 77))
    assert goal() == (77, None) and bench.decisions[-1].request.goal["goal_topic"] == "/goal_image"
    bench.core.on_goal_pose(pose_message(0.3))
    assert goal() == (None, [0.3, 0.0, 0.0]) and bench.status("goal").level == OK
    bench.core.on_goal_pose(pose_message(frame="map"))
    assert goal() == (None, [0.3, 0.0, 0.0]) and bench.status("goal").level == WARN
    bench.pass_time(11.0)
    assert goal() == (None, None) and "goal_max_age_s" in bench.status("goal").message
    bench.core.on_goal_pose(pose_message(0.4))
    assert "goal pose of /goal_pose" in bench.core.clear_goal()
    assert goal() == (None, None) and bench.status("goal").level == OK


# Settings and the shape of the package


def test_settings_may_change_between_requests():
    bench = CoreBench().camera()
    bench.plan(), bench.plan()
    bench.settings = replace(bench.settings, own=replace(bench.settings.own, start_tolerance=0.0))
    bench.joints(a=3.0)
    bench.plan(), bench.plan()
    assert len(bench.handed_on) == 2


def test_history_is_oldest_first_and_of_the_model_s_size():
    bench = CoreBench()
    for value in (10, 20, 30):
        bench.pass_time(0.5)
        bench.joints(**dict.fromkeys(ARM.motion_names, 0.0))
        bench.image(value, size=(8, 8))
    bench.plan(), bench.plan()
    history = bench.imaginer.requests[0][0]
    assert history.shape == (2, 4, 4, 3) and history.dtype == np.uint8
    assert history[:, 0, 0, 0].tolist() == [20, 30]


def test_the_core_runs_where_no_ros_is_installed():
    program = """
import sys
class NoRos:
    def find_spec(self, name, path=None, target=None):
        package = name.partition(".")[0]
        if package in ("rclpy", "cv_bridge", "builtin_interfaces", "rcl_interfaces") or package.endswith("_msgs"):
            raise ImportError(f"{name} is ROS")
sys.meta_path.insert(0, NoRos())
from imagine_bench import CoreBench
bench = CoreBench().camera()
bench.plan(end=0.3)
best = bench.plan(end=0.8)
assert bench.handed_on == [best]
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env={"PYTHONPATH": ":".join(sys.path)}
    )
    assert done.returncode == 0, done.stderr
