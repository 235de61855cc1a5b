"""The bicycle model keeps to its limits, and so does the controller."""

import math

import pytest

from astra_ros.control.vehicle import VehicleAction, VehicleLimits, VehicleState, advance
from astra_ros.control.vehicle_controller import COMFORT, VehicleController, Waypoint
from astra_ros.settings import SettingError

LIMITS = VehicleLimits(max_speed=4.0, max_reverse=1.0, acceleration=2.0, braking=5.0, min_radius=5.0)
DT = 0.1


def test_speed_changes_no_faster_than_the_vehicle_can():
    at_rest, fast = VehicleState(0.0, 0.0, 0.0), VehicleState(0.0, 0.0, 0.0, 3.0)
    assert advance(at_rest, (9.0, 0.0), LIMITS, DT).speed == pytest.approx(0.2)
    assert advance(fast, (-9.0, 0.0), LIMITS, DT).speed == pytest.approx(2.5)
    for wish, end in ((9.0, 4.0), (-9.0, -1.0)):
        state = at_rest
        for _ in range(100):
            state = advance(state, (wish, 0.0), LIMITS, DT)
        assert state.speed == pytest.approx(end)


def test_the_turn_rate_is_that_of_the_tightest_circle():
    """At 2 m/s on a circle of 5 m, 0.4 rad/s; a vehicle at rest does not turn."""
    state = VehicleState(0.0, 0.0, 0.0, 2.0)
    for _ in range(20):
        state = advance(state, (2.0, 9.0), LIMITS, DT)
    assert state.yaw_rate == pytest.approx(0.4)
    assert advance(VehicleState(0.0, 0.0, 0.0), (0.0, 1.0), LIMITS, DT).yaw == 0.0
    on_the_spot = VehicleLimits(min_radius=0.0, yaw_acceleration=100.0, yaw_rate=1.0)
    assert advance(VehicleState(0.0, 0.0, 0.0), (0.0, 9.0), on_the_spot, DT).yaw == pytest.approx(0.1)


def test_an_arc_ends_where_geometry_says():
    """3 m/s and 0.5 rad/s for half a turn: 2 * 6 m to the left, facing back."""
    state, steps = VehicleState(1.0, 2.0, 0.0, 3.0, 0.5), 50
    for _ in range(steps):
        state = advance(state, (3.0, 0.5), LIMITS, math.pi / 0.5 / steps)
    assert (state.x, state.y, state.yaw) == pytest.approx((1.0, 14.0, math.pi))


def test_the_controller_drives_the_arc_through_the_waypoint():
    """Through (3, 3) from the origin facing x: a circle of 3 m, wider than the tightest one."""
    controller = VehicleController(VehicleLimits(min_radius=2.0, yaw_rate=2.0), period_s=DT)
    action = controller.compute_action(VehicleState(0.0, 0.0, 0.0, 2.0), Waypoint(3.0, 3.0, 2.0))
    assert action == pytest.approx(VehicleAction(2.0, 2.0 / 3.0))


@pytest.mark.parametrize("x", [-5.0, -0.1, 0.5, 8.0])
@pytest.mark.parametrize("speed", [-1.0, 0.0, 3.9])
def test_actions_stay_within_the_limits(x, speed):
    controller = VehicleController(LIMITS, period_s=DT)
    for y in (-3.0, 0.0, 2.0):
        for wish in (-2.0, 0.0, 9.0):
            action = controller.compute_action(VehicleState(0.0, 0.0, 0.0, speed), Waypoint(x, y, wish))
            assert -LIMITS.max_reverse <= action.speed <= LIMITS.max_speed
            assert -COMFORT * LIMITS.braking * DT - 1e-9 <= action.speed - speed <= LIMITS.acceleration * DT + 1e-9
            assert abs(action.yaw_rate) <= LIMITS.most_turn(action.speed) + 1e-9


@pytest.mark.parametrize("field", ["max_speed", "acceleration", "braking", "yaw_rate"])
def test_limits_out_of_range_are_refused(field):
    for value in (0.0, -1.0, math.nan):
        with pytest.raises(SettingError) as error:
            VehicleLimits(**{field: value})
        assert error.value.name == field
