"""Compares the frames that come while a plan is executed with those that were imagined of it.

The time of every frame is given, so there is no clock here. A robot that does not follow its plan is no fault of the
model: the comparison ends where the joints are elsewhere.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from astra_ros.inference.prediction_limit import WINDOW, PredictionLimit, frame_error, ratio
from astra_ros.plans.plan import Plan

NANOSECONDS = 1_000_000_000
# A joint that is this far from where the plan had it around that time is not following it, rad or m.
FOLLOWS = 0.15
# What the expected error is multiplied with follows the plans by this share, each the ratio of its whole way.
LEARNS, MOST_FACTOR, LEAST_FRAMES = 0.2, 3.0, 8


@dataclass(frozen=True, eq=False)
class ExecutedPlan:
    """A plan that is executed, and what was imagined of it.

    Attributes:
        plan: columns in any order.
        begins_ns: when it begins, on the clock of the frames.
        dt_s: between two steps.
        imagined: float32 [N + 1, C, h, w]; step 0 is what was seen at the beginning.
        expected: [N + 1] RMS errors that the model expects.
    """

    space: str
    plan: Plan
    begins_ns: int
    dt_s: float
    imagined: np.ndarray = field(repr=False)
    expected: np.ndarray = field(repr=False)

    def step_of(self, stamp_ns: int) -> float:
        """The time of a frame in steps from the plan's beginning."""
        return (stamp_ns - self.begins_ns) / (self.dt_s * NANOSECONDS)

    def compared_step(self, stamp_ns: int) -> int | None:
        """The step at which a frame of this time is compared, from 1 on; None before the plan and after it."""
        step = self.step_of(stamp_ns)
        nearest = min(math.floor(step + 0.5), len(self.imagined) - 1)
        return nearest if nearest >= 1 and step < len(self.imagined) else None

    def strays(self, step: float, joints: Mapping[str, float]) -> str:
        """The joint that is furthest from the plan, where that is more than `FOLLOWS`, in words; else ''."""
        names = [name for name in self.plan.motion_names if name in joints]
        if len(names) < len(self.plan.motion_names):
            return "the positions of its joints are not known"
        times_s = np.clip(step + np.linspace(-1.0, 1.0, 9), 0.0, None) * self.dt_s
        there = np.array([joints[name] for name in names])
        away = np.abs(self.plan.motion(times_s, there) - there)
        nearest = away[np.argmin(away.max(axis=1))]
        worst = int(np.argmax(nearest))
        return f"joint '{names[worst]}' is {nearest[worst]:.2f} from it" if nearest[worst] > FOLLOWS else ""


@dataclass(frozen=True)
class FrameComparison:
    """One frame against the imagined one.

    Attributes:
        stamp_ns: of the frame.
        time_s: since the plan's beginning.
        error, expected: RMS of the latent's error, and what the model expected.
        over_window: error to expected error over the last `WINDOW` frames; None before there are as many.
    """

    stamp_ns: int
    time_s: float
    error: float
    expected: float
    over_window: float | None

    @property
    def ratio(self) -> float:
        """1 is as the model expects."""
        return self.error / self.expected


class PredictionMonitor:
    """Follows one plan at a time. Not thread-safe.

    Args:
        limits: action space -> its limit; without one nothing is a fault.

    Attributes:
        fault: the comparison that reached the limit, until a whole plan stays below; or None.
        limit: of the last plan's action space, or None.
        strays: why the last plan cannot be compared, or ''.
        factor: error to expected error of the plans so far, a moving geometric mean; 1 at first.
        plans, frames: that were compared.
    """

    def __init__(self, limits: Mapping[str, PredictionLimit]) -> None:
        self._limits = limits
        self._plan: ExecutedPlan | None = None
        self._way: list[tuple[float, float]] = []  # the errors of this plan
        self._step, self._was_faulty = 0, False
        self._window: deque[tuple[float, float]] = deque(maxlen=WINDOW)
        self.limit: PredictionLimit | None = None
        self.fault: FrameComparison | None = None
        self.last: FrameComparison | None = None
        self.strays = ""
        self.factor = 1.0
        self.plans = self.frames = 0

    def begin(self, plan: ExecutedPlan) -> None:
        """Follow a plan from now on. The one before ends."""
        follows_on = self._plan is not None and self._plan.space == plan.space
        self._end()
        if not follows_on:
            self._window.clear()
        self._plan, self._way, self._step, self._was_faulty = plan, [], 0, False
        self.limit, self.strays = self._limits.get(plan.space), ""

    def wants(self, stamp_ns: int) -> bool:
        """Whether a frame of this time is compared: one a step, from the first step to the last."""
        step = None if self._plan is None else self._plan.compared_step(stamp_ns)
        return step is not None and step > self._step

    @property
    def follows(self) -> bool:
        """Whether frames of a plan may still come."""
        return self._plan is not None

    def add(self, stamp_ns: int, latent: np.ndarray, joints: Mapping[str, float]) -> FrameComparison | None:
        """Compare a frame, float32 [C, h, w], taken where the joints were, rad or m; None where it is not wanted."""
        plan = self._plan
        if plan is None or not self.wants(stamp_ns):
            return None
        step, nearest = plan.step_of(stamp_ns), plan.compared_step(stamp_ns)
        assert nearest is not None
        self.strays = plan.strays(step, joints)
        if self.strays:
            self._plan = None
            self._window.clear()
            return None
        self._step = nearest
        found = frame_error(latent, plan.imagined, plan.expected, step)
        self._way.append(found)
        self._window.append(found)
        full = ratio(self._window) if len(self._window) == WINDOW else None
        self.last = FrameComparison(stamp_ns, step * plan.dt_s, *found, full)
        self.frames += 1
        if self.limit is not None and full is not None and full > self.limit.limit:
            self.fault, self._was_faulty = self.last, True
        if self._step >= len(plan.imagined) - 1:
            self._end()
        return self.last

    def _end(self) -> None:
        """The plan is over; learn from it."""
        if self._plan is None or len(self._way) < LEAST_FRAMES:
            self._plan = None
            return
        self._plan = None
        self.plans += 1
        if self._was_faulty:
            return
        self.fault = None
        change = self.factor * (ratio(self._way) / self.factor) ** LEARNS
        self.factor = min(max(change, 1 / MOST_FACTOR), MOST_FACTOR)
