"""Paths as commands: a straight line is followed within 5 cm and bends within 25 cm, and what cannot be is refused."""

import numpy as np
import pytest

from astra_ros.control.path_tracking import TrackingSettings, track
from astra_ros.control.vehicle import VehicleLimits, VehicleState
from astra_ros.control.vehicle_controller import VehicleController
from astra_ros.plans.errors import BrokenLimit, PlanError, StartError
from astra_ros.plans.path_plan import PathPlan

CONTROLLER = VehicleController()
LINE = np.stack([np.linspace(0.0, 30.0, 61), np.zeros(61)], axis=1)


def path(xy, times=None):
    return PathPlan("odom", np.insert(np.asarray(xy, float), 2, 0.0, axis=1), times, "s/0")


def circle(radius, turn=1.5 * np.pi):
    angles = np.linspace(0.0, turn, 150)
    return np.stack([radius * np.sin(angles), radius * (1.0 - np.cos(angles))], axis=1)


def test_a_line_is_followed_to_its_end_where_the_vehicle_stops():
    made = track(path(LINE), VehicleState(0.0, 0.0, 0.0), CONTROLLER, TrackingSettings(speed=5.0))
    assert made.away_m.max() < 0.05 and made.plan.name == "s/0"
    assert made.plan.velocities[:, 0].max() == pytest.approx(5.0, abs=0.15)
    end = made.states[-1]
    assert (end.x, end.y) == pytest.approx((30.0, 0.0), abs=0.1) and end.speed < 0.3
    # 5 / 3.5 s to reach the speed, 5 / 4.2 s to brake; the ramps cover half of what full speed would.
    assert made.plan.duration_s == pytest.approx(30.0 / 5.0 + 2.5 / 3.5 + 2.5 / 4.2, abs=0.11)


def test_a_vehicle_beside_the_line_comes_back_to_it():
    beside = VehicleState(0.0, 0.6, 0.2, 5.0)
    made = track(path(LINE), beside, CONTROLLER, TrackingSettings(speed=5.0))
    assert made.away_m.max() < 0.8 and made.away_m[30:].max() < 0.05


@pytest.mark.parametrize("radius", [8.0, 12.0, 20.0])
def test_circles_are_followed(radius):
    speed = min(5.0, 0.9 * 1.2 * radius)
    start = VehicleState(0.0, 0.0, 0.0, speed, speed / radius)
    made = track(path(circle(radius)), start, CONTROLLER, TrackingSettings(speed=speed))
    assert made.away_m.max() < 0.1
    into = np.concatenate([LINE[:20] - [10.0, 0.0], circle(radius)])
    made = track(path(into), VehicleState(-10.0, 0.0, 0.0, speed), CONTROLLER, TrackingSettings(speed=speed))
    assert made.away_m.max() < 0.25


def test_stamps_say_how_fast_and_a_robot_further_along_takes_less_time():
    along = path(LINE, np.linspace(0.0, 10.0, 61))  # 3 m/s
    made = track(along, VehicleState(0.0, 0.0, 0.0, 3.0), CONTROLLER, TrackingSettings(speed=8.0))
    assert made.plan.duration_s == pytest.approx(10.0)
    np.testing.assert_allclose(made.plan.velocities[:-5, 0], 3.0, atol=0.05)
    later = track(along, VehicleState(15.0, 0.2, 0.0, 3.0), CONTROLLER)
    assert later.plan.duration_s == pytest.approx(5.0, abs=0.11)
    # From rest it catches up: it ends where the path does.
    from_rest = track(along, VehicleState(0.0, 0.0, 0.0), CONTROLLER)
    assert from_rest.states[-1].x == pytest.approx(30.0, abs=0.1)


@pytest.mark.parametrize(
    ("places", "times", "speed"),
    [
        ([0.0, 16.0, 20.0], [0.0, 4.0, 8.0], 4.0),  # 4 m/s, then 1 m/s
        ([0.0, 4.0, 8.0, 9.0, 10.0], [0.0, 1.0, 2.0, 3.0, 4.0], 4.0),
        ([0.0, 9.0, 9.0, 18.0], [0.0, 3.0, 6.0, 9.0], 3.0),  # it waits for 3 s
    ],
)
def test_stamps_far_apart_are_followed_too(places, times, speed):
    along = path(np.stack([places, np.zeros(len(places))], axis=1), np.array(times))
    made = track(along, VehicleState(0.0, 0.0, 0.0, speed), CONTROLLER)
    asked = np.interp(np.arange(len(made.states)) * CONTROLLER.period_s, times, places)
    assert np.abs(asked - [state.x for state in made.states]).max() < 0.5  # a vehicle needs time to change its speed


