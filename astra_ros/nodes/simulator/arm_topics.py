"""The topics of a simulated arm beside its camera."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from builtin_interfaces.msg import Time
from rclpy.node import Node
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import String
from trajectory_msgs.msg import JointTrajectory

from astra_ros.bridge.images import rgb_to_image
from astra_ros.bridge.stamps import to_seconds
from astra_ros.bridge.trajectories import positions_to_joint_state, trajectory_to_plan
from astra_ros.nodes.qos import LATCHED, reliable
from astra_ros.nodes.simulator.simulated_arm import SimulatedArm
from astra_ros.plans.errors import PlanError
from astra_ros.simulation.arm.robots import robot_description

TRAJECTORIES = "arm_controller/joint_trajectory"


class ArmTopics:
    """Publishes joint states, the goal and the description, and has trajectories executed.

    `told` is told '' when a trajectory was taken, else why it was refused.
    """

    what = "trajectories"

    def __init__(self, node: Node, arm: SimulatedArm, camera_frame: str, told: Callable[[str], None]) -> None:
        self._arm, self._camera_frame, self._told = arm, camera_frame, told
        self._joints = node.create_publisher(JointState, "joint_states", reliable(10))
        self._goal = node.create_publisher(Image, "goal_image", LATCHED)
        self._description = node.create_publisher(String, "robot_description", LATCHED)
        node.create_subscription(JointTrajectory, TRAJECTORIES, self._on_trajectory, reliable(10))
        # The meshes that the simulator itself draws.
        self._description.publish(String(data=robot_description(arm.world.spec, coarse=True)))

    def publish_scene(self, stamp: Time) -> None:
        """What stays until the next reset."""
        self._goal.publish(rgb_to_image(self._arm.world.goal_image(), stamp, self._camera_frame))

    def publish_state(self, stamp: Time) -> None:
        """What changes with every tick."""
        world = self._arm.world
        positions = world.state().joint_positions
        self._joints.publish(positions_to_joint_state(world.spec.joint_names, positions, stamp))

    def look(self, stamp: Time) -> np.ndarray:
        """The camera's image."""
        return self._arm.world.render()

    def truth(self) -> dict[str, object]:
        truth = self._arm.truth()
        return {
            "plan_elapsed_s": f"{truth.plan_elapsed_s:.6f}",
            "goal_distance_m": f"{truth.goal_distance_m:.6f}",
            "progress": f"{truth.progress:.6f}",
            "collision": int(truth.collision),
            "outcome": f"{truth.outcome:.6f}",
            "object_contact": int(truth.object_contact),
            "object_position": " ".join(f"{x:.6f}" for x in truth.object_position),
            "tool_position": " ".join(f"{x:.6f}" for x in truth.tool_position),
        }

    def _on_trajectory(self, msg: JointTrajectory) -> None:
        try:
            self._arm.command(trajectory_to_plan(msg, "commanded"), to_seconds(msg.header.stamp) or None)
            self._told("")
        except PlanError as error:
            self._told(f"{TRAJECTORIES}: {error}")
