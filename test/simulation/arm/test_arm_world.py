"""ArmWorld: resets, follows plans, renders, repeats bit by bit."""

import gc
import hashlib
from pathlib import Path
from unittest.mock import ANY

import numpy as np
import pytest
from simulated import fresh_digest
from user_errors import fault, refusal

from astra_ros.plans.errors import PlanError
from astra_ros.plans.joint_plan import JointPlan
from astra_ros.registry import UnknownName
from astra_ros.settings import SettingError
from astra_ros.simulation.arm.candidates import propose, random_play
from astra_ros.simulation.arm.episodes import PlayingArm
from astra_ros.simulation.arm.scene import CUBE_SIDE_M
from astra_ros.simulation.arm.world import ArmWorldSettings, CameraSettings
from astra_ros.simulation.rollout import execute

ARRAYS = (
    "joint_positions",
    "commanded_positions",
    "object_position",
    "goal_position",
    "obstacle_position",
    "tool_position",
)


def same(one, other) -> bool:
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in ARRAYS) and (
        (one.time_s, one.object_yaw, one.obstacle_contact, one.object_contact)
        == (other.time_s, other.object_yaw, other.obstacle_contact, other.object_contact)
    )


def digest(robot: str) -> str:
    """Hash of all frames and states of a pushing episode, in a new world."""
    with PlayingArm(ArmWorldSettings(robot=robot)) as world:
        world.reset(11)
        plan = dict(propose(world, 8, 11))["push"]
        rollout = execute(world, plan)
    total = hashlib.sha256(rollout.frames.tobytes())
    for state in rollout.states:
        for name in ARRAYS:
            total.update(getattr(state, name).tobytes())
    return total.hexdigest()


def test_resets_steps_and_stays_finite(world):
    for seed in range(5):
        world.reset(seed)
        start = world.state()
        assert start.time_s == 0.0
        np.testing.assert_array_equal(start.commanded_positions, world.spec.ready)
        np.testing.assert_allclose(start.joint_positions, world.spec.ready, atol=1e-9)
        world.step(0.5)
        state = world.state()
        assert state.time_s == 0.5
        for name in ARRAYS:
            assert np.isfinite(getattr(state, name)).all()
        # Nothing moves unless told to: the arm holds its pose, the cube lies still on the table.
        np.testing.assert_allclose(state.joint_positions, world.spec.ready, atol=2e-3)
        np.testing.assert_allclose(state.object_position, start.object_position, atol=2e-3)
        assert state.object_position[2] == pytest.approx(CUBE_SIDE_M / 2, abs=1e-3)
        assert not state.obstacle_contact and not state.object_contact


def test_seeds_give_different_scenes(world):
    places = set()
    for seed in range(8):
        world.reset(seed)
        state = world.state()
        places.add((*state.object_position, *state.goal_position, *state.obstacle_position))
    assert len(places) == 8


def test_renders_rgb_of_the_camera_size(world):
    world.reset(3)
    image = world.render()
    assert image.shape == (256, 256, 3) and image.dtype == np.uint8
    red, green, blue = (image[..., i].astype(int) for i in range(3))
    assert ((blue > red + 60) & (blue > green + 60)).sum() > 400, "no blue obstacle in view"
    assert ((green > red + 60) & (green > blue + 40)).sum() > 200, "no green goal in view"
    assert ((red > green + 60) & (red > blue + 60)).sum() > 200, "no warm cube in view"


def test_camera_settings_change_the_picture():
    camera = CameraSettings(width=96, height=64, position=(1.4, 0.3, 0.9))
    with PlayingArm(ArmWorldSettings(robot="kuka", camera=camera)) as world:
        assert world.render().shape == (64, 96, 3)


@pytest.mark.parametrize(
    "changes, name, value, cure",
    [
        (dict(width=0), "width", "0", "1 to 4096 pixels"),
        (dict(fov_deg=180.0), "fov_deg", "180", "0.1 to 179 degrees"),
        (dict(near_m=2.0, far_m=1.0), "near_m", "2 and far_m is 1", "near_m < far_m"),
        (dict(position=(0.5, 0.0, 1.0), look_at=(0.5, 0.0, 0.0)), "look_at", ANY, "above the other"),
    ],
)
def test_impossible_cameras_are_refused(changes, name, value, cure):
    with pytest.raises(SettingError) as error:
        CameraSettings(**changes)
    assert (error.value.name, error.value.value) == (name, value) and cure in error.value.cure


def test_style_seed_fixes_the_look():
    with PlayingArm(ArmWorldSettings(robot="kuka", style_seed=5)) as world:
        world.reset(1)
        corner = world.render()[-1, -1]
        world.reset(2)
        np.testing.assert_array_equal(world.render()[-1, -1], corner)


def test_follows_a_plan_closely(world):
    """Unless the obstacle is in the way, the tool stays within a centimetre of the plan."""
    world.reset(11)
    plan = dict(propose(world, 8, 11))["push"]
    rollout = execute(world, plan, render=False)
    wanted = plan.motion(0.25 * np.arange(17))
    assert not rollout.verdict.collision
    for state, joints in zip(rollout.states, wanted):
        there = world.kinematics.forward(joints)[:3, 3]
        assert np.linalg.norm(state.tool_position - there) < 0.01


