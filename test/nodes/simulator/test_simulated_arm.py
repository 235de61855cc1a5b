"""A simulated arm as a node needs it: a clock that goes on, plans that wait, a memory."""

import numpy as np
import pytest
from user_errors import refusal

pytest.importorskip("pybullet")

from astra_ros.nodes.simulator.simulated_arm import SimulatedArm
from astra_ros.nodes.simulator.simulated_robot import RESET_GAP_S
from astra_ros.plans.errors import PlanError
from astra_ros.plans.joint_plan import JointPlan
from astra_ros.simulation.arm.world import ArmWorld

TICK_S = 1 / 24


@pytest.fixture(scope="module")
def world():
    with ArmWorld() as made:
        yield made


def nudge(world, end=0.2):
    """The first joint turns by end within half a second."""
    ready = np.array(world.spec.ready)
    goal = ready + np.eye(len(ready))[0] * end
    return JointPlan(world.spec.joint_names, np.array([0.0, 0.5]), np.stack([ready, goal]))


def run(arm, seconds):
    for _ in range(round(seconds / TICK_S)):
        arm.advance(TICK_S)


def test_the_clock_goes_on_over_a_reset(world):
    arm = SimulatedArm(world, 0)
    run(arm, 1.0)
    assert arm.time_s == pytest.approx(1.0, abs=0.01)
    arm.reset(0)
    # With a gap that shows: the next frame is not the last one's successor.
    assert arm.time_s == pytest.approx(1.0 + RESET_GAP_S, abs=0.01)
    run(arm, 0.5)
    assert arm.time_s == pytest.approx(1.5 + RESET_GAP_S, abs=0.01)


def test_a_plan_waits_for_its_time_and_is_remembered(world):
    arm = SimulatedArm(world, 0)
    assert arm.truth().plan_elapsed_s == -1.0
    arm.command(nudge(world), start_s=0.3)
    run(arm, 0.25)
    still = world.state().joint_positions[0]
    assert still == pytest.approx(world.spec.ready[0], abs=0.01)
    run(arm, 1.0)
    assert arm.truth().plan_elapsed_s == pytest.approx(0.95, abs=0.01)
    assert world.state().joint_positions[0] == pytest.approx(still + 0.2, abs=0.03)


def test_a_plan_for_now_or_the_past_starts_now(world):
    arm = SimulatedArm(world, 0)
    run(arm, 0.5)
    arm.command(nudge(world), start_s=0.1)
    assert arm.truth().plan_elapsed_s == 0.0


def test_the_same_seed_and_commands_give_the_same_bits(world):
    def positions():
        arm = SimulatedArm(world, 3)
        arm.command(nudge(world, 0.5), start_s=0.1)
        run(arm, 1.0)
        return np.concatenate([world.state().joint_positions, arm.truth().object_position])

    np.testing.assert_array_equal(positions(), positions())


def test_a_plan_with_other_joints_changes_nothing(world):
    arm = SimulatedArm(world, 0)
    arm.command(nudge(world), start_s=5.0)
    with refusal(PlanError, "plan 'plan'", *world.spec.joint_names, "elbow", *world.spec.joint_names):
        arm.command(JointPlan(("elbow",), np.array([0.0]), np.zeros((1, 1))))
    run(arm, 5.5)
    assert arm.truth().plan_elapsed_s == pytest.approx(0.5, abs=0.01)


def test_a_resting_arm_makes_no_progress_and_no_collision(world):
    arm = SimulatedArm(world, 1)
    run(arm, 0.5)
    truth = arm.truth()
    assert truth.progress == pytest.approx(0.0, abs=0.02)
    assert not truth.collision and not truth.object_contact
    state = world.state()
    distance = np.linalg.norm((state.object_position - state.goal_position)[:2])
    assert truth.goal_distance_m == pytest.approx(distance)
