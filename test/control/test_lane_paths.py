"""Candidate paths beside a route: where they lead, how fast, and that a car can follow them."""

from dataclasses import fields, replace

import numpy as np
import pytest

from astra_ros.control.lane_paths import KINDS, LanePathSettings, lane_paths
from astra_ros.control.path_tracking import track
from astra_ros.control.vehicle import VehicleState
from astra_ros.control.vehicle_controller import VehicleController
from astra_ros.evaluation.closed_loop.comfort import smoothness
from astra_ros.plans.durations import PLAN_S
from astra_ros.settings import SettingError

ROUTE = np.stack([np.arange(-8.0, 60.0), np.zeros(68)], axis=1)
SETTINGS = LanePathSettings(count=len(KINDS), cruise=6.0, side_m=2.4)


def by_kind(state, **changes):
    return dict(lane_paths(ROUTE, state, "odom", LanePathSettings(**vars(SETTINGS) | changes)))


def test_each_kind_leads_where_it_says_at_its_speed():
    made = by_kind(VehicleState(0.0, 0.0, 0.0, 6.0))
    assert set(made) == set(KINDS)
    for kind, path in made.items():
        offset, speed = KINDS[kind]
        assert path.frame == "odom" and path.times_s[-1] == pytest.approx(PLAN_S)
        assert path.positions[-1, 1] == pytest.approx(2.4 * offset, abs=0.05 if speed == 1.0 else 0.3), kind
        last = np.hypot(*np.diff(path.positions[-2:, :2], axis=0)[0]) / np.diff(path.times_s[-2:])[0]
        assert last == pytest.approx(6.0 * speed, abs=0.05), kind


@pytest.mark.parametrize("state", [VehicleState(0.0, 0.0, 0.0), VehicleState(3.0, 1.5, 0.25, 5.0)])
def test_a_car_follows_them_within_25_cm(state):
    for kind, path in by_kind(state).items():
        made = track(path, state, VehicleController())
        assert made.away_m.max() < 0.25 and made.plan.duration_s == pytest.approx(PLAN_S), kind


def bent(radius, length):
    """A route that turns left, [N, 2]."""
    turns = np.arange(-8.0, length) / radius
    return radius * np.stack([np.sin(turns), 1.0 - np.cos(turns)], axis=1)


def driven(route, kinds, controller):
    """A car's states each 0.25 s as it takes another path every second, and how far it was from them at most."""
    states, away, acceleration = [VehicleState(0.0, 0.0, 0.0)], 0.0, 0.0
    settings = LanePathSettings(count=len(KINDS))
    for kind in kinds:
        made = dict(lane_paths(route, states[-1], "odom", settings, acceleration))
        if kind not in made:
            states += states[-1:] * 4
            continue
        came = track(made[kind], states[-1], controller, span_s=2.0)
        away = max(away, float(came.away_m[: round(1.0 / controller.period_s)].max()))
        step = round(0.25 / controller.period_s)
        acceleration = (came.states[4 * step].speed - came.states[4 * step - 1].speed) / controller.period_s
        states += came.states[step : 4 * step + 1 : step]
    return states, away


@pytest.mark.parametrize("route", [np.stack([np.arange(-8.0, 400.0), np.zeros(408)], axis=1), bent(30.0, 170.0)])
def test_a_car_that_changes_its_mind_every_second_is_comfortable(route):
    """Any path after any other one, of those that the closed loop has: each begins as the car moves, and is smooth."""
    controller, kinds = VehicleController(period_s=0.05), list(KINDS)[:8]
    for seed in range(3):
        states, away = driven(route, np.random.default_rng(seed).choice(kinds, 20), controller)
        assert smoothness(states, 0.25) >= 0.97 and away < 0.25, seed
    states, _ = driven(route, ["keep"] * 8 + ["stop"] * 4 + ["keep"] * 8, controller)
    assert smoothness(states, 0.25) == 1.0
    assert states[32].speed == pytest.approx(6.0, abs=0.1) and states[48].speed < 0.1


