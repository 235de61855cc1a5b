"""JointPlan: validation, sampling by hand-derived numbers, reordering."""

import numpy as np
import pytest

from astra_ros.plans.errors import DoubledPoint, NotTimed, PlanError
from astra_ros.plans.joint_plan import JointPlan
from astra_ros.plans.plan import renamed

NAMES = ("a", "b")


def plan(times=(0.0, 1.0, 3.0), positions=((0, 10), (2, 20), (6, 0)), names=NAMES):
    return JointPlan(names, times, positions, name="candidates/3")


def test_sample_is_linear_and_holds_the_last_point():
    # Halfway 0 -> 1 s: (1, 15). At 2 s, halfway (2, 20) -> (6, 0): (4, 10). After 3 s: the end.
    expected = [[1, 15], [4, 10], [6, 0], [6, 0]]
    np.testing.assert_allclose(plan().motion([0.5, 2.0, 3.0, 99.0]), expected)


def test_sample_before_the_first_point_moves_from_the_start():
    late = plan(times=(1.0, 2.0, 3.0))
    # A quarter of the way from (4, 2) to (0, 10): (3, 4).
    np.testing.assert_allclose(late.motion([0.0, 0.25], now=[4, 2]), [[4, 2], [3, 4]])


def test_first_point_at_zero_wins_over_start():
    np.testing.assert_allclose(plan().motion([0.0], now=[7, 7]), [[0, 10]])


def refused(**changes) -> PlanError:
    """The error of a plan with these changes; it names the plan."""
    with pytest.raises(PlanError) as error:
        plan(**changes)
    assert error.value.thing == "plan 'candidates/3'" and str(error.value).startswith(error.value.thing)
    return error.value


def test_late_first_point_without_start_is_refused():
    with pytest.raises(PlanError) as error:
        plan(times=(1.0, 2.0, 3.0)).motion([0.0])
    assert (error.value.index, error.value.found) == (0, 1.0) and "start" in error.value.cure


@pytest.mark.parametrize("start", [[1.0], [1.0, np.nan]])
def test_bad_start_is_refused(start):
    with pytest.raises(PlanError) as error:
        plan(times=(1.0, 2.0, 3.0)).motion([0.0], now=start)
    assert str((len(start),)) in error.value.problem and "(2,)" in error.value.problem


@pytest.mark.parametrize(
    "changes, facts",
    [
        (dict(times=(), positions=np.zeros((0, 2))), "no points"),
        (dict(names=()), "no joints"),
        (dict(names="ab"), "'ab'"),
        (dict(positions=((0, 1), (1, 1))), "(2, 2); expected (3, 2)"),
        (dict(positions=((0, 1), (1,), (2, 2))), "positions"),
        (dict(times=((0.0, 1.0, 2.0),)), "(1, 3); expected [N]"),
    ],
)
def test_plans_of_a_wrong_shape_are_refused(changes, facts):
    assert facts in refused(**changes).problem


def test_a_repeated_joint_is_named():
    assert refused(names=("a", "a")).column == "a"


@pytest.mark.parametrize(
    "changes, where, index, found, limit",
    [
        (dict(times=(0.0, 2.0, 1.0)), "point 2", 2, 1.0, 2.0),
        (dict(times=(0.0, 1.0, 1.0)), "points 1 and 2", 2, 1.0, 1.0),
        (dict(times=(-0.5, 1.0, 2.0)), "first time", 0, -0.5, 0.0),
        (dict(times=(0.0, 1.0, np.inf)), "times_s[2]", 2, np.inf, None),
        (dict(positions=((0, 1), (np.nan, 1), (2, 2))), "positions[1, 0]", 1, np.nan, None),
        (dict(positions=((0, 1), (1e308, 1), (2, -1e308))), "positions[1, 0]", 1, 1e308, 1e9),
        (dict(times=(0.0, 1.0, 1e300)), "times_s[2]", 2, 1e300, 1e9),
    ],
)
def test_a_value_that_cannot_be_is_told_with_its_place_and_limit(changes, where, index, found, limit):
    error = refused(**changes)
    assert where in error.problem and (error.index, error.limit) == (index, limit)
    np.testing.assert_equal(error.found, found)


@pytest.mark.parametrize("times", [(0.0, 0.0, 0.0), (2.0, 2.0, 2.0)])
def test_a_plan_without_times_is_called_so_and_not_unsorted(times):
    error = refused(times=times)
    assert isinstance(error, NotTimed) and "TOTG" in error.cure and "sort" not in str(error)


def test_a_doubled_point_is_named_and_two_places_at_one_time_too():
    error = refused(times=(0.0, 1.0, 1.0), positions=((0, 0), (1, 1), (1, 1)))
    assert isinstance(error, DoubledPoint) and error.index == 2 and "drop" in error.cure
    error = refused(times=(0.0, 1.0, 1.0), positions=((0, 0), (1, 1), (2, 1)))
    assert not isinstance(error, (DoubledPoint, NotTimed)) and error.index == 2
    assert "points 1 and 2" in error.problem and "parameterise" in error.cure


def test_two_plans_in_one_are_told_from_points_out_of_order():
    joined, unsorted = refused(times=(0.0, 1.0, 0.0)), refused(times=(0.0, 2.0, 1.0))
    assert (joined.index, joined.found, joined.limit) == (2, 0.0, 1.0) and "add 1 s" in joined.cure
    assert (unsorted.index, unsorted.found, unsorted.limit) == (2, 1.0, 2.0) and "add" not in unsorted.cure


def test_reordered_moves_columns_by_name():
    swapped = plan().reordered(["b", "a"])
    assert swapped.joint_names == ("b", "a")
    assert swapped.name == "candidates/3"
    np.testing.assert_allclose(swapped.positions, [[10, 0], [20, 2], [0, 6]])


def test_reordered_lists_missing_and_unexpected_joints():
    with pytest.raises(PlanError) as error:
        plan().reordered(["b", "c"])
    assert error.value.column == "c" and "missing: c; not expected: a" in error.value.problem


def test_a_plan_does_not_follow_changes_of_its_source():
    source = np.zeros((3, 2))
    made = plan(positions=source)
    source[:] = 5.0
    assert made.positions.max() == 0.0
    assert not made.positions.flags.writeable
    with pytest.raises(ValueError):
        made.positions[0, 0] = 1.0


def test_a_renamed_plan_shares_its_numbers_and_the_one_it_was_made_from_keeps_its_name():
    plan = JointPlan(("a",), np.array([0.0, 1.0]), np.array([[0.0], [1.0]]), "left")
    again = renamed(plan, "right")
    assert (again.name, again.title, plan.name) == ("right", "plan 'right'", "left")
    assert again.positions is plan.positions and not again.positions.flags.writeable


def test_duration_is_the_last_time():
    assert plan().duration_s == 3.0
