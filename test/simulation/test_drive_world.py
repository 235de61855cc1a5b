"""DriveWorld: follows twists, notices collisions, repeats bit by bit; its labels by hand."""

import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pybullet
import pytest

from astra_ros.planning.plans import PlanError
from astra_ros.planning.velocity_plan import VelocityPlan
from astra_ros.simulation.drive import world as drive_world
from astra_ros.simulation.camera import Camera, CameraSettings
from astra_ros.simulation.drive.driver import BEHAVIOURS, Driver
from astra_ros.simulation.drive.ground import _periodic
from astra_ros.simulation.drive.motion import CarLimits, CarState, advance
from astra_ros.simulation.drive.plans import propose
from astra_ros.simulation.drive.road import Lane, Road, rounded_polygon
from astra_ros.simulation.drive.rollout import execute, outcome, progress_between
from astra_ros.simulation.drive.scene import DriveLayout, DriveSceneSettings
from astra_ros.simulation.drive.sight import nearest_in_view
from astra_ros.simulation.drive.things import SIZES, Thing, Vehicle, footprint, overlap
from astra_ros.simulation.drive.world import DriveWorld, DriveWorldSettings, make
from astra_ros.simulation.session import Session
from astra_ros.simulation.worlds import make_world

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("linear.x", "angular.z")
SCENES = range(10)


@pytest.fixture(scope="module")
def world():
    with make(size=64) as made:
        yield made


@pytest.fixture
def street(monkeypatch):
    """Makes worlds on a road of our own: ``street(things, vehicles)``.

    The road is a rounded rectangle, two lanes of 3.5 m. The car starts on its lower side, which is
    straight along x from 20 to 180: s = 0 at (100, 0), heading 0, the right lane's middle at
    y = -1.75. Its rear axle is at (98.7, -1.75), so its bumper (4.2 - 0.8 = 3.4 m on) at x = 102.1
    and its camera (1.2 m on) at x = 99.9.
    """
    corners = np.array([(0.0, 0.0), (200.0, 0.0), (200.0, 90.0), (0.0, 90.0)])
    start, pieces = rounded_polygon(corners, np.full(4, 20.0))
    road = Road(start, pieces, (Lane(-1.75, 1), Lane(1.75, -1)), 3.5, closed=True)
    made = []

    def build(things=(), vehicles=(), car=CarState(98.7, -1.75, 0.0), **settings):
        layout = DriveLayout(
            road=road,
            side_roads=(),
            shoulder=0.5,
            sidewalk=0.0,
            crossings=(),
            things=tuple(things),
            vehicles=tuple(vehicles),
            start=car,
            start_lane=0,
        )
        monkeypatch.setattr(drive_world, "sample_layout", lambda *_: layout)
        made.append(DriveWorld(DriveWorldSettings(**settings)))
        return made[-1]

    yield build
    for each in made:
        each.close()


def twist(v, w, seconds=4.0) -> VelocityPlan:
    rows = np.tile([v, w], (round(seconds / 0.25), 1))
    return VelocityPlan(NAMES, 0.25, rows)


def crate(x, y=-1.75) -> Thing:
    """A cube of 1.2 m."""
    return Thing("crate", x, y, 0.0, SIZES["crate"])


def car_in_lane(lane, s, cruise, polite=True) -> Vehicle:
    return Vehicle("car", SIZES["car"], 0, lane, s, cruise, polite)


def same_labels(one, other) -> bool:
    return one.keys() == other.keys() and all(
        np.array_equal(one[key], other[key], equal_nan=key == "nearest_obstacle") for key in one
    )


def episode(world, seed, steps=10):
    """Frames and labels of some random play."""
    world.reset(seed)
    rng = np.random.default_rng(seed)
    frames, labels = [world.render()], [world.labels()]
    for k in range(steps):
        if k % 5 == 0:
            world.play(rng, 1.25)
        world.step(0.25)
        frames.append(world.render())
        labels.append(world.labels())
    return np.array(frames), labels


