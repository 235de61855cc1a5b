"""Which plans of a request can be imagined, and how they are sampled."""

import numpy as np
import pytest
from known_model import TWO, KnownModel, plan
from refusals import refused_plan

from astra_ros.plans.action_spaces.joints import JointSpace
from astra_ros.plans.action_spaces.twist import TwistSpace
from astra_ros.plans.errors import RobotUnknown, StartError
from astra_ros.ranking.imaginer import Imaginer, RankingSettings
from astra_ros.ranking.prepare import NothingToImagine, UnmatchedPlan


def imaginer(**settings):
    return Imaginer(KnownModel(), RankingSettings(horizon=2, **settings))


def test_plans_are_sampled_at_the_models_times():
    prepared = imaginer().prepare([plan("p", 1.0)])
    # 0, 0.5 and 1 s of a ramp to 1.
    np.testing.assert_allclose(prepared.motion[0, :, 0], [0.0, 0.5, 1.0])


def test_joint_order_does_not_matter():
    prepared = imaginer().prepare([plan("p", 1.0, joints=("b", "a"))])
    assert prepared.space.name == "two" and prepared.plans[0].joint_names == ("a", "b")
    np.testing.assert_allclose(prepared.motion[0, -1], [1.0, 0.0])


def test_a_late_first_point_starts_where_the_robot_is():
    late = plan("late", 1.0, first_s=0.5)
    prepared = imaginer().prepare([late], {"a": -0.5, "b": 1.0, "finger": 9.0})
    np.testing.assert_allclose(prepared.motion[0], [[-0.5, 1.0], [0.0, 0.0], [1.0, 0.0]])
    refused = refused_plan(imaginer().prepare, [late], {"a": -2.0, "b": 0.0})
    assert isinstance(refused, StartError) and refused.thing == "plan 'late'" and refused.column == "a"


def test_one_robot_at_a_time_the_newest_plans():
    prepared = imaginer().prepare([plan("old", 1.0), plan("new", 1.0, joints=("x",))])
    assert prepared.space.name == "one" and list(prepared.refused) == ["old"]
    assert all(name in prepared.refused["old"].problem for name in ("two", "one"))


def test_a_plan_longer_than_what_is_imagined_is_refused_unless_that_is_wanted():
    # Two steps of 0.5 s are imagined; half a step more is let pass.
    prepared = imaginer().prepare([plan("long", 1.0, end_s=1.3), plan("fits", 1.0, end_s=1.25)])
    assert [each.name for each in prepared.plans] == ["fits"]
    refused = prepared.refused["long"]
    assert (refused.found, refused.limit) == (pytest.approx(1.3), 1.0)
    assert all(text in str(refused) for text in ("1.30 s", "1.00 s", "horizon", "partial_plans"))
    assert not imaginer(partial_plans=True).prepare([plan("long", 1.0, end_s=9.0)]).refused


def test_a_plan_that_starts_elsewhere_than_the_robot_is_refused():
    # The plan starts at a = 0, b = 0.
    near, far = {"a": 0.1, "b": 0.0}, {"a": 0.0, "b": -0.2}
    assert not imaginer().prepare([plan("p", 1.0)], near).refused
    refused = refused_plan(imaginer().prepare, [plan("p", 1.0)], far)
    assert isinstance(refused, StartError) and refused.column == "b"
    assert (refused.found, refused.limit) == (pytest.approx(0.2), pytest.approx(0.1))
    # With its first point later, it may go there first: 0.1 rad and 2 rad/s of slack.
    late = plan("p", 1.0, first_s=0.2)
    assert not imaginer().prepare([late], {"a": 0.45, "b": 0.0}).refused
    refused = refused_plan(imaginer().prepare, [late], {"a": 0.55, "b": 0.0})
    assert (refused.found, refused.limit) == (pytest.approx(0.55), pytest.approx(0.5))
    assert not imaginer(start_tolerance=0.0).prepare([plan("p", 1.0)], far).refused
    assert not imaginer().prepare([plan("p", 1.0)]).refused  # not compared with the robot


@pytest.mark.parametrize("known, unknown", [({}, ("a", "b")), ({"a": 0.0, "finger": 0.0}, ("b",))])
def test_plans_are_refused_while_the_position_of_the_robot_is_not_known(known, unknown):
    with pytest.raises(NothingToImagine) as error:
        imaginer().prepare([plan("p", 1.0)], known)
    refused = error.value.refused["p"]
    assert isinstance(refused, RobotUnknown) and refused.joints == error.value.unknown_joints == unknown
    assert ", ".join(unknown) in refused.problem and "start_tolerance" in refused.cure
    assert not imaginer(start_tolerance=0.0).prepare([plan("p", 1.0)], known).refused


def test_only_arms_spaces_are_asked_for_joints_and_twins_must_be_named():
    made = imaginer()
    twist = TwistSpace("car_twist", ("linear.x", "angular.z"), (1.0, 1.0), (1.0, 1.0))
    twin = JointSpace("twin", ("b", "a"), (0.0, 0.0), (1.0, 1.0), (1.0, 1.0))
    spaces = made.model.card.action_spaces = {"car_twist": twist, "two": TWO}
    made.configure(RankingSettings(horizon=2), {})
    assert made.prepare([plan("p", 1.0)]).space.name == "two"
    spaces["twin"] = twin
    refused = refused_plan(made.prepare, [plan("p", 1.0)])
    assert isinstance(refused, UnmatchedPlan) and refused.known == ("two", "twin")
    assert "action_space" in refused.cure
    made.configure(RankingSettings(horizon=2, action_space="twin"), {})
    assert made.prepare([plan("p", 1.0)]).space.name == "twin"
    made.configure(RankingSettings(horizon=2, action_space="toes"), {})
    refused = refused_plan(made.prepare, [plan("p", 1.0)])
    assert refused.known == ("car_twist", "two", "twin") and "'toes'" in refused.problem
    made.configure(RankingSettings(horizon=2, action_space="car_twist"), {})
    refused = refused_plan(made.prepare, [plan("p", 1.0)])
    assert refused.known == ("two", "twin") and "'car_twist'" in refused.problem
