"""The package's nodes as processes that end with their parent, without ``ros2 launch``."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from subprocess import DEVNULL, STDOUT, Popen, TimeoutExpired

from astra_ros.errors import UserError
from astra_ros.nodes.client.node_specs import NodeSpec

LAST_LINES = 15


class NodeEnded(UserError):
    """A node's process ended by itself. The problem has the node's last log lines."""


def ros_environment(domain: int | None = None) -> dict[str, str]:
    """The environment of nodes that communicate on this machine only.

    Without `domain` it is another one than ROS_DOMAIN_ID, so that their commands never reach a real robot.
    """
    environment = dict(os.environ)
    # The message types are here where ROS is installed from wheels.
    environment.setdefault("AMENT_PREFIX_PATH", sys.prefix)
    if domain is None:
        # 1 to 101 is the range whose ports are free on every platform.
        domain = 1 + os.getpid() % 101
        if str(domain) == environment.get("ROS_DOMAIN_ID"):
            domain = 1 + domain % 101
    environment["ROS_DOMAIN_ID"] = str(domain)
    environment["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    environment.pop("ROS_STATIC_PEERS", None)
    # Torch must not busy-wait for cores that another process uses.
    environment.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    environment["PYTHONUNBUFFERED"] = "1"
    return environment


@contextmanager
def signals_deferred() -> Iterator[None]:
    """SIGINT and SIGTERM that arrive in the block take effect after it; main thread only."""
    came: list[int] = []
    stops = signal.SIGINT, signal.SIGTERM
    handlers = {number: signal.signal(number, lambda number, _: came.append(number)) for number in stops}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for late in came:
            signal.raise_signal(late)


class NodeProcesses:
    """Nodes as processes with a log file each, ``<log_folder>/<node>.log``; leaving the context ends them all."""

    def __init__(self, log_folder: Path, environment: Mapping[str, str]) -> None:
        self._folder = log_folder
        self._environment = dict(environment)
        self._running: dict[str, Popen] = {}

    def start(self, spec: NodeSpec, params_file: str | Path, build: Path | None = None) -> Popen:
        """Start a node of this package, or of an older checkout whose root is `build`."""
        self._folder.mkdir(parents=True, exist_ok=True)
        python = ["-m", spec.module]
        if build:  # whose modules had other names; `nodes/start.py` has always named the executables
            start = f"from astra_ros.nodes import start; sys.exit(start.{spec.executable}())"
            python = ["-c", f"import sys; sys.path[0] = {str(build)!r}; {start}"]
        command = [sys.executable, *python, *spec.ros_arguments(str(params_file))]
        # Ctrl-C at the terminal reaches the caller only, which then ends these in order: each is a session of its own.
        # If signals were not deferred, Ctrl-C before the assignment would leave the process running.
        with open(self.log(spec.executable), "w") as log, signals_deferred():
            process = self._running[spec.executable] = Popen(
                command, stdin=DEVNULL, stdout=log, stderr=STDOUT, env=self._environment, start_new_session=True
            )
        return process

    def log(self, name: str) -> Path:
        return self._folder / f"{name}.log"

    def last_lines(self, name: str) -> str:
        """The end of a node's log."""
        path = self.log(name)
        lines = path.read_text(errors="replace").splitlines() if path.exists() else []
        return "\n".join(f"    {line}" for line in lines[-LAST_LINES:])

    def check(self) -> None:
        """Raises NodeEnded where a node has ended."""
        for name, process in self._running.items():
            if (code := process.poll()) is not None:
                last = f"its last lines ({self.log(name)}):\n{self.last_lines(name)}"
                raise NodeEnded(f"the node '{name}' ended with code {code}; {last}")

    @contextmanager
    def log_in_errors(self, name: str) -> Iterator[None]:
        """Add the end of a node's log to the user errors of a block."""
        try:
            yield
        except NodeEnded:
            raise
        except UserError as error:
            error.problem += f"\nthe last lines of the {name} node:\n{self.last_lines(name)}"
            raise

    def stop(self, patience_s: float = 8.0) -> dict[str, int]:
        """End all nodes: SIGINT first, then SIGTERM, then SIGKILL. Returns name -> exit code."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            alive = [process for process in self._running.values() if process.poll() is None]
            for process in alive:
                process.send_signal(number)
            deadline = time.monotonic() + patience_s
            for process in alive:
                with suppress(TimeoutExpired):
                    process.wait(max(0.0, deadline - time.monotonic()))
        return {name: process.returncode for name, process in self._running.items()}

    def __enter__(self) -> NodeProcesses:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