def digest() -> str:
    """Hash of an episode's frames and labels, in a new world."""
    with make(size=64) as world:
        frames, labels = episode(world, 7)
    total = hashlib.sha256(frames.tobytes())
    for label in labels:
        for value in label.values():
            total.update(value.tobytes())
    return total.hexdigest()


# Worlds as such.


def test_is_the_world_that_the_registry_makes():
    with make_world("drive", size=32) as world:
        assert world.embodiment.space == "car_twist"
        assert world.embodiment.motion_names == NAMES
        assert world.render().shape == (32, 32, 3) and world.render().dtype == np.uint8


def test_resets_steps_and_stays_finite(world):
    for seed in range(6):
        world.reset(seed)
        assert world.time_s == 0.0
        np.testing.assert_array_equal(world.motion(), [0.0, 0.0])
        before = world.labels()
        assert not before["obstacle_contact"] and not before["off_road"]
        world.step(0.5)
        assert world.time_s == 0.5
        assert np.isfinite(world.labels()["camera_pose"]).all()
        # Unless it is told to, the car does not move.
        np.testing.assert_array_equal(world.labels()["camera_pose"], before["camera_pose"])


def test_same_seed_same_bits_after_other_episodes(world):
    frames, labels = episode(world, 3)
    episode(world, 4, steps=3)
    again, labels_again = episode(world, 3)
    np.testing.assert_array_equal(frames, again)
    assert all(same_labels(a, b) for a, b in zip(labels, labels_again))


def test_a_fresh_process_gives_the_same_bits():
    code = (
        "import sys; sys.path.insert(0, 'test/simulation'); "
        "from test_drive_world import digest; print('digest', digest())"
    )
    fresh = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"digest {digest()}" in fresh.stdout


def test_seeds_give_other_scenes_and_pictures(world):
    roads, pictures = set(), set()
    for seed in range(8):
        world.reset(seed)
        roads.add(world.scene()["road_length"])
        pictures.add(world.render().tobytes())
    assert len(roads) == len(pictures) == 8


def test_style_seed_fixes_the_look():
    with DriveWorld(DriveWorldSettings(style_seed=5)) as world:
        world.reset(1)
        top = world.render()[0].mean(axis=0)
        world.reset(2)
        np.testing.assert_allclose(world.render()[0].mean(axis=0), top, atol=40)
        assert world._view._style == drive_world.sample_style(5)


def test_stepping_in_small_pieces_changes_nothing(world):
    def end(pieces):
        world.reset(5)
        world.command(twist(5.0, 0.1))
        for _ in range(pieces):
            world.step(2.0 / pieces)
        return world.state()

    one, other = end(1), end(40)
    assert (one.car, one.traffic, one.time_s) == (other.car, other.traffic, other.time_s)


def test_restored_moments_replay_bit_by_bit(world):
    world.reset(8)
    world.play(np.random.default_rng(0), 4.0)
    world.step(1.0)
    moment, view = world.snapshot(), world.render()
    ends = []
    for _ in range(2):
        world.step(1.5)
        ends.append((world.render(), world.labels(), world.state().traffic, world.motion()))
        world.reset(9)  # another scene in between
        world.step(0.5)
        world.restore(moment)
        np.testing.assert_array_equal(world.render(), view)
    assert world.time_s == 1.0
    np.testing.assert_array_equal(ends[0][0], ends[1][0])
    assert same_labels(ends[0][1], ends[1][1])
    assert ends[0][2] == ends[1][2]
    np.testing.assert_array_equal(ends[0][3], ends[1][3])


def test_a_snapshot_belongs_to_its_world(world):
    with make(size=16) as other, pytest.raises(ValueError, match="another DriveWorld"):
        world.restore(other.snapshot())


# How the car moves.


