"""ActionSpace and Imagination: hand-derived numbers, round trips, refused input."""

import json
from dataclasses import replace

import numpy as np
import pytest

from astra_ros.planning.actions import ActionSpace
from astra_ros.planning.imagination import Imagination
from astra_ros.planning.plans import PlanError

SPACE = ActionSpace("two_joints", ("a", "b"), (1.0, 0.0), (2.0, 0.5), (0.1, 0.2))


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
    with pytest.raises(PlanError, match=r"two_joints.*H\+1, 2"):
        SPACE.encode(np.zeros(shape))


def test_encode_refuses_nan():
    with pytest.raises(PlanError, match="not finite"):
        SPACE.encode([[0.0, 0.0], [np.nan, 0.0]])


def test_dict_round_trip_through_json():
    assert ActionSpace.from_dict(json.loads(json.dumps(SPACE.to_dict()))) == SPACE


@pytest.mark.parametrize(
    "changes, message",
    [
        (dict(joint_names=("a", "a")), "each named once"),
        (dict(joint_names="ab"), "list of names"),
        (dict(position_mean=(0.0,)), r"position_mean has shape \(1,\)"),
        (dict(step_std=(0.1, 0.0)), "step_std of joint 'b' is 0"),
        (dict(position_std=(np.nan, 1.0)), "finite"),
    ],
)
def test_invalid_spaces_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        replace(SPACE, **changes)


def test_from_dict_names_missing_and_unknown_keys():
    values = SPACE.to_dict()
    values["steps"] = values.pop("step_std")
    with pytest.raises(ValueError, match=r"missing keys \['step_std'\], unknown keys \['steps'\]"):
        ActionSpace.from_dict(values)


def imagination(**changes):
    values = dict(
        latents=np.zeros((2, 3, 4, 8, 8)),
        uncertainty=np.zeros((2, 3)),
        outcomes={"obstacle_contact": np.zeros((2, 3)), "tool_position": np.zeros((2, 3, 3))},
    )
    return Imagination(**{**values, **changes})


def test_imagination_knows_its_sizes_and_is_float32():
    made = imagination()
    assert (made.plans, made.horizon) == (2, 3)
    assert made.latents.dtype == made.outcomes["tool_position"].dtype == np.float32


@pytest.mark.parametrize(
    "changes, message",
    [
        (dict(latents=np.zeros((2, 3, 4))), r"K, H, C, h, w"),
        (dict(uncertainty=np.zeros((2, 4))), r"\(2, 4\); expected \[K, H\] = \(2, 3\)"),
        (dict(outcomes={"obstacle_contact": np.zeros((2, 3, 1))}), "obstacle_contact"),
        (dict(outcomes={"tool_position": np.zeros((2, 3))}), r"tool_position.*\(2, 3, 3\)"),
    ],
)
def test_imagination_refuses_shapes_that_do_not_fit(changes, message):
    with pytest.raises(ValueError, match=message):
        imagination(**changes)
