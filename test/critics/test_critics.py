"""Each critic against numbers derived by hand; what it lacks; its settings."""

import warnings
from dataclasses import fields, replace

import numpy as np
import pytest
from user_errors import refusal

from astra_ros.critics import DEFAULT_CRITICS, Critic, CriticInput, load_critic
from astra_ros.critics.collision import CollisionCritic, CollisionSettings
from astra_ros.critics.curiosity import CuriosityCritic, CuriositySettings
from astra_ros.critics.goal import GoalCritic
from astra_ros.critics.goal_pose import GoalPoseCritic
from astra_ros.critics.off_road import OffRoadCritic
from astra_ros.critics.progress import ProgressCritic, ProgressSettings
from astra_ros.critics.smoothness import SmoothnessCritic
from astra_ros.critics.uncertainty import UncertaintyCritic, UncertaintySettings
from astra_ros.inference.calibration import Calibration
from astra_ros.inference.imagination import Imagination
from astra_ros.plans.action_spaces.joints import JointSpace
from astra_ros.plans.action_spaces.twist import TwistSpace
from astra_ros.settings import SettingError

C, H_CELLS, W_CELLS = 2, 1, 3
CAR = TwistSpace("car_twist", ("angular.z", "linear.x"), (1.0, 1.0), (1.0, 1.0))


def arm(joints):
    names = tuple(f"joint{i}" for i in range(joints))
    return JointSpace("arm_joints", names, (0.0,) * joints, (1.0,) * joints, (1.0,) * joints)


def make_input(last=None, contact=None, uncertainty=None, positions=None, goal=None, plans=1, horizon=2, dt=0.25):
    """K plans of H steps whose latents are 0 but for the last frames `last` [K, C, h, w]."""
    latents = np.zeros((plans, horizon, C, H_CELLS, W_CELLS), np.float32)
    if last is not None:
        latents[:, -1] = last
    if uncertainty is None:
        uncertainty = np.zeros((plans, horizon))
    outcomes = {} if contact is None else {"obstacle_contact": contact}
    if positions is None:
        positions = np.zeros((plans, horizon + 1, 1))
    current = np.zeros((C, H_CELLS, W_CELLS), np.float32)
    motion = np.asarray(positions)
    return CriticInput(Imagination(latents, uncertainty, outcomes), motion, arm(motion.shape[-1]), dt, current, goal)


def goal_latent():
    goal = np.zeros((C, H_CELLS, W_CELLS), np.float32)
    goal[:, 0, 0] = (3.0, 4.0)  # this cell must change by 25 (squared)
    goal[:, 0, 1] = (1.0, 0.0)  # this one by 1, the third one not at all
    return goal


def test_goal_costs_by_hand():
    goal = goal_latent()
    unchanged, reached = np.zeros_like(goal), goal.copy()
    half = goal.copy()
    half[:, 0, 0] = (1.5, 2.0)  # half way in the large cell, all the way in the small one
    elsewhere = goal.copy()
    elsewhere[:, 0, 2] = 9.0  # a cell that the goal leaves alone
    away = -goal
    result = GoalCritic().score(make_input(last=[unchanged, reached, half, elsewhere, away], goal=goal, plans=5))
    # weights w = (25, 1, 0); cost = sum(w e) / sum(w w), sum(w w) = 626.
    # half: e = (6.25, 0, 0): 156.25/626 = 0.2496. away: e = 4w, so cost 4.
    np.testing.assert_allclose(result.cost, [1, 0, 156.25 / 626, 0, 4], rtol=1e-6)
    np.testing.assert_array_equal(result.raw, result.cost)
    assert not result.veto.any() and not result.risky.any()
    assert result.reasons[0] == "0 % of the way to the goal image"
    assert result.reasons[2] == "75 % of the way to the goal image"
    assert result.reasons[4] == "300 % further from the goal image than now"


def test_goal_looks_at_the_last_frame_only():
    inp = make_input(goal=goal_latent(), horizon=3)
    inp.imagination.latents[0, 1] = goal_latent()
    np.testing.assert_allclose(GoalCritic().score(inp).cost, [1.0])


