"""The plan source node: candidate trajectories, as a motion planner would send them.

It plans in its own copy of the simulator's scene, so its robot and seed must be those of the simulator. Replace it by a
real planner that publishes JointTrajectory.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from astra_ros.bridge.trajectories import plan_to_trajectory
from astra_ros.nodes.diagnostics import DiagnosticsPublisher
from astra_ros.nodes.executable import run
from astra_ros.nodes.imagine.settings import LONGEST_S, MOST_PLANS, MOST_SEED
from astra_ros.nodes.parameters import SettingsParameters
from astra_ros.nodes.qos import reliable
from astra_ros.nodes.reports import OK, Status
from astra_ros.plans.joint_plan import JointPlan
from astra_ros.settings import check_ranges, setting
from astra_ros.simulation.arm.candidates import propose
from astra_ros.simulation.arm.world import ArmWorld, ArmWorldSettings


@dataclass(frozen=True)
class PlanSourceSettings:
    """Which plans to send, and when."""

    robot: str = setting("panda", "the arm, 'panda' or 'kuka', as in the simulator")
    seed: int = setting(0, "the scene, as in the simulator, and the draw of plans", 0, MOST_SEED)
    count: int = setting(8, "plans per proposal", 1, MOST_PLANS, "plans")
    period_s: float = setting(
        5.0, "seconds between two proposals; 0 sends only when ~/propose is called", 0.01, LONGEST_S, "s", "when asked"
    )

    def __post_init__(self) -> None:
        check_ranges(self)


class PlanSource:
    """Publishes ``count`` trajectories on ``plans``, each as its own message."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._parameters = SettingsParameters(node)
        self.settings = self._parameters.declare("", PlanSourceSettings(), read_only=("robot",))
        self._parameters.warn_of_unknown()
        self._parameters.on_change = self._reconfigure
        self._world = ArmWorld(ArmWorldSettings(robot=self.settings.robot))
        self._proposed: tuple[tuple[int, int], list[tuple[str, JointPlan]]] | None = None
        self._sent = 0
        self._plans = node.create_publisher(JointTrajectory, "plans", reliable(64))
        node.create_service(Trigger, "~/propose", self._on_propose)
        DiagnosticsPublisher(node, self._statuses, lambda: "")
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = node.create_timer(self.settings.period_s or 1.0, self._on_timer, clock=steady)
        if not self.settings.period_s:
            self._timer.cancel()

    def close(self) -> None:
        self._timer.cancel()
        self._world.close()

    def _reconfigure(self) -> None:
        self.settings = self._parameters[""]
        self._timer.cancel()
        if self.settings.period_s > 0:
            self._timer.timer_period_ns = round(self.settings.period_s * 1e9)
            self._timer.reset()

    def _send(self) -> list[str]:
        key = (self.settings.seed, self.settings.count)
        if self._proposed is None or self._proposed[0] != key:
            self._world.reset(self.settings.seed)
            self._proposed = (key, propose(self._world, self.settings.count, self.settings.seed))
        candidates = self._proposed[1]
        for _, plan in candidates:
            self._plans.publish(plan_to_trajectory(plan))
        self._sent += len(candidates)
        return [kind for kind, _ in candidates]

    def _on_timer(self) -> None:
        self._send()

    def _on_propose(self, _, response: Trigger.Response) -> Trigger.Response:
        kinds = self._send()
        listeners = self._plans.get_subscription_count()
        response.success = listeners > 0
        response.message = f"sent {len(kinds)} plans to {listeners} listeners: {', '.join(kinds)}"
        return response

    def _statuses(self) -> list[Status]:
        robot, seed, listeners = self.settings.robot, self.settings.seed, self._plans.get_subscription_count()
        values = {"robot": robot, "seed": seed, "plans_sent": self._sent, "listeners": listeners}
        return [Status("plans", OK, "proposing", values)]


def main(argv: list[str] | None = None) -> int:
    """Run the node until SIGINT or SIGTERM."""
    return run("plan_source", PlanSource, argv)


if __name__ == "__main__":
    sys.exit(main())
