"""What every critic gets, gives and is set by."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, Protocol, runtime_checkable

import numpy as np

from astra_ros.inference.imagination import Imagination
from astra_ros.plans.action_spaces import ActionSpace


def setting(default: Any, description: str, low: float | None = None, high: float | None = None):
    """A settings field that knows its description and range, for validation and ROS parameters.

    ``metadata["description"]`` is text with the unit; ``metadata["range"]`` is (low, high), both
    included, or absent for a switch.
    """
    metadata: dict[str, Any] = {"description": description}
    if low is not None and high is not None:
        metadata["range"] = (low, high)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Settings:
    """Base of settings whose fields are made by :func:`setting`.

    Raises:
        ValueError: on creation, for a value that is outside its range or not finite.
    """

    def __post_init__(self) -> None:
        for item in fields(self):
            value, limits = getattr(self, item.name), item.metadata.get("range")
            if limits and not limits[0] <= value <= limits[1]:  # also refuses NaN
                raise ValueError(
                    f"{type(self).__name__}.{item.name} is {value:g}; expected "
                    f"{limits[0]:g} to {limits[1]:g} ({item.metadata['description']})"
                )


@dataclass(frozen=True)
class CriticSettings(Settings):
    """What every critic can be set to. A subclass gives its own defaults and further fields."""

    enabled: bool = setting(True, "whether this critic scores plans")
    weight: float = setting(1.0, "factor of this critic's cost in the total, no unit", 0.0, 100.0)
    power: int = setting(1, "exponent of this critic's cost before it is weighted", 1, 4)


@dataclass(frozen=True, eq=False)
class CriticInput:
    """All that critics may look at; None where unknown.

    Attributes:
        imagination: what the model imagined for K plans and H steps.
        motion: float64 [K, H+1, D], the plans at the model's times as ``space`` has it; row 0 is now.
        space: whose actions these are.
        dt_s: seconds between two of the model's frames.
        current_latent: float32 [C, h, w] of the newest observed frame.
        goal_latent: float32 [C, h, w] of the goal image, or None.
        goal_position: [3] m, where the object should end, in the frame of the positions that the
            model imagines; or None.
        goal_is_seen: whether the model found that position in the goal image, where nobody gave one.

    Raises:
        ValueError: on creation, for shapes that do not fit each other or dt_s <= 0.
    """

    imagination: Imagination
    motion: np.ndarray = field(repr=False)
    space: ActionSpace
    dt_s: float
    current_latent: np.ndarray = field(repr=False)
    goal_latent: np.ndarray | None = field(default=None, repr=False)
    goal_position: np.ndarray | None = None
    goal_is_seen: bool = False

    def __post_init__(self) -> None:
        plans, horizon, *cell = self.imagination.latents.shape
        motion = np.asarray(self.motion, dtype=np.float64)
        wanted = (plans, horizon + 1, len(self.space.motion_names))
        if motion.shape != wanted:
            raise ValueError(
                f"motion has shape {motion.shape}; expected [K, H+1, D] = {wanted}, as the "
                f"imagination and {self.space.name}"
            )
        for what in ("current_latent", "goal_latent"):
            latent = getattr(self, what)
            if latent is not None and np.shape(latent) != tuple(cell):
                raise ValueError(
                    f"{what} has shape {np.shape(latent)}; expected {tuple(cell)}, as the imagined latents"
                )
        if not self.dt_s > 0.0:
            raise ValueError(f"dt_s is {self.dt_s}; the model's step must be > 0 seconds")
        object.__setattr__(self, "motion", motion)


@dataclass(frozen=True, eq=False)
class CriticResult:
    """What one critic says about K plans.

    Values that are not finite are allowed: scoring vetoes those plans.

    Attributes:
        raw: [K] what was measured, in the critic's unit.
        cost: [K] >= 0, lower is better, about 1 where a plan is as bad as it usually gets.
        veto: bool [K], the plan must not be executed.
        reasons: K short texts that say what was seen, also of plans that are fine.
        risky: bool [K], the plan deserves a second look; all False when not given.
    """

    raw: np.ndarray
    cost: np.ndarray
    veto: np.ndarray
    reasons: tuple[str, ...]
    risky: np.ndarray = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        plans = len(self.reasons)
        risky = np.zeros(plans, bool) if self.risky is None else self.risky
        given = {"raw": self.raw, "cost": self.cost, "veto": self.veto, "risky": risky}
        for what, values in given.items():
            array = np.asarray(values, dtype=bool if what in ("veto", "risky") else np.float64)
            if array.shape != (plans,):
                raise ValueError(f"critic result: {what} has shape {array.shape}; expected ({plans},)")
            object.__setattr__(self, what, array)


@runtime_checkable
class Critic(Protocol):
    """Scores what was imagined. A new critic is one file with such a class, and a registry line.

    Critics of one role answer the same question: it is enough that one of them can score, and of
    those that do the mean counts. Where a critic that ``must_score`` cannot, every plan is vetoed.
    """

    name: str
    role: str
    must_score: bool
    unit: str
    settings: Any

    def missing(self, inp: CriticInput) -> str | None:
        """What this critic lacks in order to score, in words; None when it can score."""

    def evaluate(self, inp: CriticInput) -> CriticResult | None:
        """Score all K plans; None exactly when :meth:`missing` names something."""
