"""The drive planner node: candidate paths along the lane of the simulated car, from where odometry says it is.

It has the simulator's map of the roads, so its seed must be the simulator's, and knows no obstacles and no traffic.
Replace it by a real planner that publishes ``nav_msgs/Path``.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, fields

from nav_msgs.msg import Odometry, Path
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from std_srvs.srv import Trigger

from astra_ros.bridge.errors import BridgeError
from astra_ros.bridge.paths import odometry_to_motion, plan_to_path
from astra_ros.control.lane_paths import LanePathSettings, lane_paths
from astra_ros.control.vehicle import VehicleState
from astra_ros.nodes.diagnostics import DiagnosticsPublisher
from astra_ros.nodes.executable import run
from astra_ros.nodes.imagine.settings import LONGEST_S, MOST_SEED
from astra_ros.nodes.parameters import SettingsParameters
from astra_ros.nodes.qos import best_effort, reliable
from astra_ros.nodes.reports import OK, WARN, Status, ThrottledReports
from astra_ros.plans.base_now import BaseNow
from astra_ros.settings import setting
from astra_ros.simulation.drive.routes import lane_ahead, layout_of


@dataclass(frozen=True)
class DrivePlannerSettings(LanePathSettings):
    """Which paths to send, and when."""

    seed: int = setting(0, "the scene, as in the simulator", 0, MOST_SEED)
    period_s: float = setting(
        2.0, "seconds between two proposals; 0 sends only when ~/propose is called", 0.01, LONGEST_S, "s", "when asked"
    )

    @property
    def paths(self) -> LanePathSettings:
        """The part that says which paths."""
        return LanePathSettings(**{item.name: getattr(self, item.name) for item in fields(LanePathSettings)})


class DrivePlanner:
    """Publishes paths on ``plans``, each as its own message, in the frame of the odometry."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._parameters = SettingsParameters(node)
        self.settings = self._parameters.declare("", DrivePlannerSettings(), read_only=("seed",))
        self._parameters.warn_of_unknown()
        self._parameters.on_change = self._reconfigure
        self._layout = layout_of(self.settings.seed)
        self._base: BaseNow | None = None
        self._sent = 0
        self._refused = ThrottledReports(node.get_logger().error)
        self._plans = node.create_publisher(Path, "plans", reliable(64))
        node.create_subscription(Odometry, "odom", self._on_odometry, best_effort(10))
        node.create_service(Trigger, "~/propose", self._on_propose)
        DiagnosticsPublisher(node, self._statuses, lambda: "")
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = node.create_timer(self.settings.period_s or 1.0, self._send, clock=steady)
        if not self.settings.period_s:
            self._timer.cancel()

    def close(self) -> None:
        self._timer.cancel()

    def _reconfigure(self) -> None:
        self.settings = self._parameters[""]
        self._timer.cancel()
        if self.settings.period_s > 0:
            self._timer.timer_period_ns = round(self.settings.period_s * 1e9)
            self._timer.reset()

    def _on_odometry(self, msg: Odometry) -> None:
        try:
            self._base = odometry_to_motion(msg, self._node.resolve_topic_name("odom"))
        except BridgeError as error:
            self._refused.add(str(error))

    def _send(self) -> list[str]:
        base = self._base
        if base is None:
            return []
        rates = base.velocities
        car = VehicleState(base.x, base.y, base.yaw, rates.get("linear.x", 0.0), rates.get("angular.z", 0.0))
        candidates = lane_paths(lane_ahead(self._layout, car), car, base.frame, self.settings.paths)
        stamp = self._node.get_clock().now().to_msg()
        for _, path in candidates:
            self._plans.publish(plan_to_path(path, stamp))
        self._sent += len(candidates)
        return [kind for kind, _ in candidates]

    def _on_propose(self, _, response: Trigger.Response) -> Trigger.Response:
        kinds, listeners = self._send(), self._plans.get_subscription_count()
        response.success = bool(kinds) and listeners > 0
        response.message = f"sent {len(kinds)} paths to {listeners} listeners: {', '.join(kinds)}"
        if self._base is None:
            response.message = self._waits
        return response

    @property
    def _waits(self) -> str:
        return f"no odometry yet on {self._node.resolve_topic_name('odom')}; no path is sent"

    def _statuses(self) -> list[Status]:
        values = {"seed": self.settings.seed, "paths_sent": self._sent, "odometry_refused": self._refused.count}
        values["listeners"] = self._plans.get_subscription_count()
        if reason := self._refused.recent or (self._waits if self._base is None else ""):
            return [Status("plans", WARN, reason, values)]
        return [Status("plans", OK, "proposing", values)]


def main(argv: list[str] | None = None) -> int:
    """Run the node until SIGINT or SIGTERM."""
    return run("drive_planner", DrivePlanner, argv)


if __name__ == "__main__":
    sys.exit(main())