def test_a_path_elsewhere_behind_or_too_tight_is_refused():
    with pytest.raises(StartError) as error:
        track(path(LINE), VehicleState(5.0, 3.0, 0.0), CONTROLLER)
    assert error.value.found == pytest.approx(3.0) and error.value.limit == 1.0
    with pytest.raises(StartError):
        track(path(LINE), VehicleState(30.5, 0.0, 0.0), CONTROLLER)
    with pytest.raises(PlanError) as tight:  # a car that faces the other way
        track(path(LINE), VehicleState(0.0, 0.0, np.pi), CONTROLLER, TrackingSettings(speed=3.0))
    assert tight.value.found > tight.value.limit == 1.0
    with pytest.raises(PlanError) as long:
        track(path(LINE, np.linspace(0.0, 5000.0, 61)), VehicleState(0.0, 0.0, 0.0), CONTROLLER)
    assert long.value.found == 5000.0


def test_beyond_the_span_only_the_duration_counts():
    whole = track(path(LINE), VehicleState(0.0, 0.0, 0.0), CONTROLLER)
    short = track(path(LINE), VehicleState(0.0, 0.0, 0.0), CONTROLLER, span_s=4.0)
    assert short.plan.duration_s == whole.plan.duration_s and len(short.states) < 45
    np.testing.assert_array_equal(short.plan.velocities[:40], whole.plan.velocities[:40])


def test_beyond_the_span_a_bend_is_no_jump_of_the_turn_rate():
    """A limit of the turn's acceleration would veto the plan for it."""
    bend, here = path(circle(10.0, 1.5 * np.pi)), VehicleState(0.0, 0.0, 0.0, 3.0, 0.3)
    made = track(bend, here, CONTROLLER, TrackingSettings(speed=3.0), span_s=4.0)
    assert len(made.states) < len(made.plan.velocities)
    assert np.abs(np.diff(made.plan.velocities[:, 1])).max() < 0.1


def test_a_base_that_turns_on_the_spot_takes_corners_that_a_car_does_not():
    corner = [(0.0, 0.0), (2.0, 0.0), (2.0, 2.0)]
    base = VehicleController(VehicleLimits(max_speed=0.5, acceleration=1.0, braking=1.0, min_radius=0.0))
    made = track(path(corner), VehicleState(0.0, 0.0, 0.0), base, TrackingSettings(speed=0.5, tolerance_m=0.5))
    assert made.states[-1].y == pytest.approx(2.0, abs=0.1)
    with pytest.raises(PlanError):
        track(path(corner), VehicleState(0.0, 0.0, 0.0), CONTROLLER, TrackingSettings(tolerance_m=0.5))


def test_a_crossing_does_not_take_the_vehicle_to_the_other_branch():
    """A loop that crosses itself is driven once round, not cut short where it crosses."""
    loop = np.concatenate([LINE[:20], circle(10.0, 1.9 * np.pi) + [10.0, 0.0]])
    along = path(loop)
    made = track(along, VehicleState(0.0, 0.0, 0.0, 4.0), CONTROLLER, TrackingSettings(speed=4.0))
    assert made.plan.duration_s > 0.95 * along.along[-1] / 4.0 and made.away_m.max() < 0.25


def test_stamps_that_ask_for_more_than_the_vehicle_can_do_break_a_limit():
    """Not imagined slower than it is asked for: a robot that takes the path might try."""
    fast, times = VehicleLimits().max_speed, np.linspace(0.0, 10.0, 61)
    times[30:] -= times[30] - times[29] - 0.5 / (2.0 * fast)  # one leg of 0.5 m at twice the greatest speed
    with pytest.raises(BrokenLimit) as error:
        track(path(LINE, times), VehicleState(0.0, 0.0, 0.0, 3.0), CONTROLLER)
    breach = error.value.breach
    assert (breach.kind, breach.column, breach.unit, error.value.index) == ("speed", "linear.x", "m/s", 30)
    assert (breach.value, breach.limit) == pytest.approx((2.0 * fast, fast))
    assert breach.time_s == pytest.approx(times[29])
    # Once that leg lies behind the vehicle, it does not count.
    track(path(LINE, times), VehicleState(20.0, 0.0, 0.0, 3.0), CONTROLLER)
