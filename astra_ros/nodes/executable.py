"""Runs a node as a process: start, spin, and a clean end on SIGINT and SIGTERM."""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Protocol

import rclpy
from rclpy.exceptions import InvalidHandle, ParameterException
from rclpy.executors import Executor
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from rclpy.utilities import remove_ros_args

from astra_ros.nodes.executors import SingleThreadedExecutor
from astra_ros.nodes.overruled_parameters import warn_of_overruled
from astra_ros.nodes.parameter_help import help_text

RCLError = rclpy_implementation.RCLError
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Behaviour(Protocol):
    """The parts of a node, made with the rclpy node."""

    def close(self) -> bool | None:
        """Stop threads and free resources outside the rclpy node; False when a thread cannot be stopped."""


def run(
    name: str,
    make_behaviour: Callable[[Node], Behaviour],
    declared_settings: Callable[[], Mapping[str, object]],
    argv: list[str] | None = None,
    make_executor: Callable[[], Executor] = SingleThreadedExecutor,
) -> int:
    """Make a node, spin it until a signal, and destroy it.

    rclpy's own signal handler would destroy the node while callbacks still use it. Here a thread waits for the signal,
    callbacks end, and only then the node is destroyed.

    Args:
        make_behaviour: fills the node; raises ValueError for settings that cannot work.
        declared_settings: namespace -> the settings that the node declares, for ``--help``.
        argv: command line without the program's name; None takes the process's own.
        make_executor: called once ROS is initialised.

    Returns:
        0 after SIGINT or SIGTERM, 1 when the settings cannot work, 2 for arguments that are not ROS arguments.
    """
    args = sys.argv if argv is None else [name, *argv]
    stopped = threading.Event()
    try:
        if words := remove_ros_args(args)[1:]:
            return _answer(name, make_behaviour, declared_settings, words)
        rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    except (RCLError, rclpy_implementation.UnknownROSArgsError) as error:
        # Its own message names file and line, or the argument.
        print(f"{name}: {error}", file=sys.stderr)
        return 2
    node = behaviour = None
    executor = make_executor()
    _on_stop_signal(lambda: _stop(stopped, executor))
    try:
        try:
            node = Node(name)
            warn_of_overruled(node, args)
            behaviour = make_behaviour(node)
        except (ValueError, FileNotFoundError, ParameterException, RCLError) as error:
            rclpy.logging.get_logger(name).fatal(str(error))
            return 1
        executor.add_node(node)
        while not stopped.is_set():
            try:
                executor.spin_once()
            except InvalidHandle as error:  # a subscription that was destroyed while the executor used it
                if not rclpy.ok():
                    raise
                node.get_logger().debug(str(error))
            except Exception:
                if not rclpy.ok():
                    raise
                node.get_logger().error(f"unexpected error, the node lives on:\n{traceback.format_exc()}")
    finally:
        # The node ends. A second signal is ignored: later, when the interpreter has restored its own handlers, it would
        # kill the process during a clean end.
        for number in _STOP_SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        # The behaviour first: it answers callbacks that wait, and its threads still publish.
        if behaviour is not None and behaviour.close() is False:
            # Joining or freeing anything now would wait for that thread, or crash it.
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(0)
        executor.shutdown()
        if node is not None:
            node.destroy_node()
        rclpy.try_shutdown()
    return 0


def _answer(name: str, make_behaviour: Callable, declared_settings: Callable, words: list[str]) -> int:
    """Print help, or the unknown arguments: a node takes ROS arguments only."""
    usage = (
        f"usage: ros2 run astra_ros {name} --ros-args -p parameter:=value -r topic:=other_topic\n"
        "       parameters for many nodes: share/astra_ros/config/astra.yaml, with --params-file"
    )
    if {"-h", "--help"} & set(words):
        about = (sys.modules[make_behaviour.__module__].__doc__ or name).strip()
        told = f"\n\nparameters, with their defaults:\n{help_text(declared_settings())}"
        with suppress(BrokenPipeError):  # piped into `head`, say
            print(f"{about}\n\n{usage}{told}", flush=True)
            return 0
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left would be written at exit
        return 0
    print(f"{name}: unknown arguments {' '.join(words)}\n{usage}", file=sys.stderr)
    return 2


def _stop(stopped: threading.Event, executor) -> None:
    stopped.set()
    # A task wakes the executor, so it sees that it is over.
    executor.create_task(lambda: None)


def _on_stop_signal(call: Callable[[], None]) -> None:
    """Call ``call`` from a thread once SIGINT or SIGTERM arrives.

    Python runs signal handlers in the main thread only, which sleeps inside the middleware. The interpreter also writes
    to a file descriptor as soon as a signal arrives, and a thread can wait for that.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    for number in _STOP_SIGNALS:
        signal.signal(number, lambda *_: None)
    signal.set_wakeup_fd(writer)

    def wait() -> None:
        os.read(reader, 1)
        call()

    threading.Thread(target=wait, name="signals", daemon=True).start()
