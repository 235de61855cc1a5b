"""Motions of arms from URDFs: within limits, distinct, free of collisions; and what cannot be planned."""

import time
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("ompl")
pytest.importorskip("pinocchio")
pytest.importorskip("toppra")

from astra_ros.control.arm_model import ArmModel
from astra_ros.control.motion_candidates import MotionSettings, plan_motions
from astra_ros.control.motion_planner import MotionPlanner
from astra_ros.control.planning_errors import (
    AtGoal,
    InCollision,
    NoJointLimit,
    NoMovableJoints,
    NoPath,
    OutsideLimits,
    PlanningProcessLost,
    PlanningTimeout,
    Unreachable,
    UnusableState,
)
from astra_ros.control.routes import apart
from astra_ros.control.time_parameterisation import timed
from astra_ros.control.tool_goals import ToolPose, ToolRegion
from astra_ros.robot.kinematics import LinkPoses, ToolPath
from astra_ros.robot.limits import position_limits
from astra_ros.robot.urdf import KinematicsError
from astra_ros.simulation.arm.robots import robot_description, robot_spec

DOWN = (1.0, 0.0, 0.0, 0.0)  # the tool's z axis down
PATIENT = MotionSettings(time_limit_s=8.0)  # it ends as soon as it has its candidates, also on a busy machine


def arm(name):
    spec = robot_spec(name)
    return spec, robot_description(spec), dict(zip(spec.joint_names, spec.ready)) | spec.held_joints


def check(candidates, spec, urdf, settings=PATIENT):
    """Limits by the description itself, and self-collision, between the points too."""
    limits, model = position_limits(urdf), ArmModel(urdf, spec.joint_names, spec.held_joints)
    for each in candidates:
        plan, dt = each, each.times_s[1]
        assert plan.joint_names == spec.joint_names and np.allclose(np.diff(plan.times_s), dt)
        for name, column in zip(plan.joint_names, plan.positions.T):
            assert limits[name].lower <= column.min() and column.max() <= limits[name].upper
        speeds = np.diff(plan.positions, axis=0) / dt
        still = np.zeros((1, len(spec.joint_names)))
        changes = np.diff(np.concatenate([still, speeds, still]), axis=0) / dt
        fastest = settings.velocity_scale * np.minimum(model.max_velocity, 10.0)
        assert (np.abs(speeds) <= fastest * 1.0001).all() and (np.abs(each.velocities) <= fastest * 1.0001).all()
        assert max(np.abs(changes).max(), np.abs(each.accelerations).max()) <= settings.max_acceleration * 1.0001
        assert not each.velocities[[0, -1]].any()
        finer = plan.motion(np.linspace(0.0, plan.duration_s, 150))
        assert not any(model.collides(joints) for joints in finer)
    ways = [each.positions for each in candidates]
    differences = [apart(a, b) for i, a in enumerate(ways) for b in ways[:i]]
    assert min(differences, default=1.0) > 0.5 * settings.min_difference  # the curve may cut a corner of the way


def test_a_motion_that_was_changed_keeps_its_limits_by_taking_longer():
    fastest, hardest = np.array([1.0, 0.5]), np.array([3.0, 3.0])
    motion = timed(np.array([[0.0, 0.0], [1.0, 0.4], [1.2, 1.0]]), fastest, hardest)
    again = motion.kept(fastest, hardest)
    assert again.times_s[-1] == pytest.approx(motion.times_s[-1], rel=1e-5)
    moved = motion.positions + 1e-3 * (np.arange(len(motion.positions))[:, None] % 5 == 3)
    slower = replace(motion, positions=moved).kept(fastest, hardest)
    changes = np.diff(slower.positions, 2, axis=0) / slower.times_s[1] ** 2
    assert np.abs(changes).max() <= 3.0 and slower.times_s[-1] > motion.times_s[-1]
    assert np.abs(slower.velocities).max() < np.abs(motion.velocities).max()


@pytest.mark.parametrize("name", ["panda", "kuka"])
def test_motions_to_a_tool_pose(name):
    spec, urdf, now = arm(name)
    candidates = plan_motions(now, ToolPose(spec.tool_link, (0.5, 0.2, 0.15), DOWN), urdf, PATIENT)
    assert len(candidates) == 8 and len({each.name for each in candidates}) == 8
    check(candidates, spec, urdf)
    tool = ToolPath(urdf, spec.tool_link, spec.joint_names)
    for each in candidates:
        assert np.allclose(each.positions[0], spec.ready)
        assert np.abs(tool(each.positions[-1]) - [0.5, 0.2, 0.15]).max() < 2e-3


