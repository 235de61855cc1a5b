"""What a driver plays and proposes, and how good it was."""

from dataclasses import replace

import numpy as np
import pytest
from streets import NAMES, SCENES, twist

from astra_ros.plans.velocity_plan import VelocityPlan
from astra_ros.registry import UnknownName
from astra_ros.simulation.drive.driver import BEHAVIOURS, Driver
from astra_ros.simulation.drive.motion import CarLimits
from astra_ros.simulation.drive.plans import propose
from astra_ros.simulation.drive.referee import outcome, progress_between
from astra_ros.simulation.rollout import execute

# Plans and outcomes.


def test_play_stays_within_the_cars_limits(world):
    limits, chosen = world.limits, set()
    for seed in range(10):
        world.reset(seed)
        rng = np.random.default_rng(seed)
        for _ in range(4):
            chosen.add(world.play(rng, 2.0))
            within(world._plan, limits)
            assert world._plan.duration_s == 2.0
            world.step(1.0)
    assert len(chosen) >= 8 and chosen <= set(BEHAVIOURS)


def test_every_behaviour_plans_within_the_limits(world):
    for seed in range(4):
        world.reset(seed)
        driver = Driver(world, np.random.default_rng(seed))
        for kind in BEHAVIOURS:
            plan = driver.plan(kind, 1.1, "x")
            within(plan, world.limits)
            assert plan.duration_s == 1.25
    with pytest.raises(UnknownName) as error:
        driver.plan("fly", 1.0, "x")
    assert error.value.name == "fly" and error.value.known == list(BEHAVIOURS)


def within(plan: VelocityPlan, limits: CarLimits) -> None:
    v, w = plan.velocities.T
    assert plan.motion_names == NAMES and plan.dt_s <= 0.25
    assert (v <= limits.max_speed).all() and (v >= -limits.max_reverse).all()
    assert (np.abs(w) <= np.minimum(limits.yaw_rate, np.abs(v) / limits.min_radius) + 1e-12).all()


def test_candidates_differ_and_end_well_and_badly(world):
    good = collided = left = 0
    for seed in SCENES:
        world.reset(seed)
        start = world.snapshot()
        plans = propose(world, 5, seed)
        assert [plan.name for _, plan in plans] == [f"candidates/{i}" for i in range(5)]
        assert len({plan.velocities.tobytes() for _, plan in plans}) == 5
        assert "follow_lane" in dict(plans)
        assert all(plan.duration_s == 4.0 for _, plan in plans)
        again = propose(world, 5, seed)
        assert all(np.array_equal(a.velocities, b.velocities) for (_, a), (_, b) in zip(plans, again))
        ends = []
        for _, plan in plans:
            world.restore(start)
            ends.append(execute(world, plan, horizon=8, dt_s=0.5, render=False))
        collided += any(end.verdict.collision for end in ends)
        left += any(end.verdict.parts["off_road"] for end in ends)
        good += any(end.verdict.outcome > 0.25 for end in ends)
        assert np.ptp([end.verdict.outcome for end in ends]) > 0.2
    assert good >= 7 and collided >= 4 and left >= 4


def test_a_rollout_holds_frames_and_states(world):
    world.reset(2)
    plan = dict(propose(world, 3, 2))["follow_lane"]
    rollout = execute(world, plan, horizon=4)
    assert rollout.frames.shape == (5, 64, 64, 3)
    assert len(rollout.states) == 5
    assert rollout.states[-1].time_s == pytest.approx(1.0)
    assert execute(world, plan, horizon=1, render=False).frames is None


def test_outcome_by_hand(street):
    """6 m/s is full progress; 3.5 m/s^2 for 2 s are 7 m of 12, and nobody is in the way."""
    rollout = execute(street(), twist(7.0, 0.0), horizon=8, render=False)
    assert rollout.verdict.parts["progress"] == pytest.approx(7.0 / 12.0, abs=0.01)
    assert rollout.verdict.outcome == rollout.verdict.parts["progress"]
    states = rollout.states
    ahead = [replace(states[0], s=0.0), replace(states[0], s=3.0, time_s=1.0)]
    road = street().layout.road
    assert progress_between(road, ahead) == pytest.approx(0.5)
    assert progress_between(road, [replace(ahead[0], direction=-1), ahead[1]]) == -0.5
    over = [replace(ahead[0], s=road.length - 3.0), replace(ahead[1], s=3.0)]  # past the seam
    assert progress_between(road, over) == pytest.approx(1.0)
    assert outcome(0.5, True, True) == -1.0 and outcome(0.5, False, True) == 0.0
