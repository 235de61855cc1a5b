"""What velocity commands of any frame have in common; the kinds themselves are beside this file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from astra_ros.planning.modalities.base import ActionSpace, spread
from astra_ros.planning.velocity_plan import VelocityPlan

FLOOR = 0.02    # m/s or rad/s


@dataclass(frozen=True)
class VelocitySpace(ActionSpace):
    """A row of a motion is the mean commanded velocity over the interval that ends at the frame.

    The action of a step is that velocity followed by its change since the step before, both scaled
    and neither centred: rest encodes as 0. A = 2 * D.

    Attributes:
        velocity_std: D values > 0, m/s or rad/s.
        change_std: D values > 0, m/s or rad/s, per model step.
    """

    velocity_std: tuple[float, ...]
    change_std: tuple[float, ...]

    plan: ClassVar[type] = VelocityPlan

    @property
    def dim(self) -> int:
        return 2 * len(self.motion_names)

    def _numbers(self, motion: np.ndarray) -> np.ndarray:
        velocity = motion[..., 1:, :] / np.array(self.velocity_std)
        change = np.diff(motion, axis=-2) / np.array(self.change_std)
        return np.concatenate([velocity, change], axis=-1)

    def accelerations(self, motion: np.ndarray, dt_s: float) -> np.ndarray:
        """Differences of the mean velocities, the first one from the motion now."""
        return np.diff(motion, axis=-2) / dt_s

    def begun_from(self, other: np.ndarray, motion: np.ndarray) -> np.ndarray:
        """The same velocities, after the one that ``motion`` comes from."""
        return np.concatenate([motion[..., :1, :], other[..., 1:, :]], axis=-2)

    @classmethod
    def fit(cls, name: str, motion_names: Sequence[str], motions: Sequence[np.ndarray]):
        # Root mean square, not deviation from the mean: rest must stay 0.
        rows = np.concatenate(motions)
        both_ways = np.concatenate([rows, -rows])
        changes = np.concatenate([np.diff(motion, axis=0) for motion in motions])
        return cls(name, tuple(motion_names), spread(both_ways, FLOOR), spread(changes, FLOOR))
