"""JointPlan: validation, sampling by hand-derived numbers, reordering."""

import numpy as np
import pytest

from astra_ros.plans.errors import DoubledPoint, NotTimed, PlanError
from astra_ros.plans.joint_plan import JointPlan

NAMES = ("a", "b")


def plan(times=(0.0, 1.0, 3.0), positions=((0, 10), (2, 20), (6, 0)), names=NAMES):
    return JointPlan(names, times, positions, name="candidates/3")


def test_sample_is_linear_and_holds_the_last_point():
    # Halfway 0 -> 1 s: (1, 15). At 2 s, halfway (2, 20) -> (6, 0): (4, 10). After 3 s: the end.
    expected = [[1, 15], [4, 10], [6, 0], [6, 0]]
    np.testing.assert_allclose(plan().sample([0.5, 2.0, 3.0, 99.0]), expected)


def test_sample_before_the_first_point_moves_from_the_start():
    late = plan(times=(1.0, 2.0, 3.0))
    # A quarter of the way from (4, 2) to (0, 10): (3, 4).
    np.testing.assert_allclose(late.sample([0.0, 0.25], start=[4, 2]), [[4, 2], [3, 4]])


def test_first_point_at_zero_wins_over_start():
    np.testing.assert_allclose(plan().sample([0.0], start=[7, 7]), [[0, 10]])


def test_late_first_point_without_start_is_refused():
    with pytest.raises(PlanError, match="candidates/3.*first point is at 1 s.*start"):
        plan(times=(1.0, 2.0, 3.0)).sample([0.0])


@pytest.mark.parametrize("start", [[1.0], [1.0, np.nan]])
def test_bad_start_is_refused(start):
    with pytest.raises(PlanError, match="start has shape"):
        plan(times=(1.0, 2.0, 3.0)).sample([0.0], start=start)


@pytest.mark.parametrize(
    "changes, message",
    [
        (dict(times=(), positions=np.zeros((0, 2))), "no points"),
        (dict(names=()), "no joints"),
        (dict(names="ab"), "single string"),
        (dict(names=("a", "a")), "repeat: a"),
        (dict(times=(0.0, 2.0, 1.0)), "point 2 at 1 s follows point 1 at 2 s"),
        (dict(times=(0.0, 1.0, 1.0)), "increase strictly"),
        (dict(times=(-0.5, 1.0, 2.0)), "must be >= 0"),
        (dict(times=(0.0, 1.0, np.inf)), r"times_s\[2\] is inf"),
        (dict(positions=((0, 1), (np.nan, 1), (2, 2))), r"positions\[1, 0\] is nan"),
        (dict(positions=((0, 1), (1e308, 1), (2, -1e308))), r"positions\[1, 0\] is 1e\+308, more than 1e\+09"),
        (dict(times=(0.0, 1.0, 1e300)), r"times_s\[2\] is 1e\+300"),
        (dict(positions=((0, 1), (1, 1))), r"shape \(2, 2\); expected \(3, 2\)"),
        (dict(positions=((0, 1), (1,), (2, 2))), "not a rectangular array"),
        (dict(times=((0.0, 1.0, 2.0),)), r"expected \[N\]"),
    ],
)
def test_invalid_plans_are_refused_with_a_reason(changes, message):
    with pytest.raises(PlanError, match=message):
        plan(**changes)


@pytest.mark.parametrize("times", [(0.0, 0.0, 0.0), (2.0, 2.0, 2.0)])
def test_a_plan_without_times_is_called_so_and_not_unsorted(times):
    with pytest.raises(NotTimed, match="not time-parameterised.*TOTG") as error:
        plan(times=times)
    assert "sort" not in str(error.value)


def test_a_doubled_point_is_named_and_two_places_at_one_time_too():
    with pytest.raises(DoubledPoint, match="points 1 and 2 are the same, at 1 s.*drop one") as error:
        plan(times=(0.0, 1.0, 1.0), positions=((0, 0), (1, 1), (1, 1)))
    assert error.value.index == 2
    with pytest.raises(PlanError, match="points 1 and 2 are at 1 s both and in different places") as error:
        plan(times=(0.0, 1.0, 1.0), positions=((0, 0), (1, 1), (2, 1)))
    assert not isinstance(error.value, (DoubledPoint, NotTimed))


def test_two_plans_in_one_are_told_from_points_out_of_order():
    with pytest.raises(PlanError, match="begin anew at point 2, at 0 s after 1 s.*add 1 s"):
        plan(times=(0.0, 1.0, 0.0))
    with pytest.raises(PlanError, match="point 2 at 1 s follows point 1 at 2 s; sort the points"):
        plan(times=(0.0, 2.0, 1.0))


def test_reordered_moves_columns_by_name():
    swapped = plan().reordered(["b", "a"])
    assert swapped.joint_names == ("b", "a")
    assert swapped.name == "candidates/3"
    np.testing.assert_allclose(swapped.positions, [[10, 0], [20, 2], [0, 6]])


def test_reordered_lists_missing_and_unexpected_joints():
    with pytest.raises(PlanError, match="missing: c; not expected: a"):
        plan().reordered(["b", "c"])


def test_a_plan_does_not_follow_changes_of_its_source():
    source = np.zeros((3, 2))
    made = plan(positions=source)
    source[:] = 5.0
    assert made.positions.max() == 0.0
    with pytest.raises(ValueError, match="read-only"):
        made.positions[0, 0] = 1.0


def test_duration_is_the_last_time():
    assert plan().duration_s == 3.0
