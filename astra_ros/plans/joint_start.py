"""Where an arm's plan begins, and in which turn: angles count modulo 2 pi where joints turn without end."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import replace

import numpy as np

from astra_ros.plans.errors import PlanError, RobotUnknown, StartError
from astra_ros.plans.joint_plan import JointPlan
from astra_ros.plans.start import RobotNow, StartRules
from astra_ros.plans.turns import TURN, nearest_turn, short_way, turns_in, unwrapped, written_in_one_turn
from astra_ros.texts import listed, short

# No joint of an arm turns faster, rad/s.
FASTEST_JOINT = TURN
# A step across the seam of angles that are written modulo 2 pi is a short one, rad. A longer one may go either way
# round: a joint_trajectory_controller goes straight from number to number.
ACROSS_THE_SEAM = math.pi / 2
# The cure where a joint seems to turn without end, but is not known to.
TURNS = (
    "if the joint turns without end, let the robot's description call it continuous, or import the model's "
    "recordings with that description"
)


def check_seams(plan: JointPlan, turning: Collection[str]) -> None:
    """Checks that it is known which way round each joint goes.

    Raises:
        PlanError: a joint that is not known to turn without end jumps by about a whole turn, or one that does takes a
            step that may go either way round.
    """
    jump = _seam(plan, turning)
    if not (found := jump or _either_way(plan, turning)):
        return
    name, point = found
    before, after = plan.positions[point - 1 : point + 1, plan.joint_names.index(name)].tolist()
    took_s = plan.times_s[point] - plan.times_s[point - 1]
    when = f"in {took_s:.2f} s (points {point - 1} and {point})"
    moves = f"it moves {short(name)} from {before:.3f} to {after:.3f} rad {when}"
    if jump:
        problem, cure = f"{moves}, about one whole turn", TURNS
    else:
        problem = f"{moves}, and the joint turns without end, so which way round it goes is not known"
        cure = "send points in between, at most 3.1 rad from each other"
    raise PlanError(problem, thing=plan.title, cure=cure, column=name, index=point, found=after - before)


def check_start(plan: JointPlan, robot: RobotNow, rules: StartRules) -> None:
    """Checks that the joints that a model knows, those of ``plan``, begin where the robot is.

    Raises:
        RobotUnknown: the position of a joint is not known.
        StartError: a joint is elsewhere.
    """
    if unknown := robot.unknown(plan.joint_names):
        doubts = robot.why_unknown(unknown)
        why = doubts or f"the position of {listed(unknown)} is not known"
        problem = f"it cannot be compared with where the robot is: {why}"
        cure = ("or " if doubts else "") + "set `start_tolerance` to 0 to take plans that start anywhere"
        raise RobotUnknown(problem, thing=plan.title, cure=cure, joints=tuple(unknown))
    start = robot.ordered(plan.joint_names)
    assert start is not None, "all joints are known"
    begin_s, endless = float(plan.times_s[0]), rules.turning(robot)
    way, allowed = plan.positions[0] - start, rules.start_tolerance + rules.max_start_speed * begin_s
    turning = [name in endless for name in plan.joint_names]
    away = np.abs(np.where(turning, short_way(way), way))
    worst = int(away.argmax())
    if away[worst] > allowed:
        steps = zip(plan.joint_names, way.tolist(), turning)
        turned = [name for name, step, turns in steps if not turns and abs(step) > allowed and turns_in(step)]
        joint, found = plan.joint_names[worst], float(away[worst])
        begins = f"it starts with {short(joint)} at {plan.positions[0][worst]:.3f} rad at {begin_s:g} s"
        limits = f"start_tolerance is {rules.start_tolerance:g}, max_start_speed {rules.max_start_speed:g}"
        problem = f"{begins}, but the robot is {found:.3f} rad away from there ({limits})"
        cure = "plan from where the robot is"
        if turned:
            cure += f". Of {', '.join(turned)} that is about one whole turn (6.283 rad): {TURNS}"
        facts = {"column": joint, "index": 0, "time_s": begin_s, "found": found, "limit": allowed}
        raise StartError(problem, thing=plan.title, cure=cure, **facts)


def check_extras(plan: JointPlan, extra: Collection[str], robot: RobotNow, rules: StartRules) -> None:
    """Checks that joints that the model does not know, and that stand still along the plan, are there already.

    Raises:
        StartError: one is elsewhere, so it would move unseen.
    """
    for name in extra:
        if name in rules.ignore_joints:
            continue
        there = float(plan.positions[0, plan.joint_names.index(name)])
        here = robot.values.get(name, there)
        away = short_way(there - here) if name in rules.turning(robot) else there - here
        if abs(away) > rules.start_tolerance:
            places = f"it holds {short(name)} at {there:.3f}, but the robot has it at {here:.3f}"
            why = "the model does not know that joint, so its motion is not imagined"
            problem = f"{places} (start_tolerance is {rules.start_tolerance:g}); {why}"
            cure = "plan from where the robot is, or name the joint in `ignore_joints`"
            facts = {"column": name, "index": 0, "found": abs(away), "limit": rules.start_tolerance}
            raise StartError(problem, thing=plan.title, cure=cure, time_s=float(plan.times_s[0]), **facts)


def in_the_turn_of(
    plan: JointPlan, start: np.ndarray | None, continuous: Collection[str], middle: np.ndarray
) -> tuple[JointPlan, np.ndarray | None]:
    """A plan and the robot's joints [J], with all joints that turn without end in the turn of ``middle`` [J].

    Angles that are written modulo 2 pi (all within one turn around 0, or above 0) are unwrapped: each step goes the
    short way. Other angles are taken as they are.
    """
    if not any(name in continuous for name in plan.joint_names):
        return plan, start
    positions = plan.positions.copy()
    start = None if start is None else start.copy()
    for column, name in enumerate(plan.joint_names):
        if name not in continuous:
            continue
        way = positions[:, column]
        if written_in_one_turn(way):
            way = unwrapped(way)
        begin = nearest_turn(way[0] if start is None else start[column], middle[column])
        if start is not None:
            start[column] = begin
        positions[:, column] = way + (nearest_turn(way[0], begin) - way[0])
    return replace(plan, positions=positions), start


def _seam(plan: JointPlan, turning: Collection[str]) -> tuple[str, int] | None:
    """A joint that jumps by about whole turns, faster than any joint turns, and the point after the jump; or None."""
    steps = np.diff(plan.positions, axis=0)
    fast = np.abs(steps) > FASTEST_JOINT * np.diff(plan.times_s)[:, None]
    for column, index in np.argwhere(fast.T).tolist():
        name = plan.joint_names[column]
        if name not in turning and turns_in(float(steps[index, column])):
            return name, index + 1
    return None


def _either_way(plan: JointPlan, turning: Collection[str]) -> tuple[str, int] | None:
    """A joint that takes a step that is a long one either way round, and the point after it; or None."""
    for name, way in zip(plan.joint_names, plan.positions.T):
        if name in turning and written_in_one_turn(way):  # other angles are not ambiguous
            steps = np.diff(way)
            unclear = (np.abs(steps) > math.pi) & (np.abs(short_way(steps)) > ACROSS_THE_SEAM)
            if unclear.any():
                return name, int(np.argmax(unclear)) + 1
    return None
