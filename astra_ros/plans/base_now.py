"""Where a mobile base is, and how it moves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class BaseNow:
    """As odometry says it.

    Attributes:
        frame: fixed frame of the pose.
        x, y: m; yaw: rad.
        velocities: column of a twist, such as ``linear.x`` -> m/s or rad/s, in the base's own frame.
    """

    frame: str
    x: float
    y: float
    yaw: float
    velocities: Mapping[str, float]
