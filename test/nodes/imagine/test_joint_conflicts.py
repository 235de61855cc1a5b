"""A joint on which two publishers contradict each other has no position, and is named; without a graph."""

import pytest
from imagine_bench import CoreBench

from astra_ros.nodes.imagine.inputs import Topics
from astra_ros.nodes.imagine.robot_state import RobotState

ARM = {"a": -0.785, "b": 1.571, "c": 0.4}
ZEROS = dict.fromkeys(ARM, 0.0)
TIMEOUT_S = 2.0


class Bench(CoreBench):
    def __init__(self):
        super().__init__(topics=Topics(joint_states="/states"))
        self.graph.nodes = ["/arm_driver", "/state_publisher"]
        self.state = RobotState("/states", self.inputs, self.core.description, self.graph)

    def run(self, seconds, *publishers):
        """Each publisher: (positions, Hz), by turns as their times come."""
        due = [(self.now_s + 0.1 / hz, 1 / hz, positions) for positions, hz in publishers]
        end_s = self.now_s + seconds
        while (first := min(due, key=lambda each: each[0]))[0] <= end_s:
            due.remove(first)
            self._to(max(self.now_s, first[0]))
            self.joints(**first[2])
            due.append((first[0] + first[1], *first[1:]))
        self._to(end_s)


@pytest.mark.parametrize("hz, other_hz", [(50.0, 10.0), (50.0, 50.0), (30.0, 100.0), (100.0, 2.0)])
@pytest.mark.parametrize("order", [list(ARM), list(ARM)[::-1]])
def test_contradicted_joints_are_named_with_how_often_and_by_whom(hz, other_hz, order):
    bench = Bench()
    bench.run(6.0, (ARM, hz), ({name: ZEROS[name] for name in order}, other_hz))
    assert bench.inputs.joints.now(TIMEOUT_S) == {}
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
    assert bench.state.contradictions()[0] == "" and bench.inputs.joints.now(TIMEOUT_S) == ARM
    assert bench.state.unknown(list(ARM), TIMEOUT_S) is None


def test_an_arm_and_its_gripper_without_a_joint_in_common_are_silent():
    bench = Bench()
    bench.run(8.0, (ARM, 50.0), ({"finger": 0.02}, 20.0))
    assert bench.state.contradictions()[0] == "" and bench.inputs.joints.now(TIMEOUT_S) == ARM | {"finger": 0.02}


def test_only_the_joint_in_common_is_doubted():
    bench = Bench()
    bench.run(6.0, (ARM, 50.0), ({"finger": 0.02, "c": -0.4}, 20.0))
    assert set(bench.inputs.joints.now(TIMEOUT_S)) == {"a", "b", "finger"}
    assert set(bench.state.now(TIMEOUT_S).doubted) == {"c"}


def test_a_joint_that_nobody_speaks_of_is_another_reason():
    bench = Bench()
    bench.run(1.0, (ARM, 50.0))
    assert "no joint state of x came on /states" in bench.state.unknown(["a", "x"], TIMEOUT_S)
