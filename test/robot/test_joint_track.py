"""Where joints were at the time of an image."""

import pytest

from astra_ros.robot.joint_track import KEPT_NS, JointTrack

MS = 1_000_000


def track(*states):
    made = JointTrack()
    for stamp_ms, positions in states:
        made.add(stamp_ms * MS, positions)
    return made


def test_positions_are_interpolated_between_two_joint_states():
    found = track((100, {"a": 0.0, "b": 1.0}), (200, {"a": 1.0, "b": 1.0}))
    assert found.at(125 * MS) == pytest.approx({"a": 0.25, "b": 1.0}) and found.at(200 * MS)["a"] == 1.0


def test_nothing_is_known_before_the_first_after_the_last_and_across_a_gap():
    found = track((1000, {"a": 0.0}), (1100, {"a": 1.0}), (2000, {"a": 0.0}))
    assert found.at(900 * MS) == {} == found.at(2100 * MS) == found.at(1500 * MS)


def test_arm_and_gripper_in_messages_of_their_own_are_joined():
    found = track((100, {"a": 0.0}), (103, {"finger": 0.5}), (200, {"a": 1.0}), (203, {"finger": 0.7}))
    assert found.at(150 * MS) == pytest.approx({"a": 0.5, "finger": 0.594})


def test_fast_joint_states_are_thinned_out_and_the_newest_is_kept():
    found = track(*((ms, {"a": ms / 1000}) for ms in range(1, 2001)))
    assert len(found._kinds[frozenset("a")]) < 120
    assert found.at(2000 * MS) == {"a": 2.0} and found.at(1234 * MS)["a"] == pytest.approx(1.234)


def test_an_angle_that_wraps_is_not_swept_through_zero():
    assert track((100, {"a": 3.1}), (120, {"a": -3.1})).at(115 * MS) == {"a": -3.1}


def test_older_joint_states_are_left_out_and_much_older_ones_begin_anew():
    found = track((5000, {"a": 0.0}), (4990, {"a": 9.0}), (5100, {"a": 0.0}))
    assert found.at(5050 * MS) == {"a": 0.0}
    found.add(5100 * MS - KEPT_NS, {"a": 1.0})
    assert found.at(5050 * MS) == {}
