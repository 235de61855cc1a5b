"""A node's statuses on /diagnostics."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.qos import QoSProfile

from astra_ros.nodes.reports import Status
from astra_ros.texts import bounded


def to_message(status: Status, name: str, hardware_id: str = "") -> DiagnosticStatus:
    """A status as a message; texts from outside are cut to a readable length."""
    pairs = [KeyValue(key=bounded(key), value=bounded(str(value))) for key, value in status.values.items()]
    text, hardware = bounded(status.message), bounded(hardware_id)
    return DiagnosticStatus(level=status.level, name=name, message=text, hardware_id=hardware, values=pairs)


class DiagnosticsPublisher:
    """Publishes a node's statuses on /diagnostics, in real time even while the simulation is paused.

    `report` returns the statuses of this moment, `hardware_id` the name of the device or model.
    """

    def __init__(
        self, node: Node, report: Callable[[], Sequence[Status]], hardware_id: Callable[[], str], period_s: float = 1.0
    ) -> None:
        self._node, self._report, self._hardware_id = node, report, hardware_id
        self._publisher = node.create_publisher(DiagnosticArray, "/diagnostics", QoSProfile(depth=10))
        node.create_timer(period_s, self.publish, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def publish(self) -> None:
        name, hardware = self._node.get_fully_qualified_name().lstrip("/"), self._hardware_id()
        statuses = [to_message(each, f"{name}: {each.part}", hardware) for each in self._report()]
        msg = DiagnosticArray(status=statuses)
        msg.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(msg)