def object_input(first, last, goal):
    """Plans whose object is imagined at `first` [K, 3] and, in the last of three frames, at `last`."""
    first, last = np.array(first, float), np.array(last, float)
    made = Imagination(
        np.zeros((len(last), 3, C, H_CELLS, W_CELLS)),
        np.zeros((len(last), 3)),
        {"object_position": np.stack([first, first + 9.0, last], axis=1)},
    )
    current = np.zeros((C, H_CELLS, W_CELLS))
    motion = np.zeros((len(last), 4, 1))
    return CriticInput(made, motion, arm(1), 0.25, current, goal_position=np.array(goal))


def test_goal_pose_costs_by_hand():
    # Start: the mean of the first frames, (0, 0, 0), 0.5 m from the goal at (0.3, 0.4, 0).
    result = GoalPoseCritic().score(
        object_input(
            [(0.1, 0, 0), (-0.1, 0, 0), (0, 0, 0)], [(0.3, 0.4, 0), (0.3, 0, 0), (-0.3, -0.4, 0)], (0.3, 0.4, 0.0)
        )
    )
    np.testing.assert_allclose(result.raw, [0.0, 0.4, 1.0], atol=1e-6)
    np.testing.assert_allclose(result.cost, [0.0, 0.8, 2.0], atol=1e-6)
    assert result.reasons[1] == "the object ends 0.400 m from the goal pose"
    seen = replace(object_input([(0, 0, 0)], [(0.3, 0, 0)], (0.3, 0.4, 0.0)), goal_is_seen=True)
    assert GoalPoseCritic().score(seen).reasons == ("the object ends 0.400 m from where the goal image shows it",)
    assert not result.veto.any()


def test_at_the_goal_pose_leaving_costs_and_height_does_not_count():
    here = object_input([(0.3, 0.4, 0.035)] * 2, [(0.3, 0.4, 0.03), (0.4, 0.4, 0.03)], (0.3, 0.4, 0.0))
    # Nearer than min_distance, 0.05 m, at the start: 0.1 m away costs 0.1 / 0.05.
    np.testing.assert_allclose(GoalPoseCritic().score(here).cost, [0.0, 2.0], atol=1e-6)


@pytest.mark.parametrize("far", [1e308, -1e200, 1e12])
def test_a_goal_beyond_all_numbers_warns_of_nothing(far):
    here = object_input([(0, 0, 0)], [(0.3, 0, 0)], (far, far, far))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert GoalPoseCritic().missing(here) is None
        assert GoalPoseCritic().score(here).cost == pytest.approx(1.0)
        assert len(GoalPoseCritic().score(here).reasons[0]) < 80
        beyond = replace(here, goal_position=np.array([1.7e308, 1.7e308, 0.0]))
        assert "too far away" in GoalPoseCritic().missing(beyond)


def test_goal_pose_lacks_a_goal_or_a_model():
    critic = GoalPoseCritic()
    assert critic.missing(make_input()).startswith("no goal pose, ")
    here = object_input([(0.3, 0.4, 0.01)], [(1, 1, 1)], (0.3, 0.4, 0.0))
    made = Imagination(here.imagination.latents, here.imagination.uncertainty)
    headless = CriticInput(made, here.motion, here.space, 0.25, here.current_latent, goal_position=np.zeros(3))
    assert "no 'object_position'" in critic.missing(headless)
    lost = object_input([(0.3, 0.4, 0.01)], [(1, 1, 1)], (np.nan, 0.4, 0.0))
    assert critic.missing(lost) == "where the object should end is not finite"
    # One plan that is not finite (and vetoed) takes the goal from no other.
    both = object_input([(np.nan, 0, 0), (0, 0, 0)], [(0, 0, 0), (0.3, 0, 0)], (0.3, 0.4, 0.0))
    np.testing.assert_allclose(critic.score(both).cost[1], 0.8, rtol=1e-6)
    lost = object_input([(np.nan, 0, 0)], [(1, 1, 1)], (0.3, 0.4, 0.0))
    assert "not finite" in critic.missing(lost)


