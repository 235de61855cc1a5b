"""A planner's stand-in: varied pushes for a scene, good ones and bad ones, and random play.

Every candidate starts and ends at the arm's ready pose and takes ``PLAN_S``. A push goes over the table to a point
behind the cube, down, along, up and back.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from astra_ros.plans.durations import PLAN_S
from astra_ros.plans.joint_plan import JointPlan
from astra_ros.rotations import turned
from astra_ros.simulation.arm.inverse_kinematics import ArmKinematics, tool_yaw
from astra_ros.simulation.arm.scene import CUBE_SIDE_M, OBSTACLE_RADIUS_M
from astra_ros.simulation.arm.world import ArmState, ArmWorld
from astra_ros.simulation.candidate_mix import mixed

# Distance between a plan's points; finer than the model's step, so that it needs no luck.
POINT_SECONDS = 0.125
# Over the obstacle, which is 0.15 m high.
TRAVEL_HEIGHT_M = 0.17
# The pushing face is this far before the tool's point (half a finger's or the paddle's depth).
TOOL_HALF_DEPTH_M = 0.01
# Share of a motion that speeds up, and as much that slows down.
RAMP = 0.25

# One of each until ``count`` is reached, then again in this order; the seed shuffles the result.
KINDS = (
    "push",
    "push_offset",
    "push_short",
    "hit_obstacle",
    "miss",
    "push",
    "push_wrong",
    "random",
    "push_far",
    "push_offset",
)


@dataclass(frozen=True)
class Push:
    """A push in the table plane, m, world frame: the tool's path from ``begin`` to ``end``."""

    begin: np.ndarray
    end: np.ndarray


def propose(world: ArmWorld, count: int, seed: int) -> list[tuple[str, JointPlan]]:
    """Candidate plans for the world's scene as it is now.

    Returns:
        ``count`` of (kind, plan), named ``candidates/0`` and so on. Kinds: ``push`` aims well, ``push_offset`` beside
        the cube's middle, ``push_short`` and ``push_far`` stop early or late, ``push_wrong`` goes elsewhere,
        ``hit_obstacle`` goes into the obstacle, ``miss`` passes the cube, ``random`` ignores it.
    """
    rng = np.random.default_rng([seed, 3])
    state = world.state()
    plans = []
    for i, kind in enumerate(mixed(KINDS, count, 6, rng)):
        name = f"candidates/{i}"
        if kind == "random":
            plan = _random_and_back(world, state, rng, name)
        else:
            plan = _push_plan(world, _push(kind, world, state, rng), name)
        plans.append((kind, plan))
    return plans


def random_play(world: ArmWorld, duration_s: float, seed: int) -> JointPlan:
    """Smooth random motion from the arm's current command on: between random points, mostly low, often at the cube."""
    rng = np.random.default_rng([seed, 4])
    state = world.state()
    points, yaws = _wander(world, state, duration_s, rng)
    return _solved(world, points, yaws, state.commanded_positions, duration_s, "random_play")


