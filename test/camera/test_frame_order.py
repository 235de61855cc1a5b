"""Which images follow on each other, and which time counts for them."""

import pytest

from astra_ros.camera.frame_order import Order, StampWatch, order_of


@pytest.mark.parametrize(
    "step_s, order",
    [
        (0.03, Order.ON),
        (0.0, Order.SAME),
        (-1e-9, Order.SAME),
        (-0.03, Order.LATE),
        (-0.5, Order.LATE),
        (-0.51, Order.BACK),
    ],
)
def test_an_image_is_newer_the_same_late_or_of_a_clock_that_was_set_back(step_s, order):
    assert order_of(step_s) is order


def times(stamps, arrived):
    watch = StampWatch()
    return watch, [watch.time_of(stamp, when) for stamp, when in zip(stamps, arrived)]


def test_the_stamps_count_where_there_are_some():
    watch, taken = times([5, 6, 7], [105, 106, 107])
    assert taken == [5, 6, 7] and not watch.unstamped and watch.left_out == 0


def test_times_of_arrival_stand_in_where_most_images_have_no_stamp():
    watch, taken = times([0] * 6, range(100, 106))
    assert taken == [None, None, 102, 103, 104, 105]  # whether they have one is known with the third
    assert watch.unstamped and watch.standing_ns is None
    for when in range(200, 211):
        watch.time_of(when, 0)
    assert not watch.unstamped


def test_a_few_images_without_a_stamp_are_left_out():
    watch, taken = times([5, 6, 7, 0, 9, 0, 11], range(100, 107))
    assert taken == [5, 6, 7, None, 9, None, 11] and watch.left_out == 2


def test_the_first_picture_of_a_simulation_may_be_at_0():
    watch, taken = times([0, 10, 20, 30], range(100, 104))
    assert taken == [None, 10, 20, 30] and not watch.unstamped


@pytest.mark.parametrize("stamp", [7, 0])
def test_times_that_stand_still_are_told(stamp):
    watch, _ = times([stamp] * 8, [3] * 8)  # of the images, or of the clock that stands in
    assert watch.standing_ns == (stamp or 3)
    watch.time_of(stamp + 1, 4)
    assert watch.standing_ns is None