def test_goal_lacks_an_image():
    critic = GoalCritic()
    assert critic.missing(make_input()).startswith("no goal image")
    broken = np.full((C, H_CELLS, W_CELLS), np.nan, np.float32)
    assert "not finite" in critic.missing(make_input(goal=broken))


def test_where_the_goal_is_reached_staying_is_better_than_leaving():
    # RMS over 2 channels of (0.4, 0) is 0.28, below min_change 0.3; of (0.5, 0) it is 0.35.
    nearly = np.zeros((C, H_CELLS, W_CELLS), np.float32)
    nearly[0, 0, 0] = 0.4
    stay, leave = np.zeros_like(nearly), nearly + 1.0
    result = GoalCritic().score(make_input(last=[stay, leave], goal=nearly, plans=2))
    # Mean squared difference over 3 cells and 2 channels: 0.16 / 6, and 6 / 6.
    np.testing.assert_allclose(result.cost, [0.16 / 6, 1.0], rtol=1e-6)
    assert result.reasons[1] == "the goal is reached; this plan changes it by 1.00"
    nearly[0, 0, 0] = 0.5
    np.testing.assert_allclose(GoalCritic().score(make_input(goal=nearly)).cost, [1.0])


def test_collision_chance_by_hand():
    contact = [[0.0, 0.0], [0.6, 0.5], [0.1, 0.28], [0.3, 0.0]]
    result = CollisionCritic().score(make_input(contact=contact, plans=4))
    # The larger of each pair.
    np.testing.assert_allclose(result.cost, [0, 0.6, 0.28, 0.3], atol=1e-6)
    assert result.veto.tolist() == [False, True, False, False]  # above 0.5
    assert result.risky.tolist() == [False, True, True, True]  # above 0.2
    assert result.reasons[2] == "28 % chance to touch the obstacle, worst at 0.50 s"
    assert result.reasons[3] == "30 % chance to touch the obstacle, worst at 0.25 s"


def test_collision_veto_at_one_never_vetoes():
    critic = CollisionCritic(CollisionSettings(veto_above=1.0))
    assert not critic.score(make_input(contact=[[1.0, 1.0]])).veto.any()


@pytest.mark.parametrize("bad", [np.nan, 1.5, -0.5])
def test_collision_vetoes_what_is_no_probability(bad):
    result = CollisionCritic().score(make_input(contact=[[0.0, bad], [0.0, 0.1]], plans=2))
    assert result.veto.tolist() == [True, False]
    assert result.reasons[0] == "the model gave a probability to touch the obstacle outside 0 to 1"


def test_collision_without_a_contact_head():
    assert "obstacle_contact" in CollisionCritic().missing(make_input())


def test_uncertainty_by_hand():
    critic = UncertaintyCritic(UncertaintySettings(scale=0.5, risky_above=0.9))
    result = critic.score(make_input(uncertainty=[[0.2, 0.4], [0.8, 1.2]], plans=2))
    # Means 0.3 and 1.0; over the scale of 0.5: 0.6 and 2.
    np.testing.assert_allclose(result.raw, [0.3, 1.0], rtol=1e-6)
    np.testing.assert_allclose(result.cost, [0.6, 2.0], rtol=1e-6)
    assert result.risky.tolist() == [False, True]
    assert result.reasons[1] == "expected latent error 1.00, worst at 0.50 s"
    trusted = replace(make_input(uncertainty=[[0.2, 0.4], [0.8, 1.2]], plans=2), uncertainty_factor=0.5)
    np.testing.assert_allclose(critic.score(trusted).raw, [0.15, 0.5], rtol=1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -0.1])
def test_uncertainty_vetoes_nonsense(bad):
    assert UncertaintyCritic().score(make_input(uncertainty=[[0.1, bad]])).veto.all()


