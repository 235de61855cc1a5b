"""Starting the package's nodes as processes, without ``ros2 launch``, and ending every one of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from astra_ros.nodes.client.system import NodeSpec

LAST_LINES = 15


class ProcessFailed(RuntimeError):
    """A node's process ended. The message names it and has its last log lines."""


def ros_environment(domain: int | None = None) -> dict[str, str]:
    """The environment for nodes that talk to each other on this machine only.

    They get a domain of their own, whatever ROS_DOMAIN_ID says: what they command must never reach a
    real robot.

    Args:
        domain: the domain to use, for those who want to watch; None draws one.
    """
    environment = dict(os.environ)
    # Where the message types are, when ROS comes from wheels in this environment.
    environment.setdefault("AMENT_PREFIX_PATH", sys.prefix)
    if domain is None:
        # 1 to 101 is the range whose ports are free on every platform.
        domain = 1 + os.getpid() % 101
        if str(domain) == environment.get("ROS_DOMAIN_ID"):
            domain = 1 + domain % 101
    environment["ROS_DOMAIN_ID"] = str(domain)
    environment["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    environment.pop("ROS_STATIC_PEERS", None)
    # A competing process must not make torch wait busily for cores.
    environment.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    environment["PYTHONUNBUFFERED"] = "1"
    return environment


@contextmanager
def _signals_wait() -> Iterator[None]:
    """SIGINT and SIGTERM that come within the block take effect after it; main thread only."""
    came: list[int] = []
    handlers = {
        number: signal.signal(number, lambda number, _: came.append(number))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for number in came:
            signal.raise_signal(number)


class Processes:
    """Nodes as processes with log files; leaving the context ends them all.

    Args:
        log_folder: where ``<node>.log`` goes.
        environment: of the processes.
    """

    def __init__(self, log_folder: Path, environment: Mapping[str, str]) -> None:
        self._folder = log_folder
        self._environment = dict(environment)
        self._running: dict[str, subprocess.Popen] = {}

    def start(self, spec: NodeSpec, params_file: str | Path) -> subprocess.Popen:
        """Start a node; its output goes to its log file."""
        self._folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", spec.module, *spec.ros_arguments(str(params_file))]
        # Otherwise Ctrl-C in between could leave a process that nobody knows of.
        with open(self.log(spec.executable), "w") as log, _signals_wait():
            process = self._running[spec.executable] = subprocess.Popen(
                command,
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env=self._environment,
                # Ctrl-C at the terminal is for the caller, who then ends these in order.
                start_new_session=True,
            )
        return process

    def log(self, name: str) -> Path:
        """The log file of a node."""
        return self._folder / f"{name}.log"

    def last_lines(self, name: str, count: int = LAST_LINES) -> str:
        """The end of a node's log."""
        path = self.log(name)
        lines = path.read_text(errors="replace").splitlines() if path.exists() else []
        return "\n".join(f"    {line}" for line in lines[-count:])

    def check(self) -> None:
        """Raise when a node has ended.

        Raises:
            ProcessFailed: one has.
        """
        for name, process in self._running.items():
            if (code := process.poll()) is not None:
                raise ProcessFailed(
                    f"the node '{name}' ended with code {code}; its last lines "
                    f"({self.log(name)}):\n{self.last_lines(name)}"
                )

    def stop(self, patience_s: float = 8.0) -> dict[str, int]:
        """End all nodes: SIGINT first, then SIGTERM, then SIGKILL. Returns name -> exit code."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            alive = [process for process in self._running.values() if process.poll() is None]
            for process in alive:
                process.send_signal(number)
            deadline = time.monotonic() + patience_s
            for process in alive:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(max(0.0, deadline - time.monotonic()))
        return {name: process.returncode for name, process in self._running.items()}

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *_) -> None:
        self.stop()
