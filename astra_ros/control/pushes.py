"""Pushes of an object over a table: to a place behind it by OMPL, then straight on, with the tool pointing down.

The planner knows where the object is and where it should go. It knows no obstacles: which push meets one is what the
world model is asked.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from astra_ros.control.arm_model import ArmModel
from astra_ros.control.motion_candidates import MotionSettings, model_of, motion_limits
from astra_ros.control.planning_errors import NoPath, UnusableState
from astra_ros.control.routes import Routes, dense, without_repeats
from astra_ros.control.time_parameterisation import TimedMotion, timed
from astra_ros.control.tool_goals import NEAR_M, ToolPose, solve_pose
from astra_ros.plans.joint_plan import JointPlan
from astra_ros.rotations import turned
from astra_ros.settings import CheckedSettings, setting

# Directions of a fan of pushes, rad from the direction to the goal, and the share of the way to it.
FAN = (
    (0.0, 1.0),
    (0.0, 0.6),
    (0.5, 0.7),
    (-0.5, 0.7),
    (1.0, 0.6),
    (-1.0, 0.6),
    (0.25, 0.9),
    (-0.25, 0.9),
    (1.6, 0.5),
    (-1.6, 0.5),
)
JITTER_RAD = 0.06
# Pushes elsewhere: anywhere within this angle of the direction to the goal, and as far.
ELSEWHERE_RAD, ELSEWHERE_SHARES = 2.0, (0.3, 1.0)
LEAST_PUSH_M, MOST_PUSH_M = 0.04, 0.25
CLEAR_M = 0.03  # between the object's top and the tool that passes over it
STEP_M = 0.02  # between the tool's places that are solved
APPROACH_S = 0.2
AT_HOME_RAD = 0.05
TURNS_ROUND_RAD = 0.5  # in one joint between two places: the arm would have to change its posture


@dataclass(frozen=True)
class PushSettings(CheckedSettings):
    """How an object is pushed; lengths in m."""

    tool_link: str = setting("", "link whose origin pushes; its z axis points out of the tool, its y axis lies across")
    object_half_m: float = setting(0.035, "half the width of the object", 0.001, 1.0, "m")
    tool_half_m: float = setting(0.01, "half the depth of the tool", 0.0, 0.5, "m")
    gap_m: float = setting(0.035, "between tool and object before the push", 0.0, 0.5, "m")
    height_m: float = setting(0.015, "of the tool over the table while it pushes", 0.0, 1.0, "m")
    travel_m: float = setting(0.17, "of the tool over the table on its way", 0.0, 2.0, "m")
    speed: float = setting(0.25, "m/s, the greatest speed of the tool in a push", 0.01, 2.0, "m/s")
    elsewhere: bool = setting(False, "push at random, up to 115 degrees beside the direction to the goal")
    dead_ends: bool = setting(
        False,
        "push also to where the arm cannot push the object straight on to the goal, though other pushes are possible",
    )

    @property
    def touching_m(self) -> float:
        """From the object's centre to the tool's while the tool pushes."""
        return self.object_half_m + self.tool_half_m


def plan_pushes(
    initial: Mapping[str, float],
    places: tuple[np.ndarray, np.ndarray],
    urdf: str,
    settings: MotionSettings,
    pushing: PushSettings,
) -> list[JointPlan]:
    """Up to ``settings.count`` pushes from where the arm is: towards the goal, and beside that direction.

    Dead ends come only where nothing else is found: pushes to where the arm could not push the object straight on to
    the goal (see ``PushSettings.dead_ends``). That is asked of the place where the object ends if it goes as planned.

    Args:
        initial: joint -> rad at the start; any place of the arm that is free of collisions.
        places: [2] m each, in the plane of the table and the frame of the robot's base: where the object is, and where
            it should be.

    Raises:
        KinematicsError, PlanningError: as ``plan_motions``; NoPath where no push can be planned.
    """
    thing, goal = (np.asarray(place, np.float64)[:2] for place in places)
    if not np.isfinite([thing, goal]).all():
        raise UnusableState("a place of the object is not finite", thing="goal", cure="give x and y in m")
    arm = model_of(initial, ToolPose(pushing.tool_link, (0.0, 0.0, 0.0)), urdf, settings)
    start = arm.checked(initial, "start")
    maker = _Pushes(arm, start, settings, pushing)
    random = np.random.default_rng([settings.seed, 14])
    motions: list[TimedMotion] = []
    last_ones: list[TimedMotion] = []
    ends_s = time.monotonic() + settings.time_limit_s
    for index in range(3 * settings.count):
        if time.monotonic() > ends_s:
            break
        if pushing.elsewhere:
            aim, share = random.uniform(-ELSEWHERE_RAD, ELSEWHERE_RAD), random.uniform(*ELSEWHERE_SHARES)
        else:
            aim, share = FAN[index % len(FAN)]
            aim += random.normal(0.0, JITTER_RAD) * (index > 0)
        begin, end = _push(thing, goal, aim, share, pushing)
        motion = maker.motion(begin, end)
        if motion is None:
            continue
        if not pushing.dead_ends and not maker.can_go_on(motion.positions[-1], begin, end, goal):
            last_ones.append(motion)
            continue
        motions.append(motion)
        if len(motions) == settings.count:
            break
    motions = motions or last_ones[: settings.count]
    if not motions:
        cure = "bring the object within the arm's reach"
        raise NoPath("no push can be planned from here", thing="goal", cure=cure, seconds=settings.time_limit_s)
    return [motion.plan(arm.joint_names, f"push/{index}") for index, motion in enumerate(motions)]


def plan_retreat(
    initial: Mapping[str, float], home: Mapping[str, float], urdf: str, settings: MotionSettings, pushing: PushSettings
) -> JointPlan | None:
    """Straight up to the height of travel, then home; None where the arm is at home.

    Where the arm cannot lift the tool straight, it goes home at once. The way knows the arm and the floor
    (``settings.use_floor``), and nothing else that stands there.

    Args:
        initial, home: joint -> rad; any places of the arm that are free of collisions.

    Raises:
        KinematicsError, PlanningError: as ``plan_motions``.
    """
    arm = model_of(initial, ToolPose(pushing.tool_link, (0.0, 0.0, 0.0)), urdf, settings)
    start = arm.checked(initial, "start")
    end = arm.checked({**initial, **home}, "goal")
    if np.abs(end - start).max() < AT_HOME_RAD:
        return None
    motion = _Pushes(arm, start, settings, pushing).retreat(end)
    if motion is None:
        raise NoPath("no way home was found", thing="goal", cure="move the arm by hand", seconds=APPROACH_S)
    return motion.plan(arm.joint_names, "retreat")


def _push(thing: np.ndarray, goal: np.ndarray, turn: float, share: float, pushing: PushSettings):
    """The tool's way, from and to [2] m."""
    away = goal - thing
    distance = float(np.linalg.norm(away))
    straight = away / distance if distance > 1e-6 else np.array([1.0, 0.0])
    aim = turned(straight, turn)
    back = pushing.touching_m
    length = float(np.clip(share * distance, LEAST_PUSH_M, MOST_PUSH_M))
    if share == 1.0:
        length = min(distance, MOST_PUSH_M)
    return thing - (back + pushing.gap_m) * aim, thing + (length - back) * aim


