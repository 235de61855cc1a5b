"""Frames of a plan that is executed, against imagined ones, by hand."""

import numpy as np
import pytest

from astra_ros.inference.prediction_limit import WINDOW, PredictionLimit
from astra_ros.plans.joint_plan import JointPlan
from astra_ros.ranking.prediction_monitor import LEARNS, MOST_FACTOR, NANOSECONDS, ExecutedPlan, PredictionMonitor

STEPS, BEGINS_NS = 12, 50 * NANOSECONDS
LIMITS = {"arm": PredictionLimit(2.0, 0.01, 100)}


def latent(value):
    return np.full((1, 1, 1), value, np.float32)


def executed(space="arm", speed=0.1, begins_ns=BEGINS_NS):
    """Steps of 1 s; every latent is imagined to be 0, and expected to be 0.1 wrong. Joint a moves at a speed."""
    plan = JointPlan(("a",), np.array([0.0, STEPS]), np.array([[0.0], [speed * STEPS]]))
    zeros = np.zeros((STEPS + 1, 1, 1, 1), np.float32)
    return ExecutedPlan(space, plan, begins_ns, 1.0, zeros, np.array([0.0] + [0.1] * STEPS))


def play(monitor, values, begins_ns=BEGINS_NS, at=None):
    """Frames 1, 2, ... s after the beginning, with these latents; the comparisons."""
    found = []
    for index, value in enumerate(values, start=1):
        joints = {"a": 0.1 * index if at is None else at}
        found.append(monitor.add(begins_ns + index * NANOSECONDS, latent(value), joints))
    return found


def test_one_frame_a_step_is_wanted():
    monitor = PredictionMonitor(LIMITS)
    assert not monitor.wants(BEGINS_NS + NANOSECONDS)
    monitor.begin(executed())
    taken = []
    for quarter in range(-8, 4 * STEPS + 12):  # four frames a step, from before the beginning on
        stamp_ns = BEGINS_NS + quarter * NANOSECONDS // 4
        if monitor.wants(stamp_ns):
            monitor.add(stamp_ns, latent(0.1), {"a": 0.1 * quarter / 4})
            taken.append(quarter / 4)
    # The first frame from half a step before each step on.
    assert taken == [step - 0.5 for step in range(1, STEPS + 1)]
    assert monitor.frames == STEPS and monitor.plans == 1 and monitor.fault is None


def test_a_fault_is_raised_by_a_window_and_cleared_by_a_whole_plan():
    monitor = PredictionMonitor(LIMITS)
    monitor.begin(executed())
    found = play(monitor, [0.1] * 5 + [0.3] * (STEPS - 5))
    # Ratios of 1, then of 3. Over a window with n of the latter: sqrt((4 - n + 9 n) / 4) > 2 from n = 2 on.
    assert found[2].over_window is None and found[3].over_window == pytest.approx(1.0)
    assert found[5].over_window == pytest.approx(np.sqrt(3.0)) and found[6].over_window == pytest.approx(np.sqrt(5.0))
    assert monitor.fault is found[-1] and WINDOW == 4
    again = BEGINS_NS + 100 * NANOSECONDS
    monitor.begin(executed(begins_ns=again))
    play(monitor, [0.1] * (STEPS - 1), again)
    assert monitor.fault is not None  # the plan is not over
    monitor.add(again + STEPS * NANOSECONDS, latent(0.1), {"a": 0.1 * STEPS})
    assert monitor.fault is None and monitor.plans == 2


def test_without_a_limit_nothing_is_a_fault():
    monitor = PredictionMonitor(LIMITS)
    monitor.begin(executed(space="other"))
    assert play(monitor, [9.0] * STEPS)[-1].over_window == pytest.approx(90.0)
    assert monitor.fault is None and monitor.limit is None


def test_a_robot_that_does_not_follow_its_plan_is_no_fault():
    monitor = PredictionMonitor(LIMITS)
    monitor.begin(executed(speed=0.2))
    # At 2 s, the plan has been between 0.2 and 0.6 rad in the steps around it; 0.0 is 0.2 away.
    found = play(monitor, [9.0] * STEPS, at=0.0)
    assert found[0] is not None and found[1:] == [None] * (STEPS - 1)
    assert "'a'" in monitor.strays and monitor.fault is None
    monitor.begin(executed())
    assert monitor.add(BEGINS_NS + NANOSECONDS, latent(0.0), {}) is None and monitor.strays


def test_the_factor_learns_from_plans_without_a_fault():
    monitor = PredictionMonitor({"arm": PredictionLimit(100.0, 0.01, 100)})
    monitor.begin(executed())
    play(monitor, [0.2] * STEPS)
    assert monitor.factor == pytest.approx(2.0**LEARNS)
    for again in range(1, 60):
        begins_ns = BEGINS_NS + again * 100 * NANOSECONDS
        monitor.begin(executed(begins_ns=begins_ns))
        play(monitor, [5.0] * STEPS, begins_ns)
    assert monitor.factor == MOST_FACTOR
    faulty = PredictionMonitor(LIMITS)
    faulty.begin(executed())
    play(faulty, [0.3] * STEPS)
    assert faulty.factor == 1.0


def test_a_plan_that_follows_at_once_keeps_the_window():
    monitor = PredictionMonitor(LIMITS)
    found = []
    for number in range(3):  # replanned every two steps
        begins_ns = BEGINS_NS + 2 * number * NANOSECONDS
        monitor.begin(executed(begins_ns=begins_ns))
        found += play(monitor, [0.3, 0.3], begins_ns)
    assert found[2].over_window is None and found[3].over_window == pytest.approx(3.0) and monitor.fault
