"""The gate as an action: it offers the action of a controller and forwards the goals that pass."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

from rclpy.action import ActionClient, ActionServer, CancelResponse, GoalResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node

from astra_ros.nodes.gate.follow_joint_trajectory import action_type, failure, goal_data
from astra_ros.nodes.gate.forwarding import FULL, STOPS_WITHIN_S, Action, Forwarder
from astra_ros.nodes.gate.judge import Answer, PlanJudge
from astra_ros.nodes.gate.settings import GateSettings

OFFERED = "~/follow_joint_trajectory"
RESULTS_LEAVE_S = 0.3


class ActionGate:
    """An action server in front of a controller's.

    A goal that must not pass is accepted by the server and then aborted: the protocol of actions has no room for a
    reason where a goal is rejected, and clients such as MoveIt log the ``error_string`` of a result.

    Raises LoadError where ``control_msgs`` is not installed.
    """

    def __init__(
        self, node: Node, judge: PlanJudge, settings: Callable[[], GateSettings], answered: Callable[[Answer], object]
    ) -> None:
        kind = action_type()
        self._node, self.controller = node, node.resolve_topic_name(settings().controller)
        group = ReentrantCallbackGroup()  # goals block their threads until they end
        self._client = ActionClient(node, kind, self.controller, callback_group=group)

        def data(goal) -> bytes:
            return goal_data(goal, node.get_clock().now().nanoseconds)

        action = Action(self.controller, self._client, data, failure(kind))
        self._forwarder = Forwarder(action, judge, settings, answered, node.get_logger().error)
        self.offered = node.resolve_topic_name(OFFERED)
        self._server = ActionServer(
            node,
            kind,
            self.offered,
            self._forwarder.execute,
            callback_group=group,
            goal_callback=self._on_goal,
            handle_accepted_callback=self._on_accepted,
            cancel_callback=lambda _: CancelResponse.ACCEPT,  # `Forwarder` passes it on
        )

    @property
    def missing(self) -> str:
        """What is not there, or ''."""
        return "" if self._client.server_is_ready() else f"no controller offers the action {self.controller}"

    def close(self) -> bool:
        """Stop what is executed; False where a goal does not end."""
        waits = self._forwarder.busy > 0
        self._forwarder.close()
        # The node does not spin any more. Yet the controller's answers must arrive, and results must leave, which rclpy
        # sends in a task of the executor after the goal has ended.
        self._spin(3 * STOPS_WITHIN_S, lambda: not self._forwarder.busy)
        if waits:
            self._spin(RESULTS_LEAVE_S, lambda: False)
        return not self._forwarder.busy

    def _spin(self, within_s: float, done: Callable[[], bool]) -> None:
        until_s, executor = time.monotonic() + within_s, self._node.executor
        while executor is not None and not done() and time.monotonic() < until_s:
            with suppress(Exception):
                executor.spin_once(timeout_sec=0.05)

    def _on_goal(self, _) -> GoalResponse:
        if not self._forwarder.full:
            return GoalResponse.ACCEPT
        self._node.get_logger().warning(f"a goal is rejected: {FULL}")
        return GoalResponse.REJECT

    def _on_accepted(self, handle: ServerGoalHandle) -> None:
        """Begin with a goal. Its place is taken here and not before: of goals that rclpy fails to accept, nothing is
        heard after `_on_goal`."""
        if not self._forwarder.room():  # since `_on_goal`
            handle.execute(self._forwarder.turn_away)
            return
        try:
            handle.execute()
        except BaseException:
            self._forwarder.free()
            raise
