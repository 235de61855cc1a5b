"""Positions far beyond the limits of a description: which joints, how far, and what may explain it."""

import math

import numpy as np
import pytest

from astra_ros.plans.limits import JointLimits
from astra_ros.robot.described_joints import DescriptionError
from astra_ros.robot.limits import Limits, beyond, in_words, joint_limits, position_limits

ARM = Limits(-1.9, 1.9)
RAIL = Limits(0.0, 0.4, "m")


def found(limits, *values):
    return beyond({"j": limits}, {"j": values})


def joint(name, kind, limit):
    return f'<joint name="{name}" type="{kind}">{limit}</joint>'


def description(*joints):
    return "<robot>" + "".join(joints) + "</robot>"


def test_limits_are_those_of_turning_and_sliding_joints_that_have_any():
    text = description(
        joint("turn", "revolute", '<limit lower="-1.5" upper="2" effort="1" velocity="1"/>'),
        joint("slide", "prismatic", '<limit upper="0.04" effort="1" velocity="1"/>'),
        joint("wheel", "continuous", '<limit lower="-1" upper="1" effort="1" velocity="1"/>'),
        joint("unknown", "revolute", '<limit effort="1" velocity="1"/>'),
        joint("zeros", "revolute", '<limit lower="0" upper="0" effort="1" velocity="1"/>'),
        joint("word", "revolute", '<limit lower="${low}" upper="1" effort="1" velocity="1"/>'),
        joint("nan", "revolute", '<limit lower="nan" upper="1" effort="1" velocity="1"/>'),
        joint("bare", "revolute", ""),
        joint("plate", "fixed", ""),
    )
    assert position_limits(text) == {"turn": Limits(-1.5, 2.0), "slide": Limits(0.0, 0.04, "m")}
    with pytest.raises(DescriptionError):
        position_limits("<sdf/>")


def test_hard_limits_are_infinite_where_a_description_does_not_know_them():
    text = description(
        joint("turn", "revolute", '<limit lower="-1.5" upper="2" effort="1" velocity="3"/>'),
        joint("new", "revolute", '<limit lower="-1" upper="1" velocity="3" acceleration="9"/>'),
        joint("slide", "prismatic", '<limit upper="0.04" velocity="0"/>'),
        joint("wheel", "continuous", '<limit lower="-1" upper="1" velocity="8"/>'),
        joint("word", "revolute", '<limit lower="0" upper="0" velocity="fast"/>'),
        joint("bare", "revolute", ""),
        joint("plate", "fixed", ""),
    )
    assert joint_limits(text) == {
        "turn": JointLimits(-1.5, 2.0, 3.0),
        "new": JointLimits(-1.0, 1.0, 3.0, 9.0),
        "slide": JointLimits(0.0, 0.04, unit="m"),
        "wheel": JointLimits(velocity=8.0),
    }
    assert joint_limits("<robot/>") == {}, "without joints that move nothing is checked"
    with pytest.raises(DescriptionError):
        joint_limits("<robot")


@pytest.mark.parametrize(
    "values",
    [
        [0.0],
        [-1.9, 1.9],
        [2.2],
        [-2.0, math.nan],
        [math.inf],
        [],  # a tenth of 3.8 rad more is a stop that gives way
    ],
)
def test_what_is_within_or_a_little_beyond_is_not_spoken_of(values):
    assert found(ARM, *values) == []


@pytest.mark.parametrize(
    ("limits", "values", "reached", "perhaps"),
    [
        (ARM, [80.0, -20.0], 80.0, "degrees"),
        (ARM, [10.0, -80.0], -80.0, "degrees"),
        (ARM, [-100.0, 100.0, 150.0], 150.0, ""),  # 150 degrees are 2.6 rad
        (ARM, [2.5], 2.5, ""),  # not plainly another unit
        (Limits(-math.pi, math.pi), [0.1, 6.2], 6.2, "one turn off"),
        (Limits(-math.pi, math.pi), [0.1, 180.0], 180.0, "degrees"),
        (Limits(0.5, 1.0), [30.0, 55.0], 55.0, "degrees"),
        (RAIL, [380.0, 0.0], 380.0, "millimetres"),
        (RAIL, [0.85], 0.85, ""),
    ],
)
def test_the_farthest_position_is_named_and_what_would_explain_all(limits, values, reached, perhaps):
    (one,) = found(limits, *values)
    assert (one.joint, one.reached, one.limits, one.perhaps) == ("j", reached, limits, perhaps)
    assert ("?" in str(one)) == bool(perhaps) and f"{reached:.4g}" in str(one) and one.cure


def test_one_driver_has_one_unit():
    limits = {"a": ARM, "b": ARM, "c": ARM, "rail": RAIL}
    said = {"a": [2.5], "b": [85.0], "c": [1.0], "rail": [0.5], "unknown": [1e6]}
    assert [(one.joint, one.perhaps) for one in beyond(limits, said)] == [
        ("a", "degrees"),
        ("b", "degrees"),
        ("rail", ""),
    ]


def test_many_joints_are_one_text_with_a_cure():
    limits = {f"j{index}": ARM for index in range(6)}
    text = in_words(beyond(limits, {name: np.array([80.0]) for name in limits}))
    assert text.count("reaches 80") == 4 and "2 more joints" in text and text.count("radians") == 1
    assert in_words([]) == ""
