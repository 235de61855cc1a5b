"""What the explorer node knows and decides, without ROS."""

import numpy as np
import pytest
from small_models import BASE, SIZE, write_random_model

from astra_ros.agents.exploration import WorldExploration
from astra_ros.camera.pinhole import PinholeCamera
from astra_ros.control.occupancy_grid import FREE, OCCUPIED, UNKNOWN, OccupancyGrid
from astra_ros.inference import load_world_model
from astra_ros.nodes.explorer.core import ExplorerCore
from astra_ros.nodes.explorer.settings import ExplorerSettings
from astra_ros.plans.base_now import BaseNow
from astra_ros.ranking.imaginer import Imaginer, RankingSettings

LENS = PinholeCamera(8, 6, 6.0, 6.0, 3.5, 2.5, np.eye(4))


@pytest.fixture(scope="module")
def imaginer(tmp_path_factory):
    write_random_model(folder := tmp_path_factory.mktemp("model"))
    return Imaginer(load_world_model("torch", folder, "cpu"), RankingSettings(action_space=BASE.name))


@pytest.fixture
def make_core(imaginer):
    def make(**settings):
        return ExplorerCore(WorldExploration(imaginer), ExplorerSettings(action_space=BASE.name, **settings))

    return make


def pose(x=0.0, y=0.0, yaw=0.0, frame="odom", ahead=0.0):
    return BaseNow(frame, x, y, yaw, {"linear.x": ahead})


def see(core, until_s=1.0):
    """Images of a full history."""
    for time_s in np.arange(0.0, until_s + 0.01, 0.25):
        core.take_image(np.full((*SIZE, 3), 90, np.uint8), float(time_s))


def room(open_side=True):
    cells = np.full((30, 30), FREE)
    cells[[0, -1]] = cells[:, [0, -1]] = OCCUPIED
    if open_side:
        cells[:, 20:] = UNKNOWN
    return OccupancyGrid(cells, 0.2, (-3.0, -3.0, 0.0), "odom")


def test_it_says_what_it_waits_for(make_core):
    core = make_core()
    assert core.not_ready(0.0) == "no odometry yet"
    assert core.take_depth(np.full((6, 8), 2.0), LENS, 0.0) == "no odometry yet"
    core.take_odometry(pose(), 0.0)
    assert core.not_ready(0.0) == "no depth image yet" and "old" in core.not_ready(9.0)
    assert core.take_depth(np.full((6, 8), 2.0), LENS, 7.0) != ""  # of another time than the odometry
    assert core.take_depth(np.full((6, 8), 2.0), LENS, 0.1) == ""
    assert "camera" in core.not_ready(0.5)
    see(core)
    assert core.not_ready(0.5) == ""


def test_depth_becomes_a_map_around_the_base(make_core):
    core = make_core()
    core.take_odometry(pose(1.0, 2.0, np.pi / 2), 0.0)
    core.take_depth(np.full((6, 8), 2.0), LENS, 0.0)
    grid = core.grid
    assert grid.frame == "odom" and grid.free[tuple(grid.cells_at([1.0, 2.0]))]
    walls = grid.middles(np.argwhere(grid.occupied))
    # The wall is 2 m in front of the camera, which is 0.2 m in front of the base's middle; the base looks along y.
    assert len(walls) and np.abs(walls[:, 1] - 4.2).max() < 0.25


def test_it_chooses_imagines_and_comes_to_an_end(make_core):
    core = make_core(map_from="topic")
    core.take_odometry(pose(), 1.0)
    assert core.not_ready(1.0) == "no map yet"
    core.take_grid(room())
    see(core)
    decision = core.decide(core.observation())
    assert decision.action is not None and np.isfinite(decision.value)
    assert decision.candidates[decision.action.name] == max(decision.candidates.values()) == decision.value
    assert decision.video.shape[1:] == (*SIZE, 3) and decision.open_frontiers
    core.learn(core.observation())
    core.take_grid(room(open_side=False))
    core.forget()
    core.take_grid(room(open_side=False))
    core.take_odometry(pose(), 1.0)
    see(core)
    assert core.decide(core.observation()).action is None


@pytest.mark.parametrize(("choose", "name"), [("nearest", "nearest frontier"), ("map", "frontier 0")])
def test_other_choices_need_no_imagination(make_core, choose, name):
    core = make_core(map_from="topic", choose=choose)
    core.take_odometry(pose(), 1.0)
    core.take_grid(room())
    see(core)
    decision = core.decide(core.observation())
    assert decision.action.name == name and decision.video is None


@pytest.mark.parametrize("second", [(pose(5.0), 0.1), (pose(frame="map"), 0.1), (pose(), -5.0)])
def test_a_base_that_was_put_elsewhere_gets_a_new_map(make_core, second):
    core = make_core()
    core.take_odometry(pose(), 0.0)
    core.take_depth(np.full((6, 8), 2.0), LENS, 0.0)
    assert core.take_odometry(pose(0.1), 0.05) == "" and core.grid is not None
    assert core.take_odometry(*second) != "" and core.grid is None


def test_a_base_that_stands_although_it_is_told_to_move_has_touched_something(make_core):
    core = make_core()
    core.take_odometry(pose(), 0.0)
    core.take_depth(np.full((6, 8), 2.0), LENS, 0.0)
    see(core)
    assert not core.told(0.5, 0.0) and not core.told(0.5, 0.5)
    assert core.told(0.5, 0.8)
    grid = core.grid
    assert grid.occupied[tuple(grid.cells_at([0.3, 0.0]))]
    assert core.observation(decides=False).contact == core.observation().contact == 1.0
    assert core.observation().contact == 0.0
    core.take_odometry(pose(ahead=0.4), 1.0)
    assert not core.told(0.5, 2.0) and not core.told(0.5, 4.0)


def test_settings_that_cannot_be_are_refused():
    for wrong in ({"map_from": "nothing"}, {"choose": "random"}, {"act_s": 0.0}):
        with pytest.raises(ValueError):
            ExplorerSettings(**wrong)


def test_images_that_do_not_come_any_more_are_waited_for(make_core):
    core = make_core()
    core.take_odometry(pose(), 0.0)
    core.take_depth(np.full((6, 8), 2.0), LENS, 0.0)
    see(core)
    assert core.not_ready(0.9) == ""
    core.take_odometry(pose(), 5.0)
    assert "depth" in core.not_ready(5.0)
    core.take_depth(np.full((6, 8), 2.0), LENS, 5.0)
    assert "camera" in core.not_ready(5.0) and core.lost(5.0) == ""
    assert core.lost(7.0) != ""
