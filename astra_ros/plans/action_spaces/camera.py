"""Camera motion: a free camera's velocities in six degrees of freedom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from astra_ros.plans.velocity_space import VelocitySpace


@dataclass(frozen=True)
class CameraSpace(VelocitySpace):
    """Columns are ``linear.x`` to ``linear.z`` and ``angular.x`` to ``angular.z``.

    The camera's velocity in its own optical frame (REP 103: x right, y down, z forward), m/s and rad/s, whatever
    carries it.
    """

    modality: ClassVar[str] = "camera"
    units: ClassVar[str] = "m/s and rad/s in the optical frame: x right, y down, z forward"
    is_camera: ClassVar[bool] = True
    bag_types: ClassVar[tuple[tuple[str, ...], ...]] = (("tf2_msgs/msg/TFMessage",), ("nav_msgs/msg/Odometry",))
    bag_motion: ClassVar[str] = "astra_ros.datasets.rosbag.camera_motion:CameraMotion"
