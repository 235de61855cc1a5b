"""An acceleration from speeds: over a window, and not across a gap."""

import pytest

from astra_ros.control.acceleration_estimate import GAP_S, WINDOW_S, AccelerationEstimate


def test_the_change_over_the_window_counts():
    estimate = AccelerationEstimate()
    assert estimate.value == 0.0
    for step in range(40):
        estimate.add(step * 0.02, 1.5 * step * 0.02)
    assert estimate.value == pytest.approx(1.5)
    for step in range(1, 2 + round(WINDOW_S / 0.02)):  # 1.17 m/s is kept from now on
        estimate.add(0.78 + step * 0.02, 1.17)
    assert estimate.value == pytest.approx(0.0)


def test_a_report_that_comes_twice_changes_nothing():
    estimate = AccelerationEstimate()
    for time_s, speed in [(10.0, 0.0), (10.5, 1.0), (10.5, 1.0)]:
        estimate.add(time_s, speed)
    assert estimate.value == pytest.approx(2.0)


@pytest.mark.parametrize("step_s", [0.0, -5.0, 2 * GAP_S])
def test_it_begins_anew_where_time_jumps(step_s):
    """As when a simulation is reset, or where stamps are not filled in."""
    estimate = AccelerationEstimate()
    estimate.add(10.0, 0.0)
    estimate.add(10.5, 1.0)
    assert estimate.value == pytest.approx(2.0)
    estimate.add(10.5 + step_s, 0.0)
    assert estimate.value == 0.0
