"""Layouts and looks that belong to a seed, and where data files are found."""

from pathlib import Path

import numpy as np
import pytest

from astra_ros import resources
from astra_ros.simulation.arm.robots import ROBOTS
from astra_ros.simulation.arm.scene import (
    CUBE_HALF_DIAGONAL_M,
    OBSTACLE_RADIUS_M,
    SceneSettings,
    sample_layout,
    sample_style,
)
from astra_ros.simulation.worlds import SceneError


@pytest.mark.parametrize("robot", sorted(ROBOTS))
def test_layouts_keep_distances_and_reach(robot):
    spec, settings = ROBOTS[robot], SceneSettings()
    near = 0
    for seed in range(200):
        layout = sample_layout(spec, seed)
        cube, goal, obstacle = layout.object_xy, layout.goal_xy, layout.obstacle_xy
        distance = np.linalg.norm(goal - cube)
        assert settings.distance_range[0] <= distance <= settings.distance_range[1]
        clear = OBSTACLE_RADIUS_M + CUBE_HALF_DIAGONAL_M
        assert np.linalg.norm(obstacle - cube) > clear
        assert np.linalg.norm(obstacle - goal) > clear
        for point in (cube, goal):
            assert spec.reach_m[0] <= np.linalg.norm(point) <= spec.reach_m[1]
        along = np.clip(np.dot(obstacle - cube, goal - cube) / distance**2, 0.0, 1.0)
        near += np.linalg.norm(cube + along * (goal - cube) - obstacle) < clear + 0.03
    assert 10 < near < 100  # some scenes have the obstacle beside the straight path, most do not


def test_a_seed_gives_one_layout_and_one_style():
    spec = ROBOTS["panda"]
    one, again, other = (sample_layout(spec, seed) for seed in (7, 7, 8))
    np.testing.assert_array_equal(one.object_xy, again.object_xy)
    assert not np.array_equal(one.object_xy, other.object_xy)
    assert sample_style(7) == sample_style(7) != sample_style(8)


def test_cubes_are_warm_and_tables_neutral():
    for seed in range(50):
        style = sample_style(seed)
        red, green, blue = style.object_rgb
        assert red >= green >= blue and red > blue + 0.4
        assert max(style.table_rgb) - min(style.table_rgb) < 0.15


def test_a_region_without_room_is_an_error_with_advice():
    settings = SceneSettings(x_range=(0.5, 0.51), y_range=(0.0, 0.01))
    with pytest.raises(SceneError) as error:
        sample_layout(ROBOTS["panda"], 0, settings)
    assert error.value.thing == str(settings) and "panda" in error.value.problem and "x_range" in error.value.cure


def test_data_files_are_found_in_the_checkout():
    assert resources.resource_path("urdf/cube.urdf").is_file()


def test_data_files_are_found_in_an_installed_package(tmp_path, monkeypatch):
    share = tmp_path / "install" / "share" / "astra_ros" / "urdf"
    share.mkdir(parents=True)
    (share / "cube.urdf").write_text("<robot/>")
    module = tmp_path / "site" / "astra_ros" / "resources.py"
    monkeypatch.setattr(resources, "__file__", str(module))
    monkeypatch.setenv("AMENT_PREFIX_PATH", f"{tmp_path / 'else'}:{tmp_path / 'install'}")
    assert resources.resource_path("urdf/cube.urdf") == share / "cube.urdf"


def test_a_missing_data_file_names_what_was_searched(tmp_path, monkeypatch):
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(tmp_path))
    with pytest.raises(FileNotFoundError) as error:
        resources.resource_path("urdf/no.urdf")
    assert str(tmp_path / "share" / "astra_ros" / "urdf" / "no.urdf") in str(error.value)
    assert str(Path("urdf") / "no.urdf") in str(error.value)
