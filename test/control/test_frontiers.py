"""Frontiers and ways on small maps, with numbers found by hand."""

import numpy as np
import pytest

from astra_ros.control.frontier_explorer import Explored, FrontierExplorer, FrontierSettings
from astra_ros.control.frontiers import approaches, frontier_cells, frontiers
from astra_ros.control.grid_paths import ways_from
from astra_ros.control.occupancy_grid import FREE, OCCUPIED, UNKNOWN, GridError, OccupancyGrid

CELLS = {"#": OCCUPIED, ".": FREE, " ": UNKNOWN}
SMALL = FrontierSettings(radius_m=0.4, least_frontier_m=0.0)


def drawn(*rows, resolution_m=1.0):
    """A map from its picture, whose last line is row 0."""
    return OccupancyGrid(np.array([[CELLS[cell] for cell in row] for row in reversed(rows)]), resolution_m)


HALL = drawn("########", "#...   #", "#.#.   #", "#.#.#  #", "#......#", "########")


def test_frontier_cells_are_free_and_share_a_side_with_an_unknown_one():
    assert np.argwhere(frontier_cells(HALL)).tolist() == [[1, 5], [1, 6], [3, 3], [4, 3]]


def test_the_border_of_the_map_is_no_frontier():
    assert not frontier_cells(drawn("...", "...")).any()


def test_clusters_touch_by_sides_or_corners_and_come_by_size():
    grid = drawn(".  .  ..", "  .  ...", "        ")
    found = frontiers(grid)
    # the corner joins two cells of the middle cluster
    assert [len(each.cells) for each in found] == [4, 2, 1]
    assert found[1].middle == pytest.approx([3.0, 2.0]) and found[1].size_m == 2.0
    assert [len(each.cells) for each in frontiers(grid, least_m=2.0)] == [4, 2]
    assert [len(each.cells) for each in frontiers(grid, without=[[2.5, 1.5], [0.5, 2.5]])] == [4, 1]


def test_ways_go_round_walls_and_not_through_corners():
    ways = ways_from(HALL, (3.5, 2.5), 0.4)
    assert ways.to((1, 1)).tolist() == [[3.5, 1.5], [2.5, 1.5], [1.5, 1.5]]
    assert np.isinf(ways.cost_m[0, 0]) and np.isinf(ways.cost_m[3, 5])  # a wall, an unknown cell
    assert np.isinf(ways_from(HALL, (99.0, 0.0), 0.4).cost_m).all()


def test_a_way_beside_obstacles_costs_more():
    grid = drawn(".....", ".....", ".....", resolution_m=0.1)
    near = drawn("#####", ".....", ".....", ".....", resolution_m=0.1)
    free, narrow = (ways_from(each, (0.05, 0.05), 0.1).cost_m for each in (grid, near))
    assert free[2, 4] < narrow[2, 4] and free[0, 4] == pytest.approx(0.4)


def test_approaches_are_the_ways_to_the_nearest_cell_in_reach():
    found = frontiers(HALL)
    (first, second) = approaches(ways_from(HALL, (3.5, 2.5), 0.4), found, 1.0)
    assert first.cell.tolist() == [2, 3] and first.frontier.middle.tolist() == [3.5, 4.0]
    assert second.cell.tolist() == [1, 4] and second.cost_m == pytest.approx(2.0)
    # there is no way to a frontier behind a wall
    assert not approaches(ways_from(drawn(".#. "), (0.5, 0.5), 0.4), frontiers(drawn(".#. ")), 1.0)


def state(grid, x=3.5, y=2.5, yaw=0.0, **more):
    return Explored(grid, np.array([x, y]), yaw, **more)


def test_a_closed_room_is_complete_and_an_open_one_is_not():
    explorer = FrontierExplorer(SMALL)
    assert not explorer.is_complete()  # nothing was seen yet
    assert explorer.select_action(state(HALL)) is not None and not explorer.is_complete()
    closed = drawn("#####", "#...#", "#...#", "#####")
    assert explorer.select_action(state(closed, 1.5, 1.5)) is None and explorer.is_complete()
    assert explorer.candidates(state(closed, 1.5, 1.5)) == []


