"""What becomes of plans: judged, pushed out by newer ones, too old; stamps in the future and in the past."""

import numpy as np
import pytest
from user_errors import fault

pytest.importorskip("rclpy")

from builtin_interfaces.msg import Time
from rclpy.serialization import deserialize_message, serialize_message
from trajectory_msgs.msg import JointTrajectory

from astra_ros.bridge.trajectories import JointTrajectoryAdapter, plan_to_trajectory
from astra_ros.nodes.imagine.message_readers import PlanMessage
from astra_ros.nodes.imagine.plan_inputs import HeldPlan, PlanInputs
from astra_ros.nodes.imagine.plan_stamps import PlanStamps, stamp_refusals
from astra_ros.nodes.imagine.settings import ImagineSettings, PlanTopicSettings
from astra_ros.plans.joint_plan import JointPlan

SECOND = 1_000_000_000
NOW_NS = 1000 * SECOND
PLAN = JointPlan(("a",), np.array([0.0, 1.0]), np.array([[0.0], [1.0]]))


class Bench:
    """Two sources with a clock that is turned by hand."""

    def __init__(self, keep=2, max_age_s=10.0):
        self.now_s = 100.0
        self.lost = []
        sources = {
            "fast": PlanTopicSettings(topic="/fast", keep=keep, max_age_s=max_age_s),
            "slow": PlanTopicSettings(topic="/slow", keep=keep),
        }
        self.plans = PlanInputs(sources, self.lost.append, lambda: self.now_s)

    def send(self, count=1, source="fast"):
        return [self.plans.on_plan(source, PlanMessage(PLAN, 0, b"")) for _ in range(count)]

    def request(self, judged=True, meanwhile=lambda: None):
        taken = [held for held, _ in self.plans.fresh()]
        self.plans.ask(taken)
        meanwhile()
        self.plans.answer(taken, judged)

    def fate(self, source="fast"):
        fate = self.plans.fates[source]
        return fate.received, fate.judged, fate.pushed_out, fate.too_old, fate.never_judged


def test_plans_that_newer_ones_push_out_unjudged_are_counted_and_named():
    bench = Bench()
    bench.send(5)
    assert bench.fate() == (5, 0, 3, 0, 3) and bench.fate("slow") == (0, 0, 0, 0, 0)
    assert len(set(bench.lost)) == 1
    assert bench.lost[0].startswith("/fast: ") and "raise fast.keep, which is 2" in bench.lost[0]
    bench.request()
    assert bench.fate() == (5, 2, 3, 0, 3)


def test_a_plan_counts_as_judged_once_and_may_then_be_pushed_out():
    bench = Bench()
    bench.send(2)
    bench.request()
    bench.request()
    bench.send(2)
    assert bench.fate() == (4, 2, 0, 0, 0) and bench.lost == []


def test_a_plan_that_is_pushed_out_while_it_is_imagined_is_judged_all_the_same():
    bench = Bench()
    bench.send(2)
    bench.request(meanwhile=lambda: bench.send(2))
    assert bench.fate() == (4, 2, 0, 0, 0)


def test_plans_of_a_request_that_is_not_served_wait_or_are_lost():
    bench = Bench()
    bench.send(2)
    bench.request(judged=False, meanwhile=lambda: bench.send(1))
    assert bench.fate() == (3, 0, 1, 0, 1)  # one was pushed out meanwhile, one still waits
    bench.request()
    assert bench.fate() == (3, 2, 1, 0, 1)


def test_plans_that_become_too_old_unjudged_are_counted_once():
    bench = Bench()
    bench.send(2)
    bench.now_s += 10.5
    assert bench.fate() == (2, 0, 0, 2, 2) and bench.plans.fresh() == []
    assert "max_age_s, which is 10 s" in bench.lost[0]
    bench.send(2)  # pushes the old ones out: they were counted already
    assert bench.fate() == (4, 0, 0, 2, 2)


@pytest.fixture
def rule():
    return ImagineSettings().stamps


@pytest.mark.parametrize("stamp", [0, NOW_NS, NOW_NS + 90_000_000, NOW_NS - 90_000_000])
def test_a_plan_without_a_stamp_or_of_now_goes_out_as_it_came(rule, stamp):
    assert not rule.refusal(stamp, NOW_NS) and not rule.restamps(stamp, NOW_NS)


def test_a_plan_of_the_future_is_refused_and_the_cure_is_named(rule):
    reason = rule.refusal(1010 * SECOND, NOW_NS)
    assert "10.0 s in the future" in reason and "future_stamp to 'restamp'" in reason and "use_sim_time" not in reason
    assert not rule.restamps(1010 * SECOND, NOW_NS)
    assert "use_sim_time" in rule.refusal(1_700_000_000 * SECOND, NOW_NS), "of another clock"
    assert "use_sim_time" in rule.refusal(5 * SECOND, 0), "the clock has not come yet"


def test_a_plan_of_the_past_begins_when_it_is_handed_on(rule):
    for stamp in (990 * SECOND, 1 * SECOND, -5 * SECOND):
        assert not rule.refusal(stamp, NOW_NS) and rule.restamps(stamp, NOW_NS)


@pytest.mark.parametrize("future, past, refused, restamped", [
    ("restamp", "refuse", [False, True], [True, False]),
    ("pass", "pass", [False, False], [False, False]),
    ("refuse", "restamp", [True, False], [False, True]),
])  # fmt: skip
def test_both_rules_are_parameters(future, past, refused, restamped):
    rule = PlanStamps(future, past, 0.1)
    stamps = [1010 * SECOND, 990 * SECOND]
    assert [bool(rule.refusal(stamp, NOW_NS)) for stamp in stamps] == refused
    assert [rule.restamps(stamp, NOW_NS) for stamp in stamps] == restamped
    with fault(ValueError, "future_stamp", "'wait'", "refuse, restamp, pass"):
        ImagineSettings(future_stamp="wait")


def test_refusals_name_their_plan(rule):
    held = HeldPlan("fast", 0.0, PlanMessage(PLAN, 1010 * SECOND, b""))
    refused = stamp_refusals({"fast/0": held.message}, rule, NOW_NS)
    assert list(refused) == ["fast/0"] and refused["fast/0"].thing == "plan 'fast/0'"


def test_only_the_stamp_is_changed_of_a_plan_that_is_handed_on():
    msg = plan_to_trajectory(PLAN, Time(sec=7, nanosec=5), "base")
    data = serialize_message(msg)
    changed = JointTrajectoryAdapter().without_stamp(data)
    made = deserialize_message(changed, JointTrajectory)
    assert made.header.stamp == Time() and len(changed) == len(data)
    made.header.stamp = msg.header.stamp
    assert made == msg
