"""What plans are imagined by: shapes that fit, some of the plans, some of the steps."""

import numpy as np
import pytest

from astra_ros.inference import Conditioning

RNG = np.random.default_rng(0)
WHOLE = Conditioning(
    "arm", RNG.random((3, 4, 2)), RNG.integers(0, 256, (3, 5, 3, 8, 8), np.uint8), RNG.random((3, 4, 4, 4))
)


def test_some_plans_and_some_steps_keep_what_belongs_to_them():
    assert (WHOLE.plans, WHOLE.horizon, WHOLE.actions.dtype) == (3, 4, np.float32)
    part = WHOLE.subset([2, 0]).cut(3)
    assert (part.space, part.plans, part.horizon) == ("arm", 2, 3)
    np.testing.assert_array_equal(part.actions[0], WHOLE.actions[2, :3])
    np.testing.assert_array_equal(part.robot_renders[1], WHOLE.robot_renders[0, :4])  # now, and three steps
    np.testing.assert_array_equal(part.camera_poses[0], WHOLE.camera_poses[2, :3])
    bare = Conditioning("arm", WHOLE.actions).subset(slice(1)).cut(1)
    assert bare.robot_renders is bare.camera_poses is None and bare.actions.shape == (1, 1, 2)


def test_every_render_stands_beside_that_of_now():
    both = WHOLE.renders_then_and_now()
    assert both.shape == (3, 4, 2, 3, 8, 8)
    np.testing.assert_array_equal(both[1, 2, 0], WHOLE.robot_renders[1, 3])
    np.testing.assert_array_equal(both[1, 2, 1], WHOLE.robot_renders[1, 0])
    np.testing.assert_array_equal(WHOLE.renders_then_and_now(np.s_[1, [2]]), both[1, [2]])
    assert Conditioning("arm", WHOLE.actions).renders_then_and_now() is None


@pytest.mark.parametrize(
    "wrong, named",
    [
        ({"actions": np.zeros((3, 0, 2))}, "actions"),
        ({"robot_renders": np.zeros((3, 4, 3, 8, 8), np.uint8)}, "robot_renders"),
        ({"camera_poses": np.zeros((1, 4, 4, 4))}, "camera_poses"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(wrong, named):
    with pytest.raises(ValueError) as error:
        Conditioning(**{"space": "arm", "actions": WHOLE.actions, **wrong})
    assert named in str(error.value)
