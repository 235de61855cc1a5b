"""ExploreWorld: houses from seeds, snapshots, the protocol."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from halls import plan_of, same
from simulated import fresh_digest
from user_errors import fault

from astra_ros.camera.pinhole import PinholeCamera
from astra_ros.registry import UnknownName
from astra_ros.settings import SettingError
from astra_ros.simulation.camera import CameraSettings
from astra_ros.simulation.explore.floorplan import ExploreSceneSettings
from astra_ros.simulation.explore.robots import ROBOTS, turned_z
from astra_ros.simulation.explore.scene import sample_house
from astra_ros.simulation.explore.world import ExploreWorld, ExploreWorldSettings, make
from astra_ros.simulation.worlds import WORLDS, make_world


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
    assert fresh_digest(Path(__file__), world.spec.name) == digest(world.spec.name)


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
    with fault(ValueError, "another ExploreWorld"):
        rover.restore(drone.snapshot())


# -- the protocol and errors ---------------------------------------------------------------------


def test_it_is_a_world(world):
    made = make_world("explore", world.spec.name, 32)
    try:
        body = made.embodiment
        assert (body.world, body.robot) == ("explore", world.spec.name)
        assert WORLDS["explore"].robots[body.robot] == body.modality
        assert made.motion().shape == (len(body.motion_names),)
        assert set(made.labels()) == {"obstacle_contact", "nearest_obstacle", "camera_pose"}
        assert made.time_s == 0.0
        # The camera on the robot is where the label says that it is in the world.
        on_robot = PinholeCamera.from_dict(made.camera())
        pose = made.state().pose
        place = pose.position + pose.rotation @ on_robot.world_from_optical[:3, 3]
        np.testing.assert_allclose(place, made.labels()["camera_pose"][:3], atol=1e-9)
        assert (on_robot.width, on_robot.height) == (32, 32)
        assert made.scene()["size"] == 12.0 and len(made.scene()["rooms"]) % 4 == 0
        assert made.render().shape == (32, 32, 3)
    finally:
        made.close()
        made.close()


def test_bad_settings_are_refused():
    with pytest.raises(UnknownName) as unknown:
        ExploreWorldSettings(robot="tank")
    assert (unknown.value.name, unknown.value.known) == ("tank", ["drone", "rover"])
    with pytest.raises(SettingError) as error:
        ExploreWorldSettings(physics_hz=5)
    assert (error.value.name, error.value.value) == ("physics_hz", 5) and ">= 20" in error.value.cure


@pytest.mark.parametrize(
    "name, value, cure",
    [
        ("room_m", (1.0, 6.0), "shortest >= 2"),
        ("room_m", (3.0, 5.0), "2 * shortest"),
        ("size_m", 5.0, "8.2"),
        ("door_m", (0.4, 1.0), "0.7 <= narrowest"),
        ("door_height_m", 3.0, "door_height_m < height_m"),
        ("wall_m", 1.0, "0.02 to 0.4"),
        ("gap_m", 0.1, "gap_m >= 0.5"),
    ],
)
def test_houses_that_cannot_be_built_are_refused(name, value, cure):
    with pytest.raises(SettingError) as error:
        ExploreSceneSettings(**{name: value})
    assert error.value.name == name and str(value) in str(error.value.value) and cure in error.value.cure


def test_a_negative_seed_is_refused(rover):
    with pytest.raises(SettingError) as error:
        rover.reset(-1)
    assert (error.value.name, error.value.value) == ("seed", -1)


def test_a_level_turn_about_z_is_a_rotation_of_the_floor():
    np.testing.assert_allclose(turned_z(np.pi / 2) @ (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), atol=1e-15)