def test_the_nearest_frontier_is_chosen_and_candidates_are_ways_and_turns():
    explorer = FrontierExplorer(SMALL)
    corridor = drawn("############", " .......... ", "############")
    plan = explorer.select_action(state(corridor, 6.5, 1.5))
    ahead, turn = plan.velocities.T
    assert ahead.max() == pytest.approx(0.5, abs=0.01) and np.abs(turn).max() < 1e-6  # straight on, to the right end
    away = explorer.select_action(state(corridor, 4.5, 1.5))
    assert np.abs(away.velocities[:, 1]).max() > 0.5  # the left end is nearer, behind it: it turns
    names = [each.name for each in explorer.candidates(state(corridor, 6.5, 1.5))]
    assert names == ["frontier 0", "frontier 1", "turn left", "turn right"]
    assert [each.name for each in explorer.candidates(state(corridor, 6.5, 1.5, contact=1.0))] == ["back up"]


def test_a_prediction_is_worth_its_new_floor_and_what_lies_behind_its_frontiers_less_contact():
    explorer = FrontierExplorer(FrontierSettings(radius_m=0.4, least_frontier_m=0.0, ahead_m=2.0, depth_m=3.0))
    corridor = drawn("########", "  ....  ", "########")
    explorer.observe(state(corridor, 4.5, 1.5))
    # Nothing new: one frontier cell is 1 m away and 3 m^2 lie behind it.
    assert explorer.evaluate(state(corridor, 4.5, 1.5)) == pytest.approx(3.0 * np.exp(-1.0 / 2.0))
    # Both cells on the right are known: 2 m^2, and the other frontier is 2 m away.
    wider = drawn("########", "  ......", "########")
    assert explorer.evaluate(state(wider, 4.5, 1.5)) == pytest.approx(2.0 + 3.0 * np.exp(-2.0 / 2.0))
    assert explorer.evaluate(state(wider, 4.5, 1.5, contact=0.5)) == pytest.approx(-3.0 + 3.0 * np.exp(-2.0 / 2.0))


def test_a_frontier_that_stays_while_the_robot_looks_at_it_is_left():
    explorer = FrontierExplorer(SMALL)
    pocket = drawn("####", "#.. ", "####")
    looks = 0
    while explorer.select_action(state(pocket, 2.5, 1.5, 0.0)) is not None:
        looks += 1
        assert looks < 20
    assert looks >= 2 and explorer.is_complete()


def test_one_turn_shows_a_place_and_is_not_turned_back():
    explorer = FrontierExplorer(SMALL)
    corridor = drawn("############", " .......... ", "############")

    def turns(yaw, x=6.5):
        return [each.name for each in explorer.candidates(state(corridor, x, 1.5, yaw)) if "turn" in each.name]

    assert turns(0.0) == ["turn left", "turn right"]
    assert turns(1.0) == ["turn left"] and turns(2.5) == ["turn left"]
    assert turns(4.5) == ["turn left"] and turns(6.3) == []  # all round
    assert turns(6.3, x=5.5) == ["turn left", "turn right"]  # another place


def test_it_stays_with_its_frontier_unless_another_is_worth_much_more():
    explorer = FrontierExplorer(SMALL)
    corridor = drawn("############", " .......... ", "############")
    plans = explorer.candidates(state(corridor, 6.5, 1.5))
    assert [each.name for each in plans[:2]] == ["frontier 0", "frontier 1"]
    assert explorer.choose(plans, [1.0, 2.0, 0.0, 0.0]) == 1
    assert explorer.choose(plans, [2.1, 2.0, 0.0, 0.0]) == 1  # 2.1 < 1.1 * 2.0
    assert explorer.choose(plans, [2.3, 2.0, 0.0, 0.0]) == 0
    assert explorer.choose(plans, [2.1, 2.2, 0.0, 0.0]) == 0  # and stays there


def test_a_robot_outside_its_map_is_refused():
    with pytest.raises(GridError) as caught:
        FrontierExplorer().select_action(state(HALL, 99.0, 1.0))
    assert caught.value.found.tolist() == [99.0, 1.0]