def _push(kind: str, world: ArmWorld, state: ArmState, rng: np.random.Generator) -> Push:
    """The tool's path of one push of this kind."""
    cube, goal = state.object_position[:2], state.goal_position[:2]
    obstacle = state.obstacle_position[:2]
    distance = float(np.linalg.norm(goal - cube))
    toward = (goal - cube) / max(distance, 1e-6)
    aim, reach, side = toward, distance, 0.0
    if kind == "push":
        aim = turned(toward, rng.normal(0.0, 0.04))
        side = rng.normal(0.0, 0.003)
        reach = distance * rng.uniform(0.93, 1.05)
    elif kind == "push_offset":
        side = rng.choice([-1.0, 1.0]) * rng.uniform(0.02, 0.05)
    elif kind == "push_short":
        reach = distance * rng.uniform(0.25, 0.75)
    elif kind == "push_far":
        reach = distance * rng.uniform(1.3, 1.7)
    elif kind == "push_wrong":
        aim = turned(toward, rng.choice([-1.0, 1.0]) * rng.uniform(0.6, 2.8))
        reach = rng.uniform(0.08, 0.2)
    elif kind == "miss":
        side = rng.choice([-1.0, 1.0]) * rng.uniform(0.09, 0.14)
        reach = rng.uniform(0.1, 0.25)
    elif kind == "hit_obstacle":
        aim = _unit(obstacle - cube)
        gap = float(np.linalg.norm(obstacle - cube))
        reach = gap - OBSTACLE_RADIUS_M - CUBE_SIDE_M / 2 + rng.uniform(0.02, 0.06)
        if gap > 0.3 or rng.random() < 0.4:  # the hand itself goes into the obstacle
            begin = obstacle - 0.13 * turned(aim, rng.uniform(-1.0, 1.0))
            return _within(world, Push(begin, obstacle + 0.02 * aim))
    back = CUBE_SIDE_M / 2 + TOOL_HALF_DEPTH_M + rng.uniform(0.03, 0.05)
    across = np.array([-aim[1], aim[0]])
    begin = cube - back * aim + side * across
    end = cube + (reach - CUBE_SIDE_M / 2 - TOOL_HALF_DEPTH_M) * aim + side * across
    return _within(world, Push(begin, end))


def _within(world: ArmWorld, push: Push) -> Push:
    """The push with every point pulled into the arm's reach."""
    return Push(_pulled(world, push.begin), _pulled(world, push.end))


def _pulled(world: ArmWorld, point: np.ndarray) -> np.ndarray:
    nearest, farthest = world.spec.reach_m
    radius = float(np.linalg.norm(point))
    point = point * np.clip(radius, nearest, farthest) / max(radius, 1e-6)
    return np.array([max(point[0], 0.3), np.clip(point[1], -0.45, 0.45)])


def _push_plan(world: ArmWorld, push: Push, name: str) -> JointPlan:
    """Over, down, push, up and home, as joint positions."""
    kinematics, spec = world.kinematics, world.spec
    home_pose = kinematics.forward(spec.ready)
    home, home_yaw = home_pose[:3, 3], tool_yaw(home_pose)
    low, high = spec.push_height_m, TRAVEL_HEIGHT_M
    direction = push.end - push.begin
    yaw = _half_turn_nearest(float(np.arctan2(direction[1], direction[0])), home_yaw)
    places = [
        (home, home_yaw),
        (np.array([*push.begin, high]), yaw),
        (np.array([*push.begin, low]), yaw),
        (np.array([*push.end, low]), yaw),
        (np.array([*push.end, high]), yaw),
        (home, home_yaw),
    ]
    # Each leg gets its share of the time by how far the tool moves and turns on it.
    legs = [
        np.linalg.norm(there - here) + 0.25 * abs(yaw_there - yaw_here) + 0.12
        for (here, yaw_here), (there, yaw_there) in zip(places, places[1:])
    ]
    ends = np.concatenate([[0.0], np.cumsum(legs)]) / sum(legs) * PLAN_S
    knots = [(time, point, yaw) for time, (point, yaw) in zip(ends, places)]
    times = _times(PLAN_S)
    points, yaws = _through(knots, times)
    return _solved(world, points, yaws, spec.ready, PLAN_S, name, ends_at_ready=True)


def _random_and_back(world: ArmWorld, state: ArmState, rng, name: str) -> JointPlan:
    """Random play that starts and ends at ready."""
    home_pose = world.kinematics.forward(world.spec.ready)
    points, yaws = _wander(world, state, PLAN_S, rng, home_pose)
    return _solved(world, points, yaws, world.spec.ready, PLAN_S, name, ends_at_ready=True)


