"""Joints that turn without end, and joints whose position is not believed: which plans are taken, as which motions."""

import math

import numpy as np
import pytest

from astra_ros.plans.action_spaces.joints import JointSpace
from astra_ros.plans.joint_plan import JointPlan
from astra_ros.plans.start import RobotNow
from astra_ros.ranking.prepare import NothingToImagine, PlanPreparer, PlanSettings

TURN = 2 * math.pi


def preparer(mean=0.0, known=("j",), **settings):
    space = JointSpace("arm", ("j", "k"), (mean, 0.0), (1.0, 1.0), (0.1, 0.1))
    settings = PlanSettings(horizon=2, **settings)
    return PlanPreparer("model", {"arm": space}, 1.0, settings, {"arm": known})


def plan(*angles, seconds=(0.0, 1.0, 2.0), k=0.0):
    return JointPlan(("j", "k"), np.array(seconds[: len(angles)]), np.array([[angle, k] for angle in angles]))


def moved(made, plan, j=0.0, k=0.0, **now):
    """The motion of joint j, or the reason why there is none."""
    try:
        return made([plan], RobotNow({"j": j, "k": k}, **now)).motion[0, :, 0]
    except NothingToImagine as error:
        return str(error)


@pytest.mark.parametrize("turns", [-10, -1, 0, 1, 3])
def test_a_plan_that_goes_on_counting_begins_where_the_robot_is(turns):
    way = moved(preparer(), plan(3.2 + TURN * turns, 3.4 + TURN * turns, 3.6 + TURN * turns), j=3.2 - TURN)
    np.testing.assert_allclose(way, np.array([3.2, 3.4, 3.6]) - TURN, atol=1e-9)


@pytest.mark.parametrize("robot_turns, plan_turns", [(10, 0), (0, 10), (-7, 2)])
def test_the_model_sees_the_turn_that_it_was_trained_on(robot_turns, plan_turns):
    asked = plan(1.0 + TURN * plan_turns, 1.5 + TURN * plan_turns, 2.0 + TURN * plan_turns)
    np.testing.assert_allclose(moved(preparer(), asked, j=1.0 + TURN * robot_turns), [1.0, 1.5, 2.0], atol=1e-9)
    trained = preparer(mean=3 * TURN)
    np.testing.assert_allclose(moved(trained, asked, j=1.0 + TURN * robot_turns) - 3 * TURN, [1.0, 1.5, 2.0], atol=1e-9)


def test_wrapped_numbers_are_no_whole_turn_back():
    way = moved(preparer(), plan(3.1, -3.1, -2.9), j=3.1)
    np.testing.assert_allclose(way, [3.1, TURN - 3.1, TURN - 2.9], atol=1e-9)
    way = moved(preparer(), plan(6.2, 0.1, 0.3), j=6.2 - TURN)  # written from 0 to 2 pi
    np.testing.assert_allclose(way, [6.2 - TURN, 0.1, 0.3], atol=1e-9)
    way = moved(preparer(), plan(3.0, -2.9, seconds=(0.0, 2.0)), j=3.0)  # two points alone
    np.testing.assert_allclose(way[-1], TURN - 2.9, atol=1e-9)


def test_a_plan_that_is_not_written_modulo_a_turn_may_take_great_steps():
    way = moved(preparer(), plan(0.0, 4.0, 8.0), j=0.0)
    np.testing.assert_allclose(way, [0.0, 4.0, 8.0])