def test_a_straight_twist_covers_v_times_t(street):
    world = street()
    world.command(twist(4.0, 0.0, 12.0))
    world.step(2.0)
    x = world.state().car.x
    world.step(2.5)
    car = world.state().car
    assert car.x - x == pytest.approx(10.0, abs=1e-9)
    assert car.y == pytest.approx(-1.75, abs=1e-9)
    np.testing.assert_allclose(world.motion(), [4.0, 0.0])


def test_the_car_speeds_up_and_brakes_no_faster_than_it_may(street):
    world = street()
    world.command(twist(8.0, 0.0))
    world.step(1.0)
    assert world.state().car.speed == pytest.approx(3.5)  # 1 s at 3.5 m/s^2
    world.step(1.5)
    assert world.state().car.speed == pytest.approx(8.0)
    world.command(twist(0.0, 0.0))
    world.step(0.5)
    assert world.state().car.speed == pytest.approx(8.0 - 0.5 * 7.0)


def test_a_twist_drives_a_circle_of_v_over_w():
    """3 m/s and 0.4 rad/s: radius 7.5 m, so the rear axle is 15 m to the left after half a turn."""
    car, limits = CarState(0.0, 0.0, 0.0, 3.0, 0.4), CarLimits()
    steps = 1000
    for _ in range(steps):
        car = advance(car, (3.0, 0.4), limits, np.pi / 0.4 / steps)
    np.testing.assert_allclose([car.x, car.y, car.yaw], [0.0, 15.0, np.pi], atol=1e-9)


def test_the_turning_circle_is_that_of_a_car(street):
    """At 2 m/s and 5 m of radius no more than 0.4 rad/s; at rest none at all."""
    world = street(car=CarState(98.7, -1.75, 0.0))
    world.command(twist(0.0, 1.0))
    world.step(1.0)
    assert world.state().car == CarState(98.7, -1.75, 0.0)
    world.command(twist(2.0, 1.0))
    world.step(2.0)
    assert world.state().car.yaw_rate == pytest.approx(0.4)


def test_motion_is_the_mean_command_of_the_last_step(street):
    world = street()
    plan = VelocityPlan(("angular.z", "linear.x"), 0.25, [[0.1, 1.0], [0.3, 3.0]])
    world.command(plan)
    world.step(0.5)
    np.testing.assert_allclose(world.motion(), [2.0, 0.2])
    world.step(0.25)  # past its end the car is to rest
    np.testing.assert_array_equal(world.motion(), [0.0, 0.0])


def test_a_collision_is_noticed_stops_the_car_and_lets_it_back_out(street):
    """The crate's near face is at 112 - 0.6 = 111.4; the bumper is 3.4 m before the rear axle."""
    world = street([crate(112.0)])
    world.command(twist(4.0, 0.0, 8.0))
    touched_at = None
    for _ in range(24):
        world.step(0.25)
        if touched_at is None and world.labels()["obstacle_contact"]:
            touched_at = world.time_s
    # 9.3 m: 1.14 s and 2.29 m to reach 4 m/s, the rest in 1.75 s.
    assert touched_at == pytest.approx(2.9, abs=0.25)
    car = world.state().car
    assert world.labels()["obstacle_contact"] and car.speed < 0.2
    assert 111.3 < car.x + 3.4 <= 111.4
    world.command(twist(-1.0, 0.0))
    world.step(0.5)
    assert not world.labels()["obstacle_contact"]
    assert world.state().car.x < car.x - 0.3


def test_contact_covers_the_whole_last_step(street):
    world = street([crate(104.0)])
    rows = np.array([[2.0, 0.0]] * 4 + [[-2.0, 0.0]] * 4)
    world.command(VelocityPlan(NAMES, 0.5, rows))
    world.step(4.0)
    assert world.labels()["obstacle_contact"] and world.state().car.x < 98.7


