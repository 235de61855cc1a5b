"""The gate node: a planner's plan passes only if the imagine node accepts it, on topics or as a controller's action.

The gate sends one plan at a time to the imagine node and waits for its decision. A plan that is vetoed, refused or not
decided in time does not pass, and the planner gets the reason.

It reads `plan`, or serves `~/follow_joint_trajectory` in front of `controller`, and reads the imagine node's
`imagine/decision`. It publishes `plans` for the imagine node, `~/passed` (on topics), `~/answer` and /diagnostics.
More: docs/gate.md.
"""

from __future__ import annotations

import json
import sys
import threading
from dataclasses import asdict
from functools import partial

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from std_msgs.msg import String

from astra_ros.bridge.plan_adapters import plan_adapter
from astra_ros.nodes.diagnostics import DiagnosticsPublisher
from astra_ros.nodes.executable import run
from astra_ros.nodes.executors import MultiThreadedExecutor
from astra_ros.nodes.gate.action_gate import ActionGate
from astra_ros.nodes.gate.forwarding import LOOK_EVERY_S, MOST_GOALS
from astra_ros.nodes.gate.judge import Answer, PlanJudge
from astra_ros.nodes.gate.settings import GateSettings
from astra_ros.nodes.gate.topic_gate import TopicGate
from astra_ros.nodes.parameters import SettingsParameters
from astra_ros.nodes.qos import reliable
from astra_ros.nodes.reports import OK, WARN, Status, ThrottledReports

PLANS, DECISION = "plans", "imagine/decision"
# Goals block theirs; the others serve topics, timers and the controller's answers.
THREADS = MOST_GOALS + 4


class Gate:
    """Asks the imagine node about each plan, and publishes the answers on ``~/answer``."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._parameters = SettingsParameters(node)
        settings: GateSettings = self._parameters.declare("", GateSettings(), read_only=("type", "controller"))
        self._parameters.warn_of_unknown()
        adapter = plan_adapter(settings.type)
        self._lock = threading.Lock()
        self._passed = self._rejected = 0
        self._last = "no plan yet"
        self._reports = ThrottledReports(node.get_logger().warning)
        self._answers = node.create_publisher(String, "~/answer", reliable(16))
        self._plans = node.create_publisher(adapter.message, PLANS, reliable(8))
        self._decision = node.resolve_topic_name(DECISION)
        self._judge = PlanJudge(lambda: self._parameters[""], self._plans.publish, self._absent)
        alone = MutuallyExclusiveCallbackGroup()
        node.create_subscription(String, DECISION, self._on_decision, reliable(16), callback_group=alone)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        node.create_timer(LOOK_EVERY_S, self._judge.check, clock=steady, callback_group=alone)
        self._front: ActionGate | TopicGate
        if settings.controller:
            self._front = ActionGate(node, self._judge, lambda: self._parameters[""], self._answered)
            text = f"goals of {self._front.offered} that pass go to {self._front.controller}"
        else:
            self._front = TopicGate(node, self._judge, adapter, self._answered)
            text = f"plans on {node.resolve_topic_name('plan')} that pass go to {node.resolve_topic_name('~/passed')}"
        node.get_logger().info(text)
        DiagnosticsPublisher(node, self._statuses, lambda: settings.controller)

    def close(self) -> bool:
        return self._front.close()

    def _on_decision(self, msg: String) -> None:
        self._judge.on_decision(msg.data)

    def _absent(self) -> str:
        """Why the imagine node would not judge a plan, or ''."""
        if not self._plans.get_subscription_count():
            return f"no imagine node takes plans on {self._plans.topic_name}; start it, or remap {PLANS}"
        if not self._node.count_publishers(self._decision):
            return f"no imagine node publishes {self._decision}; remap {DECISION} to its ~/decision"
        return ""

    def _answered(self, answer: Answer) -> None:
        with self._lock:
            self._passed += answer.passed
            self._rejected += not answer.passed
            self._last = "a plan passed" if answer.passed else f"a plan was rejected: {answer.reason}"
        if answer.passed:
            self._node.get_logger().info(f"a plan passed: {answer.verdict}, score {answer.score:.3f}")
        else:
            self._reports.add(f"a plan was rejected: {answer.reason}")
        self._answers.publish(String(data=json.dumps(asdict(answer))))

    def _statuses(self) -> list[Status]:
        missing = self._absent() or self._front.missing
        values = {"passed": self._passed, "rejected": self._rejected, "last": self._last}
        return [Status("plans", WARN if missing else OK, missing or self._last, values)]


def declared_settings() -> dict[str, object]:
    """Namespace -> the settings that the node declares."""
    return {"": GateSettings()}


def main(argv: list[str] | None = None) -> int:
    """Run the node until SIGINT or SIGTERM."""
    return run("gate", Gate, declared_settings, argv, partial(MultiThreadedExecutor, THREADS))


if __name__ == "__main__":
    sys.exit(main())
