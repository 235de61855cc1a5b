"""The car's world with planned paths: what it plays and what it proposes."""

import numpy as np
import pytest
from streets import twist

from astra_ros.control.lane_paths import KINDS
from astra_ros.plans.durations import PLAN_S, STEP_S
from astra_ros.registry import UnknownName
from astra_ros.simulation.drive.planned_paths import PLANNED, make
from astra_ros.simulation.worlds import WORLDS, default_worlds


@pytest.fixture(scope="module")
def world():
    with make(size=32) as made:
        yield made


def test_it_is_asked_for_by_name_only():
    assert WORLDS["lanes"].robots == {"car": "twist"} and "lanes" not in default_worlds()
    with pytest.raises(UnknownName) as error:
        make("rover")
    assert error.value.known == ["car"]


def test_its_paths_are_those_of_the_lane_planner_and_go_on_as_the_car_moves(world):
    world.reset(3)
    world.command(twist(4.0, 0.0))
    world.step(1.0)
    found = dict(world.propose(8, 0))
    assert list(found) == list(KINDS)[:8]
    assert len(world.propose(100, 0)) == len(KINDS)
    speed = world.state().car.speed
    for plan in found.values():
        assert plan.duration_s == PLAN_S and abs(plan.velocities[0, 0] - speed) < 0.6
    assert found["stop"].velocities[-1, 0] < 0.2 < found["slow"].velocities[-1, 0] < found["keep"].velocities[-1, 0]


def test_a_path_goes_on_with_the_cars_acceleration_also_after_a_snapshot(world):
    world.reset(3)
    world.command(twist(6.0, 0.0))
    world.step(0.25)
    start, fast = world.snapshot(), world.propose(1, 0)[0][1]
    world.command(twist(2.0, 0.0))
    world.step(1.0)
    world.restore(start)
    assert np.array_equal(world.propose(1, 0)[0][1].velocities, fast.velocities)
    world.reset(3)
    assert world.propose(1, 0)[0][1].velocities[0, 0] < 0.5 < fast.velocities[0, 0]


def test_it_plays_planned_paths_mostly_and_the_same_with_the_same_seed(world):
    kinds, ends = [], []
    for _ in range(2):
        for seed in range(8):
            world.reset(seed)
            kinds.append(world.play(np.random.default_rng(seed), PLAN_S))
            assert world._plan is not None and world._plan.duration_s >= PLAN_S - STEP_S
            world.step(PLAN_S)
            car = world.state().car
            ends.append((car.x, car.y, car.yaw))
    assert kinds[:8] == kinds[8:] and ends[:8] == ends[8:]
    assert 4 <= kinds[:8].count(PLANNED) < 8


def test_after_a_contact_it_gets_free_by_other_manoeuvres(world):
    world.reset(0)
    for _ in range(40):
        world.command(twist(6.0, 0.0))
        world.step(STEP_S)
        if world.state().obstacle_contact:
            break
    else:
        pytest.fail("nothing was met")
    assert all(world.play(np.random.default_rng(seed), PLAN_S) != PLANNED for seed in range(5))