def test_off_road_means_a_wheel_off_the_lanes(street):
    """The right edge is at y = -3.5, a right wheel 0.75 m right of the axle's middle."""
    for y, off in ((-2.74, False), (-2.76, True), (2.74, False), (2.76, True)):
        assert street(car=CarState(98.7, y, 0.0)).labels()["off_road"] == off
    # The front axle, 2.6 m on: turned right by 0.4 rad its right wheel is at
    # y - 2.6 sin 0.4 - 0.75 cos 0.4 = y - 1.703.
    for y, off in ((-1.78, False), (-1.82, True)):
        assert street(car=CarState(98.7, y, -0.4)).labels()["off_road"] == off


# Others on the road.


def test_traffic_moves_along_its_lane(street):
    world = street(vehicles=[car_in_lane(0, 20.0, 3.0), car_in_lane(1, 60.0, 4.0)])
    world.step(2.0)
    poses = world.traffic.poses(world.state().traffic)
    np.testing.assert_allclose(poses[0], [126.0, -1.75, 0.0], atol=1e-6)
    np.testing.assert_allclose(poses[1], [152.0, 1.75, np.pi], atol=1e-6)


def test_traffic_keeps_its_distance(street):
    world = street(vehicles=[car_in_lane(0, 30.0, 6.0), car_in_lane(0, 45.0, 2.0)])
    for _ in range(40):
        world.step(0.25)
        behind, ahead = world.state().traffic.s
        assert ahead - behind > 4.2 + 1.0
    assert world.state().traffic.speeds[0] == pytest.approx(2.0, abs=0.2)


def test_traffic_brakes_for_the_car_from_behind_and_head_on_if_polite(street):
    """The car stands in the way of all; only the one who does not care runs into it."""
    from_behind = car_in_lane(0, -30.0, 6.0, polite=False)
    head_on = CarState(98.7, 1.75, 0.0)
    for vehicle, car, contact in (
        (from_behind, CarState(98.7, -1.75, 0.0), False),
        (car_in_lane(1, 30.0, 6.0, polite=True), head_on, False),
        (car_in_lane(1, 30.0, 6.0, polite=False), head_on, True),
    ):
        world = street(vehicles=[vehicle], car=car)
        world.step(10.0)
        assert world.labels()["obstacle_contact"] == contact
        assert world.state().car == car
        assert world.state().traffic.speeds[0] < 0.2


def test_things_stand_apart_and_traffic_drives_through_none(world):
    def outlines_near(place, things):
        return [footprint(t) for t in things if np.hypot(t.x - place.x, t.y - place.y) < 14.0]

    for seed in range(4):
        world.reset(seed)
        things = world.layout.things
        for i, one in enumerate(things):
            assert not any(overlap(footprint(one), o) for o in outlines_near(one, things[:i]))
        for _ in range(4):
            world.step(2.0)
            poses = world.traffic.poses(world.state().traffic)
            for pose, vehicle in zip(poses, world.layout.vehicles):
                body = Thing(vehicle.kind, *pose, vehicle.size)
                assert not any(overlap(footprint(body), o) for o in outlines_near(body, things))


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
    world = street([crate(110.0, 1.95)], car=CarState(130.0, 1.75, np.pi))
    np.testing.assert_allclose(world.labels()["nearest_obstacle"], [19.4, 0.0, 0.0], atol=1e-9)
    # Its middle 1 m to the right: it begins 0.4 m to the right.
    world = street([crate(110.0, 2.75)], car=CarState(130.0, 1.75, np.pi))
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
    world = street(car=CarState(150.0, 2.0, np.pi / 2))
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
    shape = pybullet.createVisualShape(
        pybullet.GEOM_BOX, halfExtents=(1.0, 1.0, 1.0), physicsClientId=client
    )
    pybullet.createMultiBody(0.0, -1, shape, (5.0, 0.0, 1.0), physicsClientId=client)
    settings = CameraSettings(64, 64, (0.0, 0.0, 1.0), (5.0, 0.0, 1.0), fov_deg=60.0)
    camera = Camera(settings, client)
    image, distance = camera.layers((0.0, 0.0, 1.0))
    np.testing.assert_array_equal(image, camera.render((0.0, 0.0, 1.0)))
    assert distance[32, 32] == pytest.approx(4.0, abs=0.02)
    assert np.isinf(distance[0, 0])
    session.close()


