"""Paths of bases: what cannot be followed is refused when it is made."""

import numpy as np
import pytest

from astra_ros.plans.errors import PlanError
from astra_ros.plans.path_plan import LEAST_M, PathPlan


def path(*xy, frame="map", times=None):
    return PathPlan(frame, np.array([(x, y, 0.0) for x, y in xy]).reshape(-1, 3), times, "s/0")


def refused(*xy, **rest):
    with pytest.raises(PlanError) as error:
        path(*xy, **rest)
    assert error.value.thing == "plan 's/0'"
    return error.value


def test_distances_count_along_the_path_and_times_from_its_first_pose():
    made = path((0, 0), (3, 4), (3, 5), times=[7.0, 8.0, 9.5])
    np.testing.assert_allclose(made.along, [0.0, 5.0, 6.0])
    np.testing.assert_allclose(made.times_s, [0.0, 1.0, 2.5])
    moved = made.moved("odom", made.positions + [1.0, 0.0, 0.0])
    assert moved.frame == "odom" and moved.name == "s/0" and moved.positions[0, 0] == 1.0
    assert not made.positions.flags.writeable


@pytest.mark.parametrize(("xy", "found"), [((), 0), (((1, 2),), 1)])
def test_a_path_of_fewer_than_two_poses_is_refused(xy, found):
    error = refused(*xy)
    assert error.found == found and error.limit == 2


def test_a_path_that_leads_nowhere_is_refused():
    assert refused((1, 2), (1, 2), (1, 2)).limit == LEAST_M


def test_a_path_that_turns_back_on_itself_is_refused_where_it_does():
    error = refused((0, 0), (1, 0), (2, 0), (1, 0.1))
    assert error.index == 2 and error.found == pytest.approx(174.3, abs=0.1)
    path((0, 0), (1, 0), (1, 1), (0, 1))  # a u of right angles
    path((0, 0), (1, 0), (0.999, 0), (2, 0))  # noise of a millimetre


@pytest.mark.parametrize(("times", "index"), [([0.0, 2.0, 1.0], 2), ([0.0, 0.0, 1.0], 1)])
def test_stamps_that_do_not_increase_are_refused(times, index):
    assert refused((0, 0), (1, 0), (2, 0), times=times).index == index


def test_a_path_without_a_frame_or_with_numbers_that_are_not_finite_is_refused():
    refused((0, 0), (1, 0), frame="")
    assert refused((0, 0), (np.nan, 0)).index == 1
    assert refused((0, 0), (1, 0), (2, np.inf)).index == 2
    refused((0, 0), (1, 0), times=[0.0, np.nan])
