"""A plan passes by a decision record about exactly this plan, and by nothing else. Without ROS."""

import json
from hashlib import sha256
from types import SimpleNamespace

import pytest
from user_errors import refusal

from astra_ros.nodes.gate.judge import CLOSING, REPLACED, PlanJudge
from astra_ros.nodes.gate.settings import GateSettings
from astra_ros.nodes.gate.stamps import check_stamp
from astra_ros.plans.errors import PlanError
from astra_ros.settings import SettingError

PLAN, OTHER = b"a plan", b"another plan"


class Bench:
    """A judge whose clock is turned by hand; ``answers`` and ``sent`` grow."""

    def __init__(self, **settings):
        self.now_s, self.absent, self.settings = 100.0, "", GateSettings(**settings)
        self.sent, self.answers = [], []
        self.judge = PlanJudge(lambda: self.settings, self.sent.append, lambda: self.absent, lambda: self.now_s)

    def ask(self, data=PLAN):
        return self.judge.ask(data, self.answers.append)

    def decide(self, after_s=0.5, **changes):
        self.now_s += after_s
        self.judge.on_decision(json.dumps(record(**changes)))
        return self.answers


def record(verdict="accepted", chosen=PLAN, judged=(PLAN,), age_s=0.1, outcome="handed_on", **changes):
    plans = [
        {"sha256": digest(each), "verdict": verdict, "score": 0.7, "reasons": ["why", "so"], "age_s": age_s}
        for each in judged
    ]
    choice = {"plan": "candidates/0" if chosen else "", "sha256": digest(chosen) if chosen else "", "withheld": "late"}
    timing = {"request_s": 0.2}
    return {
        "format": 1, "number": 3, "outcome": outcome, "choice": choice, "plans": plans, "timing": timing
    } | changes  # fmt: skip


def digest(data):
    return sha256(data).hexdigest()


def test_an_accepted_plan_that_is_handed_on_passes():
    bench = Bench()
    bench.ask()
    (answer,) = bench.decide()
    assert bench.sent == [PLAN] and answer.passed and not answer.reason
    assert (answer.verdict, answer.score, answer.request, answer.sha256) == ("accepted", 0.7, 3, digest(PLAN))
    assert len(bench.decide()) == 1  # once


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"verdict": "vetoed", "chosen": b"", "outcome": "none"}, "vetoed: why; so"),
        ({"verdict": "refused", "chosen": b"", "outcome": "none"}, "refused: why"),
        ({"verdict": "not judged", "chosen": b"", "outcome": "unserved"}, "not judged: why"),
        ({"verdict": "risky"}, "risky: why"),
        ({"outcome": "withheld"}, "late"),
        ({"outcome": "repeats"}, "repeats"),
        ({"chosen": OTHER, "judged": (PLAN, OTHER)}, "candidates/0 was chosen"),
        ({"verdict": "a word of later versions"}, "later"),
    ],
)
def test_every_other_decision_rejects_and_says_why(changes, word):
    bench = Bench()
    bench.ask()
    (answer,) = bench.decide(**changes)
    assert not answer.passed and word in answer.reason and answer.request == 3


def test_risky_plans_pass_where_that_is_wanted_and_vetoed_ones_never():
    bench = Bench(pass_risky=True)
    bench.ask()
    assert bench.decide(verdict="risky")[0].passed
    bench.ask()
    assert not bench.decide(verdict="vetoed")[1].passed


def test_decisions_about_other_plans_or_an_equal_one_of_before_do_not_count():
    bench = Bench()
    bench.ask()
    assert not bench.decide(judged=(OTHER,), chosen=OTHER)
    assert not bench.decide(after_s=0.0, age_s=1.0)  # that plan was there before this one was sent
    assert bench.decide(age_s=0.5)[0].passed


@pytest.mark.parametrize("verdict", ["vetoed", "accepted"])
def test_an_equal_plan_of_before_does_not_hide_the_one_that_was_asked_about(verdict):
    bench = Bench()
    bench.ask()
    made = record(judged=(PLAN, PLAN))
    made["plans"][0] |= {"age_s": 30.0, "verdict": "risky"}
    made["plans"][1] |= {"verdict": verdict}
    (answer,) = bench.decide(plans=made["plans"])
    assert (answer.verdict, answer.passed) == (verdict, verdict == "accepted")


def test_silence_rejects():
    bench = Bench(timeout_s=2.0)
    bench.ask()
    bench.now_s += 1.9
    bench.judge.check()
    assert not bench.answers
    bench.now_s += 0.2
    bench.judge.check()
    (answer,) = bench.answers
    assert not answer.passed and "2 s" in answer.reason
    assert len(bench.decide()) == 1  # too late


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "{}", json.dumps({"format": 2}), json.dumps({"format": 1})])
def test_what_is_no_decision_record_passes_nothing_and_is_named(text):
    bench = Bench(timeout_s=1.0)
    bench.ask()
    bench.judge.on_decision(text)
    bench.now_s += 1.1
    bench.judge.check()
    assert not bench.answers[0].passed and "could not be read" in bench.answers[0].reason


def test_a_record_with_parts_missing_passes_nothing():
    for name in record():
        bench = Bench()
        bench.ask()
        bench.now_s += 1.0
        made = record()
        del made[name]
        bench.judge.on_decision(json.dumps(made))
        assert not any(answer.passed for answer in bench.answers), name


def test_a_newer_plan_takes_the_place_of_one_that_waits():
    bench = Bench()
    bench.ask(OTHER), bench.ask()
    assert [answer.reason for answer in bench.answers] == [REPLACED]
    assert not bench.decide(judged=(OTHER,), chosen=OTHER)[1:] and bench.decide()[1].passed


def test_nothing_is_sent_without_an_imagine_node_or_while_the_gate_shuts_down():
    bench = Bench()
    bench.absent = "no imagine node"
    bench.ask()
    assert not bench.sent and bench.answers[-1].reason == "no imagine node"
    bench.absent = ""
    bench.ask(), bench.judge.close(), bench.ask()
    assert [answer.reason for answer in bench.answers[1:]] == [CLOSING, CLOSING] and len(bench.sent) == 1


def test_a_withdrawn_question_gets_no_answer():
    bench = Bench()
    assert bench.judge.withdraw(question := bench.ask()) and not bench.judge.withdraw(question)
    assert not bench.decide()


def test_a_plan_that_cannot_be_sent_is_not_open_afterwards():
    def fails(data):
        raise RuntimeError("middleware")

    judge, answers = PlanJudge(GateSettings, fails, lambda: "", lambda: 0.0), []
    with pytest.raises(RuntimeError):
        judge.ask(PLAN, answers.append)
    judge.close()
    assert not answers


def test_plans_that_begin_later_are_refused_and_others_begin_as_they_pass():
    now = SimpleNamespace(ns=10**12)
    for stamp_ns in (0, now.ns - 10**10, now.ns, now.ns + 5 * 10**7):
        check_stamp(stamp_ns, now.ns, "goal")
    with refusal(PlanError, "goal", "header.stamp", "2.0", cure=("stamp 0",)):
        check_stamp(now.ns + 2 * 10**9, now.ns, "goal")


def test_goals_of_a_controller_are_joint_trajectories():
    with refusal(SettingError, "", "type", cure=("JointTrajectory",)):
        GateSettings(controller="arm", type="nav_msgs/msg/Path")