def test_motions_to_joint_positions_are_the_same_for_the_same_seed():
    spec, urdf, now = arm("panda")
    goal = {name: value + 0.4 for name, value in zip(spec.joint_names, spec.ready)}
    settings = replace(PATIENT, count=4, seed=3)
    first, again = (plan_motions(now, goal, urdf, settings) for _ in range(2))
    check(first, spec, urdf, settings)
    assert len(first) == 4 and first[0].name == "RRTConnect/0" and first[-1].name.startswith("detour")
    # Simplification stops by the clock, so later ways may differ; the number and the ends do not.
    assert len(again) == 4
    assert all(np.allclose(each.positions[-1], list(goal.values())) for each in first + again)


def test_self_collision_is_avoided_where_the_straight_way_collides():
    spec, urdf, _ = arm("panda")
    model = ArmModel(urdf, spec.joint_names, spec.held_joints)
    random = np.random.default_rng(0)
    for _ in range(400):
        a, b = random.uniform(model.lower, model.upper, (2, 7))
        between = [a + share * (b - a) for share in np.linspace(0, 1, 60)]
        if not model.collides(a) and not model.collides(b) and any(model.collides(q) for q in between):
            break
    else:
        pytest.fail("no such pair was found")
    goal = dict(zip(spec.joint_names, b))
    candidates = plan_motions(dict(zip(spec.joint_names, a)) | spec.held_joints, goal, urdf, replace(PATIENT, count=2))
    check(candidates, spec, urdf)


def test_motions_into_a_region_go_to_different_places_above_the_floor():
    spec, urdf, now = arm("kuka")
    region = ToolRegion(spec.tool_link, (0.45, -0.2, 0.05), (0.6, 0.2, 0.2))
    settings = replace(PATIENT, count=4, use_floor=True)
    candidates = plan_motions(now, region, urdf, settings)
    check(candidates, spec, urdf)
    tool = ToolPath(urdf, spec.tool_link, spec.joint_names)
    ends = np.array([tool(each.positions[-1]) for each in candidates])
    assert (ends > np.array(region.low) - 2e-3).all() and (ends < np.array(region.high) + 2e-3).all()
    assert len(candidates) == 4 and np.ptp(ends, axis=0).max() > 0.02
    assert min(tool(each.positions)[:, 2].min() for each in candidates) > 0.0


def test_the_model_agrees_with_the_other_kinematics_in_any_order_of_joints():
    spec, urdf, _ = arm("panda")
    names = spec.joint_names[::-1]
    model = ArmModel(urdf, names, spec.held_joints)
    joints = np.random.default_rng(1).uniform(model.lower, model.upper)
    links = LinkPoses(urdf, names, spec.held_joints)
    for link in ("panda_link4", "pusher_tip", "panda_leftfinger"):
        assert np.allclose(model.pose(joints, model.frame(link)), links(joints)[links.link_names.index(link)])
    step = 1e-6 * np.eye(7)[2]
    frame = model.frame("pusher_tip")
    moved = (model.pose(joints + step, frame) - model.pose(joints - step, frame))[:3, 3] / 2e-6
    assert np.allclose(model.jacobian(joints, frame)[:3, 2], moved, atol=1e-5)


@pytest.mark.parametrize(
    "kind, goal, facts",
    [
        (Unreachable, ToolPose("pusher_tip", (1.5, 0.0, 0.2), DOWN), {}),
        (UnusableState, ToolPose("pusher_tip", (0.5, float("nan"), 0.2), DOWN), {}),
        (UnusableState, ToolPose("pusher_tip", (0.5, 0.0, 0.2), (0.0, 0.0, 0.0, 0.0)), {}),
        (UnusableState, ToolRegion("pusher_tip", (0.5, 0.0, 0.2), (0.4, 0.0, 0.2)), {}),
        (Unreachable, ToolRegion("pusher_tip", (2.0, 0.0, 0.2), (2.1, 0.0, 0.2)), {}),
        (UnusableState, {"panda_joint1": float("inf")}, {"joint": "panda_joint1"}),
        (UnusableState, {}, {}),
        (OutsideLimits, {"panda_joint1": 3.5}, {"joint": "panda_joint1", "found": 3.5, "upper": 2.9671}),
        (InCollision, {"panda_joint2": 1.8, "panda_joint4": -3.1}, {}),
        (AtGoal, {"panda_joint1": 0.0}, {}),
        (KinematicsError, {"elbow": 1.0}, {}),
        (KinematicsError, ToolPose("gripper", (0.5, 0.0, 0.2)), {}),
    ],
)
def test_a_goal_that_cannot_be_reached_is_refused_with_facts(kind, goal, facts):
    _, urdf, now = arm("panda")
    with pytest.raises(kind) as caught:
        plan_motions(now, goal, urdf)
    assert {name: getattr(caught.value, name) for name in facts} == pytest.approx(facts) if facts else True
    assert caught.value.problem and caught.value.cure and caught.value.thing in ("goal", "robot description")