def test_smoothness_by_hand():
    # dt 0.5. Plan 0: 0, 1, 2 steady, no acceleration. Plan 1: 0, 1, 0: -2/0.25 = -8 rad/s^2.
    positions = np.array([[0.0, 1, 2], [0, 1, 0]])[:, :, None]
    result = SmoothnessCritic().score(make_input(positions=positions, plans=2, dt=0.5))
    np.testing.assert_allclose(result.raw, [0, 8])
    np.testing.assert_allclose(result.cost, [0, 4])  # over 2 rad/s^2
    # Two joints, one still: RMS sqrt((64 + 0)/2).
    two = np.concatenate([positions, 0 * positions], axis=2)
    raw = SmoothnessCritic().score(make_input(positions=two, plans=2, dt=0.5)).raw
    np.testing.assert_allclose(raw, [0, np.sqrt(32)])


def test_smoothness_needs_two_steps():
    assert "one step" in SmoothnessCritic().missing(make_input(horizon=1))


@pytest.mark.parametrize("name", DEFAULT_CRITICS)
def test_registry_and_settings(name):
    critic_class = load_critic(name)
    critic, settings_class = critic_class(), critic_class.settings_class
    assert critic.name == name and critic.unit and critic.role and isinstance(critic, Critic)
    assert critic.settings == settings_class()
    for item in fields(settings_class):
        assert item.metadata["description"], item.name
        if item.name != "enabled":
            low, high = item.metadata["range"]
            assert low <= item.default <= high
            with refusal(SettingError, "", item.name, f"{high + 1:g}", cure=[f"{high:g}"]) as error:
                settings_class(**{item.name: high + 1})
            assert error.value.name == item.name


def test_goal_and_collision_dominate_by_default():
    weight = {name: load_critic(name).settings_class().weight for name in DEFAULT_CRITICS}
    assert min(weight["goal"], weight["collision"]) >= 10 * max(weight["uncertainty"], weight["smoothness"])


@pytest.mark.parametrize("wrong", [{"positions": np.zeros((1, 2, 1))}, {"goal": np.zeros((C, 2, 2))}, {"dt": 0.0}])
def test_input_whose_parts_do_not_fit_is_a_fault_of_the_caller(wrong):
    with pytest.raises(AssertionError):
        make_input(**wrong)


def drive(motion, off_road=None):
    """Plans of a car, [K, 3, 2] of angular.z and linear.x, two steps of 0.5 s."""
    plans = len(motion)
    made = Imagination(
        np.zeros((plans, 2, C, H_CELLS, W_CELLS)),
        np.zeros((plans, 2)),
        {} if off_road is None else {"off_road": np.array(off_road)},
    )
    return CriticInput(made, np.array(motion, float), CAR, 0.5, np.zeros((C, H_CELLS, W_CELLS)))


def test_progress_is_the_way_ahead_by_hand():
    # Row 0 is how the car moves now and no part of the plan. 2 m/s for a second are full progress.
    rows = [[(0, 9), (0, 2), (0, 2)], [(0, 9), (1, 1), (1, 0)], [(0, 9), (0, -2), (0, -2)], [(0, 0), (0, 3), (0, 3)]]
    result = ProgressCritic(ProgressSettings(speed=2.0)).score(drive(rows))
    np.testing.assert_allclose(result.raw, [2.0, 0.5, -2.0, 3.0])
    np.testing.assert_allclose(result.cost, [0.0, 0.75, 2.0, 0.0])
    assert result.reasons[1] == "0.5 m ahead" and not result.veto.any()


def test_progress_says_nothing_of_arms():
    critic = ProgressCritic()
    assert "not of a base" in critic.missing(make_input())


