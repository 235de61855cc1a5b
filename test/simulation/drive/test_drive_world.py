"""DriveWorld: follows twists, notices collisions, repeats bit by bit."""

import hashlib
from pathlib import Path
from unittest.mock import ANY

import numpy as np
import pytest
from simulated import fresh_digest
from streets import NAMES, crate, twist
from user_errors import fault, refusal

from astra_ros.control.vehicle import VehicleState, advance
from astra_ros.plans.errors import PlanError
from astra_ros.plans.velocity_plan import VelocityPlan
from astra_ros.registry import UnknownName
from astra_ros.settings import SettingError
from astra_ros.simulation.camera import CameraSettings
from astra_ros.simulation.drive import world as drive_world
from astra_ros.simulation.drive.motion import CarLimits
from astra_ros.simulation.drive.plans import propose
from astra_ros.simulation.drive.scene import DriveSceneSettings
from astra_ros.simulation.drive.world import DriveWorld, DriveWorldSettings, make
from astra_ros.simulation.rollout import execute
from astra_ros.simulation.worlds import SceneError, make_world


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
    assert fresh_digest(Path(__file__)) == digest()


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
    with make(size=16) as other, fault(ValueError, "another DriveWorld"):
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
    car, limits = VehicleState(0.0, 0.0, 0.0, 3.0, 0.4), CarLimits()
    steps = 1000
    for _ in range(steps):
        car = advance(car, (3.0, 0.4), limits, np.pi / 0.4 / steps)
    np.testing.assert_allclose([car.x, car.y, car.yaw], [0.0, 15.0, np.pi], atol=1e-9)


def test_the_turning_circle_is_that_of_a_car(street):
    """At 2 m/s and 5 m of radius no more than 0.4 rad/s; at rest none at all."""
    world = street(car=VehicleState(98.7, -1.75, 0.0))
    world.command(twist(0.0, 1.0))
    world.step(1.0)
    assert world.state().car == VehicleState(98.7, -1.75, 0.0)
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
        assert street(car=VehicleState(98.7, y, 0.0)).labels()["off_road"] == off
    # The front axle, 2.6 m on: turned right by 0.4 rad its right wheel is at
    # y - 2.6 sin 0.4 - 0.75 cos 0.4 = y - 1.703.
    for y, off in ((-1.78, False), (-1.82, True)):
        assert street(car=VehicleState(98.7, y, -0.4)).labels()["off_road"] == off


# What is refused.


@pytest.mark.parametrize(
    "make_it, name, value, cure",
    [
        (lambda: DriveWorldSettings(physics_hz=10), "physics_hz", 10, "20"),
        (lambda: DriveSceneSettings(lane_width=(2.0, 3.0)), "lane_width", (2.0, 3.0), "2.6 m"),
        (lambda: DriveSceneSettings(obstacle_gap=(9.0, 3.0)), "obstacle_gap", (9.0, 3.0), "0 < lowest <= highest"),
        (lambda: DriveSceneSettings(traffic_share=1.5), "traffic_share", 1.5, "0 and 1"),
        (lambda: DriveSceneSettings(max_vehicles=-1), "max_vehicles", -1, "0"),
        (lambda: CarLimits(min_radius=0.0), "min_radius", 0.0, "> 0"),
        (lambda: CarLimits(wheelbase=5.0), "length x width", ANY, "body"),
        (lambda: make(size=0), "width", "0", "1 to 4096 pixels"),
    ],
)
def test_bad_settings_are_refused(make_it, name, value, cure):
    with pytest.raises(SettingError) as error:
        make_it()
    assert (error.value.name, error.value.value) == (name, value) and cure in error.value.cure


def test_an_unknown_robot_is_refused_with_the_known_ones():
    with pytest.raises(UnknownName) as error:
        make("truck")
    assert (error.value.name, error.value.known) == ("truck", ["car"])


def test_a_camera_that_looks_sideways_is_refused():
    camera = CameraSettings(position=(1.0, 0.0, 1.5), look_at=(5.0, 1.0, 1.0))
    with pytest.raises(SettingError) as error:
        DriveWorld(DriveWorldSettings(camera=camera))
    assert error.value.name == "look_at" and "same y" in error.value.cure


def test_roads_that_cannot_fit_are_refused():
    scene = DriveSceneSettings(corner_distance=(10.0, 12.0))
    with pytest.raises(SceneError) as error:
        DriveWorld(DriveWorldSettings(scene=scene))
    assert error.value.thing == str(scene) and "corner_distance" in error.value.cure


def test_wrong_commands_are_refused(world):
    world.reset(0)
    with refusal(PlanError, "plan 'plan'", "angular.z", "linear.y", "linear.x, angular.z"):
        world.command(VelocityPlan(("linear.x", "linear.y"), 0.25, [[1.0, 0.0]]))
    calls = {
        ("seed", -1): lambda: world.reset(-1),
        ("count", 0): lambda: propose(world, 0, 0),
        ("horizon", 0): lambda: execute(world, twist(1.0, 0.0), horizon=0),
    }
    for wrong, call in calls.items():
        with pytest.raises(SettingError) as error:
            call()
        assert (error.value.name, error.value.value) == wrong
