"""The topics of a simulated car beside its camera."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from builtin_interfaces.msg import Time
from nav_msgs.msg import Odometry, Path
from rclpy.node import Node

from astra_ros.bridge.paths import motion_to_odometry, path_to_plan
from astra_ros.nodes.qos import reliable
from astra_ros.nodes.simulator.simulated_car import SimulatedCar
from astra_ros.plans.base_now import BaseNow
from astra_ros.plans.errors import PlanError

PATHS = "follow_path"
FRAME = "odom"  # of the odometry, the simulator's world frame; paths must come in it


class CarTopics:
    """Publishes odometry, and has paths followed from when they arrive.

    `told` is told '' when a path was taken, else why it was refused.
    """

    what = "paths"

    def __init__(self, node: Node, car: SimulatedCar, told: Callable[[str], None]) -> None:
        self._car, self._told = car, told
        self._odometry = node.create_publisher(Odometry, "odom", reliable(10))
        node.create_subscription(Path, PATHS, self._on_path, reliable(10))

    def publish_scene(self, stamp: Time) -> None:
        """Nothing: a road has no goal image."""

    def publish_state(self, stamp: Time) -> None:
        """What changes with every tick."""
        car = self._car.world.state().car
        velocities = {"linear.x": car.speed, "angular.z": car.yaw_rate}
        self._odometry.publish(motion_to_odometry(BaseNow(FRAME, car.x, car.y, car.yaw, velocities), stamp))

    def look(self, stamp: Time) -> np.ndarray:
        """The camera's image."""
        return self._car.world.render()

    def truth(self) -> dict[str, object]:
        truth = self._car.truth()
        return {
            "plan_elapsed_s": f"{truth.plan_elapsed_s:.6f}",
            "progress": f"{truth.progress:.6f}",
            "collision": int(truth.collision),
            "off_road": int(truth.off_road),
            "path_error_m": f"{truth.path_error_m:.6f}",
            "outcome": f"{truth.outcome:.6f}",
        }

    def _on_path(self, msg: Path) -> None:
        try:
            plan = path_to_plan(msg, "commanded")
            if plan.frame != FRAME:
                problem = f"it is in the frame '{plan.frame}'"
                raise PlanError(problem, thing=plan.title, cure=f"give it in '{FRAME}'")
            self._car.command(plan)
            self._told("")
        except PlanError as error:
            self._told(f"{PATHS}: {error}")