def test_off_road_takes_the_worst_moment_and_vetoes_no_sound_number():
    result = OffRoadCritic().score(drive([[(0, 0)] * 3] * 3, [(0.1, 0.9), (0.4, 0.2), (2.0, 0.1)]))
    np.testing.assert_allclose(result.cost[:2], [0.9, 0.4], rtol=1e-6)
    assert result.reasons[0] == "90 % chance to leave the lanes, worst at 1.00 s"
    np.testing.assert_array_equal(result.risky[:2], [True, False])
    np.testing.assert_array_equal(result.veto, [False, False, True])
    assert "no 'off_road' outcome" in OffRoadCritic().missing(drive([[(0, 0)] * 3]))


def test_a_calibration_decides_what_a_probability_counts():
    # Odds of 1/4 and 4, tripled: 3/4 and 12.
    inp = drive([[(0, 0)] * 3] * 2, [(0.1, 0.2), (0.8, 0.4)])
    result = OffRoadCritic().score(replace(inp, calibrations={"off_road": Calibration(1.0, np.log(3))}))
    np.testing.assert_allclose(result.raw, [3 / 7, 12 / 13], rtol=1e-6)
    np.testing.assert_allclose(result.cost, result.raw)
    assert result.reasons == (
        "43 % chance to leave the lanes, worst at 1.00 s",
        "92 % chance to leave the lanes, worst at 0.50 s",
    )
    other = OffRoadCritic().score(replace(inp, calibrations={"obstacle_contact": Calibration(1.0, np.log(3))}))
    np.testing.assert_array_equal(other.raw, OffRoadCritic().score(inp).raw)


def test_a_calibrated_probability_is_what_vetoes():
    made = Imagination(np.zeros((2, 1, 1, 1, 1)), np.zeros((2, 1)), {"obstacle_contact": np.array([[0.3], [0.45]])})
    inp = CriticInput(made, np.zeros((2, 2, 1)), arm(1), 0.25, np.zeros((1, 1, 1)))
    assert not CollisionCritic().score(inp).veto.any()
    # Odds of 3/7 and 9/11, doubled: 6/7 and 18/11, which is more than 1/2.
    result = CollisionCritic().score(replace(inp, calibrations={"obstacle_contact": Calibration(1.0, np.log(2))}))
    np.testing.assert_array_equal(result.veto, [False, True])
    np.testing.assert_allclose(result.raw, [6 / 13, 18 / 29], rtol=1e-6)
    # A calibration holds for plans as long as those that it was fitted on, which the reason names otherwise.
    for horizon, named in ((inp.imagination.horizon, False), (0, False), (77, True)):
        fitted = Calibration(1.0, np.log(2), horizon=horizon)
        reason = CollisionCritic().score(replace(inp, calibrations={"obstacle_contact": fitted})).reasons[0]
        assert ("77" in reason) == named


def test_a_bases_smoothness_is_its_change_of_velocity():
    # From 0 to 1 m/s in 0.5 s, then steady: accelerations 0, 2, 0, 0 over columns and steps.
    result = SmoothnessCritic().score(drive([[(0, 0), (0, 1), (0, 1)]]))
    np.testing.assert_allclose(result.raw, [np.sqrt(4.0 / 4.0)])


def test_curiosity_is_new_space_times_the_expected_error_by_hand():
    made = Imagination(np.zeros((3, 2, C, H_CELLS, W_CELLS)), np.array([[0.1, 0.3], [0.5, 0.5], [1.5, 3.5]]))
    inp = CriticInput(made, np.zeros((3, 3, 2)), CAR, 0.5, np.zeros((C, H_CELLS, W_CELLS)))
    # Where nothing is known of the camera's way, all plans show as much that is new.
    np.testing.assert_allclose(CuriosityCritic().score(inp).cost, [0.8, 0.5, 0.0])
    result = CuriosityCritic(CuriositySettings(scale=4.0)).score(replace(inp, new_space=np.array([2.0, 0.0, 3.0])))
    np.testing.assert_allclose(result.raw, [0.4, 0.0, 7.5])  # mean errors 0.2, 0.5 and 2.5
    np.testing.assert_allclose(result.cost, [0.9, 1.0, 0.0])
    assert "2.0" in result.reasons[0] and "0.20" in result.reasons[0]
