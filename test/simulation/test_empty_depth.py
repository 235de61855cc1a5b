"""What is empty in a picture with depth: told by the mask, whatever the clip planes."""

from dataclasses import replace

import numpy as np
import pybullet
import pytest

from astra_ros.simulation.camera import Camera, CameraSettings
from astra_ros.simulation.drive import world as drive_world
from astra_ros.simulation.drive.world import DASHBOARD_CAMERA
from astra_ros.simulation.session import Session
from astra_ros.simulation.worlds import WORLDS, make_world

PLANES = [
    (near, far) for near in (0.01, 0.03, 0.05, 0.1, 0.25, 0.3) for far in (6.0, 10.0, 15.0, 20.0, 25.0, 60.0, 160.0)
]
FARS = (100.0, 120.0, 150.0, 180.0, 200.0, 250.0, 300.0, 400.0, 500.0)
LIGHT = (1.0, 1.0, 2.0)


@pytest.fixture(scope="module")
def box():
    """A simulation with a box of 0.4 m, and a camera 3 m away that looks at it."""
    session = Session()
    try:
        shape = pybullet.createVisualShape(pybullet.GEOM_BOX, halfExtents=[0.2] * 3, physicsClientId=session.client)
        pybullet.createMultiBody(0, -1, shape, [0, 0, 0], physicsClientId=session.client)
        yield session
    finally:
        session.close()


def depth_behind_everything(near_m: float, far_m: float, session: Session) -> set[float]:
    """What PyBullet itself gives as depth where the mask says that there is nothing."""
    camera = Camera(settings(near_m, far_m), session)
    _, depth, bodies = camera._draw(LIGHT, masked=True)
    return set(depth[bodies < 0].tolist())


def settings(near_m: float, far_m: float) -> CameraSettings:
    return CameraSettings(32, 32, (3.0, 0.0, 0.5), (0.0, 0.0, 0.0), near_m=near_m, far_m=far_m)


def test_planes_are_tested_whose_empty_depth_is_not_one(box):
    odd = [planes for planes in PLANES if depth_behind_everything(*planes, box) != {1.0}]
    assert len(odd) >= 5, "PyBullet has changed: the mask is then needed no longer"


@pytest.mark.parametrize("near_m, far_m", PLANES)
def test_nothing_is_infinitely_far_and_a_box_where_it_is(box, near_m, far_m):
    image, distance = Camera(settings(near_m, far_m), box).layers(LIGHT)
    drawn = np.isfinite(distance)
    # Of 0.4 m at 3 m, with half a view of tan(19 deg) = 0.344 at 1 m: some 6 of 32 pixels wide.
    assert 20 < drawn.sum() < 120 and drawn[16, 16] and not drawn[0].any()
    np.testing.assert_allclose(distance[drawn], 3.04, atol=0.5)
    assert (image[~drawn] == 255).all() and distance.dtype == np.float32
    np.testing.assert_array_equal(image, Camera(settings(near_m, far_m), box).render(LIGHT))


def as_before(camera: Camera, light) -> tuple[np.ndarray, np.ndarray]:
    """`Camera.layers` as the shipped datasets and models were made with: empty is what has a depth of 1."""
    image, depth, _ = camera._draw(light)
    near, far = camera.settings.near_m, camera.settings.far_m
    distance = far * near / (far - (far - near) * depth)
    return image, np.where(depth < 1.0, distance, np.inf).astype(np.float32)


def pictures(world: str, robot: str) -> np.ndarray:
    made = make_world(world, robot, 64)
    try:
        made.reset(5)
        made.play(np.random.default_rng(2), 4.0)
        frames = [made.render()]
        for _ in range(6):
            made.step(0.5)
            frames.append(made.render())
    finally:
        made.close()
    return np.stack(frames)


@pytest.mark.parametrize("world, robot", [(world, robot) for world, spec in WORLDS.items() for robot in spec.robots])
def test_the_shipped_pictures_are_those_of_before_bit_by_bit(world, robot, monkeypatch):
    now = pictures(world, robot)
    monkeypatch.setattr(Camera, "layers", as_before)
    np.testing.assert_array_equal(now, pictures(world, robot))


def test_the_driving_scene_is_no_haze_with_other_planes(box, monkeypatch):
    shipped = pictures("drive", "car").astype(int)
    far_m = next(far for far in FARS if depth_behind_everything(DASHBOARD_CAMERA.near_m, far, box) != {1.0})
    monkeypatch.setattr(drive_world, "DASHBOARD_CAMERA", replace(DASHBOARD_CAMERA, far_m=far_m))
    other = pictures("drive", "car").astype(int)
    assert (np.abs(other - shipped).max(axis=-1) > 40).mean() < 0.02
