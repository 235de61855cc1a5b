"""Hard limits: every kind is vetoed with its joint, time, value and limit."""

import math
from dataclasses import replace

import numpy as np
import pytest

from astra_ros.plans.errors import Breach, BrokenLimit
from astra_ros.plans.joint_plan import JointPlan
from astra_ros.plans.limits import JointLimits, LimitSettings, check_joint_plan, check_velocity_plan
from astra_ros.plans.velocity_plan import VelocityPlan

ARM = {
    "a": JointLimits(-1.0, 1.0, 2.0, 10.0),
    "b": JointLimits(velocity=3.0),
    "rail": JointLimits(0.0, 0.5, 0.25, 1.0, "m"),
}
FREE = LimitSettings()


def arm(times_s=(0.0, 1.0, 2.0), velocities=None, accelerations=None, **ways):
    return JointPlan(tuple(ways), np.array(times_s), np.array([*ways.values()]).T, "p", velocities, accelerations)


def breach_of(check, *args):
    with pytest.raises(BrokenLimit) as caught:
        check(*args)
    assert caught.value.thing == "plan 'p'" and caught.value.cure
    for part in (caught.value.breach.column, f"{caught.value.breach.time_s:.2f} s", f"{caught.value.breach.limit:.4g}"):
        assert part in caught.value.problem
    found = caught.value.breach
    return replace(found, time_s=round(found.time_s, 9), value=round(found.value, 9))


def test_positions_beyond_a_range_where_they_are_farthest():
    plan = arm(a=[0.0, 1.5, 1.2], b=[0.0, 9.0, 9.0])
    assert breach_of(check_joint_plan, plan, ARM, FREE) == Breach("position", "a", 1.0, 1.5, 1.0, "rad")
    plan = arm(a=[0.0, 1.1, 0.0], rail=[0.1, 0.1, -0.2])
    assert breach_of(check_joint_plan, plan, ARM, FREE) == Breach("position", "rail", 2.0, -0.2, 0.0, "m")
    check_joint_plan(arm(a=[1.0, 1.004, -1.0], rail=[0.5, 0.5004, 0.4]), ARM, FREE)  # within the slack


def test_velocities_by_differences_of_positions():
    plan = arm((0.0, 0.5, 0.6), a=[0.0, 0.5, 0.0], b=[0.0, 0.0, 0.35])
    assert breach_of(check_joint_plan, plan, ARM, FREE) == Breach("velocity", "a", 0.6, 5.0, 2.0, "rad/s")
    plan = arm((0.0, 1.0), rail=[0.0, 0.5])
    assert breach_of(check_joint_plan, plan, ARM, FREE) == Breach("velocity", "rail", 1.0, 0.5, 0.25, "m/s")
    check_joint_plan(arm((0.0, 1.0), a=[-1.0, 1.0]), ARM, FREE)  # as fast as it may
    check_joint_plan(arm((0.0,), a=[0.5]), ARM, FREE)  # one point has no velocity


def test_velocities_that_a_plan_states_count_beside_the_differences():
    slow = arm(velocities=[[0.0], [2.5], [0.0]], a=[0.0, 0.1, 0.2])
    assert breach_of(check_joint_plan, slow, ARM, FREE) == Breach("velocity", "a", 1.0, 2.5, 2.0, "rad/s")
    denied = arm((0.0, 0.1), velocities=[[0.0], [0.0]], a=[0.0, 0.5])  # states rest, and jumps
    assert breach_of(check_joint_plan, denied, ARM, FREE).value == 5.0


def test_accelerations_by_differences_of_positions_and_of_stated_velocities():
    plan = arm((0.0, 0.1, 0.2), a=[0.0, 0.1, 0.0])  # 1 rad/s, then -1 rad/s, 0.1 s apart
    expected = Breach("acceleration", "a", 0.1, 20.0, 10.0, "rad/s^2")
    assert breach_of(check_joint_plan, plan, ARM, FREE) == expected
    plan = arm((0.0, 0.1), velocities=[[0.0], [1.5]], a=[0.0, 0.1])
    expected = Breach("acceleration", "a", 0.1, 15.0, 10.0, "rad/s^2")
    assert breach_of(check_joint_plan, plan, ARM, FREE) == expected
    check_joint_plan(arm((0.0, 0.1, 0.2), a=[0.0, 0.05, 0.0]), ARM, FREE)


