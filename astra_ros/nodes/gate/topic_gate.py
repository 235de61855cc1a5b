"""The gate on topics: a message that passes is published again, byte for byte."""

from __future__ import annotations

import threading
from collections.abc import Callable

from rclpy.node import Node

from astra_ros.bridge.plan_adapters import PlanAdapter
from astra_ros.errors import UserError
from astra_ros.nodes.gate.judge import REPLACED, Answer, PlanJudge
from astra_ros.nodes.gate.stamps import check_stamp
from astra_ros.nodes.imagine.bridge_readers import bridge_readers
from astra_ros.nodes.qos import reliable

PLAN, PASSED = "plan", "~/passed"
NAME = "plan"


class TopicGate:
    """Takes plans on ``plan`` and publishes those that pass on ``~/passed``.

    While one is judged, the newest of the others waits: a planner that sends faster than plans are judged still gets
    some through.

    Args:
        answered: told of each plan.
    """

    def __init__(
        self, node: Node, judge: PlanJudge, adapter: PlanAdapter, answered: Callable[[Answer], object]
    ) -> None:
        self._node, self._judge, self._adapter, self._answered = node, judge, adapter, answered
        self._topic, self._read = node.resolve_topic_name(PLAN), bridge_readers({NAME: adapter}).plan
        self._lock = threading.Lock()
        self._judged: bytes | None = None
        self._waiting: bytes | None = None
        self._passed = node.create_publisher(adapter.message, PASSED, reliable(1))
        node.create_subscription(adapter.message, PLAN, self._on_plan, reliable(8), raw=True)

    missing = ""
    """What is not there: nothing else is needed."""

    def close(self) -> bool:
        self._judge.close()
        return True

    def _on_plan(self, data: bytes) -> None:
        try:
            message = self._read(NAME, self._topic, data)
            check_stamp(message.stamp_ns, self._node.get_clock().now().nanoseconds, self._topic)
        except UserError as error:
            self._answered(Answer(reason=str(error), verdict="refused"))
            return
        data = self._adapter.without_stamp(bytes(data))  # it begins when it passes
        with self._lock:
            if self._judged is not None:
                replaced, self._waiting = self._waiting, data
            else:
                replaced, self._judged = None, data
            begins = self._judged is data
        if replaced is not None:
            self._answered(Answer(reason=REPLACED))
        if begins:
            self._begin(data)

    def _begin(self, data: bytes) -> None:
        try:
            self._judge.ask(data, self._on_answer)
        except Exception:
            with self._lock:  # the one that waits, too: it must not pass behind a newer one
                self._judged = self._waiting = None
            raise

    def _on_answer(self, answer: Answer) -> None:
        with self._lock:
            data, self._judged, self._waiting = self._judged, self._waiting, None
            following = self._judged
        try:
            if answer.passed and data is not None:
                self._passed.publish(data)
            self._answered(answer)
        finally:  # or no plan would be judged any more
            if following is not None:
                self._begin(following)
