"""Where a robot is as a plan begins, and how far from there a plan may begin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from astra_ros.plans.limits import JointLimits


@dataclass(frozen=True)
class StartRules:
    """How far from the robot a plan may begin. Its settings have the names of those that users give."""

    start_tolerance: float  # how far any column's first value may be from the robot's, rad (m if sliding); 0: anywhere
    max_start_speed: float  # rad/s, with which a plan whose first point is later than 0 s may go there
    ignore_joints: tuple[str, ...] = ()  # columns that the model does not know and that are not compared
    continuous: frozenset[str] = frozenset()  # joints that turn without end, as the model was told

    def turning(self, robot: RobotNow | None) -> frozenset[str]:
        """The joints that turn without end. A robot's description counts more than what the model was told."""
        return self.continuous if robot is None else self.continuous - robot.limited | robot.continuous


@dataclass(frozen=True)
class RobotNow:
    """What is known of the robot at this moment.

    ``values``: joint -> where it is (rad; m if sliding), or column -> how a base moved in the last step (m/s, rad/s).
    """

    values: Mapping[str, float]
    doubted: Mapping[str, str] = field(default_factory=dict)  # joint, not in `values` -> why it is not believed
    continuous: frozenset[str] = frozenset()  # joints that turn without end, by the robot's description
    limited: frozenset[str] = frozenset()  # joints that have an end, by the robot's description
    limits: Mapping[str, JointLimits] = field(default_factory=dict)  # joint -> its limits, by the robot's description

    @classmethod
    def of(cls, values: Mapping[str, float] | RobotNow | None) -> RobotNow | None:
        """The same, or bare values."""
        return values if values is None or isinstance(values, RobotNow) else cls(values)

    def ordered(self, names: Sequence[str]) -> np.ndarray | None:
        """[D] in the order of names, or None when any of them is unknown."""
        return None if self.unknown(names) else np.array([self.values[name] for name in names], dtype=np.float64)

    def unknown(self, names: Sequence[str]) -> list[str]:
        """The joints whose position is not known."""
        return [name for name in names if name not in self.values]

    def why_unknown(self, names: Sequence[str]) -> str:
        """Why the positions of some joints are not believed, or ''."""
        return "; ".join(dict.fromkeys(self.doubted[name] for name in names if name in self.doubted))
