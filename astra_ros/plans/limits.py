"""Hard limits of joints and bases, and the plans that break them: numbers that are checked before anything is imagined.

What happens between two points of a plan is not known. Differences of positions are means, so they never exceed what
the robot would really do: a plan that breaks a limit by them breaks it for sure, the reverse does not hold.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from astra_ros.plans.errors import Breach, BrokenLimit
from astra_ros.plans.joint_plan import JointPlan
from astra_ros.plans.turns import unwrapped, written_in_one_turn
from astra_ros.plans.velocity_plan import VelocityPlan
from astra_ros.settings import CheckedSettings, setting
from astra_ros.texts import listed, short

# What plans may be beyond a position limit: a calibration, a finger's noise.
POSITION_SLACK = {"rad": 5e-3, "m": 5e-4}
# The share by which other values may exceed their limit: planners that use a limit fully round times and positions.
RATE_SLACK = 0.01
SLOWER = "slow the plan down: time-parameterise it with the robot's limits"


@dataclass(frozen=True)
class JointLimits:
    """The hard limits of one joint; infinite where not known.

    ``unit`` is "rad", or "m" for sliding joints; velocity is in unit/s, acceleration in unit/s^2.
    """

    lower: float = -math.inf
    upper: float = math.inf
    velocity: float = math.inf
    acceleration: float = math.inf
    unit: str = "rad"


@dataclass(frozen=True)
class LimitSettings(CheckedSettings):
    """Which limits plans are checked against. Those of joints come from the robot's description where it has them."""

    enabled: bool = setting(
        True,
        "whether plans are checked against the limits that are known, before they are imagined; a plan that breaks one "
        "is vetoed and not imagined. Position and velocity limits of joints come from robot_description",
    )
    joint_velocity: float = setting(
        0.0,
        "largest velocity of joints whose description names none, rad/s (m/s for sliding joints)",
        1e-6,
        1e6,
        "rad/s",
        "not checked",
    )
    joint_acceleration: float = setting(
        0.0,
        "largest acceleration of joints whose description names none, rad/s^2 (m/s^2 for sliding joints); URDF has had "
        "such limits since version 1.2 only",
        1e-6,
        1e6,
        "rad/s^2",
        "not checked",
    )
    speed: float = setting(0.0, "largest speed of a base or camera, m/s", 1e-6, 1e6, "m/s", "not checked")
    turn_rate: float = setting(0.0, "largest turn rate of a base or camera, rad/s", 1e-6, 1e6, "rad/s", "not checked")
    acceleration: float = setting(
        0.0, "largest linear acceleration of a base or camera, m/s^2", 1e-6, 1e6, "m/s^2", "not checked"
    )
    turn_acceleration: float = setting(
        0.0, "largest angular acceleration of a base or camera, rad/s^2", 1e-6, 1e6, "rad/s^2", "not checked"
    )

    def of_joint(self, known: JointLimits) -> JointLimits:
        """A joint's limits, with those of the settings where the description names none."""
        velocity = known.velocity if math.isfinite(known.velocity) else self.joint_velocity or math.inf
        acceleration = known.acceleration if math.isfinite(known.acceleration) else self.joint_acceleration or math.inf
        return JointLimits(known.lower, known.upper, velocity, acceleration, known.unit)


def check_joint_plan(
    plan: JointPlan, known: Mapping[str, JointLimits], settings: LimitSettings, turning: Collection[str] = ()
) -> None:
    """Checks a plan as it came, all its joints and points.

    Velocities and accelerations are those that the plan states, and also the differences of its positions (of its
    velocities for accelerations, where it states those).

    Args:
        known: joint -> its limits by the robot's description; other joints have none but those of the settings.
        turning: joints that turn without end, whose angles may be written modulo 2 pi.

    Raises:
        BrokenLimit: a limit is broken. It names the joint that goes farthest beyond; positions before velocities before
            accelerations.
    """
    limits = [settings.of_joint(known.get(name, JointLimits())) for name in plan.joint_names]
    _check_positions(plan, limits)
    times, steps_s = plan.times_s, np.diff(plan.times_s)
    ways = [
        unwrapped(way) if name in turning and written_in_one_turn(way) else way
        for name, way in zip(plan.joint_names, plan.positions.T)
    ]
    means = np.diff(np.stack(ways, axis=1), axis=0) / steps_s[:, None]  # [N - 1, J]
    velocities, accelerations = [(times[1:], means)], []
    if plan.velocities is None:
        between_s = (steps_s[1:] + steps_s[:-1]) / 2
        accelerations.append((times[1:-1], np.diff(means, axis=0) / between_s[:, None]))
    else:
        velocities.append((times, plan.velocities))
        accelerations.append((times[1:], np.diff(plan.velocities, axis=0) / steps_s[:, None]))
    if plan.accelerations is not None:
        accelerations.append((times, plan.accelerations))
    for kind, ending, samples in (("velocity", "/s", velocities), ("acceleration", "/s^2", accelerations)):
        joints = zip(plan.joint_names, limits)
        bounds = [_Bound(kind, name, one.unit + ending, getattr(one, kind)) for name, one in joints]
        _check_rates(plan.title, bounds, samples)


