"""A change of speed keeps its bounds, begins as the vehicle moves, and ends at the speed that was asked for."""

import numpy as np
import pytest

from astra_ros.control.speed_profile import SpeedChange, ways

CHANGE = SpeedChange(acceleration=2.0, braking=3.0, jerk=4.0)
TIMES = np.arange(0.0, 6.0, 0.05)


def test_the_way_is_that_of_a_ramp_with_rounded_ends():
    """From rest to 4 m/s: 4 / 2 + 2 / 4 = 2.5 s, with 2 m/s on the mean, so 5 m; then 4 m/s."""
    went = ways(0.0, 0.0, 4.0, CHANGE, np.array([0.0, 0.5, 2.5, 3.5]))
    assert went == pytest.approx([0.0, 4.0 * 0.5**3 / 6, 5.0, 9.0], abs=0.01)
    # To rest: 4 / 3 + 3 / 4 s at 2 m/s on the mean.
    assert ways(4.0, 0.0, 0.0, CHANGE, TIMES)[-1] == pytest.approx(2.0 * (4 / 3 + 3 / 4), abs=0.01)


@pytest.mark.parametrize("speed", [5.0, 7.6, 8.0, 8.2])
@pytest.mark.parametrize("wish", [0.0, 8.0])
def test_an_acceleration_ends_at_the_limit(speed, wish):
    """At 2 m/s^2 it would gain 2 / 2 * 2 / 4 = 0.5 m/s."""
    speeds = np.diff(ways(speed, 2.0, wish, CHANGE, TIMES, limit=8.0)) / 0.05
    assert speeds.max() <= max(speed, 8.0) + 0.01
    if speed + 0.5 <= 8.0:  # and where it does not reach the limit, it begins as the vehicle moves
        assert speeds[1] - speeds[0] == pytest.approx(0.09, abs=0.01)


@pytest.mark.parametrize("speed", [0.0, 0.3, 5.0])
@pytest.mark.parametrize("acceleration", [-20.0, -2.5, 0.0, 2.0])
@pytest.mark.parametrize("wish", [0.0, 0.4, 5.0, 8.0])
def test_any_change_keeps_the_bounds(speed, acceleration, wish):
    speeds = np.diff(ways(speed, acceleration, wish, CHANGE, TIMES)) / 0.05
    accelerations = np.diff(speeds) / 0.05
    assert speeds.min() >= -1e-6 and speeds[0] == pytest.approx(speed, abs=0.1)
    assert speeds[-1] == pytest.approx(wish, abs=0.01)
    assert -3.0 - 0.05 <= accelerations.min() and accelerations.max() <= 2.0 + 0.05
    assert speeds.max() <= max(speed, wish) + 2.0**2 / (2 * 4.0) + 0.01  # what it gains while its acceleration ends
    if speeds.min() > 0.05:  # not held at rest
        assert np.abs(np.diff(accelerations)).max() / 0.05 <= 4.0 + 0.5
    if speed and wish:
        assert accelerations[0] == pytest.approx(min(max(acceleration, -3.0), 2.0), abs=0.4)
