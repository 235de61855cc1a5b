"""What the nodes that propose plans have in common: settings, the timer, ``~/propose``, and what they report."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from std_srvs.srv import Trigger

from astra_ros.nodes.diagnostics import DiagnosticsPublisher
from astra_ros.nodes.imagine.settings import LONGEST_S, ImagineSettings
from astra_ros.nodes.parameters import SettingsParameters
from astra_ros.nodes.qos import reliable
from astra_ros.nodes.reports import OK, WARN, Conditions, Status, ThrottledReports
from astra_ros.settings import setting

Settings = TypeVar("Settings")


@dataclass(frozen=True)
class RobotStateSettings:
    """How long the last state of the robot counts."""

    state_timeout_s: float = setting(
        ImagineSettings().camera_timeout_s,
        "seconds after which joint states or odometry do not count any more; without newer ones no plan is sent",
        0.001,
        LONGEST_S,
        "s",
    )


class Proposer(ABC, Generic[Settings]):
    """A node that sends plans on ``plans``, each as its own message: every ``period_s``, and when it is asked.

    Args:
        default: the settings, a dataclass with `period_s`; 0 sends only when asked.
        message: type of the plans.
        read_only: fields that can be set at the start only.

    Attributes:
        settings: the newest.
        refused: inputs that cannot be used, and plannings that failed.
    """

    def __init__(self, node: Node, default: Settings, message: type, read_only: Sequence[str] = ()) -> None:
        self.node = node
        self._parameters = SettingsParameters(node)
        self.settings: Settings = self._parameters.declare("", default, tuple(read_only))
        self._parameters.warn_of_unknown()
        self._parameters.on_change = self._reconfigure
        self.refused = ThrottledReports(node.get_logger().error)
        self._conditions = Conditions(node.get_logger().warning, node.get_logger().info)
        self._sent = 0
        self._plans = node.create_publisher(message, "plans", reliable(64))
        node.create_service(Trigger, "~/propose", self._on_propose)
        DiagnosticsPublisher(node, lambda: [self.status()], self.hardware_id)
        self._timer = node.create_timer(
            self._period_s or 1.0, self.propose, clock=Clock(clock_type=ClockType.STEADY_TIME)
        )
        if not self._period_s:
            self._timer.cancel()

    @abstractmethod
    def propose(self) -> None:
        """Send plans, or begin to plan them. The timer calls it."""

    @abstractmethod
    def answer(self) -> tuple[bool, str]:
        """Do what `propose` does for a caller of ``~/propose`` where nothing is missing; (success, answer)."""

    def missing(self) -> str:
        """The inputs that have not come yet, in words, or ''."""
        return ""

    def stale(self) -> str:
        """The inputs that came and count no more, in words that stay the same while the fault lasts, or ''."""
        return ""

    def values(self) -> dict[str, object]:
        """Further values of the status."""
        return {}

    def says(self) -> str:
        """What it does, where all is well."""
        return "proposing"

    def hardware_id(self) -> str:
        return ""

    def close(self) -> bool | None:
        """End what was started."""
        self._timer.cancel()
        return None

    def topic(self, name: str) -> str:
        """The name of a topic in the graph."""
        return self.node.resolve_topic_name(name)

    @property
    def listeners(self) -> int:
        return self._plans.get_subscription_count()

    def send(self, messages: Sequence[Any]) -> None:
        """Publish plans. What was refused before is settled."""
        for each in messages:
            self._plans.publish(each)
        self._sent += len(messages)
        self.refused.settle(float("inf"))

    def status(self) -> Status:
        """What the node does or waits for. A fault of this moment comes before what was refused long ago."""
        stale = self._conditions.see("state of the robot", self.stale())
        refused = self.refused
        values = self.values() | {
            "plans_sent": self._sent,
            "listeners": self.listeners,
            "refused": refused.count,
            "last_refusal": refused.last,
        }
        if reason := refused.recent or stale or self.missing() or (refused.last if refused.open else ""):
            return Status("plans", WARN, reason, values)
        return Status("plans", OK, self.says(), values)

    @property
    def _period_s(self) -> float:
        settings: Any = self.settings
        return settings.period_s

    def _reconfigure(self) -> None:
        self.settings = self._parameters[""]
        self._timer.cancel()
        if self._period_s > 0:
            self._timer.timer_period_ns = round(self._period_s * 1e9)
            self._timer.reset()

    def _on_propose(self, _, response: Trigger.Response) -> Trigger.Response:
        if reason := self.missing() or self.stale():
            response.message = reason
        else:
            response.success, response.message = self.answer()
        return response
