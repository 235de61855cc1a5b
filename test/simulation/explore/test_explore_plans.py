"""What explorers play and propose, and how much of it was worth seeing."""

import numpy as np
import pytest
from halls import hall, plan_of
from simulated import outcomes_of

from astra_ros.simulation.explore.geometry import Block
from astra_ros.simulation.explore.plans import FLYING_KINDS, KINDS, propose
from astra_ros.simulation.explore.referee import FULL_GAIN_M2, ExploreReferee
from astra_ros.simulation.explore.robots import gimbal_angles
from astra_ros.simulation.explore.visibility import area, seen_floor
from astra_ros.simulation.rollout import execute

# -- play and candidate plans --------------------------------------------------------------------


def test_play_keeps_the_limits_over_many_seeds(world, unpainted):
    spec, contacts, names, steps = world.spec, 0, set(), 0
    for seed in range(16):
        world.reset(seed)
        rng = np.random.default_rng(seed)
        for _ in range(2):
            names.add(world.play(rng, 4.0))
            plan = world.state().plan
            assert plan.duration_s == 4.0
            assert (np.abs(plan.velocities) <= spec.max_speed).all()
            for _ in range(8):
                world.step(0.5)
                labels, position = world.labels(), world.state().pose.position
                contacts, steps = contacts + bool(labels["obstacle_contact"]), steps + 1
                assert np.isfinite(labels["camera_pose"]).all()
                assert spec.altitude_m[0] <= position[2] <= spec.altitude_m[1]
                solids = world.house.solids.between(*spec.band(position[2]))
                if not spec.flies:  # a ball may be nearer to an edge beside or below it
                    assert solids.clearance(position[None, :2])[0] > spec.radius_m
                else:
                    _, pitch, roll = np.degrees(gimbal_angles(world.state().pose.rotation))
                    assert abs(pitch) < 40 and abs(roll) < 30
    assert 0.01 < contacts / steps < 0.4
    assert len(names) >= 7, names


def test_play_may_be_of_any_length(world, unpainted):
    world.reset(0)
    world.play(np.random.default_rng(0), 0.6)
    assert world.state().plan.duration_s == 0.75


def test_plans_are_distinct_reproducible_and_leave_the_world_alone(world, unpainted):
    world.reset(3)
    before = world.state()
    first, again, other = (propose(world, 8, seed) for seed in (3, 3, 4))
    assert world.state() is before
    assert [plan.name for _, plan in first] == [f"candidates/{i}" for i in range(8)]
    assert len({plan.velocities.tobytes() for _, plan in first}) == 8
    assert any(a[0] != b[0] for a, b in zip(first, other))
    for (kind, plan), (kind_again, plan_again) in zip(first, again):
        assert kind == kind_again and plan.duration_s == 4.0
        assert plan.motion_names == world.spec.motion_names
        np.testing.assert_array_equal(plan.velocities, plan_again.velocities)


@pytest.mark.parametrize("count", [0, 1, 2, 16])
def test_any_number_of_plans_can_be_had(rover, unpainted, count):
    rover.reset(1)
    plans = propose(rover, count, 1)
    assert len(plans) == count
    assert len({plan.velocities.tobytes() for _, plan in plans}) == count
    known = {*KINDS, *FLYING_KINDS}
    assert {kind for kind, _ in plans} <= known


def test_outcomes_are_as_varied_as_the_kinds_promise(world, unpainted):
    """Over some scenes: exploring sees much, bumping collides, standing sees nothing new."""
    best, everything, by_kind = outcomes_of(world, propose, 5)
    assert np.mean(best) > 0.45
    assert np.mean(everything) < 0.4 and np.std(everything) > 0.3
    assert all(rollout.verdict.outcome == 0.0 for rollout in by_kind["stand"])
    assert np.mean([rollout.verdict.collision for rollout in by_kind["bump"]]) > 0.8
    assert np.mean([rollout.verdict.collision for rollout in by_kind["explore"]]) < 0.15


def test_seen_floor_and_outcome_by_hand(rover):
    hall(rover)
    # A sector of 80 degrees and 4 m, less the triangle nearer than 0.35 m / tan(40 deg) = 0.417 m.
    wanted = 0.5 * 16.0 * np.radians(80.0) - 0.417**2 * np.tan(np.radians(40.0))
    assert area(seen_floor(rover.situation)) == pytest.approx(wanted, abs=0.15)
    # A wall 1.9 m before the camera leaves 1.9^2 * tan(40 deg) of it, less the same triangle.
    hall(rover, furniture=[Block("wall", (8.06, 6.0, 1.25), (0.06, 5.9, 1.25))])
    walled = (1.9**2 - 0.417**2) * np.tan(np.radians(40.0))
    assert area(seen_floor(rover.situation)) == pytest.approx(walled, abs=0.15)

    hall(rover)
    referee = ExploreReferee(rover)
    rollout = execute(rover, plan_of(rover, [[0.0, 0.5]] * 8), horizon=10, referee=referee)
    assert rollout.frames.shape == (11, 64, 64, 3)
    # Turning by 1 rad opens a new sector of 1 rad, but for the strip that is too near.
    new = rollout.verdict.parts["new_area_m2"]
    assert new == pytest.approx(8.0 * 1.0, abs=0.35)
    assert rollout.verdict.outcome == rollout.verdict.parts["gain"] == new / FULL_GAIN_M2
    back = plan_of(rover, [[0.0, -0.5]] * 8)
    again = execute(rover, back, render=False, referee=ExploreReferee(rover, referee.seen))
    assert again.verdict.parts["new_area_m2"] < 0.2 and again.frames is None

    hall(rover, (11.0, 6.0))
    verdict = execute(rover, plan_of(rover, [[0.5, 0.0]] * 16), render=False).verdict
    assert verdict.collision and verdict.outcome == verdict.parts["gain"] - 1.0
