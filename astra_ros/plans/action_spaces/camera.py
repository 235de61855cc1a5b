"""Camera motion: a free camera's velocities in six degrees of freedom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from astra_ros.plans.action_spaces.velocities import VelocitySpace


@dataclass(frozen=True)
class CameraSpace(VelocitySpace):
    """Columns are ``linear.x`` to ``linear.z`` and ``angular.x`` to ``angular.z``.

    The camera's velocity in its own optical frame (REP 103: x right, y down, z forward), m/s and
    rad/s: what moves is the eye itself, whatever carries it.
    """

    modality: ClassVar[str] = "camera"
    units: ClassVar[str] = "m/s and rad/s in the optical frame: x right, y down, z forward"