@pytest.mark.parametrize(
    "kind, changes, joint",
    [
        (OutsideLimits, {"panda_joint4": 0.5}, "panda_joint4"),
        (UnusableState, {"panda_joint3": float("nan")}, "panda_joint3"),
        (UnusableState, {"panda_joint3": None}, "panda_joint3"),
        (InCollision, {"panda_joint2": 1.8, "panda_joint4": -3.1}, None),
    ],
)
def test_a_start_that_cannot_be_used_is_refused_with_facts(kind, changes, joint):
    spec, urdf, now = arm("panda")
    now = {name: value for name, value in (now | changes).items() if value is not None}
    with pytest.raises(kind) as caught:
        plan_motions(now, dict(zip(spec.joint_names, spec.ready)), urdf)
    assert caught.value.thing == "start" and (joint is None or caught.value.joint == joint)
    assert kind is not InCollision or all(caught.value.links)


ROD = '<collision><origin xyz="0.25 0 0"/><geometry><box size="0.5 0.04 0.04"/></geometry></collision>'
POST = '<collision><origin xyz="0 0.8 0"/><geometry><box size="0.1 0.1 1"/></geometry></collision>'


def two_rods(first="-0.5 3.0", second="-0.2 0.2", kind="revolute", limits=True, post=POST):
    """Two rods in a row that turn in the plane, and a post that the second one can meet."""

    def joint(name, parent, child, place, ends):
        low, high = ends.split()
        limit = f'<limit lower="{low}" upper="{high}" effort="1" velocity="1"/>' if limits else ""
        return (
            f'<joint name="{name}" type="{kind}"><parent link="{parent}"/><child link="{child}"/>'
            f'<origin xyz="{place} 0 0"/><axis xyz="0 0 1"/>{limit}</joint>'
        )

    links = f'<link name="base">{post}</link><link name="rod1">{ROD}</link><link name="rod2">{ROD}</link>'
    joints = joint("turn1", "base", "rod1", 0, first) + joint("turn2", "rod1", "rod2", 0.55, second)
    return f'<robot name="rods">{links}{joints}</robot>'


def test_no_way_around_a_post_is_told_in_time():
    now, goal = {"turn1": 0.0, "turn2": 0.0}, {"turn1": 2.9, "turn2": 0.0}
    began = time.monotonic()
    with pytest.raises(NoPath) as caught:
        plan_motions(now, goal, two_rods(), MotionSettings(time_limit_s=0.3))
    assert caught.value.seconds == 0.3 and time.monotonic() - began < 10.0
    # The same without the post.
    free = plan_motions(now, goal, two_rods(post=""), replace(PATIENT, count=1))
    assert free[0].positions[-1, 0] == pytest.approx(2.9)


def test_continuous_joints_go_the_short_way_round():
    urdf = two_rods(kind="continuous", post="")
    now, goal = {"turn1": 3.0, "turn2": 100.0}, {"turn1": -3.0, "turn2": 100.1}
    plan = plan_motions(now, goal, urdf, replace(PATIENT, count=1))[0]
    assert plan.positions[-1] == pytest.approx([2 * np.pi - 3.0, 100.1], abs=1e-6)
    assert np.abs(np.diff(plan.positions, axis=0)).max() < 0.2


@pytest.mark.parametrize(
    "kind, urdf",
    [
        (KinematicsError, "not XML"),
        (KinematicsError, "<robot name='x'></robot>"),
        (NoMovableJoints, "<robot name='x'><link name='a'/></robot>"),
        (NoMovableJoints, two_rods(kind="fixed")),
        (NoJointLimit, two_rods(limits=False)),
    ],
)
def test_a_description_that_cannot_be_used_is_refused(kind, urdf):
    with pytest.raises(kind) as caught:
        plan_motions({"turn1": 0.0, "turn2": 0.0}, {"turn1": 1.0, "turn2": 0.0}, urdf)
    assert caught.value.thing == "robot description" and caught.value.cure
    assert kind is not NoJointLimit or caught.value.joint == "turn1"


def test_the_process_answers_raises_and_survives_a_timeout():
    planner = MotionPlanner(replace(PATIENT, count=2), start_limit_s=300.0)
    try:
        now, goal = {"turn1": 0.0, "turn2": 0.0}, {"turn1": 2.9, "turn2": 0.0}
        assert len(planner.plan(now, goal, two_rods(post=""))) == 2
        with pytest.raises(OutsideLimits) as caught:
            planner.plan(now, {"turn1": 9.0}, two_rods())
        assert (caught.value.joint, caught.value.found, caught.value.thing) == ("turn1", 9.0, "goal")
        hopeless = (now, goal, two_rods(), MotionSettings(time_limit_s=50.0))
        began = time.monotonic()
        with pytest.raises(PlanningTimeout) as late:
            planner._process.call("plan", hopeless, 0.5)
        assert late.value.seconds == 0.5 and time.monotonic() - began < 20.0
        assert planner.plan(now, goal, two_rods(post="")), "a new process takes over"
        planner._process._process.kill()
        with pytest.raises(PlanningProcessLost) as lost:
            planner._process.call("plan", hopeless, 5.0)
        assert lost.value.exit_code in (-9, None)
    finally:
        planner.close()