@pytest.mark.parametrize("first, second", [(0.0, 3.5), (3.5, 0.0), (-2.0, 2.0), (0.0, 4.7)])
def test_a_step_that_may_go_either_way_round_is_refused_with_the_points_and_the_cure(first, second):
    asked = plan(first, first, second, seconds=(0.0, 0.5, 2.0))
    reason = moved(preparer(), asked, j=first)
    named = f"moves j from {first:.3f} to {second:.3f} rad", "points 1 and 2", "send points"
    assert all(word in reason for word in named)
    middle = (first + second) / 2
    way = moved(preparer(), plan(first, middle, second), j=first)  # what a controller does is said
    np.testing.assert_allclose(way - way[0], [0.0, middle - first, second - first], atol=1e-9)
    way = moved(preparer(known=()), asked, j=first)  # with limits there is one way
    np.testing.assert_allclose(way[-1], second, atol=1e-9)


def test_a_late_first_point_is_reached_the_short_way():
    way = moved(preparer(), plan(-3.0, -2.9, seconds=(1.0, 2.0)), j=3.0)
    np.testing.assert_allclose(way, [3.0, TURN - 3.0, TURN - 2.9], atol=1e-9)


def test_the_start_is_compared_modulo_a_turn_and_still_compared():
    assert "0.300 rad away" in moved(preparer(), plan(3.3 - TURN, 3.4 - TURN), j=3.0)
    made = preparer()
    made.check_start(plan(3.05 - TURN), {"j": 3.0, "k": 0.0})  # the same at the end of a request


def test_what_the_description_calls_continuous_counts_too():
    made = preparer(known=())
    assert "6.283 rad away" in moved(made, plan(1.0 + TURN, 1.1 + TURN), j=1.0)
    way = moved(made, plan(1.0 + TURN, 1.1 + TURN), j=1.0, continuous=frozenset({"j"}))
    np.testing.assert_allclose(way[0], 1.0, atol=1e-9)


def test_a_joint_that_the_robots_description_limits_must_be_in_its_turn_whatever_the_model_says():
    limits = frozenset({"j"})
    assert "6.283 rad away" in moved(preparer(), plan(1.0 + TURN, 1.1 + TURN), j=1.0, limited=limits)
    way = moved(preparer(), plan(3.1, -3.1, seconds=(0.0, 2.0)), j=3.1, limited=limits)
    np.testing.assert_allclose(way, [3.1, 0.0, -3.1])


def test_where_it_is_not_known_a_turn_is_named_as_one_with_the_cure():
    reason = moved(preparer(known=()), plan(1.02 - TURN, 1.1 - TURN), j=1.0)
    assert "Of j that is about one whole turn" in reason
    assert "let the robot's description call it continuous" in reason
    assert "whole turn" not in moved(preparer(known=()), plan(3.0, 3.1), j=1.0)
    reason = moved(preparer(known=()), plan(3.1, -3.1, -2.9, seconds=(0.0, 0.2, 1.0)), j=3.1)
    assert "moves j from 3.100 to -3.100 rad in 0.20 s (points 0 and 1), about one whole turn" in reason
    # Far, but not too fast for a joint that has such a range.
    np.testing.assert_allclose(moved(preparer(known=()), plan(3.1, -3.1, seconds=(0.0, 2.0)), j=3.1), [3.1, 0.0, -3.1])


def test_joints_that_do_not_turn_without_end_stay_as_they_are():
    made = preparer()
    asked = JointPlan(("j", "k"), np.array([0.0, 1.0]), np.array([[0.0, 4.0], [0.1, 4.5]]))
    motion = made([asked], RobotNow({"j": 0.0, "k": 4.0})).motion[0, :, 1]
    np.testing.assert_allclose(motion, [4.0, 4.5, 4.5])


def test_a_doubted_joint_is_compared_with_no_plan():
    doubts = {"j": "/joint_states: two publishers speak of 'j'; stop one of them"}
    now = RobotNow({"k": 0.0}, doubts)
    with pytest.raises(NothingToImagine) as error:
        preparer()([plan(0.0, 0.1)], now)
    assert error.value.unknown_joints == ("j",) and doubts["j"] in str(error.value)
    assert "no joint state" not in str(error.value)
    assert not preparer(start_tolerance=0.0)([plan(0.0, 0.1)], now).refused
