"""Action spaces: hand-derived numbers, round trips, refused input."""

import ast
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import astra_ros
from astra_ros.plans.action_space import InvalidActionSpace
from astra_ros.plans.action_spaces import ACTION_SPACES, action_space_class, action_space_from_dict
from astra_ros.plans.action_spaces.joints import JointSpace
from astra_ros.plans.action_spaces.twist import TwistSpace
from astra_ros.plans.velocity_space import VelocitySpace
from astra_ros.registry import UnknownName

SPACE = JointSpace("two_joints", ("a", "b"), (1.0, 0.0), (2.0, 0.5), (0.1, 0.2))


def test_encode_gives_positions_then_steps():
    actions = SPACE.encode([[1.0, 0.0], [1.2, -0.5], [3.0, -0.5]])
    # k=1: a (1.2-1)/2 = 0.1, b -0.5/0.5 = -1; steps 0.2/0.1 = 2, -0.5/0.2 = -2.5.
    # k=2: a (3-1)/2 = 1, b -1; steps 1.8/0.1 = 18, 0.
    np.testing.assert_allclose(actions, [[0.1, -1, 2, -2.5], [1, -1, 18, 0]], rtol=1e-6)
    assert actions.dtype == np.float32 and SPACE.dim == 4


def test_encode_keeps_leading_dimensions():
    positions = np.random.default_rng(0).normal(size=(3, 5, 17, 2))
    actions = SPACE.encode(positions)
    assert actions.shape == (3, 5, 16, 4)
    np.testing.assert_array_equal(actions[1, 2], SPACE.encode(positions[1, 2]))


def test_resting_arm_encodes_no_step():
    np.testing.assert_array_equal(SPACE.encode(np.full((4, 2), 0.7))[:, 2:], 0.0)


@pytest.mark.parametrize("shape", [(17, 3), (1, 2), (2,)])
def test_encode_refuses_wrong_shapes(shape):
    with pytest.raises(AssertionError):
        SPACE.encode(np.zeros(shape))


def test_encode_refuses_nan():
    with pytest.raises(AssertionError):
        SPACE.encode([[0.0, 0.0], [np.nan, 0.0]])


def test_dict_round_trip_through_json():
    assert action_space_from_dict(json.loads(json.dumps(SPACE.to_dict()))) == SPACE


@pytest.mark.parametrize(
    "changes, field, facts",
    [
        (dict(motion_names=("a", "a")), "", ["a"]),
        (dict(motion_names="ab"), "", ["motion_names"]),
        (dict(position_mean=(0.0,)), "position_mean", ["(1,)", "(2,)"]),
        (dict(step_std=(0.1, 0.0)), "step_std", ["b", "0"]),
        (dict(position_std=(np.nan, 1.0)), "position_std", ["finite"]),
    ],
)
def test_invalid_spaces_are_refused(changes, field, facts):
    with pytest.raises(InvalidActionSpace) as error:
        replace(SPACE, **changes)
    assert error.value.field == field and error.value.thing == "action space 'two_joints'"
    assert all(fact in error.value.problem for fact in facts)


def test_from_dict_names_missing_and_unknown_keys():
    values = SPACE.to_dict()
    values["steps"] = values.pop("step_std")
    with pytest.raises(InvalidActionSpace) as error:
        action_space_from_dict(values)
    assert "missing keys ['step_std'], unknown keys ['steps']" in error.value.problem


TWIST = TwistSpace("car_twist", ("linear.x", "angular.z"), (2.0, 0.5), (0.5, 0.1))


def test_velocities_encode_as_velocity_then_change():
    actions = TWIST.encode([[1.0, 0.0], [2.0, 0.25], [2.0, 0.0]])
    # k=1: 2/2 = 1, 0.25/0.5 = 0.5; changes 1/0.5 = 2, 0.25/0.1 = 2.5.
    # k=2: 1, 0; changes 0, -2.5.
    np.testing.assert_allclose(actions, [[1, 0.5, 2, 2.5], [1, 0, 0, -2.5]], rtol=1e-6)