# The road.


def test_places_on_the_road_and_back(world):
    for seed in range(4):
        world.reset(seed)
        road = world.layout.road
        rng = np.random.default_rng(seed)
        s, d = rng.uniform(0.0, road.length, 300), rng.uniform(-7.0, 7.0, 300)
        x, y, heading = road.place(s, d)
        s_again, d_again, heading_again = road.locate(x, y)
        # Where a straight joins an arc, s may be off by what the arc would bend.
        np.testing.assert_allclose(road.ahead(s, s_again), 0.0, atol=0.15)
        np.testing.assert_allclose(d_again, d, atol=0.01)
        np.testing.assert_allclose(np.sin(heading_again - heading), 0.0, atol=0.02)
        # It is closed: the end is the start.
        np.testing.assert_allclose(road.end_pose[:2], road.place(0.0, 0.0)[:2], atol=1e-9)


def test_an_arc_by_hand():
    """A quarter of a circle of 10 m: 15.708 m on, the place 2 m to its left is (8, 10)."""
    road = Road((0.0, 0.0, 0.0), [(5 * np.pi, 0.1), (5.0, 0.0)], (Lane(0.0, 1),), 3.0, closed=False)
    x, y, heading = road.place(5 * np.pi, 2.0)
    np.testing.assert_allclose([x, y, heading], [8.0, 10.0, np.pi / 2], atol=1e-9)
    np.testing.assert_allclose(road.end_pose, [10.0, 15.0, np.pi / 2], atol=1e-9)
    assert road.covers(10.0, 14.9) and not road.covers(10.0, 15.2) and not road.covers(8.4, 14.0)


# Plans and outcomes.


def test_play_stays_within_the_cars_limits(world):
    limits, chosen = world.limits, set()
    for seed in range(10):
        world.reset(seed)
        rng = np.random.default_rng(seed)
        for _ in range(4):
            chosen.add(world.play(rng, 2.0))
            within(world._plan, limits)
            assert world._plan.duration_s == 2.0
            world.step(1.0)
    assert len(chosen) >= 8 and chosen <= set(BEHAVIOURS)


def test_every_behaviour_plans_within_the_limits(world):
    for seed in range(4):
        world.reset(seed)
        driver = Driver(world, np.random.default_rng(seed))
        for kind in BEHAVIOURS:
            plan = driver.plan(kind, 1.1, "x")
            within(plan, world.limits)
            assert plan.duration_s == 1.25
    with pytest.raises(ValueError, match="unknown behaviour 'fly'; known are follow_lane"):
        driver.plan("fly", 1.0, "x")


def within(plan: VelocityPlan, limits: CarLimits) -> None:
    v, w = plan.velocities.T
    assert plan.names == NAMES and plan.dt_s <= 0.25
    assert (v <= limits.max_speed).all() and (v >= -limits.max_reverse).all()
    assert (np.abs(w) <= np.minimum(limits.yaw_rate, np.abs(v) / limits.min_radius) + 1e-12).all()


def test_candidates_differ_and_end_well_and_badly(world):
    good = collided = left = 0
    for seed in SCENES:
        world.reset(seed)
        start = world.snapshot()
        plans = propose(world, 5, seed)
        assert [plan.name for _, plan in plans] == [f"candidates/{i}" for i in range(5)]
        assert len({plan.velocities.tobytes() for _, plan in plans}) == 5
        assert "follow_lane" in dict(plans)
        assert all(plan.duration_s == 4.0 for _, plan in plans)
        again = propose(world, 5, seed)
        assert all(
            np.array_equal(a.velocities, b.velocities) for (_, a), (_, b) in zip(plans, again)
        )
        ends = []
        for _, plan in plans:
            world.restore(start)
            ends.append(execute(world, plan, horizon=8, dt_s=0.5, render=False))
        collided += any(end.collision for end in ends)
        left += any(end.off_road for end in ends)
        good += any(end.outcome > 0.25 for end in ends)
        assert np.ptp([end.outcome for end in ends]) > 0.2
    assert good >= 7 and collided >= 4 and left >= 4


