"""The pinhole camera: numbers derived by hand, other sizes, JSON, and its errors."""

import json

import numpy as np
import pytest
from user_errors import refusal

from astra_ros.camera.errors import CameraError
from astra_ros.camera.frame_size import to_model_size
from astra_ros.camera.pinhole import PinholeCamera


def camera(width=64, height=48, **changes) -> PinholeCamera:
    """At the world's origin, its axes those of the world: x right, y down, z forward."""
    values = dict(fx=40.0, fy=40.0, cx=31.5, cy=23.5, world_from_optical=np.eye(4)) | changes
    return PinholeCamera(width, height, **values)


def test_projection_by_hand():
    # 0.5 m right at 2 m: 31.5 + 40 * 0.5 / 2 = 41.5. 0.1 m down: 23.5 + 40 * 0.1 / 2 = 25.5.
    pixels, depth = camera().project([[0.5, 0.1, 2.0], [0.0, 0.0, 1.0], [0.0, 0.0, -1.0]])
    np.testing.assert_allclose(pixels[:2], [[41.5, 25.5], [31.5, 23.5]])
    np.testing.assert_allclose(depth, [2.0, 1.0, -1.0])
    assert np.isnan(pixels[2]).all(), "behind the camera is nowhere in the image"


def test_shapes_are_kept():
    pixels, depth = camera().project(np.ones((2, 3, 5, 3)))
    assert pixels.shape == (2, 3, 5, 2) and depth.shape == (2, 3, 5)


def test_look_at_by_hand():
    # From 3 m along x, 1 m up, looking back at the origin's height: forward -x, right +y, down -z.
    seen = PinholeCamera.from_look_at((3, 0, 1), (0, 0, 1), 90.0, 64, 64)
    pose = [[0, 0, -1, 3], [1, 0, 0, 0], [0, -1, 0, 1], [0, 0, 0, 1]]
    np.testing.assert_allclose(seen.world_from_optical, pose, atol=1e-12)
    # 90 degrees: half an image (32 pixels) is as wide as the depth. 1 m of 3 is 32 / 3 pixels.
    pixels, depth = seen.project([[0, 0, 1], [0, 1, 1], [0, 0, 2]])
    third = 32 / 3
    np.testing.assert_allclose(pixels, [[31.5, 31.5], [31.5 + third, 31.5], [31.5, 31.5 - third]])
    np.testing.assert_allclose(depth, 3.0)
    there_and_back = seen.optical_from_world @ seen.world_from_optical
    np.testing.assert_allclose(there_and_back, np.eye(4), atol=1e-12)


def test_look_at_agrees_with_pybullet():
    pybullet = pytest.importorskip("pybullet")
    position, target = (1.15, -0.62, 0.72), (0.46, 0.1, 0.14)
    points = np.random.default_rng(0).random((5, 3))
    seen = PinholeCamera.from_look_at(position, target, 38.0, 128, 64)
    view = np.reshape(pybullet.computeViewMatrix(position, target, (0, 0, 1)), (4, 4)).T
    lens = np.reshape(pybullet.computeProjectionMatrixFOV(38.0, 2.0, 0.05, 15.0), (4, 4)).T
    clip = (lens @ view @ np.column_stack([points, np.ones(5)]).T).T
    # OpenGL: -1 to 1 is the image's left to right edge, and its lower to upper edge.
    device = clip[:, :2] / clip[:, 3:]
    theirs = (device * [1, -1] + 1) / 2 * [128, 64] - 0.5
    np.testing.assert_allclose(seen.project(points)[0], theirs, atol=1e-3)


def test_other_sizes_keep_the_edges():
    # Half the size: the middle stays the middle, and pixel 0 is what pixels 0 and 1 were.
    half = camera().resized(32, 24)
    assert (half.fx, half.cx, half.cy) == (20.0, 15.5, 11.5)
    point = [0.5, 0.1, 2.0]
    np.testing.assert_allclose(half.project(point)[0], (camera().project(point)[0] + 0.5) / 2 - 0.5)
    cut = camera().cropped(8, 4, 40, 30)
    np.testing.assert_allclose(cut.project(point)[0], camera().project(point)[0] - [8, 4])