def test_a_path_begins_as_the_car_moves():
    """At 5 m/s, speeding up; in a bend to the left, each path bends to the left of what it would be without."""

    def legs(yaw_rate):
        state = VehicleState(0.0, 0.0, 0.0, 5.0, yaw_rate)
        for kind, path in lane_paths(ROUTE, state, "odom", SETTINGS, acceleration=1.5):
            first, second = np.diff(path.positions[:3, :2], axis=0)
            assert np.hypot(*first) / path.times_s[1] == pytest.approx(5.0 + 1.5 * path.times_s[1] / 2, abs=0.05), kind
            yield np.arctan2(second[1], second[0])

    assert all(bending - straight > 0.02 for bending, straight in zip(legs(0.25), legs(0.0), strict=True))


def test_a_car_at_its_greatest_speed_that_still_speeds_up_can_follow_them():
    controller, state = VehicleController(), VehicleState(0.0, 0.0, 0.0, 8.0)
    settings = LanePathSettings(count=len(KINDS), cruise=8.0)
    made = lane_paths(ROUTE, state, "odom", settings, 2.0, controller.limits.max_speed)
    assert len(made) == len(KINDS)
    for kind, path in made:
        assert track(path, state, controller).away_m.max() < 0.25, kind


def test_a_path_on_the_inner_side_of_a_tight_bend_is_driven_to_its_end():
    """Radius 5 m, the car 4 m from the route: a metre of its path is several metres of the route."""
    made = dict(lane_paths(bent(5.0, 60.0), VehicleState(0.0, 4.0, 0.0, 2.0), "odom", SETTINGS))
    for kind in set(made) - {"stop"}:
        steps = np.hypot(*np.diff(made[kind].positions[:, :2], axis=0).T)
        assert steps[-1] > 0.2 * steps.max(), kind


def test_a_path_to_rest_is_left_out_where_the_car_stands():
    standing, moving = (by_kind(VehicleState(0.0, 0.0, 0.0, speed), count=8) for speed in (0.0, 2.0))
    assert "stop" not in standing and "stop" in moving
    assert len(standing) == len(moving) == 8


def accelerations(path):
    speeds = np.hypot(*np.diff(path.positions[:, :2], axis=0).T) / np.diff(path.times_s)
    return np.diff(speeds) / path.times_s[1]


@pytest.mark.parametrize("kind", ["keep", "slow", "stop"])
def test_one_setting_bounds_how_paths_speed_up_and_another_how_they_slow_down(kind):
    """Each bound alone is halved; a path that it does not bound stays what it was."""
    state = VehicleState(0.0, 0.0, 0.0, 2.0 if kind == "keep" else 6.0)
    plain, gentle, soft = (by_kind(state, **changes)[kind] for changes in ({}, {"acceleration": 1.1}, {"braking": 1.8}))
    bounded, other = (gentle, soft) if kind == "keep" else (soft, gentle)
    most = 2.2 if kind == "keep" else 3.6
    assert np.abs(accelerations(plain)).max() == pytest.approx(most, rel=0.15)
    assert np.abs(accelerations(bounded)).max() == pytest.approx(most / 2, rel=0.05)
    np.testing.assert_array_equal(other.positions, plain.positions)


@pytest.mark.parametrize("item", fields(LanePathSettings), ids=lambda item: item.name)
def test_no_setting_is_ignored(item):
    settings = LanePathSettings()
    changed = replace(settings, **{item.name: item.default // 2 if item.name == "count" else item.default / 2})

    def made(settings):
        return [path.positions.tolist() for _, path in lane_paths(ROUTE, VehicleState(0, 0, 0, 4.0), "odom", settings)]

    assert made(changed) != made(settings)


def test_too_many_or_no_candidates_are_refused():
    for count in (0, len(KINDS) + 1):
        with pytest.raises(SettingError):
            LanePathSettings(count=count)