def check_velocity_plan(plan: VelocityPlan, settings: LimitSettings, now: np.ndarray | None = None) -> None:
    """Checks a plan as it came, all its rows. Speeds and turn rates are lengths of vectors.

    Args:
        now: [D] the velocity at the plan's start, in its columns, from which the first row accelerates; None: unknown.

    Raises:
        BrokenLimit: a limit is broken, velocities before accelerations.
    """
    rows, times = plan.velocities, np.arange(len(plan.velocities)) * plan.dt_s
    changes, since = np.diff(rows, axis=0) / plan.dt_s, times[1:]
    if now is not None:
        changes, since = np.concatenate([(rows[:1] - now) / plan.dt_s, changes]), times
    for kind, unit, prefix, at, vectors in (
        ("speed", "m/s", "linear.", times, rows),
        ("turn_rate", "rad/s", "angular.", times, rows),
        ("acceleration", "m/s^2", "linear.", since, changes),
        ("turn_acceleration", "rad/s^2", "angular.", since, changes),
    ):
        columns = [index for index, name in enumerate(plan.motion_names) if name.startswith(prefix)]
        bound = _Bound(kind, listed(plan.motion_names[k] for k in columns), unit, getattr(settings, kind) or math.inf)
        _check_rates(plan.title, [bound], [(at, np.linalg.norm(vectors[:, columns], axis=1, keepdims=True))])


class _Bound(NamedTuple):
    """The limit of one column."""

    kind: str
    column: str
    unit: str
    limit: float


def _check_positions(plan: JointPlan, limits: Sequence[JointLimits]) -> None:
    """Raises BrokenLimit for the joint that is farthest beyond its range, as a share of what may be."""
    lower, upper = np.array([one.lower for one in limits]), np.array([one.upper for one in limits])
    slack = np.array([POSITION_SLACK[one.unit] for one in limits])
    beyond = np.maximum(lower - plan.positions, plan.positions - upper) / slack
    point, column = divmod(int(np.argmax(beyond)), len(limits))
    if beyond[point, column] <= 1.0:
        return
    one, value = limits[column], float(plan.positions[point, column])
    end, which = (one.lower, "lower") if value < one.lower else (one.upper, "upper")
    breach = Breach("position", plan.joint_names[column], float(plan.times_s[point]), value, end, one.unit)
    problem = f"it takes {short(breach.column)} to {value:.4g} {one.unit} at {breach.time_s:.2f} s"
    problem += f", beyond its {which} limit of {end:.4g} {one.unit}"
    raise _broken(plan.title, problem, breach, "plan within the limits, or correct them in the robot's description")


def _check_rates(title: str, bounds: Sequence[_Bound], samples: Sequence[tuple[np.ndarray, np.ndarray]]) -> None:
    """Raises BrokenLimit for the greatest share of a limit, of rates [M, C] at times [M]."""
    limits, most, worst = np.array([bound.limit for bound in bounds]), 1.0 + RATE_SLACK, None
    for times, rates in samples:
        shares = np.abs(rates) / limits
        if shares.size and shares.max() > most:
            row, column = divmod(int(np.argmax(shares)), len(bounds))
            kind, name, unit, limit = bounds[column]
            worst = Breach(kind, name, float(times[row]), float(abs(rates[row, column])), limit, unit)
            most = shares[row, column]
    if worst is not None:
        problem = f"its {worst.kind.replace('_', ' ')} of {short(worst.column)} is {worst.value:.4g} {worst.unit}"
        problem += f" at {worst.time_s:.2f} s; the limit is {worst.limit:.4g}"
        raise _broken(title, problem, worst, SLOWER)


def _broken(title: str, problem: str, breach: Breach, cure: str) -> BrokenLimit:
    facts = {"column": breach.column, "found": breach.value, "limit": breach.limit}
    return BrokenLimit(
        problem, thing=title, cure=cure, kind=breach.kind, time_s=breach.time_s, unit=breach.unit, **facts
    )
