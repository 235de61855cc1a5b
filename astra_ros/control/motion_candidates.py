"""Several distinct motions of an arm from one start to one goal, within a time."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from astra_ros.control.arm_description import movable_joints
from astra_ros.control.arm_model import SLACK, TURN, ArmModel
from astra_ros.control.planning_errors import AtGoal, NoPath, UnusableState
from astra_ros.control.routes import Routes, apart, dense
from astra_ros.control.time_parameterisation import TimedMotion, timed
from astra_ros.control.tool_goals import ToolPose, ToolRegion, joints_at, joints_in
from astra_ros.plans.joint_plan import JointPlan
from astra_ros.settings import MOST_SEED, CheckedSettings, setting

MOST_CANDIDATES = 64
# Shares of the time: until the first way is found, and what the anytime planner may use.
FIRST, ANYTIME = 0.4, 0.1
GOALS = 4  # joint positions that are tried for one tool pose
DETOUR_S, LEAST_S = 0.1, 0.02
STRETCHES = (1.1, 1.25, 1.5, 1.8)  # lengths of detours, as a share of the straight way's
SPACINGS = (0.4, 0.2, 0.1)  # rad between the points that the smooth curve goes through


@dataclass(frozen=True)
class MotionSettings(CheckedSettings):
    """How motions of an arm are planned."""

    count: int = setting(8, "candidates per goal", 1, MOST_CANDIDATES, "plans")
    time_limit_s: float = setting(
        0.7, "seconds for one goal; the candidates that are found by then are returned", 0.05, 60.0, "s"
    )
    velocity_scale: float = setting(0.5, "share of the joints' velocity limits that motions may use", 0.01, 1.0)
    default_velocity: float = setting(
        1.0, "rad/s (m/s), the velocity limit of joints whose description has none, or 0", 0.001, 100.0, "rad/s"
    )
    max_acceleration: float = setting(
        3.0, "rad/s^2 (m/s^2), the acceleration limit of every joint; descriptions have none", 0.01, 1000.0, "rad/s^2"
    )
    min_difference: float = setting(
        0.15, "rad, candidates differ by at least this much in some joint somewhere on their way", 0.0, 3.0, "rad"
    )
    self_collision: bool = setting(True, "keep links from touching each other")
    use_floor: bool = setting(False, "keep links above the plane z = floor_m of the robot's base")
    floor_m: float = setting(0.0, "m, height of that plane", -10.0, 10.0, "m")
    seed: int = setting(0, "of the planners' random numbers", 0, MOST_SEED)


Goal = Mapping[str, float] | ToolPose | ToolRegion


def plan_motions(
    initial: Mapping[str, float], goal: Goal, urdf: str, settings: MotionSettings = MotionSettings()
) -> list[JointPlan]:
    """Up to ``settings.count`` distinct motions, the straight way first; at least one. All state velocities and
    accelerations.

    Their names say what found the way: "RRTConnect/0", "AORRTC/1", or "detour/2": RRTConnect by a state beside the way.

    It takes about ``settings.time_limit_s``, but nothing ends it there by force: see ``MotionPlanner``.

    Args:
        initial: joint -> rad (m) at the start. Joints that are not planned are held there.
        goal: joint -> rad (m), which are then the planned joints; or a pose of a link in the base link's frame, for
            which the joints from the base to that link are planned; or a region, to places in which the motions go.
        urdf: the robot's description.

    Raises:
        KinematicsError: the description cannot be used.
        PlanningError: a subclass says what is wrong with start, goal or robot, or that no way was found.
    """
    arm = model_of(initial, goal, urdf, settings)
    deadline = _Deadline(settings.time_limit_s)
    start = arm.checked(initial, "start")
    routes = Routes(arm, start, settings.seed)
    search = _Search(routes, motion_limits(arm, settings), deadline, settings)
    search.run(_goals(arm, goal, start, settings, deadline))
    if not search.found:
        seconds = settings.time_limit_s
        cure = "give more time, or name a goal with room around it"
        raise NoPath(f"no way was found in {seconds:g} s", thing="goal", cure=cure, seconds=seconds)
    return search.found


def model_of(initial: Mapping[str, float], goal: Goal, urdf: str, settings: MotionSettings) -> ArmModel:
    """The robot with the joints that move to the goal; the last few are kept. Raises as ``plan_motions``."""
    if isinstance(goal, Mapping):
        names = tuple(goal)
        if not names:
            raise UnusableState("it names no joint", thing="goal", cure="name the joints to move")
    else:
        goal.checked()
        names = movable_joints(urdf, goal.link)
    # Fingers tremble: their places count to a millimetre, or every request would build the robot anew.
    held = sorted((name, round(float(at), 3)) for name, at in initial.items() if name not in names and np.isfinite(at))
    floor_m = settings.floor_m if settings.use_floor else None
    return _built(urdf, names, tuple(held), floor_m, settings.self_collision)


@lru_cache(maxsize=4)
def _built(urdf: str, names: tuple[str, ...], held: tuple, floor_m: float | None, collision: bool) -> ArmModel:
    return ArmModel(urdf, names, dict(held), floor_m, collision)


class _Deadline:
    def __init__(self, seconds: float) -> None:
        self._began, self._seconds = time.monotonic(), seconds

    def left(self, share: float = 1.0) -> float:
        """Seconds until this share of the time is over; negative when it is."""
        return self._began + share * self._seconds - time.monotonic()


def motion_limits(arm: ArmModel, settings: MotionSettings) -> tuple[np.ndarray, np.ndarray]:
    """Velocity and acceleration limits [J]."""
    fastest = np.where(arm.max_velocity > 0, arm.max_velocity, settings.default_velocity)
    return settings.velocity_scale * fastest, np.full(len(fastest), settings.max_acceleration)


def _goals(
    arm: ArmModel, goal: Goal, start: np.ndarray, settings: MotionSettings, deadline: _Deadline
) -> list[np.ndarray]:
    """Joint positions that reach the goal, the nearest first; continuous joints go the short way round."""
    if isinstance(goal, ToolPose):
        ends = joints_at(arm, goal, start, GOALS, settings.seed, lambda: deadline.left(FIRST / 2) < 0)
    if isinstance(goal, ToolRegion):
        ends = joints_in(arm, goal, start, settings.count, settings.seed)
    if not isinstance(goal, Mapping):
        _check_away(start, ends[0])
        return ends
    end = arm.checked(goal, "goal")
    endless = np.isinf(arm.lower)
    end[endless] = start[endless] + (end[endless] - start[endless] + TURN / 2) % TURN - TURN / 2
    _check_away(start, end)
    return [end]


def _check_away(start: np.ndarray, end: np.ndarray) -> None:
    """Raises AtGoal where both are the same: OMPL would wander about, and a plan needs two different points."""
    if np.abs(end - start).max() < SLACK:
        raise AtGoal("the robot is there already", thing="goal", cure="name another goal")


class _Search:
    """Collects distinct motions until there are enough or the time is over."""

    def __init__(self, routes: Routes, limits: tuple, deadline: _Deadline, settings: MotionSettings) -> None:
        self._routes, self._limits, self._deadline, self._settings = routes, limits, deadline, settings
        self._ways: list[np.ndarray] = []
        self._random = np.random.default_rng([settings.seed, 12])
        self.found: list[JointPlan] = []

    def run(self, goals: list[np.ndarray]) -> None:
        """Straight ways to every goal first, then detours to those that were reached."""
        start, find = self._routes.start, self._routes.find
        reached: list[np.ndarray] = []
        for goal in goals:
            # The last goal to be tried may take the rest of the time where none was reached.
            left = self._deadline.left(1.0 if goal is goals[-1] and not reached else FIRST)
            if left <= 0 and reached:
                break
            way = find(start, goal, seconds=max(left, LEAST_S))
            if way is None:
                continue
            reached.append(goal)
            if self._enough(way, "RRTConnect"):
                return
        if not reached:
            return
        way = find(start, reached[0], "AORRTC", ANYTIME * self._settings.time_limit_s)
        if way is not None and self._enough(way, "AORRTC"):
            return
        attempt, longest = 0, DETOUR_S / 2
        # One more only where it will be done in time, also on a busy machine.
        while (left := self._deadline.left()) > longest:
            goal, stretch = reached[attempt % len(reached)], STRETCHES[attempt % len(STRETCHES)]
            attempt += 1
            via = self._routes.detour(goal, self._random, stretch)
            way = None if via is None else self._routes.through(via, goal, min(DETOUR_S, left / 2))
            if way is not None and self._enough(way, "detour"):
                return
            longest = max(longest, left - self._deadline.left())

    def _enough(self, way: np.ndarray, planner: str) -> bool:
        """Keep a way if its motion is good and new; whether there are enough now."""
        if any(apart(way, other) < self._settings.min_difference for other in self._ways):
            return False
        motion = self._smooth(way)
        if motion is not None:
            self._ways.append(way)
            self.found.append(motion.plan(self._routes.arm.joint_names, f"{planner}/{len(self.found)}"))
        return len(self.found) >= self._settings.count

    def _smooth(self, way: np.ndarray) -> TimedMotion | None:
        """The motion along a way; None where it leaves the limits or collides however near it keeps to the corners."""
        arm = self._routes.arm
        for spacing in SPACINGS:
            motion = timed(dense(way, spacing), *self._limits)
            positions = np.clip(motion.positions, arm.lower, arm.upper)
            near = np.abs(positions - motion.positions).max() < SLACK
            if near and not any(arm.collides(joints) for joints in positions):
                return replace(motion, positions=positions).kept(*self._limits)
        return None