def test_accelerations_that_a_plan_states():
    plan = arm(accelerations=[[0.0, 0.0], [0.0, -1.5], [11.0, 0.0]], a=[0.0] * 3, rail=[0.0] * 3)
    assert breach_of(check_joint_plan, plan, ARM, FREE) == Breach("acceleration", "rail", 1.0, 1.5, 1.0, "m/s^2")


def test_settings_give_what_a_description_does_not_name():
    plan = arm((0.0, 0.1, 0.2), x=[0.0, 0.5, 0.5])
    check_joint_plan(plan, ARM, FREE)
    breach = breach_of(check_joint_plan, plan, ARM, LimitSettings(joint_velocity=4.0))
    assert breach == Breach("velocity", "x", 0.1, 5.0, 4.0, "rad/s")
    breach = breach_of(check_joint_plan, plan, ARM, LimitSettings(joint_acceleration=40.0))
    assert breach == Breach("acceleration", "x", 0.1, 50.0, 40.0, "rad/s^2")
    check_joint_plan(arm((0.0, 0.5), a=[0.0, 0.9]), ARM, LimitSettings(joint_velocity=1.0))  # the description counts


def test_an_angle_that_is_written_within_one_turn_does_not_jump_where_the_joint_turns_without_end():
    plan = arm((0.0, 0.1), b=[3.1, -3.1])
    check_joint_plan(plan, ARM, FREE, {"b"})
    assert breach_of(check_joint_plan, plan, ARM, FREE).value == 62.0


def base(rows, columns=("linear.x", "linear.y", "angular.z"), dt_s=0.5):
    return VelocityPlan(columns, dt_s, np.array(rows, float), "p")


def test_bases_have_limits_of_speed_and_turn_rate_and_of_their_changes():
    plan = base([[0.0, 0.0, 0.0], [0.6, 0.8, 0.5]])
    check_velocity_plan(plan, FREE)
    columns = "linear.x, linear.y"
    for settings, expected in (
        (LimitSettings(speed=0.9), Breach("speed", columns, 0.5, 1.0, 0.9, "m/s")),
        (LimitSettings(turn_rate=0.4), Breach("turn_rate", "angular.z", 0.5, 0.5, 0.4, "rad/s")),
        (LimitSettings(acceleration=1.0), Breach("acceleration", columns, 0.5, 2.0, 1.0, "m/s^2")),
        (LimitSettings(turn_acceleration=0.8), Breach("turn_acceleration", "angular.z", 0.5, 1.0, 0.8, "rad/s^2")),
    ):
        assert breach_of(check_velocity_plan, plan, settings) == expected
    generous = LimitSettings(speed=1.0, turn_rate=0.5, acceleration=2.0, turn_acceleration=1.0)
    check_velocity_plan(plan, generous)


def test_a_base_accelerates_from_what_it_does_now():
    plan = base([[1.0, 0.0, 0.0]])
    check_velocity_plan(plan, LimitSettings(acceleration=1.0))  # it is not known what it does now
    check_velocity_plan(plan, LimitSettings(acceleration=1.0), np.array([0.8, 0.0, 0.0]))
    breach = breach_of(check_velocity_plan, plan, LimitSettings(acceleration=1.0), np.zeros(3))
    assert breach == Breach("acceleration", "linear.x, linear.y", 0.0, 2.0, 1.0, "m/s^2")


def test_a_drone_has_one_speed_in_all_directions():
    columns = tuple(f"{kind}.{axis}" for kind in ("linear", "angular") for axis in "xyz")
    plan = base([[1.0, 2.0, 2.0, 0.0, 0.0, 0.0]], columns)
    assert breach_of(check_velocity_plan, plan, LimitSettings(speed=2.0)).value == 3.0


@pytest.mark.parametrize("name", ["joint_velocity", "speed", "turn_acceleration"])
def test_a_limit_below_nothing_is_no_limit(name):
    with pytest.raises(ValueError, match=name):
        LimitSettings(**{name: -1.0})
    with pytest.raises(ValueError, match=name):
        LimitSettings(**{name: math.nan})


def test_stated_velocities_have_the_shape_of_the_positions():
    with pytest.raises(ValueError, match="velocities"):
        arm(velocities=[[0.0, 0.0]] * 3, a=[0.0, 0.1, 0.2])
    plan = arm(velocities=[[1.0, 2.0]] * 3, accelerations=[[3.0, 4.0]] * 3, a=[0.0] * 3, b=[1.0] * 3).only(["b"])
    assert plan.velocities.tolist() == [[2.0]] * 3 and plan.accelerations.tolist() == [[4.0]] * 3