@pytest.mark.parametrize("size", [(32, 32), (24, 32), (48, 64), (20, 64), (60, 40)])
@pytest.mark.parametrize("shape", [(48, 64), (64, 64), (65, 49)])
def test_fitted_is_what_the_model_sees(shape, size):
    """An image whose colours are its own coordinates tells where each pixel went."""
    rows, columns = shape
    seen = camera(columns, rows, cx=(columns - 1) / 2, cy=(rows - 1) / 2)
    y, x = np.mgrid[:rows, :columns]
    image = np.stack([x * 3, y * 3, 0 * x], axis=2).astype(np.uint8)
    small = to_model_size(image, size).astype(float) / 3
    fitted = seen.fitted(size)
    assert (fitted.height, fitted.width) == size
    # A ray through a pixel of the small image passes through its place in the large one.
    v, u = np.mgrid[4 : size[0] - 4, 4 : size[1] - 4]
    ray = np.stack([(u - fitted.cx) / fitted.fx, (v - fitted.cy) / fitted.fy, np.ones(u.shape)], 2)
    np.testing.assert_allclose(seen.project(ray)[0], small[4:-4, 4:-4, :2], atol=0.35)


def test_through_json_and_back():
    seen = PinholeCamera.from_look_at((1.15, -0.62, 0.72), (0.46, 0.0, 0.14), 38.0, 128, 128)
    again = PinholeCamera.from_dict(json.loads(json.dumps(seen.to_dict())))
    assert again == seen and hash(again) == hash(seen)
    assert seen != seen.resized(64, 64)


@pytest.mark.parametrize(
    "changes, facts",
    [
        ({"width": 0}, ("width", 0, ">= 1")),
        ({"height": 3.5}, ("height", 3.5, ">= 1")),
        ({"fx": 0.0}, ("fx", 0.0, "> 0", "pixels")),
        ({"cy": float("nan")}, ("cy", "nan", "finite")),
        ({"world_from_optical": np.eye(3)}, ("world_from_optical", "(3, 3)", "4 x 4")),
        ({"world_from_optical": 2 * np.eye(4)}, ("world_from_optical", "0 0 0 1", "[[2. 0. 0. 0.]")),
        ({"world_from_optical": np.diag([-1, 1, 1, 1])}, ("world_from_optical", "0 0 0 1", "[[-1.  0.  0.  0.]")),
    ],
)
def test_impossible_cameras(changes, facts):
    with refusal(CameraError, "", *facts):
        camera(**changes)


@pytest.mark.parametrize(
    "arguments, facts, cure",
    [
        (((0, 0, 1), (0, 0, 0), 40.0), ("(0, 0, 1)", "(0, 0, 0)", "above"), ("sideways",)),
        (((1, 0, 1), (0, 0, 0), 180.0), ("fov_deg", 180.0, "0 and 180"), ()),
        (((1, 0), (0, 0, 0), 40.0), ("(1, 0)", "(0, 0, 0)", "3 finite numbers"), ()),
        (((1, 0, np.nan), (0, 0, 0), 40.0), ("(1, 0, nan)", "(0, 0, 0)", "3 finite numbers"), ()),
    ],
)
def test_impossible_views(arguments, facts, cure):
    with refusal(CameraError, "", *facts, cure=cure):
        PinholeCamera.from_look_at(*arguments, 64, 64)


def test_wrong_calls():
    with refusal(CameraError, "", "(2,)", "[..., 3]"):
        camera().project([1.0, 2.0])
    with refusal(CameraError, "", "image_size", "(0, 64)"):
        camera().fitted((0, 64))
    with refusal(CameraError, "", ["width"], sorted(camera().to_dict())):
        PinholeCamera.from_dict({"width": 64})
    with refusal(CameraError, "", "'fx': None", "NoneType"):
        PinholeCamera.from_dict(camera().to_dict() | {"fx": None})
