"""What the driver sees: labels by hand, and the picture."""

import numpy as np
import pybullet
import pytest
from streets import car_in_lane, crate

from astra_ros.camera.pinhole import PinholeCamera
from astra_ros.control.vehicle import VehicleState
from astra_ros.simulation.camera import Camera, CameraSettings
from astra_ros.simulation.drive.ground import _periodic
from astra_ros.simulation.drive.nearest_obstacle import nearest_in_view
from astra_ros.simulation.session import Session

# Labels by hand.


def test_the_nearest_point_is_that_of_the_crate_ahead(street):
    """The crate at x = 110 begins at 109.4, that is 10.7 m before the rear axle at 98.7."""
    world = street([crate(110.0), crate(118.0)])
    np.testing.assert_allclose(world.labels()["nearest_obstacle"], [10.7, 0.0, 0.0], atol=1e-9)
    # 1 m to the left, the crate begins 0.4 m left of the camera: its near right corner.
    world = street([crate(110.0, -0.75)])
    np.testing.assert_allclose(world.labels()["nearest_obstacle"], [10.7, 0.4, 0.0], atol=1e-9)


def test_the_nearest_point_is_in_the_robots_frame(street):
    """Facing -x at (130, 1.75), the crate at 110 begins at 110.6: 19.4 m ahead."""
    world = street([crate(110.0, 1.95)], car=VehicleState(130.0, 1.75, np.pi))
    np.testing.assert_allclose(world.labels()["nearest_obstacle"], [19.4, 0.0, 0.0], atol=1e-9)
    # Its middle 1 m to the right: it begins 0.4 m to the right.
    world = street([crate(110.0, 2.75)], car=VehicleState(130.0, 1.75, np.pi))
    np.testing.assert_allclose(world.labels()["nearest_obstacle"], [19.4, -0.4, 0.0], atol=1e-9)


def test_nothing_in_view_is_nan(street):
    behind, beside, far = crate(90.0), crate(100.5, 4.0), crate(126.0)
    assert np.isnan(street([behind, beside, far]).labels()["nearest_obstacle"]).all()
    assert np.isfinite(street([crate(125.0)]).labels()["nearest_obstacle"]).all()


def test_moving_vehicles_are_seen_too(street):
    """Its tail is at x = 120 - 2.1 = 117.9 and a second later 3 m on."""
    world = street(vehicles=[car_in_lane(0, 20.0, 3.0)])
    assert world.labels()["nearest_obstacle"][0] == pytest.approx(117.9 - 98.7)
    world.step(1.0)
    assert world.labels()["nearest_obstacle"][0] == pytest.approx(120.9 - 98.7)


def test_outlines_are_cut_at_the_edge_of_the_view():
    """A wall along y = 2 from x = 0 to 10, with half a view of 45 degrees, begins at (2, 2)."""
    wall = np.array([(0.0, 2.0), (10.0, 2.0), (10.0, 3.0), (0.0, 3.0)])
    assert nearest_in_view([wall], 1.0, 25.0) == pytest.approx((2.0, 2.0))
    assert nearest_in_view([wall], 1.0, 2.0) is None
    assert nearest_in_view([wall - [5.0, 2.5]], 1.0, 25.0) == (0.0, 0.0)  # inside it
    assert nearest_in_view([wall - [12.0, 0.0]], 1.0, 25.0) is None  # behind


def test_camera_pose_is_the_optical_frame(street):
    """Facing +y at (150, 2): the camera is 1.2 m on and 1.55 m up, looking 1.2 m down in 10 m."""
    world = street(car=VehicleState(150.0, 2.0, np.pi / 2))
    pose = world.labels()["camera_pose"]
    np.testing.assert_allclose(pose[:3], [150.0, 3.2, 1.55], atol=1e-9)
    x, y, z, w = pose[3:]
    forward = [2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)]
    wanted = np.array([0.0, 10.0, -1.2]) / np.hypot(10.0, 1.2)
    np.testing.assert_allclose(forward, wanted, atol=1e-9)
    right = [1 - 2 * (y * y + z * z), 2 * (x * y + w * z), 2 * (x * z - w * y)]
    np.testing.assert_allclose(right, [1.0, 0.0, 0.0], atol=1e-9)


