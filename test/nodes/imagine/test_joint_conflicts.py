"""A joint of which two publishers say different things has no position, and is named; without a graph."""

from types import SimpleNamespace

import pytest

pytest.importorskip("rclpy")

from sensor_msgs.msg import JointState

from astra_ros.bridge.stamps import stamp_of
from astra_ros.nodes.imagine.inputs import ImagineInputs
from astra_ros.nodes.imagine.robot_state import RobotState
from astra_ros.nodes.imagine.settings import PlanTopicSettings

ARM = {"a": -0.785, "b": 1.571, "c": 0.4}
ZEROS = dict.fromkeys(ARM, 0.0)
TIMEOUT_S = 2.0


class Bench:
    def __init__(self):
        self.now_s = 100.0
        refuse = SimpleNamespace(calls=[]).calls.append
        self.inputs = ImagineInputs(
            "/camera", {"candidates": PlanTopicSettings()}, lambda *why: refuse(why), print, clock=lambda: self.now_s
        )
        topics = SimpleNamespace(wrong=lambda name: "", publishers=lambda topic: ["/arm_driver", "/state_publisher"])
        description = SimpleNamespace(continuous=frozenset(), limited=frozenset())
        self.state = RobotState("/states", self.inputs, description, topics)

    def say(self, positions):
        msg = JointState(name=list(positions), position=list(positions.values()))
        msg.header.stamp = stamp_of(self.now_s)
        self.inputs.on_joints(msg, "/states")

    def run(self, seconds, *publishers):
        """Each publisher: (positions, Hz), by turns as their times come."""
        due = [(self.now_s + 0.1 / hz, 1 / hz, positions) for positions, hz in publishers]
        end_s = self.now_s + seconds
        while (first := min(due, key=lambda each: each[0]))[0] <= end_s:
            due.remove(first)
            self.now_s = max(self.now_s, first[0])
            self.say(first[2])
            due.append((first[0] + first[1], *first[1:]))
        self.now_s = end_s


@pytest.mark.parametrize("hz, other_hz", [(50.0, 10.0), (50.0, 50.0), (30.0, 100.0), (100.0, 2.0)])
@pytest.mark.parametrize("order", [list(ARM), list(ARM)[::-1]])
def test_contradicted_joints_are_named_with_how_often_and_by_whom(hz, other_hz, order):
    bench = Bench()
    bench.run(6.0, (ARM, hz), ({name: ZEROS[name] for name in order}, other_hz))
    assert bench.inputs.joints_now(TIMEOUT_S) == {}
    text = bench.state.unknown(["a"], TIMEOUT_S)
    assert "/states: " in text and " times" in text
    assert set(ARM) <= set(text.replace("'", " ").replace(",", " ").replace(";", " ").split())
    assert "stop one of its publishers (/arm_driver, /state_publisher)" in text
    said, same = bench.state.contradictions()
    assert said in text and {name for name, _ in same} == set(ARM)
    if order != list(ARM):
        assert "a b c" in text and "c b a" in text  # both orders tell the two apart
    now = bench.state.now(TIMEOUT_S)
    assert set(now.doubted) == set(ARM) and len(set(now.doubted.values())) == 1  # said once, not once a joint


def test_it_is_over_when_one_of_them_stops():
    bench = Bench()
    bench.run(5.0, (ARM, 50.0), (ZEROS, 10.0))
    _, before = bench.state.contradictions()
    bench.run(2.0, (ARM, 50.0), (ZEROS, 10.0))
    assert bench.state.contradictions()[1] == before  # the same as long as it lasts
    bench.run(8.0, (ARM, 50.0))
    assert bench.state.contradictions()[0] == "" and bench.inputs.joints_now(TIMEOUT_S) == ARM
    assert bench.state.unknown(list(ARM), TIMEOUT_S) is None


def test_an_arm_and_its_gripper_without_a_joint_in_common_are_silent():
    bench = Bench()
    bench.run(8.0, (ARM, 50.0), ({"finger": 0.02}, 20.0))
    assert bench.state.contradictions()[0] == "" and bench.inputs.joints_now(TIMEOUT_S) == ARM | {"finger": 0.02}


def test_only_the_joint_in_common_is_doubted():
    bench = Bench()
    bench.run(6.0, (ARM, 50.0), ({"finger": 0.02, "c": -0.4}, 20.0))
    assert set(bench.inputs.joints_now(TIMEOUT_S)) == {"a", "b", "finger"}
    assert set(bench.state.now(TIMEOUT_S).doubted) == {"c"}


def test_a_joint_that_nobody_speaks_of_is_another_reason():
    bench = Bench()
    bench.run(1.0, (ARM, 50.0))
    assert "no joint state of x came on /states" in bench.state.unknown(["a", "x"], TIMEOUT_S)
