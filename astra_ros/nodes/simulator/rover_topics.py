"""The topics of a simulated rover beside its camera."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Twist
from nav_msgs.msg import Odometry
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, Image

from astra_ros.bridge.images import depth_to_image, pinhole_info
from astra_ros.bridge.paths import motion_to_odometry
from astra_ros.nodes.qos import reliable
from astra_ros.nodes.simulator.simulated_rover import SimulatedRover
from astra_ros.plans.base_now import BaseNow
from astra_ros.plans.errors import PlanError
from astra_ros.plans.velocity_plan import VelocityPlan

COMMANDS = "cmd_vel"
FRAME = "odom"  # of the odometry, the simulator's world frame
TIMEOUT_S = 0.5  # after a command the rover stops, unless another one comes


class RoverTopics:
    """Publishes odometry and depth images, and follows velocity commands.

    `told` is told '' when a command was taken, else why it was refused.
    """

    what = "velocities"

    def __init__(self, node: Node, rover: SimulatedRover, frame_id: str, told: Callable[[str], None]) -> None:
        self._rover, self._frame_id, self._told = rover, frame_id, told
        self._odometry = node.create_publisher(Odometry, "odom", reliable(10))
        self._depth = node.create_publisher(Image, "depth/image_raw", reliable(5))
        self._info = node.create_publisher(CameraInfo, "depth/camera_info", reliable(5))
        node.create_subscription(Twist, COMMANDS, self._on_command, reliable(10))

    def publish_scene(self, stamp: Time) -> None:
        """Nothing: a house that was never seen has no goal image."""

    def publish_state(self, stamp: Time) -> None:
        """What changes with every tick."""
        world = self._rover.world
        velocities = dict(zip(world.spec.motion_names, world.state().velocity.tolist()))
        now = world.situation
        msg = motion_to_odometry(BaseNow(FRAME, float(now.xy[0]), float(now.xy[1]), now.yaw, velocities), stamp)
        self._odometry.publish(msg)

    def look(self, stamp: Time) -> np.ndarray:
        """The camera's image; its depth is published beside it."""
        image, depth = self._rover.world.layers()
        height, width = depth.shape
        fov_deg = self._rover.world.settings.camera.fov_deg
        self._info.publish(pinhole_info(width, height, fov_deg, stamp, self._frame_id))
        self._depth.publish(depth_to_image(depth, stamp, self._frame_id))
        return image

    def truth(self) -> dict[str, object]:
        truth = self._rover.truth()
        return {"seen_m2": f"{truth.seen_m2:.3f}", "collision": int(truth.collision)}

    def _on_command(self, msg: Twist) -> None:
        names = self._rover.world.spec.motion_names
        try:
            row = np.array([[msg.linear.x, msg.angular.z]])
            self._rover.command(VelocityPlan(names, TIMEOUT_S, row, "commanded"))
            self._told("")
        except PlanError as error:
            self._told(f"{COMMANDS}: {error}")