def test_a_rollout_holds_frames_states_and_labels(world):
    world.reset(2)
    plan = dict(propose(world, 3, 2))["follow_lane"]
    rollout = execute(world, plan, horizon=4)
    assert rollout.frames.shape == (5, 64, 64, 3)
    assert len(rollout.states) == len(rollout.labels) == 5
    assert rollout.states[-1].time_s == pytest.approx(1.0)
    assert execute(world, plan, horizon=1, render=False).frames.shape == (0, 64, 64, 3)


def test_outcome_by_hand(street):
    """6 m/s is full progress; 3.5 m/s^2 for 2 s are 7 m of 12, and nobody is in the way."""
    rollout = execute(street(), twist(7.0, 0.0), horizon=8, render=False)
    assert rollout.progress == pytest.approx(7.0 / 12.0, abs=0.01)
    assert rollout.outcome == rollout.progress
    states = rollout.states
    ahead = [replace(states[0], s=0.0), replace(states[0], s=3.0, time_s=1.0)]
    road = street().layout.road
    assert progress_between(road, ahead) == pytest.approx(0.5)
    assert progress_between(road, [replace(ahead[0], direction=-1), ahead[1]]) == -0.5
    over = [replace(ahead[0], s=road.length - 3.0), replace(ahead[1], s=3.0)]  # past the seam
    assert progress_between(road, over) == pytest.approx(1.0)
    assert outcome(0.5, True, True) == -1.0 and outcome(0.5, False, True) == 0.0


# What is refused.


@pytest.mark.parametrize(
    "make_it, message",
    [
        (lambda: DriveWorldSettings(physics_hz=10), "physics_hz is 10; expected >= 20"),
        (lambda: DriveSceneSettings(lane_width=(2.0, 3.0)), "at least 2.6 m"),
        (lambda: DriveSceneSettings(obstacle_gap=(9.0, 3.0)), "0 < lowest <= highest"),
        (lambda: DriveSceneSettings(traffic_share=1.5), "between 0 and 1"),
        (lambda: DriveSceneSettings(max_vehicles=-1), "max_vehicles is -1"),
        (lambda: CarLimits(min_radius=0.0), "min_radius is 0.0; it must be a number > 0"),
        (lambda: CarLimits(wheelbase=5.0), "enlarge the body"),
        (lambda: make("truck"), "no robot 'truck'; it has car"),
        (lambda: make(size=0), "both must be >= 1"),
    ],
)
def test_bad_settings_are_refused(make_it, message):
    with pytest.raises(ValueError, match=message):
        make_it()


def test_a_camera_that_looks_sideways_is_refused():
    camera = CameraSettings(position=(1.0, 0.0, 1.5), look_at=(5.0, 1.0, 1.0))
    with pytest.raises(ValueError, match="must look ahead"):
        DriveWorld(DriveWorldSettings(camera=camera))


def test_roads_that_cannot_fit_are_refused():
    scene = DriveSceneSettings(corner_distance=(10.0, 12.0))
    with pytest.raises(RuntimeError, match="widen corner_distance"):
        DriveWorld(DriveWorldSettings(scene=scene))


def test_wrong_commands_are_refused(world):
    world.reset(0)
    with pytest.raises(PlanError, match="columns linear.x, linear.y; the car takes linear.x and"):
        world.command(VelocityPlan(("linear.x", "linear.y"), 0.25, [[1.0, 0.0]]))
    with pytest.raises(ValueError, match="seed is -1"):
        world.reset(-1)
    with pytest.raises(ValueError, match="count is 0"):
        propose(world, 0, 0)
    with pytest.raises(ValueError, match="horizon is 0"):
        execute(world, twist(1.0, 0.0), horizon=0)
