"""A ROS node that drives and watches the package's nodes from one thread."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

import rclpy
from rcl_interfaces.srv import SetParameters
from rclpy.client import Client
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.signals import SignalHandlerOptions
from std_srvs.srv import Trigger

from astra_ros.errors import UserError

Answer = TypeVar("Answer")
ANSWER_WITHIN_S = 120.0


class ClientError(UserError):
    """A running node did not do what its client asked for."""


class NodeClient:
    """Waits for topics and services of running nodes.

    Args:
        name: of the client's own node.
        watch: raises an error where waiting on is pointless, such as when a process has ended.
    """

    def __init__(self, name: str, watch: Callable[[], object]) -> None:
        self._watch = watch
        self._context = rclpy.Context()
        rclpy.init(args=[], context=self._context, signal_handler_options=SignalHandlerOptions.NO)
        self.node = Node(name, context=self._context, use_global_arguments=False)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        self._clients: dict[str, Client] = {}

    def close(self) -> None:
        self._executor.shutdown()
        self.node.destroy_node()
        self._context.try_shutdown()

    def check(self) -> None:
        """Raise an error where waiting on is pointless; called often while waiting."""
        self._watch()

    def until(self, done: Callable[[], Answer | None], what: str) -> Answer:
        """Handle incoming messages until `done()` returns something true, and return that.

        Raises ClientError where that takes longer than ANSWER_WITHIN_S.
        """
        deadline = time.monotonic() + ANSWER_WITHIN_S
        while not (answer := done()):
            self.check()
            if time.monotonic() > deadline:
                raise ClientError(f"did not come within {ANSWER_WITHIN_S:g} s", thing=what)
            self._executor.spin_once(timeout_sec=0.01)
        return answer

    def call(self, service: str, kind: Any = Trigger, request: Any = None) -> Any:
        """Call a service and return its response."""
        if service not in self._clients:
            self._clients[service] = self.node.create_client(kind, service)
        client = self._clients[service]
        self.until(client.service_is_ready, f"the service {service}")
        future = client.call_async(request or kind.Request())
        self.until(future.done, f"the answer of {service}")
        return future.result()

    def set_parameter(self, node: str, name: str, value: bool | float | str) -> None:
        """Raises ClientError where the node refuses the value."""
        request = SetParameters.Request(parameters=[Parameter(name, value=value).to_parameter_msg()])
        result = self.call(f"{node}/set_parameters", SetParameters, request).results[0]
        if not result.successful:
            raise ClientError(f"refuses {name} = {value}: {result.reason}", thing=node)
