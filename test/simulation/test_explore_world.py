"""ExploreWorld: houses from seeds, exact motion, contacts, labels, play and candidate plans."""

import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from astra_ros.planning.plans import PlanError
from astra_ros.planning.velocity_plan import VelocityPlan
from astra_ros.simulation.explore import world as explore_world
from astra_ros.simulation.camera import CameraSettings
from astra_ros.simulation.explore.floorplan import ExploreSceneSettings, FloorPlan, Room
from astra_ros.simulation.explore.geometry import Block, Solids
from astra_ros.simulation.explore.plans import FLYING_KINDS, KINDS, propose
from astra_ros.simulation.explore.robots import (
    ROBOTS,
    Pose,
    advanced,
    gimbal,
    gimbal_angles,
    turned_z,
    twist_between,
)
from astra_ros.simulation.explore.rollout import FULL_GAIN_M2, execute
from astra_ros.simulation.explore.scene import House, RoomLook, sample_house
from astra_ros.simulation.explore.sight import area, seen_floor
from astra_ros.simulation.explore.world import (
    ExploreState,
    ExploreWorld,
    ExploreWorldSettings,
    make,
)
from astra_ros.simulation.worlds import WORLDS, make_world

ROOT = Path(__file__).resolve().parents[2]
LOOK = RoomLook((0.9, 0.8, 0.7), (0.5, 0.4, 0.3), (0.6, 0.6, 0.6), (0.3, 0.3, 0.3), "plain", "tiles")


@pytest.fixture(scope="module", params=sorted(ROBOTS))
def world(request):
    with make(request.param, 64) as made:
        yield made


@pytest.fixture(scope="module")
def rover():
    with make("rover", 64) as made:
        yield made


@pytest.fixture(scope="module")
def drone():
    with make("drone", 64) as made:
        yield made


@pytest.fixture
def unpainted(monkeypatch):
    """Resets without pictures, for tests of many seeds."""

    class Nothing:
        def show(self, client):
            pass

    monkeypatch.setattr(explore_world, "house_mesh", lambda house: Nothing())


def plan_of(world, rows, dt_s=0.25, name="plan") -> VelocityPlan:
    return VelocityPlan(world.spec.motion_names, dt_s, rows, name)


def hall(world, xy=(6.0, 6.0), yaw=0.0, furniture=()) -> None:
    """Put the robot into one empty room of 12 m x 12 m, its walls' faces at 0.06 and 11.94."""
    settings = ExploreSceneSettings()
    sides = [
        Block("wall", centre, half)
        for centre, half in (
            ((6.0, 0.0, 1.25), (6.0, 0.06, 1.25)),
            ((6.0, 12.0, 1.25), (6.0, 0.06, 1.25)),
            ((0.0, 6.0, 1.25), (0.06, 6.0, 1.25)),
            ((12.0, 6.0, 1.25), (0.06, 6.0, 1.25)),
        )
    ]
    walls = (*sides, *(block for block in furniture if block.kind == "wall"))
    pieces = tuple(block for block in furniture if block.kind != "wall")
    plan = FloorPlan((Room((0.0, 0.0), (12.0, 12.0), False),), (), walls)
    start = world.spec.pose(xy, 1.0 if world.spec.flies else 0.0, yaw)
    house = House(0, settings, plan, (LOOK,), pieces, np.array([0.0, 0.0, 1.0]), start)
    world._enter(house)
    rest = np.zeros(len(world.spec.motion_names))
    world.state = ExploreState(0, start, rest, None, 0, rest, False)


def same(one, other) -> bool:
    return one.keys() == other.keys() and all(
        np.array_equal(one[key], other[key], equal_nan=one[key].dtype != bool) for key in one
    )


def digest(robot: str) -> str:
    """Hash of all frames and labels of a played episode, in a new world."""
    with make(robot, 64) as world:
        total = hashlib.sha256()
        world.reset(11)
        rng = np.random.default_rng(3)
        for _ in range(2):
            world.play(rng, 1.5)
            for _ in range(6):
                world.step(0.25)
                total.update(world.render().tobytes())
                for value in (world.motion(), *world.labels().values()):
                    total.update(value.tobytes())
    return total.hexdigest()


