"""Random play and candidate plans, good and bad, of the rover and the drone."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

import numpy as np

from astra_ros.plans.durations import PLAN_S, STEP_S
from astra_ros.plans.velocity_plan import VelocityPlan
from astra_ros.simulation.explore.behaviours import BEHAVIOURS, DRIVING, FLYING, FREEING
from astra_ros.simulation.explore.courses import MARGIN_M, Course, course_plan, path
from astra_ros.simulation.explore.robots import advanced
from astra_ros.simulation.explore.visibility import Situation, area, seen_floor

# Courses that ``explore`` chooses from.
TRIALS = 10

# One of each until ``count`` is reached, then again in this order; the seed shuffles the result.
KINDS = (
    "explore", "bump", "turn", "stand", "doorway", "face_wall", "go", "wander", "back_up", "curve",
)  # fmt: skip
FLYING_KINDS = (
    "explore", "bump", "turn", "stand", "strafe", "doorway", "face_wall", "look", "orbit", "wander",
    "climb", "go", "back_up", "bank",
)  # fmt: skip


class Explorer(Protocol):
    """A world whose robot's situation can be read, such as ``ExploreWorld``."""

    @property
    def situation(self) -> Situation: ...


def play(situation: Situation, rng: np.random.Generator, seconds: float) -> tuple[str, VelocityPlan]:
    """A random behaviour's name and its plan, at least ``seconds`` long; collisions are among them."""
    count = max(1, int(np.ceil(seconds / STEP_S - 1e-9)))
    shares = FLYING if situation.spec.flies else DRIVING
    # Against a wall, mostly choose a behaviour that frees the robot.
    if situation.contact and rng.random() < 0.8:
        shares = FREEING
    known, chances = list(shares), np.array(list(shares.values()))
    drawn = rng.choice(len(known), size=6, p=chances / chances.sum())
    # Take the first one that is possible here; a turn always is.
    for name in (*(known[i] for i in drawn), "turn"):
        course = BEHAVIOURS[name](situation, rng, count)
        if course is not None:
            break
    assert course is not None
    return name, course_plan(situation, course, name)


def propose(world: Explorer, count: int, seed: int) -> list[tuple[str, VelocityPlan]]:
    """Candidate plans of ``PLAN_S`` from where the robot is now.

    Returns:
        ``count`` of (kind, plan). ``explore`` is the free course, of ``TRIALS``, that shows the most new floor.
        ``bump`` runs into something, ``face_wall`` and ``stand`` see nothing new, and the others are the keys of
        ``BEHAVIOURS``. ``turn`` or ``wander`` replaces a kind that is impossible here, such as ``doorway`` without a
        door in view. Plans are named ``candidates/0`` to ``candidates/K-1``.
    """
    situation = world.situation
    rng = np.random.default_rng([seed, 16])
    kinds = _kinds(FLYING_KINDS if situation.spec.flies else KINDS, count, rng)
    rows = round(PLAN_S / STEP_S)
    plans = []
    for i, kind in enumerate(kinds):
        course = (_explore if kind == "explore" else BEHAVIOURS[kind])(situation, rng, rows)
        if course is None:
            kind = ("turn", "wander")[int(rng.integers(2))]
            course = BEHAVIOURS[kind](situation, rng, rows)
        assert course is not None  # a turn or wandering is always possible
        plans.append((kind, course_plan(situation, course, f"candidates/{i}")))
    return plans


def _kinds(names: tuple[str, ...], count: int, rng) -> list[str]:
    """A shuffled mix, ``explore`` in it; ``stand`` once only, since it is always the same plan."""
    again = tuple(name for name in names if name != "stand")
    kinds = list(names)
    while len(kinds) < count:
        kinds += again
    kinds = kinds[:count]
    return [kinds[i] for i in rng.permutation(count)]


def _explore(situation: Situation, rng, count: int) -> Course | None:
    """The free course, of some random ones, that shows the most new floor."""
    before = seen_floor(situation)
    best, most = None, -1.0
    kinds = ("go", "doorway", "curve", "turn")
    for i in range(TRIALS):
        course = BEHAVIOURS[kinds[i % len(kinds)]](situation, rng, count)
        if course is None:
            continue
        if min(situation.solids.clearance(path(situation, course))) < (situation.spec.radius_m + MARGIN_M / 2.0):
            continue
        new = area(_seen_along(situation, course_plan(situation, course)) & ~before)
        if new > most:
            best, most = course, new
    return best


def _seen_along(situation: Situation, plan: VelocityPlan) -> np.ndarray:
    """Floor cells seen at every second of a plan without contact."""
    pose, every = situation.pose, round(1.0 / plan.dt_s)
    seen = np.zeros((), dtype=bool)
    for i, row in enumerate(plan.velocities, start=1):
        pose = advanced(pose, situation.spec.twist(row), plan.dt_s)
        if i % every == 0:
            seen = seen | seen_floor(replace(situation, pose=pose))
    return seen
