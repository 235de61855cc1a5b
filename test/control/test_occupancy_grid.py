"""Grids and rays through them, with numbers found by hand."""

import numpy as np
import pytest

from astra_ros.control.occupancy_grid import FREE, OCCUPIED, UNKNOWN, GridError, OccupancyGrid, ranges_in, rays_between
from astra_ros.control.occupancy_mapper import MappingSettings, OccupancyMapper, Scan, depth_scan, observed_cells

SETTINGS = MappingSettings(resolution_m=1.0, size_m=6.0, sight_m=10.0)


def unknown(rows, columns, **more):
    return OccupancyGrid(np.full((rows, columns), UNKNOWN), 1.0, **more)


def passed(grid, start, end):
    rays = rays_between(grid, start, [end])
    return [tuple(cell) for cell in rays.cells[0][rays.counts[0]].tolist()]


def test_a_ray_passes_the_cells_between_its_ends_in_order():
    grid = unknown(3, 4)
    assert passed(grid, (0.5, 0.5), (3.5, 0.5)) == [(0, 0), (0, 1), (0, 2), (0, 3)]
    # up by 2 in 3: it crosses x = 1 at y = 1.17 after y = 1 at x = 0.75
    assert passed(grid, (0.0, 0.5), (3.0, 2.5)) == [(0, 0), (1, 0), (1, 1), (1, 2), (2, 2)]
    assert passed(grid, (3.0, 2.5), (0.0, 0.5)) == [(2, 2), (1, 2), (1, 1), (1, 0), (0, 0)]
    # exactly through a corner: the two cells beside it are not passed
    assert passed(grid, (0.5, 0.5), (2.5, 2.5)) == [(0, 0), (1, 1), (2, 2)]
    assert passed(grid, (1.5, 1.5), (1.5, 1.5)) == [(1, 1)]
    assert passed(grid, (3.5, 0.5), (7.5, 0.5)) == [(0, 3)]  # what is outside does not count


def test_places_and_middles_are_inverse_in_a_turned_grid():
    grid = unknown(2, 3, origin=(1.0, -2.0, np.pi / 2))
    # its columns run along y, its rows against x
    assert grid.middles([0, 2]) == pytest.approx([0.5, 0.5])
    cells = np.argwhere(~grid.known)
    assert (grid.cells_at(grid.middles(cells)) == cells).all() and len(cells) == 6
    assert not grid.inside(grid.cells_at([1.5, -1.5]))


def test_ranges_end_at_the_first_occupied_cell_and_tell_what_is_not_known():
    cells = np.full((1, 6), FREE)
    cells[0, 4], cells[0, 1] = OCCUPIED, UNKNOWN
    ranges, known = ranges_in(OccupancyGrid(cells, 1.0), (2.5, 0.5), [0.0, np.pi], 2.0)
    assert ranges == pytest.approx([1.5, 2.0]) and known.tolist() == [True, False]


@pytest.mark.parametrize(
    ("cells", "resolution", "origin", "found"),
    [
        (np.zeros((0, 3)), 0.1, (0, 0, 0), (0, 3)),
        (np.zeros((2, 2)), np.nan, (0, 0, 0), np.nan),
        (np.zeros((2, 2)), np.inf, (0, 0, 0), np.inf),
        (np.zeros((2, 2)), 0.0, (0, 0, 0), 0.0),
        (np.full((2, 2), 101), 0.1, (0, 0, 0), 101),
        (np.full((2, 2), -2), 0.1, (0, 0, 0), -2),
        (np.zeros((2, 2)), 0.1, (0, np.nan, 0), (0, np.nan, 0)),
    ],
)
def test_a_grid_that_cannot_be_is_refused(cells, resolution, origin, found):
    with pytest.raises(GridError) as caught:
        OccupancyGrid(cells, resolution, origin)
    assert caught.value.thing == "grid" and caught.value.cure
    assert np.array_equal(np.array(caught.value.found, float), np.array(found, float), equal_nan=True)


def test_a_scan_shows_the_cells_of_its_rays_free_and_the_ones_that_it_hits_occupied():
    grid = unknown(3, 4)
    # one ray stops at the face of cell (0, 2), which x = 2 bounds; the other sees nothing up to (1, 3)
    scan = Scan(np.array([0.5, 0.5]), np.array([[2.0, 0.5], [3.5, 1.4]]), np.array([True, False]))
    free, occupied = observed_cells(grid, scan)
    assert np.argwhere(occupied).tolist() == [[0, 2]]
    # the second ray rises by 0.3 a cell: it leaves row 0 at x = 2.17, behind the hit cell's face
    assert np.argwhere(free).tolist() == [[0, 0], [0, 1], [1, 2], [1, 3]]


def test_what_is_seen_more_often_counts():
    mapper = OccupancyMapper(SETTINGS, (3.0, 3.0))
    cell = (3, 5)
    wall = Scan(np.array([3.5, 3.5]), np.array([[5.0, 3.5]]), np.array([True]))
    gone = Scan(np.array([3.5, 3.5]), np.array([[5.5, 3.5]]), np.array([False]))
    mapper.add(wall)
    assert mapper.grid.cells[cell] == OCCUPIED and mapper.grid.known_m2 == 3.0
    mapper.add(gone)
    mapper.add(gone)
    assert mapper.grid.cells[cell] == OCCUPIED  # 0.85 - 2 * 0.4 > 0
    mapper.add(gone)
    assert mapper.grid.cells[cell] == FREE
    mapper.bump((4.5, 3.5))
    mapper.add(gone)
    assert mapper.grid.cells[3, 4] == OCCUPIED


def test_the_floor_under_the_robot_is_free():
    mapper = OccupancyMapper(SETTINGS, (3.0, 3.0))
    mapper.stand((3.5, 2.5), 1.0)
    assert np.argwhere(mapper.grid.free).tolist() == [[1, 3], [2, 2], [2, 3], [2, 4], [3, 3]]


def test_a_depth_image_becomes_the_nearest_obstacle_of_each_bearing():
    # A camera 1 m high looks along y: left a wall 2 m away, right the floor and the ceiling.
    rays = np.array([[[-0.1, 0.0, 1.0], [0.1, 0.0, 1.0]], [[-0.1, 0.2, 1.0], [0.1, 0.2, 1.0]]])
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = [[1, 0, 0], [0, 0, 1], [0, -1, 0]], (0.0, 0.0, 1.0)
    settings = MappingSettings(sight_m=6.0, lowest_m=0.1, highest_m=1.5)
    scan = depth_scan([[2.0, np.inf], [2.1, 5.0]], rays, pose, settings, bearings=360)
    lengths = np.hypot(*(scan.ends - scan.origin).T)
    left, right = np.argsort(-np.arctan2(*scan.ends.T[::-1]))
    assert scan.hits[[left, right]].tolist() == [True, False]
    assert lengths[[left, right]] == pytest.approx([np.hypot(2.0, 0.2), np.hypot(5.0, 0.5)])