# -- seeds and pictures --------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_bits_in_a_fresh_process_too(world):
    here = digest(world.spec.name)
    code = (
        "import sys; sys.path.insert(0, 'test/simulation'); "
        "from test_explore_world import digest; print('digest', digest(sys.argv[1]))"
    )
    fresh = subprocess.run(
        [sys.executable, "-c", code, world.spec.name],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"digest {here}" in fresh.stdout


def test_another_seed_is_another_house_and_robots_share_it(world):
    houses = [sample_house(world.spec, seed) for seed in range(6)]
    assert len({house.blocks for house in houses}) == 6
    assert len({house.looks for house in houses}) == 6
    for spec in ROBOTS.values():
        assert sample_house(spec, 3).blocks == houses[3].blocks
    world.reset(1)
    one = world.render()
    world.reset(2)
    assert np.abs(one.astype(int) - world.render()).mean() > 10
    world.reset(1)
    np.testing.assert_array_equal(world.render(), one)


def test_a_picture_has_the_camera_size_and_many_colours():
    camera = CameraSettings(width=48, height=32, fov_deg=70.0)
    with ExploreWorld(ExploreWorldSettings(camera=camera)) as world:
        image = world.render()
    assert image.shape == (32, 48, 3) and image.dtype == np.uint8
    assert len(np.unique(image.reshape(-1, 3), axis=0)) > 20
    # Walls, floor and ceiling close the view: PyBullet's white background is nowhere.
    assert (image == 255).all(axis=-1).mean() < 0.05


def test_moving_and_turning_change_the_picture(world):
    world.reset(4)
    before = world.render().astype(int)
    rows = np.zeros((4, len(world.spec.motion_names)))
    rows[:, world.spec.motion_names.index("angular.y" if world.spec.flies else "angular.z")] = 0.5
    world.command(plan_of(world, rows))
    world.step(1.0)
    assert np.abs(world.render() - before).mean() > 8


def test_every_start_is_free(world):
    for seed in range(20):
        house = sample_house(world.spec, seed)
        solids = house.solids.between(*world.spec.band(house.start.position[2]))
        assert solids.clearance(house.start.position[None, :2])[0] > world.spec.radius_m + 0.1


def test_every_room_can_be_reached():
    """A flood over the floor where the rover fits, from its start, enters every room."""
    spec, cell = ROBOTS["rover"], 0.1
    middles = (np.arange(120) + 0.5) * cell
    points = np.stack(np.meshgrid(middles, middles), axis=-1).reshape(-1, 2)
    for seed in range(8):
        house = sample_house(spec, seed)
        solids = house.solids.between(*spec.band(0.0))
        free = (solids.clearance(points) > spec.radius_m + 0.02).reshape(120, 120)
        reached = np.zeros_like(free)
        column, row = (house.start.position[:2] / cell).astype(int)
        reached[row, column] = True
        before = 0
        while reached.sum() > before:
            before = reached.sum()
            for axis in (0, 1):  # the outermost cells are walls, so nothing wraps round
                reached |= np.roll(reached, 1, axis) | np.roll(reached, -1, axis)
                reached &= free
        for room in house.plan.rooms:
            x0, y0, x1, y1 = np.round(np.array([*room.low, *room.high]) / cell).astype(int)
            assert reached[y0:y1, x0:x1].mean() > 0.2, f"seed {seed}, room {room}"


# -- motion --------------------------------------------------------------------------------------


def test_a_straight_drive_covers_speed_times_time_and_a_turn_rate_times_time(rover):
    hall(rover, yaw=0.5)
    start = rover.state.pose.position
    rover.command(plan_of(rover, [[0.4, 0.0]] * 8))
    rover.step(3.0)
    # 0.4 m/s for 2 s; what speeding up loses, slowing down gains.
    ahead = np.array([np.cos(0.5), np.sin(0.5), 0.0])
    np.testing.assert_allclose(rover.state.pose.position, start + 0.8 * ahead, atol=1e-9)
    rover.command(plan_of(rover, [[0.0, -0.6]] * 8))
    rover.step(3.0)
    assert rover.spec.yaw(rover.state.pose) == pytest.approx(0.5 - 1.2, abs=1e-9)
    assert rover.time_s == 6.0 and not rover.state.contact


def test_speed_grows_no_faster_than_the_robot_can(rover):
    hall(rover)
    rover.command(plan_of(rover, [[5.0, 9.0]] * 8))
    rover.step(0.25)
    np.testing.assert_allclose(rover.state.velocity, rover.spec.max_acceleration * 0.25)
    rover.step(1.0)
    np.testing.assert_allclose(rover.state.velocity, rover.spec.max_speed)


def test_six_rates_are_followed_on_an_arc_and_after_a_roll(drone):
    """In the optical frame: z ahead at 0.3 m/s, turning about y (down) at 0.6 rad/s to the right.

    That is a circle of radius 0.5 m; after 1.5 s it has turned by 0.9 rad. Speeds grow in the same
    proportion (1.5 m/s^2 and 3 rad/s^2), so the path is the arc from the first moment on.
    """
    hall(drone)
    start = drone.state.pose
    drone.command(plan_of(drone, [[0, 0, 0.3, 0, 0.6, 0]] * 6))
    drone.step(2.5)
    c, s = np.cos(0.9), np.sin(0.9)
    turn = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    wanted = start @ Pose(np.array([0.5 * (1 - c), 0.0, 0.5 * s]), turn)
    np.testing.assert_allclose(drone.state.pose.position, wanted.position, atol=1e-9)
    np.testing.assert_allclose(drone.state.pose.rotation, wanted.rotation, atol=1e-9)
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
    np.testing.assert_allclose(drone.state.pose.position, (6.0, 6.0, 0.6), atol=1e-9)


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
        assert drone.state.pose.position[2] == height and not drone.state.contact


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
    np.testing.assert_allclose(rover.state.pose.position, (6.4, 6.0, 0.0), atol=1e-9)
    with pytest.raises(PlanError, match="'rover' moves by linear.x, angular.z"):
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
    gap = 7.7 - world.spec.radius_m - world.state.pose.position[0]
    assert world.labels()["obstacle_contact"] and 0.0 < gap < 0.5 / 60 + 2e-3
    there = world.state.pose.position
    world.step(1.0)
    assert not world.labels()["obstacle_contact"]
    np.testing.assert_allclose(world.state.pose.position, there, atol=1e-9)
    world.command(plan_of(world, -rows[:4]))
    world.step(2.0)
    assert not world.state.contact
    assert world.state.pose.position[0] == pytest.approx(there[0] - 0.5, abs=1e-9)


def test_a_drone_flies_over_what_is_low_and_a_rover_under_what_is_high(rover, drone):
    low = Block("crate", (7.0, 6.0, 0.2), (0.2, 0.2, 0.2))
    high = Block("table", (7.0, 6.0, 0.72), (0.5, 0.5, 0.03))
    for world, block, column in ((drone, low, 2), (rover, high, 0)):
        hall(world, furniture=[block])
        rows = np.zeros((12, len(world.spec.motion_names)))
        rows[:, column] = 0.6
        world.command(plan_of(world, rows))
        world.step(4.0)
        assert not world.state.contact
        assert world.state.pose.position[0] == pytest.approx(7.8, abs=1e-9)


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
    pose = Pose(drone.state.pose.position, gimbal(0.0, 0.3, -0.2))
    drone.state = replace(drone.state, pose=pose)
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
    np.testing.assert_allclose(
        solids.nearest_in_view((0.0, 0.0), 1.0, 1.2, 6.0), (2.0 - half, 0.0), atol=1e-12
    )
    # The box out of view, only the drum's right part in it: its nearest point is on the edge.
    x, y = solids.nearest_in_view((0.0, 0.0), 1.0, 0.45, 6.0)
    assert np.arctan2(y, x) == pytest.approx(1.45) and np.hypot(x, y - 3.0) == pytest.approx(1.0)
    assert np.isnan(solids.nearest_in_view((0.0, 0.0), np.pi, 0.5, 6.0)).all()
    assert len(solids.between(1.1, 2.0).low) == 0


# -- snapshots -----------------------------------------------------------------------------------


def test_what_follows_a_restore_repeats_bit_by_bit_even_from_another_house(world):
    world.reset(8)
    world.play(np.random.default_rng(1), 4.0)
    world.step(0.75)
    moment, view = world.snapshot(), world.render()
    ends = []
    for other_seed in (None, 9):
        world.step(1.0)
        world.play(np.random.default_rng(2), 2.0)
        world.step(0.5)
        ends.append((world.labels(), world.render()))
        if other_seed is not None:
            world.reset(other_seed)
        world.restore(moment)
        np.testing.assert_array_equal(world.render(), view)
        assert world.time_s == 0.75
    assert same(ends[0][0], ends[1][0])
    np.testing.assert_array_equal(ends[0][1], ends[1][1])


def test_a_snapshot_of_another_world_is_refused(rover, drone):
    with pytest.raises(ValueError, match="another ExploreWorld"):
        rover.restore(drone.snapshot())


# -- play and candidate plans --------------------------------------------------------------------


def test_play_keeps_the_limits_over_many_seeds(world, unpainted):
    spec, contacts, names, steps = world.spec, 0, set(), 0
    for seed in range(16):
        world.reset(seed)
        rng = np.random.default_rng(seed)
        for _ in range(2):
            names.add(world.play(rng, 4.0))
            plan = world.state.plan
            assert plan.duration_s == 4.0
            assert (np.abs(plan.velocities) <= spec.max_speed).all()
            for _ in range(8):
                world.step(0.5)
                labels, position = world.labels(), world.state.pose.position
                contacts, steps = contacts + bool(labels["obstacle_contact"]), steps + 1
                assert np.isfinite(labels["camera_pose"]).all()
                assert spec.altitude_m[0] <= position[2] <= spec.altitude_m[1]
                solids = world.house.solids.between(*spec.band(position[2]))
                if not spec.flies:  # a ball may be nearer to an edge beside or below it
                    assert solids.clearance(position[None, :2])[0] > spec.radius_m
                else:
                    _, pitch, roll = np.degrees(gimbal_angles(world.state.pose.rotation))
                    assert abs(pitch) < 40 and abs(roll) < 30
    assert 0.01 < contacts / steps < 0.4
    assert len(names) >= 7, names


def test_play_may_be_of_any_length(world, unpainted):
    world.reset(0)
    world.play(np.random.default_rng(0), 0.6)
    assert world.state.plan.duration_s == 0.75


def test_plans_are_distinct_reproducible_and_leave_the_world_alone(world, unpainted):
    world.reset(3)
    before = world.state
    first, again, other = (propose(world, 8, seed) for seed in (3, 3, 4))
    assert world.state is before
    assert [plan.name for _, plan in first] == [f"candidates/{i}" for i in range(8)]
    assert len({plan.velocities.tobytes() for _, plan in first}) == 8
    assert any(a[0] != b[0] for a, b in zip(first, other))
    for (kind, plan), (kind_again, plan_again) in zip(first, again):
        assert kind == kind_again and plan.duration_s == 4.0
        assert plan.names == world.spec.motion_names
        np.testing.assert_array_equal(plan.velocities, plan_again.velocities)


@pytest.mark.parametrize("count", [0, 1, 2, 16])
def test_any_number_of_plans_can_be_had(rover, unpainted, count):
    rover.reset(1)
    plans = propose(rover, count, 1)
    assert len(plans) == count
    assert len({plan.velocities.tobytes() for _, plan in plans}) == count
    known = {*KINDS, *FLYING_KINDS}
    assert {kind for kind, _ in plans} <= known


def test_outcomes_are_as_varied_as_the_kinds_promise(world, unpainted):
    """Over some scenes: exploring sees much, bumping collides, standing sees nothing new."""
    best, everything, by_kind = [], [], {}
    for seed in range(6):
        world.reset(seed)
        start = world.snapshot()
        outcomes = []
        for kind, plan in propose(world, 5, seed):
            world.restore(start)
            rollout = execute(world, plan, render=False)
            outcomes.append(rollout.outcome)
            by_kind.setdefault(kind, []).append(rollout)
        best.append(max(outcomes))
        everything += outcomes
    assert np.mean(best) > 0.45
    assert np.mean(everything) < 0.4 and np.std(everything) > 0.3
    assert all(rollout.outcome == 0.0 for rollout in by_kind["stand"])
    assert np.mean([rollout.collision for rollout in by_kind["bump"]]) > 0.8
    assert np.mean([rollout.collision for rollout in by_kind["explore"]]) < 0.15


def test_seen_floor_and_outcome_by_hand(rover):
    hall(rover)
    # A sector of 80 degrees and 4 m, less the triangle nearer than 0.35 m / tan(40 deg) = 0.417 m.
    wanted = 0.5 * 16.0 * np.radians(80.0) - 0.417**2 * np.tan(np.radians(40.0))
    assert area(seen_floor(rover.situation)) == pytest.approx(wanted, abs=0.15)
    # A wall 1.9 m before the camera leaves 1.9^2 * tan(40 deg) of it, less the same triangle.
    hall(rover, furniture=[Block("wall", (8.06, 6.0, 1.25), (0.06, 5.9, 1.25))])
    walled = (1.9**2 - 0.417**2) * np.tan(np.radians(40.0))
    assert area(seen_floor(rover.situation)) == pytest.approx(walled, abs=0.15)

    hall(rover)
    rollout = execute(rover, plan_of(rover, [[0.0, 0.5]] * 8), horizon=10)
    assert rollout.frames.shape == (11, 64, 64, 3) and len(rollout.labels) == 11
    # Turning by 1 rad opens a new sector of 1 rad, but for the strip that is too near.
    assert rollout.new_area_m2 == pytest.approx(8.0 * 1.0, abs=0.35)
    assert rollout.outcome == rollout.gain == rollout.new_area_m2 / FULL_GAIN_M2
    again = execute(rover, plan_of(rover, [[0.0, -0.5]] * 8), render=False, seen=rollout.seen)
    assert again.new_area_m2 < 0.2 and again.frames.shape == (0, 64, 64, 3)

    hall(rover, (11.0, 6.0))
    rollout = execute(rover, plan_of(rover, [[0.5, 0.0]] * 16), render=False)
    assert rollout.collision and rollout.outcome == rollout.gain - 1.0


# -- the protocol and errors ---------------------------------------------------------------------


def test_it_is_a_world(world):
    made = make_world("explore", world.spec.name, 32)
    try:
        body = made.embodiment
        assert (body.world, body.robot) == ("explore", world.spec.name)
        assert WORLDS["explore"].robots[body.robot] == body.modality
        assert made.motion().shape == (len(body.motion_names),)
        assert set(made.labels()) == {"obstacle_contact", "nearest_obstacle", "camera_pose"}
        assert made.camera() is None and made.time_s == 0.0
        assert made.scene()["size"] == 12.0 and len(made.scene()["rooms"]) % 4 == 0
        assert made.render().shape == (32, 32, 3)
    finally:
        made.close()
        made.close()


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"robot": "tank"}, "unknown robot 'tank'; known robots: drone, rover"),
        ({"physics_hz": 5}, "physics_hz is 5; expected a whole number >= 20"),
    ],
)
def test_bad_settings_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        ExploreWorldSettings(**changes)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"room_m": (1.0, 6.0)}, "room_m is .*shortest >= 2"),
        ({"room_m": (3.0, 5.0)}, "twice the shortest"),
        ({"size_m": 5.0}, "size_m is 5.0; .* need at least 8.2"),
        ({"door_m": (0.4, 1.0)}, "door_m is .*0.7 <= narrowest"),
        ({"door_height_m": 3.0}, "door_height_m is 3.0"),
        ({"wall_m": 1.0}, "wall_m is 1.0; expected 0.02 to 0.4"),
        ({"gap_m": 0.1}, "gap_m 0.1; .*walled in"),
    ],
)
def test_houses_that_cannot_be_built_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        ExploreSceneSettings(**changes)


def test_a_negative_seed_is_refused(rover):
    with pytest.raises(ValueError, match="seed is -1; expected an integer >= 0"):
        rover.reset(-1)


def test_a_level_turn_about_z_is_a_rotation_of_the_floor():
    np.testing.assert_allclose(turned_z(np.pi / 2) @ (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), atol=1e-15)
