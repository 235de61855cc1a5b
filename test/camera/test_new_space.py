"""How much space comes into view for the first time, against cases worked out by hand."""

import numpy as np
import pytest

from astra_ros.camera.moving_camera import MovingCamera
from astra_ros.camera.new_space import new_space
from astra_ros.camera.pinhole import PinholeCamera

# A view of 90 degrees, 2 m deep everywhere: a pyramid of 4 x 4 x 2 / 3 = 10.7 cubic metres.
SIZE = (64, 64)
VIEW = MovingCamera(PinholeCamera(64, 64, 32.0, 32.0, 31.5, 31.5, np.eye(4)), np.full((2, 2), 0.5))


def turned(*degrees):
    """Poses of a camera that turns to the right."""
    poses = np.tile(np.eye(4), (len(degrees), 1, 1))
    for pose, angle in zip(poses, np.radians(degrees)):
        pose[:3, :3] = [[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]]
    return poses


def test_what_is_in_view_now_is_not_new_and_what_comes_twice_counts_once():
    plans = np.stack([turned(0, 0, 0), turned(45, 90, 90), turned(90, 180, 270), turned(90, 90, 90)])
    still, quarter, round_, quarter_at_once = new_space(VIEW, plans, SIZE)
    assert still == 0
    # The views of a whole turn touch along their edges. On the way to a quarter, the view between sticks out a little.
    assert round_ == pytest.approx(3, rel=0.1) and quarter_at_once == pytest.approx(1, rel=0.1)
    assert quarter_at_once <= quarter < 1.5


def test_the_usual_depth_says_how_far_a_view_reaches():
    ahead = np.eye(4)
    ahead[2, 3] = 1.0  # a metre ahead: the same pyramid a metre on, of which 1 x 2 x 2 / 3 m^3 were in view
    (new,) = new_space(VIEW, ahead[None, None], SIZE)
    assert new == pytest.approx((32 / 3 - 4 / 3) / (32 / 3), rel=0.15)
    near = MovingCamera(VIEW.camera, np.full((2, 2), 2.0))  # half a metre deep: nothing of it was in view
    assert new_space(near, ahead[None, None], SIZE)[0] == pytest.approx(1, rel=0.15)
