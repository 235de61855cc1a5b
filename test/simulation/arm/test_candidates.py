"""Candidate plans: valid, within limits, varied, and as good or bad as their kind says."""

import numpy as np
import pytest
from simulated import outcomes_of

from astra_ros.plans.durations import PLAN_S
from astra_ros.simulation.arm.candidates import KINDS, propose, random_play
from astra_ros.simulation.arm.referee import progress_between
from astra_ros.simulation.rollout import execute


def speeds(plan):
    return np.abs(np.diff(plan.positions, axis=0) / np.diff(plan.times_s)[:, None])


def within_limits(world, plan) -> bool:
    low, high = world.kinematics.lower, world.kinematics.upper
    return bool((plan.positions >= low).all() and (plan.positions <= high).all())


def test_plans_are_valid_start_and_end_at_ready_and_keep_the_limits(world):
    for seed in range(6):
        world.reset(seed)
        candidates = propose(world, 8, seed)
        assert [plan.name for _, plan in candidates] == [f"candidates/{i}" for i in range(8)]
        for kind, plan in candidates:
            assert kind in KINDS
            assert plan.joint_names == world.joint_names
            assert plan.times_s[0] == 0.0 and plan.duration_s == PLAN_S
            np.testing.assert_allclose(plan.positions[[0, -1]], [world.spec.ready] * 2, atol=1e-9)
            assert within_limits(world, plan)
            assert (speeds(plan) <= 1.1 * np.array(world.spec.max_speed)).all()


def test_the_same_seed_proposes_the_same_plans_and_another_seed_others(world):
    world.reset(2)
    first, again, other = (propose(world, 8, seed) for seed in (2, 2, 3))
    for (kind, plan), (kind_again, plan_again) in zip(first, again):
        assert kind == kind_again
        np.testing.assert_array_equal(plan.positions, plan_again.positions)
    assert any(not np.array_equal(a.positions, b.positions) for (_, a), (_, b) in zip(first, other))


@pytest.mark.parametrize("count", [0, 1, 2, 5, 8, 20])
def test_any_count_works_and_from_two_on_a_push_is_among_them(world, count):
    world.reset(1)
    kinds = [kind for kind, _ in propose(world, count, 1)]
    assert len(kinds) == count
    assert count < 2 or "push" in kinds


def test_proposing_leaves_the_world_as_it_was(world):
    world.reset(5)
    before = world.state()
    propose(world, 3, 5)
    random_play(world, 1.0, 5)
    after = world.state()
    np.testing.assert_array_equal(before.joint_positions, after.joint_positions)
    np.testing.assert_array_equal(before.object_position, after.object_position)


def test_outcomes_are_as_varied_as_the_kinds_promise(world):
    """Over a few scenes: a push usually succeeds, a hit usually collides, a miss moves nothing."""
    best, everything, by_kind = outcomes_of(world, propose, 8)
    assert np.mean(best) > 0.6
    assert np.mean(everything) < 0.4
    assert np.mean([r.verdict.parts["progress"] for r in by_kind["push"]]) > 0.75
    assert np.mean([r.verdict.collision for r in by_kind["hit_obstacle"]]) > 0.8
    assert np.mean([abs(r.verdict.parts["progress"]) for r in by_kind["miss"]]) < 0.15


def test_a_plan_into_the_obstacle_reports_contact_and_does_not_explode(world):
    world.reset(0)
    rollout = execute(world, dict(propose(world, 8, 0))["hit_obstacle"], render=False)
    verdict = rollout.verdict
    assert verdict.collision and verdict.outcome == verdict.parts["progress"] - 1.0
    for before, after in zip(rollout.states, rollout.states[1:]):
        assert np.linalg.norm(after.tool_position - before.tool_position) < 0.5
        assert np.abs(after.object_position[:2]).max() < 1.5


def test_random_play_starts_at_the_command_and_touches_the_cube_now_and_then(world):
    touched = 0
    for seed in range(6):
        world.reset(seed)
        plan = random_play(world, 6.0, seed)
        assert plan.duration_s == 6.0 and plan.times_s[0] == 0.0
        np.testing.assert_allclose(plan.positions[0], world.spec.ready, atol=1e-9)
        assert within_limits(world, plan)
        assert (speeds(plan) <= 1.5 * np.array(world.spec.max_speed)).all()
        rollout = execute(world, plan, horizon=24, render=False)
        touched += any(state.object_contact for state in rollout.states)
    assert touched >= 2


def test_random_play_goes_on_from_where_the_arm_is(world):
    world.reset(3)
    execute(world, random_play(world, 1.0, 1), horizon=4, render=False)
    plan = random_play(world, 1.0, 2)
    np.testing.assert_array_equal(plan.positions[0], world.state().commanded_positions)


def test_rollout_shapes_and_where_the_contacts_are(world):
    world.reset(0)
    plan = random_play(world, 1.0, 0)
    rollout = execute(world, plan, horizon=3)
    assert rollout.frames.shape == (4, 256, 256, 3) and rollout.frames.dtype == np.uint8
    assert [state.time_s for state in rollout.states] == [0.0, 0.25, 0.5, 0.75]
    bare = execute(world, plan, horizon=2, render=False)
    assert bare.frames is None and len(bare.states) == 3


def test_progress_is_the_gained_share_of_the_distance(world):
    from dataclasses import replace

    world.reset(0)
    start = world.state()

    def at(share):  # the cube this share of the way to the goal, at another height
        gap = start.goal_position - start.object_position
        return replace(start, object_position=start.object_position + share * gap)

    # 1 - d_end / d_start: halfway 0.5, at the goal 1, as far again on the other side 0.
    assert progress_between(start, at(0.5)) == pytest.approx(0.5)
    assert progress_between(start, at(1.0)) == pytest.approx(1.0)
    assert progress_between(start, at(2.0)) == pytest.approx(0.0, abs=1e-9)
    assert progress_between(start, at(9.0)) == -1.0
