"""Where plans carry a camera, against motions worked out by hand."""

import json

import numpy as np
import pytest
from user_errors import refusal

from astra_ros.camera.errors import CameraError
from astra_ros.camera.moving_camera import MovingCamera
from astra_ros.camera.pinhole import PinholeCamera
from astra_ros.plans.action_spaces.camera import CameraSpace
from astra_ros.plans.action_spaces.twist import TwistSpace

CAR = TwistSpace("car_twist", ("linear.x", "angular.z"), (1.0, 1.0), (1.0, 1.0))
SIX = tuple(f"{kind}.{axis}" for kind in ("linear", "angular") for axis in "xyz")
EYE = CameraSpace("eye_camera", SIX, (1.0,) * 6, (1.0,) * 6)


def camera(pose=np.eye(4)):
    return PinholeCamera(64, 48, 50.0, 50.0, 31.5, 23.5, pose)


# A camera 2 m ahead of the base and 1 m above it, looking ahead: its x is the base's -y, its y -z.
AHEAD = np.array([[0, 0, 1, 2], [-1, 0, 0, 0], [0, -1, 0, 1], [0, 0, 0, 1]], float)


def test_rows_are_velocities_until_their_frame():
    """Row 0 is what was done before; a straight line adds up, and a base without a column has 0 there."""
    motion = np.array([[9.0, 9.0], [1.0, 0.0], [3.0, 0.0]])
    poses = CAR.poses(motion, 0.5)
    np.testing.assert_allclose(poses[:, :3, 3], [[0.5, 0, 0], [2.0, 0, 0]], atol=1e-12)
    np.testing.assert_allclose(poses[:, :3, :3], [np.eye(3)] * 2, atol=1e-12)


def test_a_base_that_turns_drives_on_a_circle():
    """1 m/s and 1 rad/s for a quarter of a turn: a circle of 1 m round the point 1 m to the left."""
    steps = 5
    motion = np.tile([1.0, 1.0], (steps + 1, 1))
    last = CAR.poses(motion, np.pi / 2 / steps)[-1]
    np.testing.assert_allclose(last[:3, 3], [1, 1, 0], atol=1e-12)
    np.testing.assert_allclose(last[:3, :3] @ [1, 0, 0], [0, 1, 0], atol=1e-12)
    # Turning by next to nothing is going straight on, to the last digit.
    slow = CAR.poses(np.tile([1.0, 1e-9], (2, 1)), 1.0)[0]
    np.testing.assert_allclose(slow[:3, 3], [1, 5e-10, 0], atol=1e-15)


def test_a_free_camera_turns_about_its_own_axes():
    turn = np.zeros((3, 6))
    turn[1:, 4] = np.pi / 2  # about y, which is down: to the right
    turn[2, 2] = 1.0  # and then also ahead, on a quarter of a circle
    poses = EYE.poses(turn, 1.0)
    np.testing.assert_allclose(poses[0, :3, :3] @ [0, 0, 1], [1, 0, 0], atol=1e-12)
    np.testing.assert_allclose(poses[1, :3, :3] @ [0, 0, 1], [0, 0, -1], atol=1e-12)
    np.testing.assert_allclose(poses[1, :3, 3], [2 / np.pi, 0, -2 / np.pi], atol=1e-12)


def test_a_camera_ahead_of_the_base_swings_out():
    """The base turns left on the spot by a right angle: the camera goes along a quarter of a circle."""
    moving = MovingCamera(camera(AHEAD), np.full((2, 2), 0.1))
    travel = moving.camera_poses(CAR, np.array([[0.0, 0.0], [0.0, np.pi / 2]]), 1.0)
    assert travel.shape == (1, 4, 4) and travel.dtype == np.float32
    # 2 m to its left (its x is to the right), 2 m back, now looking to where its left was.
    np.testing.assert_allclose(travel[0, :3, 3], [-2, 0, -2], atol=1e-6)
    np.testing.assert_allclose(travel[0, :3, :3] @ [0, 0, 1], [-1, 0, 0], atol=1e-6)


def test_plans_of_a_request_are_carried_at_once():
    moving = MovingCamera(camera(AHEAD), np.full((2, 2), 0.1))
    motion = np.random.default_rng(0).normal(size=(3, 6, 2))
    together = moving.camera_poses(CAR, motion, 0.25)
    assert together.shape == (3, 5, 4, 4)
    np.testing.assert_allclose(together[1], moving.camera_poses(CAR, motion[1], 0.25), atol=1e-6)


def test_it_goes_through_json():
    moving = MovingCamera(camera(AHEAD), np.array([[0.1, 0.2], [0.3, 0.4]]))
    back = MovingCamera.from_dict(json.loads(json.dumps(moving.to_dict())))
    assert back.camera == moving.camera
    np.testing.assert_array_equal(back.inverse_depth, moving.inverse_depth)


@pytest.mark.parametrize("depth", [[[0.0]], [[np.nan]], [[-1.0]], [], [0.1], [[np.inf]]])
def test_depths_that_are_none_are_refused(depth):
    with refusal(CameraError, "", "inverse_depth", "> 0"):
        MovingCamera(camera(), depth)


def test_other_keys_are_refused():
    with refusal(CameraError, "", ["camera"], "camera and inverse_depth"):
        MovingCamera.from_dict({"camera": camera().to_dict()})