# The picture.


def pixel_of(world, x, y, z=0.0):
    """Row and column (not rounded) at which the camera sees a point of the robot's frame."""
    camera = world.settings.camera
    forward = np.subtract(camera.look_at, camera.position)
    forward /= np.linalg.norm(forward)
    ray = np.subtract((x, y, z), camera.position)
    half = np.tan(np.radians(camera.fov_deg) / 2)
    depth = ray @ forward
    up = ray @ np.array([-forward[2], 0.0, forward[0]])
    row = (1.0 - up / depth / half) * camera.height / 2
    return row - 0.5, (1.0 + ray[1] / -depth / half) * camera.width / 2 - 0.5


def test_the_picture_shows_lines_and_bodies_where_they_are(street):
    """The right edge line (painted inside y = -3.5) and a white box, both by projection."""
    plain = street()
    (column, row), _ = PinholeCamera.from_dict(plain.camera()).project([8.0, 1.0, 0.5])
    np.testing.assert_allclose((row, column), pixel_of(plain, 8.0, 1.0, 0.5), atol=1e-9)
    look = plain._view._style
    image = plain.render().astype(int)
    inside = -3.5 + look.line_width / 2 + 1.75  # seen from the car in the lane's middle
    for ahead in (6.0, 8.0, 10.0):
        row, column = (round(v) for v in pixel_of(plain, ahead, inside))
        road = image[row, round(pixel_of(plain, ahead, inside + 0.9)[1])]
        assert look.edge == (image[row, column].sum() > road.sum() + 150)
    with_crate = street([crate(98.7 + 9.0, -1.75)]).render().astype(int)
    changed = np.abs(with_crate - image).sum(axis=-1) > 60
    rows, columns = (np.flatnonzero(changed.any(axis=axis)) for axis in (1, 0))
    # Its near face: 8.4 m ahead, 0.6 m to either side, up to 1.2 m high.
    left, right = pixel_of(plain, 8.4, 0.6)[1], pixel_of(plain, 8.4, -0.6)[1]
    assert columns[0] == pytest.approx(left, abs=1.0)
    assert columns[-1] == pytest.approx(right, abs=1.0)
    assert rows[0] == pytest.approx(pixel_of(plain, 9.6, 0.0, 1.2)[0], abs=1.0)


def test_the_sky_is_above_the_road_and_not_white(world):
    for seed in range(6):
        world.reset(seed)
        sky, road = world.render()[:6].reshape(-1, 3), world.render()[-6:].reshape(-1, 3)
        assert (sky.min(axis=1) < 250).all() and sky.mean() > road.mean()


def test_dashes_are_drawn_in_their_true_share():
    """Marks of 2 m every 5 m: a pixel on a mark 1, between two 0, one that sees 1 km 0.4."""
    values = np.array([1.0, 3.5, 5.5, 2.0, 0.0])
    widths = np.array([0.1, 0.1, 0.5, 1.0, 1000.0])
    np.testing.assert_allclose(_periodic(values, widths, 2.0, 5.0), [1, 0, 1, 0.5, 0.4])


def test_camera_layers_tell_the_distance():
    """A box's face at 4 m, nothing around it."""
    session = Session()
    client = session.client
    shape = pybullet.createVisualShape(pybullet.GEOM_BOX, halfExtents=(1.0, 1.0, 1.0), physicsClientId=client)
    pybullet.createMultiBody(0.0, -1, shape, (5.0, 0.0, 1.0), physicsClientId=client)
    settings = CameraSettings(64, 64, (0.0, 0.0, 1.0), (5.0, 0.0, 1.0), fov_deg=60.0)
    camera = Camera(settings, session)
    image, distance = camera.layers((0.0, 0.0, 1.0))
    np.testing.assert_array_equal(image, camera.render((0.0, 0.0, 1.0)))
    assert distance[32, 32] == pytest.approx(4.0, abs=0.02)
    assert np.isinf(distance[0, 0])
    session.close()
