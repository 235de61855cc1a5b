"""A critic's settings, input, result and base class."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from astra_ros.inference.calibration import Calibration
from astra_ros.inference.imagination import Imagination
from astra_ros.obstacles import KnownObstacle
from astra_ros.plans.action_spaces import ActionSpace
from astra_ros.plans.plan import Plan
from astra_ros.settings import CheckedSettings, setting


@dataclass(frozen=True)
class CriticSettings(CheckedSettings):
    """The settings that every critic has. A subclass changes defaults and adds fields."""

    enabled: bool = setting(True, "whether this critic scores plans")
    weight: float = setting(1.0, "factor of this critic's cost in the total, no unit", 0.0, 100.0)
    power: int = setting(1, "exponent of this critic's cost before it is weighted", 1, 4)


@dataclass(frozen=True, eq=False)
class CriticInput:
    """What critics read of K plans and H steps; None where unknown.

    Attributes:
        motion: float64 [K, H+1, D], the plans at the model's times in the units of ``space``; row 0 is now.
        dt_s: seconds between two of the model's frames.
        current_latent: float32 [C, h, w] of the newest observed frame.
        goal_latent: float32 [C, h, w] of the goal image.
        goal_position: [3] m, where the object should end, in the frame of the imagined positions.
        goal_is_seen: whether the model read that position from the goal image, for want of a goal pose.
        calibrations: event -> calibration of a plan's probability of it; an event without one counts as the model says.
        plans: the K plans, columns as ``space`` has them, for what happens between the model's times; or empty.
        robot_description: URDF text.
        held_joints: joint -> rad or m, of joints that no plan moves.
        uncertainty_factor: how much larger real errors were than expected ones, in what was executed so far.
        obstacles: known ones, such as a planner's, in the robot's base frame.
        new_space: [K], how much space a plan brings into a moving camera's view for the first time, as a multiple of
            what is in view now.
    """

    imagination: Imagination
    motion: np.ndarray = field(repr=False)
    space: ActionSpace
    dt_s: float
    current_latent: np.ndarray = field(repr=False)
    goal_latent: np.ndarray | None = field(default=None, repr=False)
    goal_position: np.ndarray | None = None
    goal_is_seen: bool = False
    calibrations: Mapping[str, Calibration] = field(default_factory=dict)
    plans: Sequence[Plan] = ()
    robot_description: str | None = field(default=None, repr=False)
    held_joints: Mapping[str, float] = field(default_factory=dict)
    obstacles: tuple[KnownObstacle, ...] = ()
    uncertainty_factor: float = 1.0
    new_space: np.ndarray | None = None

    def __post_init__(self) -> None:
        plans, horizon, *cell = self.imagination.latents.shape
        object.__setattr__(self, "motion", np.asarray(self.motion, dtype=np.float64))
        assert self.motion.shape == (plans, horizon + 1, len(self.space.motion_names)), self.motion.shape
        for latent in (self.current_latent, self.goal_latent):
            assert latent is None or np.shape(latent) == tuple(cell), np.shape(latent)
        assert self.dt_s > 0.0, self.dt_s
        assert len(self.plans) in (0, plans), len(self.plans)

    def motion_at(self, times_s: np.ndarray) -> np.ndarray:
        """float64 [K, T, D], the plans at other times than the model's; without ``plans``, linear between those."""
        if self.plans:
            return np.stack([plan.motion(times_s, rows[0]) for plan, rows in zip(self.plans, self.motion)])
        known_s = np.arange(self.motion.shape[1]) * self.dt_s
        columns = [[np.interp(times_s, known_s, column) for column in rows.T] for rows in self.motion]
        return np.moveaxis(np.array(columns), 1, 2)


@dataclass(frozen=True, eq=False)
class CriticResult:
    """One critic's numbers and reasons for K plans. Scoring vetoes plans whose values are not finite.

    Attributes:
        raw: [K] what was measured, in the critic's unit.
        cost: [K] >= 0, lower is better, about 1 for a bad plan.
        reasons: K short texts that say what was found, also for good plans.
        veto: bool [K], the plan must not be executed; empty for all False.
        risky: bool [K], the plan deserves a second look; empty for all False.
    """

    raw: np.ndarray
    cost: np.ndarray
    reasons: tuple[str, ...]
    veto: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))
    risky: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))

    def __post_init__(self) -> None:
        plans = len(self.reasons)
        for what, kind in (("raw", np.float64), ("cost", np.float64), ("veto", bool), ("risky", bool)):
            array = np.asarray(getattr(self, what), dtype=kind)
            if kind is bool and not array.size:
                array = np.zeros(plans, bool)
            if array.shape != (plans,):
                raise ValueError(f"critic result: {what} has shape {array.shape}; expected ({plans},)")
            object.__setattr__(self, what, array)


class Critic(ABC):
    """Base of all critics. A subclass names itself and implements :meth:`score`.

    Critics with the same role answer the same question: one of them is enough, and their mean counts.

    Attributes:
        name: the name in the registry, which is also the namespace of the critic's parameters.
        role: the question that it answers; '' stands for its own name.
        must_score: whether every plan is vetoed where this critic cannot score.
        reads_imagination: False where the plan's motion alone decides.
    """

    name: ClassVar[str]
    settings_class: ClassVar[type[CriticSettings]] = CriticSettings
    role: str = ""
    must_score: bool = False
    reads_imagination: ClassVar[bool] = True
    unit: ClassVar[str] = ""

    def __init__(self, settings: CriticSettings | None = None) -> None:
        self.settings: Any = self.settings_class() if settings is None else settings
        self.role = self.role or self.name

    def missing(self, inp: CriticInput) -> str | None:
        """What this critic lacks to score the plans; None when it can score."""
        return None

    @abstractmethod
    def score(self, inp: CriticInput) -> CriticResult:
        """Called only where :meth:`missing` gives None."""
