"""Messages in the gate, one that is judged and one that waits, also where something fails. Without a graph."""

from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("rclpy")

from rclpy.serialization import serialize_message

from astra_ros.bridge.plan_adapters import plan_adapter
from astra_ros.bridge.trajectories import plan_to_trajectory
from astra_ros.nodes.gate.judge import REPLACED, Answer
from astra_ros.nodes.gate.topic_gate import TopicGate
from astra_ros.nodes.imagine.settings import JOINT_TRAJECTORY
from astra_ros.plans.joint_plan import JointPlan

YES, NO = Answer(passed=True, verdict="accepted"), Answer(reason="vetoed")


def plan(end):
    return serialize_message(plan_to_trajectory(JointPlan(("a",), np.array([0.0, 1.0]), np.array([[0.0], [end]]))))


PLANS = [plan(end) for end in (0.1, 0.2, 0.3, 0.4)]


class Bench:
    """A gate, and a judge that answers when it is told to; ``broken`` has what fails next."""

    def __init__(self):
        self.passed, self.asked, self.told, self.broken = [], [], [], set()
        publisher = SimpleNamespace(publish=lambda data: self.works("publish") and self.passed.append(data))
        node = SimpleNamespace(
            resolve_topic_name=lambda name: f"/{name}",
            create_publisher=lambda *_: publisher,
            create_subscription=lambda kind, topic, call, *_, **__: setattr(self, "send", call),
            get_clock=lambda: SimpleNamespace(now=lambda: SimpleNamespace(nanoseconds=10**12)),
        )
        judge = SimpleNamespace(ask=lambda data, answer: self.works("ask") and self.asked.append((data, answer)))
        answered = lambda answer: self.works("answered") and self.told.append(answer)  # noqa: E731
        self.gate = TopicGate(node, judge, plan_adapter(JOINT_TRAJECTORY), answered)

    def works(self, what):
        if what in self.broken:
            self.broken.remove(what)
            raise RuntimeError(what)
        return True

    def judged(self):
        """The plans that were sent to the judge, in their order."""
        return [data for data, _ in self.asked]

    def answer(self, answer):
        self.asked[-1][1](answer)


def test_the_newest_of_those_that_wait_is_judged_next_and_only_what_is_accepted_passes():
    bench = Bench()
    for data in PLANS[:3]:
        bench.send(data)
    assert bench.judged() == PLANS[:1] and [each.reason for each in bench.told] == [REPLACED]
    bench.answer(NO)
    assert bench.judged() == [PLANS[0], PLANS[2]] and not bench.passed
    bench.answer(YES)
    assert bench.passed == [PLANS[2]] and len(bench.told) == 3
    bench.send(PLANS[3])
    assert bench.judged()[-1] == PLANS[3]


@pytest.mark.parametrize("what", ["publish", "answered"])
def test_the_plan_that_waits_is_judged_though_the_one_before_failed(what):
    bench = Bench()
    bench.send(PLANS[0]), bench.send(PLANS[1])
    bench.broken.add(what)
    with pytest.raises(RuntimeError):
        bench.answer(YES)
    assert bench.judged() == PLANS[:2]
    bench.answer(YES)
    assert bench.passed[-1] == PLANS[1]


def test_a_plan_that_waited_never_passes_behind_a_newer_one():
    bench = Bench()
    ask = bench.gate._judge.ask

    def fails_while_another_one_comes(data, answer):
        bench.gate._judge.ask = ask
        bench.send(PLANS[1])  # waits
        raise RuntimeError("middleware")

    bench.gate._judge.ask = fails_while_another_one_comes
    with pytest.raises(RuntimeError):
        bench.send(PLANS[0])
    bench.send(PLANS[2])
    bench.answer(YES)
    assert bench.judged() == bench.passed == [PLANS[2]]