def test_velocity_scales_are_root_mean_squares_so_that_rest_stays_zero():
    space = TwistSpace.fit("car_twist", ["linear.x", "angular.z"], [np.array([[3.0, 0.0], [3.0, 0.0]])])
    # Always 3 m/s: the spread around the mean would be 0. No turning at all: the floor of 0.02.
    assert space.velocity_std == (3.0, 0.02) and space.change_std == (0.02, 0.02)
    np.testing.assert_array_equal(space.encode(np.zeros((3, 2))), 0.0)


def test_joint_scales_come_from_the_data():
    space = JointSpace.fit("arm", ["a"], [np.array([[0.0], [0.4]]), np.array([[0.0], [0.4]])])
    assert (space.position_mean, space.position_std, space.step_std) == ((0.2,), (0.2,), (0.02,))


def test_every_modality_has_its_units_and_survives_json():
    assert {"joints", "twist", "camera"} <= set(ACTION_SPACES)
    rng = np.random.default_rng(0)
    for modality in ACTION_SPACES:
        space_class = ACTION_SPACES[modality]
        assert space_class.modality == modality and space_class.units
        space = space_class.fit("some", ["a", "b"], [rng.normal(size=(9, 2))])
        assert space.encode(rng.normal(size=(5, 9, 2))).shape == (5, 8, space.dim)
        assert action_space_from_dict(json.loads(json.dumps(space.to_dict()))) == space


def test_another_motion_begins_where_this_one_does():
    arm = JointSpace("arm", ["a"], (0.0,), (1.0,), (1.0,))
    other, motion = np.array([[[1.0], [1.5], [1.0]]]), np.array([[[3.0], [4.0], [5.0]]])
    np.testing.assert_allclose(arm.begun_from(other, motion), [[[3.0], [3.5], [3.0]]])
    # Velocities are what they are; only the one before is this robot's.
    other, motion = np.array([[1.0, 0.1], [2.0, 0.2]]), np.array([[5.0, 0.5], [6.0, 0.6]])
    np.testing.assert_allclose(TWIST.begun_from(other, motion), [[5.0, 0.5], [2.0, 0.2]])


def test_accelerations_by_hand():
    arm = JointSpace("arm", ["a"], (0.0,), (1.0,), (1.0,))
    np.testing.assert_allclose(arm.accelerations(np.array([[0.0], [0.5], [0.0]]), 0.5), [[-4.0]])
    assert arm.accelerations(np.zeros((2, 1)), 0.5).size == 0
    np.testing.assert_allclose(TWIST.accelerations(np.array([[0.0, 0.0], [1.0, 0.5]]), 0.5), [[2.0, 1.0]])


def test_an_unknown_modality_is_refused_with_those_known():
    with pytest.raises(UnknownName) as error:
        action_space_from_dict({"modality": "legs", "name": "x"})
    assert error.value.name == "legs" and error.value.known[:3] == ["camera", "joints", "twist"]


def test_a_new_modality_is_one_class(monkeypatch):
    monkeypatch.setattr(ACTION_SPACES, "_loaded", dict(ACTION_SPACES._loaded))

    class Winch(VelocitySpace):
        modality = "winch"

    assert action_space_class("winch") is Winch
    monkeypatch.undo()
    assert "winch" not in ACTION_SPACES


def test_no_file_asks_for_a_modality_by_name():
    """What differs between modalities stands in their action spaces, so that a new one is one file."""
    root = Path(astra_ros.__file__).parent
    names = {path.stem for path in (root / "plans" / "action_spaces").glob("[!_]*.py")}
    asked = [
        f"{path.relative_to(root)}:{node.lineno}"
        for path in root.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Compare) and "modality" in ast.unparse(node)
        if names & {each.value for each in ast.walk(node) if isinstance(each, ast.Constant)}
    ]
    assert names >= {"joints", "twist", "camera"} and asked == []
