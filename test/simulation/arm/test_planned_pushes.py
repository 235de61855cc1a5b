"""The arm's world with planned pushes: what it plays, what it proposes, and what planning cannot do."""

import numpy as np
import pytest

from astra_ros.control.planning_errors import NoJointLimit, NoPath, PlanningNotInstalled
from astra_ros.plans.durations import PLAN_S
from astra_ros.simulation.arm import planned_pushes
from astra_ros.simulation.arm.planned_pushes import PLANNED
from astra_ros.simulation.worlds import WORLDS, default_worlds, make_world


@pytest.fixture(scope="module", params=list(WORLDS["pushing"].robots))
def world(request):
    world = make_world("pushing", request.param, 32)
    yield world
    world.close()


def failing(error):
    def plan(*_):
        raise error

    return plan


def test_it_is_asked_for_by_name_only():
    assert "pushing" in WORLDS and "pushing" not in default_worlds()


def test_pushes_start_where_the_arm_is_and_move_the_cube_that_stands_before_an_obstacle(world):
    world.reset(960_000)
    state, start = world.state(), world.snapshot()
    way = (state.goal_position - state.object_position)[:2]
    across = np.array([-way[1], way[0]]) / np.linalg.norm(way)
    assert abs((state.obstacle_position - state.object_position)[:2] @ across) <= 0.05 + 1e-9
    proposals = world.propose(4, 1)
    assert 1 <= len(proposals) <= 4 and {kind for kind, _ in proposals} == {PLANNED}
    moved = []
    for _, plan in proposals:
        assert np.allclose(plan.positions[0], world.motion(), atol=1e-6)
        world.command(plan)
        world.step(PLAN_S)
        moved.append(np.linalg.norm((world.state().object_position - state.object_position)[:2]))
        world.restore(start)
    assert max(moved) > 0.05


def test_the_same_seed_plays_the_same(world):
    ends = []
    for _ in range(2):
        world.reset(960_001)
        kind = world.play(np.random.default_rng(5), PLAN_S)
        world.step(1.0)
        ends.append(world.motion())
    assert kind == PLANNED and np.array_equal(*ends)


def test_it_moves_at_random_where_nothing_can_be_planned_and_tells_of_what_lasts(world, monkeypatch):
    world.reset(960_002)
    monkeypatch.setattr(planned_pushes, "plan_pushes", failing(NoPath("none", thing="goal", cure="")))
    assert world.propose(3, 0) == [] and world.play(np.random.default_rng(0), PLAN_S) == "random_play"
    for lasting in (PlanningNotInstalled("missing", thing="ompl", cure=""), NoJointLimit("none", thing="a", cure="")):
        monkeypatch.setattr(planned_pushes, "plan_pushes", failing(lasting))
        with pytest.raises(type(lasting)):
            world.propose(3, 0)