def test_an_abrupt_plan_is_followed_no_faster_than_the_joints_may(world):
    world.reset(0)
    goal = np.array(world.spec.ready) + np.array([1.0, 0, 0, 0, 0, 0, 0])
    world.command(JointPlan(world.joint_names, [0.0], [goal]))
    world.step(0.25)
    # 0.25 s at the first joint's full speed.
    moved = world.state().commanded_positions[0] - world.spec.ready[0]
    assert moved == pytest.approx(0.25 * world.spec.max_speed[0], rel=1e-6)
    world.step(1.0)
    np.testing.assert_allclose(world.state().joint_positions, goal, atol=0.02)


def test_stepping_in_small_pieces_changes_nothing(world):
    world.reset(6)
    plan = random_play(world, 2.0, 6)
    world.command(plan)
    world.step(2.0)
    whole = world.state()
    world.reset(6)
    world.command(plan)
    for _ in range(40):
        world.step(0.05)
    pieces = world.state()
    assert pieces.time_s == whole.time_s
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(pieces, name), getattr(whole, name))


def test_contacts_cover_the_whole_last_step(world):
    """A plan that touches the cube and leaves it within one step still reports the touch."""
    world.reset(11)
    plan = dict(propose(world, 8, 11))["push"]
    world.command(plan)
    world.step(4.0)
    assert world.state().object_contact
    world.step(0.25)
    assert not world.state().object_contact


def test_goal_image_shows_the_cube_at_the_goal_and_restores_everything(world):
    world.reset(11)
    plan = dict(propose(world, 8, 11))["push"]
    world.command(plan)
    world.step(1.9)
    before, view = world.state(), world.render()
    goal = world.goal_image()
    assert same(world.state(), before)
    np.testing.assert_array_equal(world.render(), view)
    # Once the push is done and the arm is home, the view is nearly the goal image.
    world.step(2.35)
    done = world.render()
    assert np.abs(done.astype(int) - goal).mean() < 0.3 * np.abs(view.astype(int) - goal).mean()


def test_goal_image_at_the_start_leaves_no_trace(world):
    def end(with_goal_image):
        world.reset(12)
        if with_goal_image:
            world.goal_image()
        plan = dict(propose(world, 8, 12))["push"]
        return execute(world, plan, render=False).states[-1]

    assert same(end(True), end(False))


def test_same_seed_and_plan_repeat_bit_by_bit_after_other_episodes(world):
    def episode():
        world.reset(13)
        return execute(world, dict(propose(world, 8, 13))["push"])

    first = episode()
    world.reset(14)
    execute(world, random_play(world, 2.0, 3), horizon=8, render=False)
    again = episode()
    np.testing.assert_array_equal(first.frames, again.frames)
    assert all(same(a, b) for a, b in zip(first.states, again.states))


def test_a_fresh_process_gives_the_same_bits(world):
    assert fresh_digest(Path(__file__), world.spec.name) == digest(world.spec.name)


def test_restored_moments_replay_identically_even_in_contact(world):
    world.reset(11)
    plan = dict(propose(world, 8, 11))["push"]
    world.command(plan)
    world.step(1.9)
    moment = world.snapshot()
    ends = []
    for _ in range(3):
        world.step(0.5)
        world.step(1.0)
        ends.append(world.state())
        world.command(JointPlan(world.joint_names, [1.0], [world.spec.ready]))
        world.step(0.3)
        world.restore(moment)
    assert world.state().time_s == pytest.approx(1.9)
    assert same(ends[0], ends[1]) and same(ends[0], ends[2])


def test_worlds_in_one_process_do_not_disturb_each_other(world):
    world.reset(13)
    plan = dict(propose(world, 8, 13))["push"]
    alone = execute(world, plan, render=False).states[-1]
    world.reset(13)
    with PlayingArm(ArmWorldSettings(robot="kuka")) as other:
        world.command(plan)
        other.command(random_play(other, 4.0, 1))
        for _ in range(16):
            world.step(0.25)
            other.step(0.25)
    assert same(world.state(), alone)


def test_a_snapshot_outlives_its_world_harmlessly():
    first = PlayingArm(ArmWorldSettings(robot="kuka"))
    old = first.snapshot()
    first.close()
    first.close()
    with PlayingArm(ArmWorldSettings(robot="kuka")) as second:
        mine = second.snapshot()
        with fault(ValueError, "another PlayingArm"):
            second.restore(old)
        del old
        gc.collect()
        second.restore(mine)


def test_unknown_robot_is_refused_with_the_known_ones():
    with pytest.raises(UnknownName) as error:
        PlayingArm(ArmWorldSettings(robot="ur5"))
    assert (error.value.name, error.value.known) == ("ur5", ["kuka", "panda"])


def test_a_plan_for_other_joints_is_refused(world):
    world.reset(0)
    names = [f"elbow_{i}" for i in range(7)]
    with refusal(PlanError, "plan 'plan'", *world.spec.joint_names, *names, *world.spec.joint_names):
        world.command(JointPlan(names, [1.0], [np.zeros(7)]))


def test_joints_may_come_in_any_order(world):
    world.reset(0)
    target = np.array(world.spec.ready) + 0.05
    plan = JointPlan(world.joint_names, [0.5], [target]).reordered(world.joint_names[::-1])
    world.command(plan)
    world.step(1.0)
    np.testing.assert_allclose(world.state().joint_positions, target, atol=0.01)