def _wander(world: ArmWorld, state: ArmState, duration_s: float, rng, home_pose=None):
    """Tool points [N, 3] and yaws [N] of random motion, at the plan's times."""
    closed = home_pose is not None
    first = home_pose if closed else world.kinematics.forward(state.commanded_positions)
    rest_yaw = tool_yaw(world.kinematics.forward(world.spec.ready))
    (x0, x1), (y0, y1) = world.settings.scene.x_range, world.settings.scene.y_range
    knots = [(0.0, first[:3, 3], tool_yaw(first))]
    time = 0.0
    while time < duration_s:
        draw = rng.random()
        if draw < 0.45:
            place = state.object_position[:2] + rng.normal(0.0, 0.06, 2)
        elif draw < 0.55:
            place = state.obstacle_position[:2] + rng.normal(0.0, 0.06, 2)
        else:
            place = np.array([rng.uniform(x0, x1), rng.uniform(y0, y1)])
        low = world.spec.push_height_m
        height = low + (rng.uniform(0.0, 0.03) if rng.random() < 0.7 else rng.uniform(0.0, 0.22))
        point = np.array([*_pulled(world, place), height])
        yaw = rest_yaw + rng.uniform(-1.3, 1.3)
        far = float(np.linalg.norm(point - knots[-1][1]))
        pace = max(far / rng.uniform(0.2, 0.4), abs(yaw - knots[-1][2]) / 1.0, 0.4)
        time += pace
        knots.append((time, point, yaw))
    if closed:
        knots = [knot for knot in knots if knot[0] < duration_s - 1.1]
        knots.append((duration_s, first[:3, 3], tool_yaw(first)))
    return _through(knots, _times(duration_s))


def _times(duration_s: float) -> np.ndarray:
    count = max(2, int(np.ceil(duration_s / POINT_SECONDS - 1e-9)) + 1)
    return np.linspace(0.0, duration_s, count)


def _through(knots, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points [N, 3] and yaws [N] at ``times``, halting softly at each knot (time, point, yaw)."""
    knot_times = np.array([knot[0] for knot in knots])
    values = np.array([[*knot[1], knot[2]] for knot in knots], dtype=np.float64)
    i = np.clip(np.searchsorted(knot_times, times, side="right") - 1, 0, len(knots) - 2)
    share = np.clip((times - knot_times[i]) / (knot_times[i + 1] - knot_times[i]), 0.0, 1.0)
    share = _eased(share)[:, None]
    path = values[i] * (1.0 - share) + values[i + 1] * share
    return path[:, :3], path[:, 3]


def _solved(world, points, yaws, start, duration_s, name, ends_at_ready=False) -> JointPlan:
    """Joint positions along the tool's path, joined exactly to where it starts and ends."""
    kinematics: ArmKinematics = world.kinematics
    joints, _ = kinematics.solve_path(points, yaws, start)
    times = _times(duration_s)
    # What the solver rounded off at the ends is spread over the plan.
    share = (times / duration_s)[:, None]
    joints += (1.0 - share) * (np.asarray(start) - joints[0])
    if ends_at_ready:
        joints += share * (np.asarray(world.spec.ready) - joints[-1])
    joints = np.clip(joints, kinematics.lower, kinematics.upper)
    return JointPlan(world.joint_names, times, joints, name=name)


def _eased(share: np.ndarray) -> np.ndarray:
    """0..1 to 0..1 with constant acceleration, speed and deceleration."""
    top = 1.0 / (1.0 - RAMP)
    early = 0.5 * top * share**2 / RAMP
    late = 1.0 - 0.5 * top * (1.0 - share) ** 2 / RAMP
    return np.where(share < RAMP, early, np.where(share > 1.0 - RAMP, late, top * (share - RAMP / 2)))


def _half_turn_nearest(yaw: float, reference: float) -> float:
    """``yaw`` or its opposite, whichever is nearer: the pushing face has two sides."""
    return reference + float((yaw - reference + np.pi / 2) % np.pi - np.pi / 2)


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / max(float(np.linalg.norm(vector)), 1e-9)
