"""Angles of joints that turn without end."""

import numpy as np
import pytest

from astra_ros.plans.turns import first_turn, looks_wrapped, nearest_turn, turns_in, unwrapped
from astra_ros.robot.described_joints import DescriptionError, continuous_joints

TURN = 2 * np.pi


@pytest.mark.parametrize("low", [-np.pi, 0.0])
@pytest.mark.parametrize("speed", [0.5, -3.0, 40.0])
def test_an_even_turn_across_the_seam_stays_even(low, speed):
    true = 2.0 + speed * np.arange(0, 10, 0.05)
    angles = (true - low) % TURN + low
    assert np.allclose(unwrapped(angles), true - true[0] + angles[0])
    assert np.allclose(unwrapped(np.stack([angles, -angles], axis=1))[:, 1], -true + true[0] - angles[0])
    assert looks_wrapped(angles) == (np.abs(np.diff(angles)) > np.pi).sum() > 0


def test_what_needs_no_turn_stays_exactly_as_it_is():
    angles = np.array([0.1, 3.0, -0.1, np.nan, 0.3, np.inf, 1e-17])
    assert np.array_equal(unwrapped(angles), angles, equal_nan=True)
    assert unwrapped(np.array([3.1, np.nan, -3.1]))[2] == pytest.approx(TURN - 3.1)
    assert len(unwrapped(np.empty(0))) == 0 and unwrapped(np.empty((0, 2))).shape == (0, 2)


def test_the_first_turn():
    assert first_turn(np.array([7.0, 8.0])).tolist() == pytest.approx([7 - TURN, 8 - TURN])
    assert first_turn(np.array([np.pi, 9.0]))[0] == pytest.approx(-np.pi)
    assert first_turn(np.array([[-4.0, 0.5], [-5.0, 0.6]])).tolist() == [
        pytest.approx([TURN - 4, 0.5]),
        pytest.approx([TURN - 5, 0.6]),
    ]


def test_the_nearest_turn():
    assert nearest_turn(3.1, -3.1) == pytest.approx(3.1 - TURN)
    assert nearest_turn([0.1, 6.2], [12.6, 0.0]).tolist() == pytest.approx([0.1 + 2 * TURN, 6.2 - TURN])


@pytest.mark.parametrize(
    "difference, turns",
    [(6.283, 1), (-6.2, -1), (12.4, 2), (0.1, 0), (3.1, 0), (5.5, 0), (7.0, 0), (float("nan"), 0), (float("inf"), 0)],
)
def test_a_difference_of_whole_turns_is_named(difference, turns):
    assert turns_in(difference) == turns


@pytest.mark.parametrize(
    "angles",
    [
        [0.0, 1.0, 2.0],
        [-3.0, 3.5, -3.0],
        [2.8, 2.8, -2.8, -2.8, -2.7],
        [1.0, 1.0, -2.5],
        [-4.0, 3.0],
        [0.0, 7.0, 0.0],
        [np.nan, 1.0],
        [],
    ],
)
def test_a_joint_with_limits_does_not_look_wrapped(angles):
    assert looks_wrapped(np.array(angles)) == 0


def test_which_joints_a_description_calls_continuous():
    urdf = """<?xml version="1.0" encoding="utf-8"?><robot name="r"><link name="l"/>
      <joint name="wheel" type="continuous"/><joint name="elbow" type="revolute"/>
      <joint name="twin" type="continuous"><mimic joint="wheel"/></joint>
      <joint name="lid" type="revolute"><mimic joint="wheel"/></joint>
      <transmission name="t"><joint name="elbow" type="continuous"/></transmission></robot>"""
    assert continuous_joints(urdf) == continuous_joints(urdf.encode()) == {"wheel", "twin"}


@pytest.mark.parametrize("text", ["", "no xml", "<sdf/>", b"\xff\xfe", "<robot>"])
def test_no_description(text):
    with pytest.raises(DescriptionError):
        continuous_joints(text)
