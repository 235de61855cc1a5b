"""Candidate paths beside a route: where they lead, how fast, and that a car can follow them."""

import numpy as np
import pytest

from astra_ros.control.lane_paths import KINDS, LanePathSettings, lane_paths
from astra_ros.control.path_tracking import track
from astra_ros.control.vehicle import VehicleState
from astra_ros.control.vehicle_controller import VehicleController
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


def test_a_path_to_rest_is_left_out_where_the_car_stands():
    standing, moving = (by_kind(VehicleState(0.0, 0.0, 0.0, speed), count=8) for speed in (0.0, 2.0))
    assert "stop" not in standing and "stop" in moving
    assert len(standing) == len(moving) == 8


def test_too_many_or_no_candidates_are_refused():
    for count in (0, len(KINDS) + 1):
        with pytest.raises(SettingError):
            LanePathSettings(count=count)
