"""Exact motion, contacts and labels by hand."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest
from halls import hall, plan_of
from user_errors import refusal

from astra_ros.plans.errors import PlanError
from astra_ros.plans.velocity_plan import VelocityPlan
from astra_ros.simulation.explore.geometry import Block, Solids
from astra_ros.simulation.explore.robots import Pose, advanced, gimbal, gimbal_angles, twist_between

# -- motion --------------------------------------------------------------------------------------


def test_a_straight_drive_covers_speed_times_time_and_a_turn_rate_times_time(rover):
    hall(rover, yaw=0.5)
    start = rover.state().pose.position
    rover.command(plan_of(rover, [[0.4, 0.0]] * 8))
    rover.step(3.0)
    # 0.4 m/s for 2 s; what speeding up loses, slowing down gains.
    ahead = np.array([np.cos(0.5), np.sin(0.5), 0.0])
    np.testing.assert_allclose(rover.state().pose.position, start + 0.8 * ahead, atol=1e-9)
    rover.command(plan_of(rover, [[0.0, -0.6]] * 8))
    rover.step(3.0)
    assert rover.spec.yaw(rover.state().pose) == pytest.approx(0.5 - 1.2, abs=1e-9)
    assert rover.time_s == 6.0 and not rover.state().contact


def test_speed_grows_no_faster_than_the_robot_can(rover):
    hall(rover)
    rover.command(plan_of(rover, [[5.0, 9.0]] * 8))
    rover.step(0.25)
    np.testing.assert_allclose(rover.state().velocity, rover.spec.max_acceleration * 0.25)
    rover.step(1.0)
    np.testing.assert_allclose(rover.state().velocity, rover.spec.max_speed)


def test_six_rates_are_followed_on_an_arc_and_after_a_roll(drone):
    """In the optical frame: z ahead at 0.3 m/s, turning about y (down) at 0.6 rad/s to the right.

    That is a circle of radius 0.5 m; after 1.5 s it has turned by 0.9 rad. Speeds grow in the same
    proportion (1.5 m/s^2 and 3 rad/s^2), so the path is the arc from the first moment on.
    """
    hall(drone)
    start = drone.state().pose
    drone.command(plan_of(drone, [[0, 0, 0.3, 0, 0.6, 0]] * 6))
    drone.step(2.5)
    c, s = np.cos(0.9), np.sin(0.9)
    turn = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    wanted = start @ Pose(np.array([0.5 * (1 - c), 0.0, 0.5 * s]), turn)
    np.testing.assert_allclose(drone.state().pose.position, wanted.position, atol=1e-9)
    np.testing.assert_allclose(drone.state().pose.rotation, wanted.rotation, atol=1e-9)
    # In the world: ahead was x, right is -y.
    shift = (0.5 * s, -0.5 * (1 - c), 0.0)
    np.testing.assert_allclose(wanted.position - start.position, shift, atol=1e-9)

    hall(drone)
    rows = np.array([[0, 0, 0, 0, 0, np.pi / 8]] * 16)  # a quarter turn clockwise in 4 s
    drone.command(plan_of(drone, rows))
    drone.step(5.0)
    drone.command(plan_of(drone, [[0.2, 0, 0, 0, 0, 0]] * 8))
    drone.step(3.0)
    # Its right is now down: x right at 0.2 m/s for 2 s lowers it from 1 m to 0.6 m.
    np.testing.assert_allclose(drone.state().pose.position, (6.0, 6.0, 0.6), atol=1e-9)


def exact_steps(steps) -> str:
    """Hash of the poses that (twist, seconds) reach one after another, and of the twists between them.

    The arithmetic is that of the recorded episodes, written out: float64 rounds another order of it otherwise.
    """
    total, position, rotation = hashlib.sha256(), np.zeros(3), np.eye(3)
    for twist, seconds in steps:
        motion = twist * seconds
        turn, travel = exact_maps(motion[3:])
        moved = rotation @ turn
        moved = moved @ (1.5 * np.eye(3) - 0.5 * moved.T @ moved)
        place = position + rotation @ (travel @ motion[:3])
        total.update(place.tobytes() + moved.tobytes())
        turn = rotation.T @ moved
        angle = np.arccos(np.clip((np.trace(turn) - 1.0) / 2.0, -1.0, 1.0))
        axis = np.array([turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]])
        vector = axis / (2.0 * np.sinc(angle / np.pi))
        shift = np.linalg.solve(exact_maps(vector)[1], rotation.T @ (place - position))
        total.update((np.concatenate([shift, vector]) / seconds).tobytes())
        position, rotation = place, moved
    return total.hexdigest()


def exact_maps(v):
    """[3, 3] the turn by a rotation vector, and from linear velocity to shift."""
    angle = float(np.sqrt(v @ v))
    cross = np.array([[0.0, -v[2], v[1]], [v[2], 0.0, -v[0]], [-v[1], v[0], 0.0]])
    a, b = np.sinc(angle / np.pi), 0.5 * np.sinc(angle / (2.0 * np.pi)) ** 2
    c = 1.0 / 6.0 if angle < 1e-3 else (angle - np.sin(angle)) / angle**3
    return np.eye(3) + a * cross + b * cross @ cross, np.eye(3) + b * cross + c * cross @ cross


def test_motion_keeps_every_bit_of_the_recorded_episodes():
    rng = np.random.default_rng(5)
    steps = [(rng.normal(0.0, size, 6), 1.0 / 60.0) for size in (0.01, 0.3, 1.0, 2.0) for _ in range(200)]
    total, pose = hashlib.sha256(), Pose(np.zeros(3), np.eye(3))
    for twist, seconds in steps:
        after = advanced(pose, twist, seconds)
        total.update(after.position.tobytes() + after.rotation.tobytes())
        total.update(twist_between(pose, after, seconds).tobytes())
        pose = after
    assert total.hexdigest() == exact_steps(steps)


def test_rotations_stay_orthonormal_and_twists_invert_motion():
    rng = np.random.default_rng(0)
    pose = Pose(np.zeros(3), np.eye(3))
    for _ in range(3000):
        pose = advanced(pose, rng.normal(0.0, 2.0, 6), 0.05)
    np.testing.assert_allclose(pose.rotation.T @ pose.rotation, np.eye(3), atol=1e-14)
    for size in (0.0, 1e-9, 1e-4, 0.3, 2.0):
        twist = rng.normal(0.0, 1.0, 6) * size
        end = advanced(pose, twist, 0.5)
        np.testing.assert_allclose(twist_between(pose, end, 0.5), twist, atol=1e-9)


def test_gimbal_angles_mean_nose_up_and_right_side_down():
    np.testing.assert_allclose(gimbal(0.0, 0.3, 0.0)[:, 2], (np.cos(0.3), 0.0, np.sin(0.3)))
    assert gimbal(0.7, 0.0, 0.2)[2, 0] == pytest.approx(-np.sin(0.2))  # image right, world z
    np.testing.assert_allclose(gimbal_angles(gimbal(0.7, -0.4, 0.2)), (0.7, -0.4, 0.2))


def test_the_drone_keeps_its_height_limits(drone):
    hall(drone)
    for rate, height in ((-0.5, 2.0), (0.5, 0.2)):
        drone.command(plan_of(drone, [[0.0, rate, 0.0, 0.0, 0.0, 0.0]] * 20))
        drone.step(5.0)
        assert drone.state().pose.position[2] == height and not drone.state().contact


def test_stepping_in_small_pieces_changes_nothing(world):
    world.reset(6)
    rows = np.random.default_rng(0).uniform(-0.4, 0.4, (8, len(world.spec.motion_names)))
    world.command(plan_of(world, rows))
    world.step(2.0)
    whole = world.labels()["camera_pose"]
    world.reset(6)
    world.command(plan_of(world, rows))
    for _ in range(40):
        world.step(0.05)
    np.testing.assert_array_equal(world.labels()["camera_pose"], whole)


def test_motion_is_the_mean_command_of_the_last_step(rover):
    hall(rover)
    np.testing.assert_array_equal(rover.motion(), (0.0, 0.0))
    rover.command(plan_of(rover, [[0.4, 0.0], [0.2, 0.4]]))
    rover.step(0.25)
    np.testing.assert_allclose(rover.motion(), (0.4, 0.0))
    rover.step(1.0)  # 0.25 s of the second row, then 0.75 s of rest
    np.testing.assert_allclose(rover.motion(), (0.05, 0.1))
    rover.step(0.25)
    np.testing.assert_array_equal(rover.motion(), (0.0, 0.0))


def test_columns_may_come_in_any_order_and_others_are_refused(rover):
    hall(rover)
    rover.command(VelocityPlan(("angular.z", "linear.x"), 0.25, [[0.0, 0.4]] * 4))
    rover.step(2.0)
    np.testing.assert_allclose(rover.state().pose.position, (6.4, 6.0, 0.0), atol=1e-9)
    with refusal(PlanError, "plan 'plan'", "angular.z", "linear.y", "linear.x, angular.z"):
        rover.command(VelocityPlan(("linear.x", "linear.y"), 0.25, [[0.0, 0.4]]))


# -- contacts and labels -------------------------------------------------------------------------


@pytest.mark.parametrize("is_round", [False, True])
def test_things_stop_the_robot_and_it_gets_away_again(world, is_round):
    thing = Block("bin", (8.0, 6.0, 0.75), (0.3, 0.3, 0.75), round=is_round)
    hall(world, furniture=[thing])
    forward = world.spec.motion_names.index("linear.z" if world.spec.flies else "linear.x")
    rows = np.zeros((16, len(world.spec.motion_names)))
    rows[:, forward] = 0.5
    world.command(plan_of(world, rows))
    world.step(2.0)
    assert not world.labels()["obstacle_contact"]
    world.step(2.0)
    # It stands where its body ends at the thing's face (x = 7.7), at most one move of 0.5 / 60 m
    # and the touching distance of 1 mm before it.
    gap = 7.7 - world.spec.radius_m - world.state().pose.position[0]
    assert world.labels()["obstacle_contact"] and 0.0 < gap < 0.5 / 60 + 2e-3
    there = world.state().pose.position
    world.step(1.0)
    assert not world.labels()["obstacle_contact"]
    np.testing.assert_allclose(world.state().pose.position, there, atol=1e-9)
    world.command(plan_of(world, -rows[:4]))
    world.step(2.0)
    assert not world.state().contact
    assert world.state().pose.position[0] == pytest.approx(there[0] - 0.5, abs=1e-9)


def test_a_drone_flies_over_what_is_low_and_a_rover_under_what_is_high(rover, drone):
    low = Block("crate", (7.0, 6.0, 0.2), (0.2, 0.2, 0.2))
    high = Block("table", (7.0, 6.0, 0.72), (0.5, 0.5, 0.03))
    for world, block, column in ((drone, low, 2), (rover, high, 0)):
        hall(world, furniture=[block])
        rows = np.zeros((12, len(world.spec.motion_names)))
        rows[:, column] = 0.6
        world.command(plan_of(world, rows))
        world.step(4.0)
        assert not world.state().contact
        assert world.state().pose.position[0] == pytest.approx(7.8, abs=1e-9)


def test_label_frames_by_hand(rover, drone):
    crate = Block("crate", (8.0, 6.0, 0.75), (0.4, 0.4, 0.75))
    for world in (rover, drone):
        hall(world, furniture=[crate])
        # The crate's face is at x = 7.6.
        np.testing.assert_allclose(world.labels()["nearest_obstacle"], (1.6, 0.0, 0.0), atol=1e-9)
        # Heading along y: the crate is behind the picture's edge, the wall's face 5.94 m ahead.
        hall(world, yaw=np.pi / 2, furniture=[crate])
        np.testing.assert_allclose(world.labels()["nearest_obstacle"], (5.94, 0.0, 0.0), atol=1e-9)
        # In a corner, looking across the hall: all in view is beyond 6 m.
        hall(world, (1.0, 1.0), np.pi / 4, furniture=[crate])
        assert np.isnan(world.labels()["nearest_obstacle"]).all()
        # Beside the way, 0.5 m to the left: a crate's corner at (7.6, 6.5).
        hall(world, furniture=[replace(crate, centre=(8.0, 6.9, 0.75))])
        np.testing.assert_allclose(world.labels()["nearest_obstacle"], (1.6, 0.5, 0.0), atol=1e-9)

    hall(rover)
    # Ahead x, so image right -y and down -z: a third of a turn about (-1, 1, -1).
    wanted = (6.1, 6.0, 0.35, -0.5, 0.5, -0.5, 0.5)
    np.testing.assert_allclose(rover.labels()["camera_pose"], wanted, atol=1e-9)
    hall(drone, furniture=[crate])
    pose = Pose(drone.state().pose.position, gimbal(0.0, 0.3, -0.2))
    drone._state = replace(drone.state(), pose=pose)
    np.testing.assert_allclose(drone.labels()["nearest_obstacle"], (1.6, 0.0, 0.0), atol=1e-9)
    assert drone.labels()["camera_pose"][:3] == pytest.approx((6.0, 6.0, 1.0))


def test_solids_measure_boxes_and_cylinders_exactly():
    box = Block("box", (2.0, 0.0, 0.5), (0.5, 0.5, 0.5), yaw=np.pi / 4)
    drum = Block("drum", (0.0, 3.0, 0.5), (1.0, 1.0, 0.5), round=True)
    solids = Solids([box, drum])
    # The turned box's corner is at x = 2 - sqrt(1/2); the drum's side at y = 2.
    half = np.sqrt(0.5)
    np.testing.assert_allclose(solids.distances([(0.0, 0.0)]), [(2.0 - half, 2.0)])
    np.testing.assert_allclose(solids.cast((0.0, 0.0), (0.0, np.pi / 2)), (2.0 - half, 2.0))
    assert np.isinf(solids.cast((0.0, 0.0), [np.pi])).all()
    np.testing.assert_allclose(solids.clearance([(2.0, 0.0), (0.0, 2.5)]), (-0.5, -0.5))
    np.testing.assert_allclose(solids.nearest_in_view((0.0, 0.0), 1.0, 1.2, 6.0), (2.0 - half, 0.0), atol=1e-12)
    # The box out of view, only the drum's right part in it: its nearest point is on the edge.
    x, y = solids.nearest_in_view((0.0, 0.0), 1.0, 0.45, 6.0)
    assert np.arctan2(y, x) == pytest.approx(1.45) and np.hypot(x, y - 3.0) == pytest.approx(1.0)
    assert np.isnan(solids.nearest_in_view((0.0, 0.0), np.pi, 0.5, 6.0)).all()
    assert len(solids.between(1.1, 2.0).low) == 0
