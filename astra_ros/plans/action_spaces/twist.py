"""Twist: the velocity commands of a mobile base, as on ``cmd_vel``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from astra_ros.plans.velocity_space import VelocitySpace


@dataclass(frozen=True)
class TwistSpace(VelocitySpace):
    """Columns are those fields of ``geometry_msgs/Twist`` that the base has.

    ``linear.x`` (m/s, forward), ``linear.y`` (m/s, to the left; bases that can) and ``angular.z``
    (rad/s, to the left), in the base's own frame (REP 103).
    """

    modality: ClassVar[str] = "twist"
    units: ClassVar[str] = "m/s and rad/s in the base's frame: x forward, y left, z up"
    forward_column: ClassVar[str] = "linear.x"
    # Commands before odometry.
    bag_types: ClassVar[tuple[tuple[str, ...], ...]] = (
        ("geometry_msgs/msg/Twist", "geometry_msgs/msg/TwistStamped"),
        ("nav_msgs/msg/Odometry",),
    )
    bag_motion: ClassVar[str] = "astra_ros.datasets.rosbag.base_motion:BaseMotion"
