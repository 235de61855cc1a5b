"""Running a node as a process: start, spin, and a clean end on SIGINT and SIGTERM."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Protocol

import rclpy
from rclpy.exceptions import ParameterException
from rclpy.executors import ExternalShutdownException, MultiThreadedExecutor, SingleThreadedExecutor
from rclpy.node import Node


class Behaviour(Protocol):
    """What a node does; made with the node that it speaks through."""

    def close(self) -> None:
        """Stop threads and free what is not the node's own."""


def run(
    name: str,
    make_behaviour: Callable[[Node], Behaviour],
    argv: list[str] | None = None,
    threads: int = 1,
) -> int:
    """Make a node, spin it until it is told to stop, and take it down.

    Args:
        name: the node's name, unless remapped.
        make_behaviour: fills the node; may raise ValueError for settings that cannot work.
        argv: command line without the program's name; None takes the process's own.
        threads: threads that run callbacks.

    Returns:
        The exit code: 0 after SIGINT or SIGTERM, 1 when the settings cannot work.
    """
    node = behaviour = executor = None
    try:
        rclpy.init(args=sys.argv if argv is None else [name, *argv])
        node = Node(name)
        try:
            behaviour = make_behaviour(node)
        except (ValueError, FileNotFoundError, ParameterException) as error:
            node.get_logger().fatal(str(error))
            return 1
        executor = SingleThreadedExecutor() if threads == 1 else MultiThreadedExecutor(threads)
        executor.add_node(node)
        executor.spin()
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        # The behaviour first: its own threads still publish, and must stop before the node does.
        if behaviour is not None:
            behaviour.close()
        if executor is not None:
            executor.shutdown()
        if node is not None:
            node.destroy_node()
        rclpy.try_shutdown()
    return 0
