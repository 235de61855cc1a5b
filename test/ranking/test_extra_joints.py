"""Joints that a plan has beside the model's own: fingers that stand still, that move, that are to be ignored."""

import numpy as np
import pytest
from refusals import refused_plan

from astra_ros.plans.action_spaces.joints import JointSpace
from astra_ros.plans.errors import StartError
from astra_ros.plans.joint_plan import JointPlan
from astra_ros.ranking.prepare import PlanPreparer, PlanSettings, UnmatchedPlan

ARM = JointSpace("arm_joints", ("a", "b"), (0.0, 0.0), (1.0, 1.0), (1.0, 1.0))
LONGER = JointSpace("longer_joints", ("a", "b", "c"), (0.0,) * 3, (1.0,) * 3, (1.0,) * 3)
NOW = {"a": 0.0, "b": 0.0}


def prepare(plans, spaces=(ARM,), now=NOW, **settings):
    made = PlanPreparer("m", {space.name: space for space in spaces}, 0.5, PlanSettings(horizon=4, **settings))
    return made(plans, now)


def plan(finger=(0.02, 0.02), names=("finger", "a", "b"), name="p"):
    positions = np.zeros((2, len(names)))
    positions[1, names.index("a")] = 0.4
    positions[:, names.index("finger")] = finger
    return JointPlan(names, np.array([0.0, 1.0]), positions, name)


@pytest.mark.parametrize("finger", [(0.02, 0.02), (0.02, 0.0205), (-3.0, -3.0)])
def test_joints_that_no_model_knows_and_that_stand_still_are_left_out_and_named(finger):
    made = prepare([plan(finger), plan(finger, name="q")])
    assert made.left_out == ("finger",) and made.refused == {}
    assert made.plans[0].joint_names == ("a", "b")
    np.testing.assert_allclose(made.motion[0, 2], [0.4, 0.0])


def test_joints_that_move_are_refused_by_name_with_the_parameter_that_cures_it():
    refused = refused_plan(prepare, [plan((0.0, 0.04))])
    assert isinstance(refused, UnmatchedPlan) and (refused.thing, refused.column) == ("plan 'p'", "finger")
    assert refused.known == ("arm_joints",) and "ignore_joints" in refused.cure
    made = prepare([plan((0.0, 0.04))], ignore_joints=("finger", "another"))
    assert made.plans[0].joint_names == ("a", "b") and made.left_out == (), "nothing to say of what was asked for"


def test_joints_that_stand_still_elsewhere_than_the_robot_has_them_would_move_unseen():
    for here, there in ((0.0, 0.3), (0.5, -3.0)):
        now = {**NOW, "finger": here}
        refused = refused_plan(lambda now=now, there=there: prepare([plan((there, there))], now=now))
        assert isinstance(refused, StartError) and refused.column == "finger" and "ignore_joints" in refused.cure
        assert not prepare([plan((there, there))], now={**NOW, "finger": here}, ignore_joints=("finger",)).refused
        assert not prepare([plan((there, there))], now={**NOW, "finger": here}, start_tolerance=0.0).refused
    assert prepare([plan((0.0, 0.0))], now={**NOW, "finger": 0.04}).left_out == ("finger",), "a gripper's noise"
    both = [plan((0.3, 0.3)), plan((0.0, 0.0), names=("a", "b", "finger"), name="q")]
    made = prepare(both, now={**NOW, "finger": 0.3})
    assert made.left_out == ("finger",) and list(made.refused) == ["q"]
    arm_alone = JointPlan(("a", "b"), np.array([0.0, 1.0]), np.zeros((2, 2)), "q")
    made = prepare([plan((0.3, 0.3)), arm_alone], now={**NOW, "finger": 0.0})
    assert made.left_out == () and list(made.refused) == ["p"], "a refused plan's joints are not handed on"


def test_a_joint_of_the_model_cannot_be_ignored():
    made = prepare([plan()], ignore_joints=("a", "finger"))
    assert made.motion[0, 2, 0] == pytest.approx(0.4)


def test_where_the_robot_is_is_asked_of_the_models_joints_only():
    assert prepare([plan()], now=NOW).left_out == ("finger",)
    refused = refused_plan(lambda: prepare([plan()], now={"a": 0.3, "b": 0.0, "finger": 1.0}))
    assert isinstance(refused, StartError) and (refused.column, refused.found) == ("a", pytest.approx(0.3))


def test_a_model_that_knows_all_of_a_plans_joints_goes_before_one_that_knows_some():
    arm_and_c = JointPlan(("a", "b", "c"), np.array([0.0, 1.0]), np.zeros((2, 3)), "p")
    assert prepare([arm_and_c], (ARM, LONGER), now=None).space is LONGER
    assert prepare([arm_and_c], (ARM,), now=None).space is ARM
    assert prepare([arm_and_c], (ARM, LONGER), now=None, action_space="arm_joints").space is ARM


def test_a_plan_without_a_joint_of_the_model_is_refused_as_before():
    refused = refused_plan(prepare, [plan(names=("finger", "a"))])
    assert refused.known == ("arm_joints",) and "finger, a" in refused.problem and "a, b" in refused.problem