class _Pushes:
    """Turns tool ways into motions of one arm from one start."""

    def __init__(self, arm: ArmModel, start: np.ndarray, settings: MotionSettings, pushing: PushSettings) -> None:
        self._arm, self._start, self._pushing = arm, start, pushing
        self._frame = arm.frame(pushing.tool_link)
        self._limits = motion_limits(arm, settings)
        self._lift = self._up(2 * pushing.object_half_m + CLEAR_M)
        self._routes = Routes(arm, start, settings.seed)

    def motion(self, begin: np.ndarray, end: np.ndarray) -> TimedMotion | None:
        """Up over the object, to above ``begin``, down, to ``end``; None where the arm cannot do it."""
        way = None if self._lift is None else self._push_from(self._lift[-1], begin, end)
        if self._lift is None or way is None:
            return None
        down, push = way
        there = self._to(self._lift, down[0])
        if there is None:
            return None
        there = without_repeats(np.concatenate([there, down]))
        return self._free(_joined([timed(there, *self._limits), self._slow(timed(push, *self._limits))]))

    def retreat(self, home: np.ndarray) -> TimedMotion | None:
        """Up to the height of travel, as slowly as it pushes, and on to joints [J]; None without a way.

        Where the arm cannot lift the tool straight, all of the way is as slow.
        """
        lift = self._up(self._pushing.travel_m)
        way = self._to(self._start[None] if lift is None else lift[-1:], home)
        if way is None:
            return None
        motion = timed(without_repeats(way), *self._limits)
        if lift is None:
            return self._free(self._slow(motion))
        parts = [motion] if len(lift) == 1 else [self._slow(timed(lift, *self._limits)), motion]
        return self._free(_joined(parts))

    def _to(self, lift: np.ndarray, end: np.ndarray) -> np.ndarray | None:
        """Joints [N, J] along ``lift``, and from its last ones to ``end``."""
        route = self._routes.find(lift[-1], end, seconds=APPROACH_S)
        return None if route is None else np.concatenate([lift, dense(route, 0.2)])

    def _free(self, motion: TimedMotion) -> TimedMotion | None:
        """The motion where it keeps the limits and touches nothing."""
        inside = self._arm.inside(motion.positions)
        return motion if inside and not any(map(self._arm.collides, motion.positions)) else None

    def _push_from(
        self, joints: np.ndarray, begin: np.ndarray, end: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray] | None:
        """Joints [N, J] of the tool's way down to ``begin``, and on to ``end``, in the posture nearest to ``joints``.

        The first ones are above ``begin``; None where the arm cannot do it.
        """
        rotation = self._rotation(end - begin, joints)
        low, high = self._pushing.height_m, self._pushing.travel_m
        above = self._reach(np.array([*begin, high]), rotation, joints)
        down = None if above is None else self._along(np.array([[*begin, high], [*begin, low]]), rotation, above)
        push = None if down is None else self._along(np.array([[*begin, low], [*end, low]]), rotation, down[-1])
        return None if down is None or push is None else (down, push)

    def _up(self, height_m: float) -> np.ndarray | None:
        """Joints [N, J] from the start straight up to a height over the table; the start alone if the tool is higher.

        After a push the tool stands beside the object. A way from there to its other side would go through it. None
        where the arm cannot lift the tool.
        """
        pose = self._arm.pose(self._start, self._frame)
        x, y, now_m = pose[:3, 3]
        if now_m >= height_m - NEAR_M:  # nearer, the arm would stay where it is, and a way of no length has no times
            return self._start[None]
        return self._along(np.array([[x, y, now_m], [x, y, height_m]]), pose[:3, :3], self._start)

    def can_go_on(self, joints: np.ndarray, begin: np.ndarray, end: np.ndarray, goal: np.ndarray) -> bool:
        """Whether the arm can get behind the object again after a push, and push it straight on to the goal.

        An arm whose tool points down does not reach close to its base, so an object that was pushed there stays there.

        Args:
            joints: at the end of the push, where the tool is at ``end``, coming from ``begin`` [2] m.
        """
        thing = end + self._pushing.touching_m * (end - begin) / np.linalg.norm(end - begin)
        if np.linalg.norm(goal - thing) < LEAST_PUSH_M:
            return True
        return self._push_from(joints, *_push(thing, goal, 0.0, 1.0, self._pushing)) is not None

    def _along(self, places: np.ndarray, rotation: np.ndarray, begin: np.ndarray) -> np.ndarray | None:
        """Joints [N, J] from ``begin``, where the tool is at the first place, to the others [., 3] m; or None."""
        way = [begin]
        for place in dense(places, STEP_M)[1:]:
            joints = self._reach(place, rotation, way[-1])
            if joints is None or np.abs(joints - way[-1]).max() > TURNS_ROUND_RAD:
                return None
            way.append(joints)
        return np.stack(way)

    def _reach(self, place: np.ndarray, rotation: np.ndarray, begin: np.ndarray) -> np.ndarray | None:
        joints, _ = solve_pose(self._arm, self._frame, place, rotation, begin)
        return None if joints is None or self._arm.collides(joints) else joints

    def _rotation(self, along: np.ndarray, joints: np.ndarray) -> np.ndarray:
        """[3, 3] of a tool that points down, its broad side across the push: of the two, the nearer to ``joints``."""
        now = self._arm.pose(joints, self._frame)
        yaw, here = np.arctan2(along[1], along[0]), np.arctan2(now[1, 0], now[0, 0])
        yaw = here + (yaw - here + np.pi / 2) % np.pi - np.pi / 2
        c, s = np.cos(yaw), np.sin(yaw)
        return np.array([[c, s, 0.0], [s, -c, 0.0], [0.0, 0.0, -1.0]])

    def _slow(self, motion: TimedMotion) -> TimedMotion:
        """The motion with the tool at most as fast as it may push."""
        tool = np.array([self._arm.pose(joints, self._frame)[:3, 3] for joints in motion.positions])
        fastest = float(np.linalg.norm(np.diff(tool, axis=0), axis=1).max() / motion.times_s[1])
        return motion.slowed(max(1.0, fastest / self._pushing.speed))


def _joined(parts: list[TimedMotion]) -> TimedMotion:
    """One motion after the other; each starts and ends at rest."""
    whole = parts[0]
    for part in parts[1:]:
        times = np.concatenate([whole.times_s, whole.times_s[-1] + part.times_s[1:]])
        columns = (
            np.concatenate([getattr(whole, name), getattr(part, name)[1:]])
            for name in ("positions", "velocities", "accelerations")
        )
        whole = TimedMotion(times, *columns)
    return whole
