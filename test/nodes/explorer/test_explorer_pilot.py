"""When the explorer imagines, moves and stands, with clocks that are turned by hand."""

from concurrent.futures import Future

import numpy as np
import pytest

from astra_ros.control.occupancy_grid import OccupancyGrid
from astra_ros.nodes.explorer.core import NextMotion
from astra_ros.nodes.explorer.pilot import RETRY_S, ExplorerPilot
from astra_ros.plans.velocity_plan import VelocityPlan

ACT_S = 1.0
AHEAD = (0.5, 0.0)
GRID = OccupancyGrid(np.zeros((2, 2)), 0.5, (0.0, 0.0, 0.0), "odom")
AHEAD_PLAN = VelocityPlan(("linear.x", "angular.z"), 0.5, np.tile(AHEAD, (8, 1)), "ahead")
MOTION, COMPLETE = NextMotion(AHEAD_PLAN, GRID, [], 2.0), NextMotion(None, GRID, [])


class Bench:
    """A base that keeps what it is told."""

    def __init__(self):
        self.now_s, self.real_s = 10.0, 0.0
        self.told, self.shown, self.requests = [], [], []
        self.touches = False
        self.pilot = ExplorerPilot(ACT_S, self._request, self, lambda: self.real_s)

    def _request(self):
        self.requests.append(Future())
        return self.requests[-1]

    def stand(self):
        self.told.append("stand")

    def move(self, ahead, turn, now_s):
        self.told.append((ahead, turn))
        return self.touches

    def decided(self, decision):
        self.shown.append(decision)

    def failed(self, error):
        return f"failed: {error}"

    def tick(self, after_s=0.1, waits="", lost=""):
        """What the base is told, or None."""
        self.now_s += after_s
        self.told.clear()
        self.pilot.tick(self.now_s, waits, lost)
        assert len(self.told) < 2
        return self.told[0] if self.told else None

    def decide(self, decision=MOTION):
        """Have a decision asked for and made; what the base is told then."""
        self.tick()
        self.requests[-1].set_result(decision)
        return self.tick()


@pytest.fixture
def bench():
    return Bench()


def test_a_motion_is_decided_while_the_base_stands_and_executed_for_a_while(bench):
    assert bench.tick(waits="no map yet") == "stand" and bench.pilot.said == "waiting: no map yet"
    assert not bench.requests and bench.tick() == "stand"
    assert bench.tick() == "stand" and len(bench.requests) == 1 and bench.pilot.said == "imagining"
    bench.requests[0].set_result(MOTION)
    assert bench.tick() == AHEAD and bench.shown == [MOTION] and not bench.pilot.stands
    assert bench.pilot.said == "moving: ahead, worth 2.0 m^2"
    assert bench.tick(ACT_S - 0.01) == AHEAD and len(bench.requests) == 1
    assert bench.tick(0.02) == "stand" and len(bench.requests) == 2 and bench.pilot.decisions == 1


def test_a_base_that_is_lost_or_touches_something_stops(bench):
    assert bench.decide() == AHEAD
    assert bench.tick(lost="the odometry is old", waits="the odometry is old") == "stand"
    assert bench.tick() == AHEAD, "the motion goes on"
    bench.touches = True
    assert bench.tick() == AHEAD and bench.pilot.contacts == 1
    assert bench.tick() == "stand" and len(bench.requests) == 2


def test_a_clock_that_jumps_back_ends_a_motion(bench):
    assert bench.decide() == AHEAD
    assert bench.tick(-5.0) == "stand" and len(bench.requests) == 2


@pytest.mark.parametrize("before_s, back_s", [(-0.5, -5.0), (10.0, -0.2)])
def test_a_motion_that_ended_is_not_driven_again_where_the_clock_comes_back_to_it(bench, before_s, back_s):
    assert bench.decide() == AHEAD
    began_s = bench.now_s
    bench.tick(ACT_S + before_s)
    bench.now_s = began_s + back_s
    for _ in range(80):
        assert bench.tick() == "stand"
    assert len(bench.requests) == 2


def test_a_base_that_is_paused_or_done_is_stopped_once_and_left_to_others(bench):
    assert bench.decide() == AHEAD
    bench.pilot.pause()
    assert bench.tick() == "stand" and bench.tick() is None and bench.pilot.said == "paused"
    bench.pilot.resume()
    assert bench.tick() == "stand" and len(bench.requests) == 2, "what was decided before is not resumed"
    assert bench.decide(COMPLETE) is None and bench.shown[-1] is COMPLETE
    assert bench.tick() is None and bench.pilot.is_complete and "complete" in bench.pilot.said
    assert len(bench.requests) == 2


def test_a_decision_that_fails_is_asked_for_again_after_a_while_of_real_time(bench):
    bench.tick()
    bench.requests[0].set_exception(KeyError("tip"))
    assert bench.tick() == "stand" and bench.pilot.said == "failed: 'tip'" and bench.pilot.decision is None
    assert bench.tick(100.0) == "stand" and len(bench.requests) == 1
    bench.real_s += RETRY_S + 0.1
    assert bench.tick() == "stand" and len(bench.requests) == 2


def test_what_was_decided_about_a_map_that_is_gone_is_dropped(bench):
    assert bench.decide() == AHEAD
    bench.pilot.begin_anew()
    assert bench.tick() == "stand" and bench.pilot.decision is None and len(bench.requests) == 2
    bench.pilot.begin_anew()  # while the next one is being decided
    bench.requests[1].set_result(MOTION)
    assert bench.tick() == "stand" and bench.shown == [MOTION] and bench.pilot.decisions == 1
    bench.requests[2].set_result(MOTION)
    assert bench.tick() == AHEAD


@pytest.mark.parametrize("late", [False, True])
def test_what_was_asked_for_before_a_pause_is_not_driven_after_it(bench, late):
    bench.tick()
    bench.pilot.pause()
    assert bench.tick() == "stand"
    bench.pilot.resume()  # others may have driven the base
    if late:
        assert bench.tick() == "stand" and len(bench.requests) == 1
    bench.requests[0].set_result(MOTION)
    assert bench.tick() == "stand" and not bench.shown and bench.pilot.decisions == 0
    bench.requests[1].set_result(MOTION)
    assert bench.tick() == AHEAD
