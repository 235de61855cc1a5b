"""The drive planner node: candidate paths along the lane of the simulated car, from where odometry says it is.

It has the simulator's map of the roads, so its seed must be the simulator's, and knows no obstacles and no traffic.
Replace it by a real planner that publishes ``nav_msgs/Path``.

It reads `odom`, publishes `plans` and /diagnostics, and answers `~/propose`.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, fields

from nav_msgs.msg import Odometry, Path
from rclpy.node import Node

from astra_ros.bridge.errors import BridgeError
from astra_ros.bridge.paths import odometry_to_motion, plan_to_path
from astra_ros.bridge.stamps import to_seconds
from astra_ros.control.acceleration_estimate import AccelerationEstimate
from astra_ros.control.lane_paths import LanePathSettings, lane_paths
from astra_ros.control.vehicle import VehicleState
from astra_ros.nodes.executable import run
from astra_ros.nodes.imagine.base_state import BaseState
from astra_ros.nodes.imagine.message_readers import no_frames
from astra_ros.nodes.imagine.settings import LONGEST_S, MOST_SEED
from astra_ros.nodes.planners.proposer import Proposer, RobotStateSettings
from astra_ros.nodes.qos import best_effort
from astra_ros.settings import setting
from astra_ros.simulation.drive.motion import CarLimits
from astra_ros.simulation.drive.routes import lane_ahead, layout_of


@dataclass(frozen=True)
class DrivePlannerSettings(RobotStateSettings, LanePathSettings):
    """Which paths to send, and when."""

    seed: int = setting(0, "the scene, as in the simulator", 0, MOST_SEED)
    period_s: float = setting(
        2.0, "seconds between two proposals; 0 sends only when ~/propose is called", 0.01, LONGEST_S, "s", "when asked"
    )

    @property
    def paths(self) -> LanePathSettings:
        """The part that says which paths."""
        return LanePathSettings(**{item.name: getattr(self, item.name) for item in fields(LanePathSettings)})


class DrivePlanner(Proposer[DrivePlannerSettings]):
    """Publishes paths, in the frame of the odometry."""

    def __init__(self, node: Node) -> None:
        super().__init__(node, DrivePlannerSettings(), Path, read_only=("seed",))
        self._layout = layout_of(self.settings.seed)
        self._acceleration = AccelerationEstimate()
        self._base = BaseState(self.topic("odom"), odometry_to_motion, no_frames, time.monotonic)
        node.create_subscription(Odometry, "odom", self._on_odometry, best_effort(10))

    def propose(self) -> None:
        self._send()

    def answer(self) -> tuple[bool, str]:
        kinds = self._send()
        said = f"sent {len(kinds)} paths to {self.listeners} listeners: {', '.join(kinds)}"
        return bool(kinds) and self.listeners > 0, said

    def missing(self) -> str:
        return "" if self._base.age_s is not None else f"no odometry yet on {self._base.topic}; no path is sent"

    def stale(self) -> str:
        timeout_s = self.settings.state_timeout_s
        if self._base.age_s is None or self._base.now(timeout_s) is not None:
            return ""
        said = f"no odometry came on {self._base.topic} within state_timeout_s = {timeout_s:g}"
        return f"{said}; no path is sent; check its publisher"

    def values(self) -> dict[str, object]:
        age_s = self._base.age_s
        return {"seed": self.settings.seed, "odometry_age_s": "" if age_s is None else f"{age_s:.3f}"}

    def _on_odometry(self, msg: Odometry) -> None:
        try:
            self._base.on_odometry(msg)
        except BridgeError as error:
            self.refused.add(str(error))
            return
        self._acceleration.add(to_seconds(msg.header.stamp), msg.twist.twist.linear.x)

    def _send(self) -> list[str]:
        """Send paths where it is known where the car is; their kinds."""
        if (base := self._base.now(self.settings.state_timeout_s)) is None:
            return []
        rates = base.velocities
        car = VehicleState(base.x, base.y, base.yaw, rates.get("linear.x", 0.0), rates.get("angular.z", 0.0))
        route = lane_ahead(self._layout, car)
        acceleration, max_speed = self._acceleration.value, CarLimits().max_speed
        candidates = lane_paths(route, car, base.frame, self.settings.paths, acceleration, max_speed)
        stamp = self.node.get_clock().now().to_msg()
        self.send([plan_to_path(path, stamp) for _, path in candidates])
        return [kind for kind, _ in candidates]


def declared_settings() -> dict[str, object]:
    """Namespace -> the settings that the node declares."""
    return {"": DrivePlannerSettings()}


def main(argv: list[str] | None = None) -> int:
    """Run the node until SIGINT or SIGTERM."""
    return run("drive_planner", DrivePlanner, declared_settings, argv)


if __name__ == "__main__":
    sys.exit(main())
