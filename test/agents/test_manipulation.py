"""The arm's world model: plans from a URDF, imagined and chosen; and pushes until the cube is at the goal."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("ompl")
pytest.importorskip("pinocchio")
pytest.importorskip("toppra")

from known_model import WHITE, KnownModel

from astra_ros.agents.loop import Choice, LoopSettings
from astra_ros.agents.manipulation import ArmGoal, PushTask, RobotWorldModel, SeenArm
from astra_ros.agents.plan_improvement import ImprovementSettings
from astra_ros.control import pushes
from astra_ros.control.motion_candidates import MotionSettings, plan_motions
from astra_ros.control.planning_errors import InCollision, NoPath, OutsideLimits, PlanningNotInstalled
from astra_ros.control.pushes import ELSEWHERE_RAD, PushSettings, plan_pushes, plan_retreat
from astra_ros.plans.joint_plan import JointPlan
from astra_ros.ranking.imaginer import Imaginer, RankingSettings
from astra_ros.robot.kinematics import ToolPath
from astra_ros.simulation.arm.robots import robot_description, robot_spec

PATIENT = MotionSettings(count=3, time_limit_s=20.0, velocity_scale=0.7, use_floor=True)


class InProcess:
    """The planner without its process, which has a test of its own."""

    def __init__(self, settings=PATIENT):
        self.settings, self.asked = settings, []

    def plan(self, *request):
        return plan_motions(*request, self.settings)

    def push(self, initial, places, urdf, pushing):
        self.asked.append((dict(initial), places, self.settings.seed))
        return plan_pushes(initial, places, urdf, self.settings, pushing)


@pytest.fixture(scope="module")
def panda():
    spec = robot_spec("panda")
    now = dict(zip(spec.joint_names, spec.ready)) | spec.held_joints
    return SimpleNamespace(spec=spec, urdf=robot_description(spec), now=now)


@pytest.fixture
def robot(panda):
    """A world model of a panda that imagines by arithmetic."""
    from astra_ros.plans.action_spaces.joints import JointSpace

    model = KnownModel()
    spread = (1.0,) * 7
    model.card.action_spaces = {
        "panda_joints": JointSpace("panda_joints", panda.spec.joint_names, panda.spec.ready, spread, spread)
    }
    model.card.outcomes = {"panda_joints": ("obstacle_contact",)}
    return RobotWorldModel(Imaginer(model, RankingSettings(horizon=8, partial_plans=True)), InProcess())


FRAMES = np.zeros((2, 8, 8, 3), np.uint8)


def test_motions_to_a_goal_are_planned_imagined_and_chosen(robot, panda):
    goal = {name: value + 0.3 for name, value in zip(panda.spec.joint_names, panda.spec.ready)}
    made = robot.imagine_motion(SeenArm(FRAMES, panda.now), ArmGoal(goal, WHITE), panda.urdf)
    assert len(made.plans) == 3 and made.best in made.plans
    assert made.best.name == made.choice.result.names[made.choice.result.best]
    for plan in made.plans:
        assert np.allclose(plan.positions[0], panda.spec.ready) and np.allclose(plan.positions[-1], list(goal.values()))
        assert made.video(plan.name).shape == (8, 4, 4, 3)
    with pytest.raises(KeyError):
        made.video("another")


def test_motions_are_improved_where_there_is_time(robot, panda):
    goal = {name: value + 0.3 for name, value in zip(panda.spec.joint_names, panda.spec.ready)}
    asked = SeenArm(FRAMES, panda.now), ArmGoal(goal, WHITE), panda.urdf
    plain = robot.imagine_motion(*asked)
    robot.improvement = ImprovementSettings(seconds=100.0, most_rounds=3, spread=0.2)
    made = robot.imagine_motion(*asked)

    def score(motion):
        return motion.choice.result.scores[motion.choice.result.best].score

    # The goal image is white: the further the first joint turns, the better.
    assert len(made.plans) == 4 and "~" in made.best.name and score(made) > score(plain)
    assert np.allclose(made.best.positions[0], panda.spec.ready) and made.video(made.best.name).shape == (8, 4, 4, 3)


def test_what_cannot_be_planned_is_raised_and_nothing_imagined(robot, panda):
    with pytest.raises(OutsideLimits) as caught:
        robot.imagine_motion(SeenArm(FRAMES, panda.now), ArmGoal({"panda_joint1": 9.0}), panda.urdf)
    assert caught.value.joint == "panda_joint1" and not robot.imaginer.model.asked


PUSHING = PushSettings("pusher_tip")


def test_a_push_goes_behind_the_object_from_above_and_then_slowly_through_it(panda):
    thing, goal = np.array([0.5, 0.0]), np.array([0.5, 0.15])
    plans = plan_pushes(panda.now, (thing, goal), panda.urdf, PATIENT, PUSHING)
    assert [plan.name for plan in plans] == ["push/0", "push/1", "push/2"]
    tool = ToolPath(panda.urdf, "pusher_tip", panda.spec.joint_names)
    for plan in plans:
        assert np.allclose(plan.positions[0], panda.spec.ready) and plan.velocities is not None
        assert tool(plan.positions)[:, 2].min() > PUSHING.height_m - 3e-3
    times = np.linspace(0.0, plans[0].duration_s, 400)
    way = tool(plans[0].motion(times))
    low = way[:, 2] < PUSHING.height_m + 0.01
    behind = PUSHING.object_half_m + PUSHING.tool_half_m
    assert way[low][0, :2] == pytest.approx(thing - [0.0, behind + PUSHING.gap_m], abs=0.01)
    assert way[-1, :2] == pytest.approx(goal - [0.0, behind], abs=3e-3)
    assert np.abs(way[low][:, 0] - 0.5).max() < 0.01, "straight"
    speeds = np.linalg.norm(np.diff(way, axis=0), axis=1) / (times[1] - times[0])
    assert speeds[low[1:]][-100:].max() < PUSHING.speed * 1.1
    # Nothing comes near the object before the tool is down behind it.
    near = np.linalg.norm(way[:, :2] - thing, axis=1) < PUSHING.object_half_m
    assert way[near & ~low][:, 2].min(initial=1.0) > 0.1


def test_an_object_out_of_reach_cannot_be_pushed(panda):
    with pytest.raises(NoPath):
        plan_pushes(panda.now, (np.array([1.5, 0.0]), np.array([1.6, 0.0])), panda.urdf, PATIENT, PUSHING)


def after_a_push(panda, thing, goal):
    """Where the arm is once the object is at the goal."""
    (there,) = plan_pushes(panda.now, (thing, goal), panda.urdf, replace(PATIENT, count=1), PUSHING)
    return dict(zip(panda.spec.joint_names, there.positions[-1])) | panda.spec.held_joints


def test_after_a_push_the_tool_goes_over_the_object_to_its_other_side(panda):
    thing, goal = np.array([0.5, 0.0]), np.array([0.5, 0.15])
    tool = ToolPath(panda.urdf, "pusher_tip", panda.spec.joint_names)
    for back in plan_pushes(after_a_push(panda, thing, goal), (goal, thing), panda.urdf, PATIENT, PUSHING):
        way = tool(back.motion(np.linspace(0.0, back.duration_s, 400)))
        over = np.linalg.norm(way[:, :2] - goal, axis=1) < PUSHING.object_half_m
        first_push = np.flatnonzero(way[:, 2] > 0.12)[-1]
        assert over[:first_push].any() and way[:first_push][over[:first_push], 2].min() > 2 * PUSHING.object_half_m


def test_the_arm_retreats_straight_up_and_home_without_moving_anything_beside_it(panda):
    thing, goal = np.array([0.5, 0.0]), np.array([0.5, 0.15])
    tool = ToolPath(panda.urdf, "pusher_tip", panda.spec.joint_names)
    now = after_a_push(panda, thing, goal)
    home = dict(zip(panda.spec.joint_names, panda.spec.ready))
    back = plan_retreat(now, home, panda.urdf, PATIENT, PUSHING)
    assert back is not None and back.name == "retreat"
    assert np.allclose(back.positions[0], [now[name] for name in panda.spec.joint_names])
    assert np.allclose(back.positions[-1], panda.spec.ready)
    way = tool(back.motion(np.linspace(0.0, back.duration_s, 400)))
    low = way[:, 2] < PUSHING.travel_m - 0.01
    assert low[0] and np.linalg.norm(way[low][:, :2] - way[0, :2], axis=1).max() < 0.01
    speeds = np.linalg.norm(np.diff(way, axis=0), axis=1) / (back.duration_s / 399)
    assert speeds[low[:-1]].max() < 1.05 * PUSHING.speed < speeds.max()
    assert plan_retreat(panda.now, home, panda.urdf, PATIENT, PUSHING) is None, "it is at home"


def test_the_arm_retreats_from_just_below_the_height_of_travel(panda):
    tool = ToolPath(panda.urdf, "pusher_tip", panda.spec.joint_names)
    now = after_a_push(panda, np.array([0.5, 0.0]), np.array([0.5, 0.15]))
    height = tool(np.array([[now[name] for name in panda.spec.joint_names]]))[0, 2]
    home = dict(zip(panda.spec.joint_names, panda.spec.ready))
    back = plan_retreat(now, home, panda.urdf, PATIENT, replace(PUSHING, travel_m=height + 5e-4))
    assert back is not None and np.allclose(back.positions[-1], panda.spec.ready)


def test_an_arm_that_cannot_lift_its_tool_goes_home_slowly(panda, monkeypatch):
    monkeypatch.setattr(pushes._Pushes, "_up", lambda *_: None)
    tool = ToolPath(panda.urdf, "pusher_tip", panda.spec.joint_names)
    now = dict(panda.now) | {panda.spec.joint_names[0]: panda.spec.ready[0] + 1.0}
    home = dict(zip(panda.spec.joint_names, panda.spec.ready))
    back = plan_retreat(now, home, panda.urdf, PATIENT, PUSHING)
    way = tool(back.motion(np.linspace(0.0, back.duration_s, 400)))
    speeds = np.linalg.norm(np.diff(way, axis=0), axis=1) / (back.duration_s / 399)
    assert 0.5 * PUSHING.speed < speeds.max() < 1.05 * PUSHING.speed


def test_an_arm_without_a_push_to_make_goes_home_or_rests_where_it_cannot(robot, panda):
    arm, went = StillArm(panda.now), JointPlan(panda.spec.joint_names, np.zeros(1), np.zeros((1, 7)), "retreat")
    # Asked after each choice, and before the next one.
    homes, answers = [], iter([went, None, None, None, NoPath("none", thing="goal", cure="")])

    def retreat(initial, home, urdf, pushing):
        homes.append(home)
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    robot.planner.retreat = retreat
    task = replace(arm.task(panda), home={"panda_joint1": 0.3})
    arm.object_position = lambda: np.array([0.5, 0.0, 0.03])
    task = replace(task, object_position=arm.object_position)
    list(robot.push(arm, task, LoopSettings(act_steps=1, most_choices=3), choose=lambda *_: Choice(None)))
    assert [plan.name for plan in arm.plans] == ["rest", "retreat", "rest", "rest"]
    assert homes == [task.home] * 5 and "none" in robot.problem


def test_the_arm_goes_home_between_pushes(robot, panda):
    arm, ways = StillArm(panda.now), iter([0.6, None])

    def retreat(initial, home, urdf, pushing):
        seconds = next(ways)
        if seconds is None:
            return None
        return JointPlan(panda.spec.joint_names, np.array([0.0, seconds]), np.zeros((2, 7)), "retreat")

    robot.planner.retreat = retreat
    task = replace(arm.task(panda), home={"panda_joint1": 0.3}, object_position=lambda: np.array([0.5, 0.0, 0.03]))
    push = JointPlan(panda.spec.joint_names, np.zeros(1), np.zeros((1, 7)), "push/0")
    robot.planner.push = lambda *_: [push]
    cycles = list(robot.push(arm, task, LoopSettings(act_steps=2, most_choices=3), choose=lambda *_: Choice(0)))
    assert [plan.name for plan in arm.plans] == ["rest", "push/0", "retreat", "push/0", "push/0"]
    dt_s = robot.imaginer.model.card.dt_s
    steps = 2 + int(np.ceil(0.6 / dt_s)) + 1
    assert [len(cycle.seen) for cycle in cycles] == [steps, 2, 2]
    assert [cycle.moment.time_s for cycle in cycles] == pytest.approx([0.0, steps * dt_s, (steps + 2) * dt_s])


def test_the_object_is_not_pushed_to_where_the_arm_cannot_get_behind_it():
    spec = robot_spec("kuka")
    urdf, now = robot_description(spec), dict(zip(spec.joint_names, spec.ready)) | spec.held_joints
    tool = ToolPath(urdf, spec.tool_link, spec.joint_names)
    pushing = PushSettings(spec.tool_link, height_m=spec.push_height_m)
    # The goal lies ahead, so pushes beside its direction that come near the base would be the last ones.
    thing, goal = np.array([0.45, 0.12]), np.array([0.45, -0.12])

    def last(dead_ends):
        """Of each push, whether some push can be planned from where it ends."""
        asked = replace(pushing, dead_ends=dead_ends, elsewhere=True)
        plans = plan_pushes(now, (thing, goal), urdf, replace(PATIENT, count=8), asked)
        for plan in plans:
            way = tool(plan.positions)[:, :2]
            along = (way[-1] - way[-3]) / np.linalg.norm(way[-1] - way[-3])
            end = way[-1] + pushing.touching_m * along
            at = dict(zip(spec.joint_names, plan.positions[-1])) | spec.held_joints
            try:
                yield bool(plan_pushes(at, (end, goal), urdf, PATIENT, replace(pushing, dead_ends=True)))
            except NoPath:
                yield False

    assert not all(last(dead_ends=True)) and all(last(dead_ends=False))


class StillArm:
    """Shows black images; the object jumps to the goal with the second plan."""

    def __init__(self, now):
        self.now, self.plans = now, []

    def render(self):
        return np.zeros((8, 8, 3), np.uint8)

    def command(self, plan):
        self.plans.append(plan)

    def step(self, seconds):
        pass

    def object_position(self):
        moved = sum(plan.name != "rest" for plan in self.plans) >= 2
        return np.array([0.5, 0.15 if moved else 0.0, 0.03])

    def task(self, panda):
        joints = {name: self.now[name] for name in panda.spec.joint_names}
        return PushTask(panda.urdf, PUSHING, lambda: joints, self.object_position, np.array([0.5, 0.15, 0.0]))


def test_pushes_go_on_until_the_object_is_at_the_goal(robot, panda):
    arm = StillArm(panda.now)
    cycles = list(robot.push(arm, arm.task(panda), LoopSettings(act_steps=2, most_choices=9), seed=5))
    assert len(cycles) == 2 and arm.plans[0].name == "rest" and robot.problem == ""
    assert all(plan.name.startswith("push/") for plan in arm.plans[1:])
    assert [asked[2] for asked in robot.planner.asked] == [5, 6], "other pushes each time"


def test_pushes_go_elsewhere_after_those_that_were_refused_or_could_not_be_planned(robot, panda):
    asked = []

    def push(initial, places, urdf, pushing):
        asked.append((pushing.elsewhere, pushing.dead_ends))
        if len(asked) == 2:
            raise NoPath("none", thing="goal", cure="")
        rest = np.array([[panda.now[name] for name in panda.spec.joint_names]])
        return [JointPlan(panda.spec.joint_names, np.zeros(1), rest, "push/0")]

    robot.planner.push = push
    refusals = iter([True, False, False])
    arm = StillArm(panda.now)
    arm.object_position = lambda: np.array([0.5, 0.0, 0.03])
    settings = LoopSettings(act_steps=1, most_choices=4)
    list(robot.push(arm, arm.task(panda), settings, choose=lambda *_: Choice(None if next(refusals) else 0)))
    assert asked == [(False, False), (True, False), (True, False), (False, False)]


def test_pushes_elsewhere_are_spread_wide(panda):
    thing, goal = np.array([0.5, 0.0]), np.array([0.5, 0.15])
    tool = ToolPath(panda.urdf, "pusher_tip", panda.spec.joint_names)
    plans = plan_pushes(panda.now, (thing, goal), panda.urdf, PATIENT, replace(PUSHING, elsewhere=True))
    ends = [tool(plan.positions)[-1, :2] - tool(plan.positions)[-3, :2] for plan in plans]
    turns = [abs(np.arctan2(way[0], way[1])) for way in ends]  # from the direction to the goal
    assert max(turns) > 0.3 and max(turns) < ELSEWHERE_RAD + 0.1


def test_the_arm_rests_while_no_push_can_be_planned(robot, panda):
    def refuse(*_):
        raise InCollision("'a' touches 'b'", thing="start", links=("a", "b"))

    robot.planner.push = refuse
    arm = StillArm(panda.now)
    (cycle,) = robot.push(arm, arm.task(panda), LoopSettings(act_steps=1, most_choices=1))
    assert cycle.choice.index is None and "touches" in robot.problem
    assert [plan.name for plan in arm.plans] == ["rest", "rest"]
    assert isinstance(arm.plans[0], JointPlan) and np.allclose(arm.plans[0].positions[0], panda.spec.ready)

    def missing(*_):
        raise PlanningNotInstalled("the package ompl cannot be imported", package="ompl")

    robot.planner.push = missing
    with pytest.raises(PlanningNotInstalled):
        list(robot.push(arm, arm.task(panda), LoopSettings(act_steps=1, most_choices=1)))
