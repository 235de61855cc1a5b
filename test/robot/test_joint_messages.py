"""What joint messages say, in old and new versions of them, read by their attributes."""

from types import SimpleNamespace as Message

import pytest

from astra_ros.robot.joint_messages import JointMessageError, controller_state, joint_state

NAN = float("nan")


def point(*positions):
    return Message(positions=list(positions))


def state(names, **points):
    return Message(joint_names=list(names), **points)


def test_a_joint_state():
    said = joint_state(Message(name=["b", "a"], position=[1.0, NAN]))
    assert said.names == ("b", "a") and said.values[0] == 1.0
    assert said.finite == {"b": 1.0} and said.measured
    assert joint_state(Message(name=[], position=[])).finite == {}


@pytest.mark.parametrize("names", [["wheel_l", "wheel_r"], ["a", "a"]])
def test_a_joint_state_without_positions_is_valid_and_says_nothing_of_them(names):
    said = joint_state(Message(name=names, position=[], velocity=[3.0, 3.0], effort=[]))
    assert said.names == () and said.values == () and said.finite == {}


@pytest.mark.parametrize(
    "names, positions, what",
    [
        (["a", "b"], [0.0], "2 names but 1 positions"),
        ([], [0.0], "0 names but 1 positions"),
        (["a", "b", "a"], [0.0, 1.0, 2.0], "named twice: a"),
        (["a", "b", "a"], [0.0, 1.0, 0.0], "named twice: a"),
        (["a", "b"], [NAN, float("inf")], "position of a, b is not finite"),
    ],
)
def test_a_joint_state_that_says_no_position(names, positions, what):
    with pytest.raises(JointMessageError) as caught:
        joint_state(Message(name=names, position=positions))
    assert what in caught.value.problem and caught.value.cure


@pytest.mark.parametrize(
    "points, field, values",
    [
        ({"desired": point(1.0, 2.0), "actual": point(8.0, 9.0)}, "desired", (1.0, 2.0)),
        ({"reference": point(1.0, 2.0), "feedback": point(8.0, 9.0)}, "reference", (1.0, 2.0)),
        ({"reference": point(), "desired": point(1.0, 2.0)}, "desired", (1.0, 2.0)),
        ({"reference": point(1.0, 2.0), "desired": point()}, "reference", (1.0, 2.0)),
        ({"reference": point(NAN, NAN), "desired": point(1.0, 2.0)}, "desired", (1.0, 2.0)),
        ({"reference": point(1.0), "desired": point(3.0, 4.0)}, "desired", (3.0, 4.0)),
        ({"reference": point(1.0, 2.0), "desired": point(3.0, 4.0)}, "reference", (1.0, 2.0)),
        ({"reference": point(), "feedback": point(8.0, 9.0), "output": point(5.0, 5.0)}, "feedback", (8.0, 9.0)),
        ({"desired": point(), "actual": point(8.0, 9.0)}, "actual", (8.0, 9.0)),
    ],
)
def test_a_controller_state_is_read_where_it_is_filled(points, field, values):
    said = controller_state(state(["a", "b"], **points))
    assert (said.field, said.values, said.measured) == (field, values, field in ("feedback", "actual"))


@pytest.mark.parametrize(
    "points, what",
    [
        ({"reference": point(), "desired": point()}, "2 names but 0 positions (reference, desired empty)"),
        ({"reference": point(1.0), "desired": point()}, "2 names but 1 in reference"),
        ({"reference": point(NAN, NAN), "feedback": point()}, "not finite in reference"),
        ({"output": point(1.0, 2.0)}, "2 names but 0 positions"),
    ],
)
def test_a_controller_state_that_is_not_filled(points, what):
    with pytest.raises(JointMessageError) as caught:
        controller_state(state(["a", "b"], **points))
    assert what in caught.value.problem
