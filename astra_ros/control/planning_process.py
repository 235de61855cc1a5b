"""A process that plans, and answers within a time or is killed.

``python -m astra_ros.control.planning_process FD`` is that process: requests and answers go through the socket FD.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from astra_ros.control.planning_errors import PlanningProcessLost, PlanningTimeout
from astra_ros.errors import UserError

READY = "ready"
PACKAGES = ("yourdfpy", "trimesh", "pinocchio", "coal", "ompl", "toppra")  # slow to import


class PlanningProcess:
    """Calls functions of ``motion_candidates`` in another process. Threads may share it; one call runs at a time."""

    def __init__(self, start_limit_s: float = 60.0) -> None:
        self._start_limit_s = start_limit_s
        self._process: subprocess.Popen | None = None
        self._pipe: Connection | None = None
        self._lock = threading.Lock()

    def start(self) -> None:
        """Start the process if it does not run. Raises PlanningTimeout or PlanningProcessLost."""
        with self._lock:
            self._started()

    def call(self, name: str, arguments: tuple, seconds: float) -> Any:
        """What a function returns or raises.

        "plan" is ``plan_motions``, "push" ``plan_pushes``, "retreat" ``plan_retreat``; "prepare" builds the robot and
        returns None.

        Raises:
            PlanningTimeout: it took longer; the process is killed, and the next call starts another.
            PlanningProcessLost: the process ended by itself.
        """
        with self._lock:
            pipe = self._started()
            try:
                pipe.send((name, arguments))
                answered = pipe.poll(seconds)
                answer = pipe.recv() if answered else None
            except (EOFError, OSError) as error:
                raise self._lost() from error
            if not answered:
                self._kill()
                cure = "give more time, or name an easier goal"
                raise PlanningTimeout(f"no answer within {seconds:g} s", thing="goal", cure=cure, seconds=seconds)
        if isinstance(answer, UserError):
            raise answer
        if isinstance(answer, Exception):
            raise RuntimeError(f"the planner failed: {answer}") from answer
        return answer

    def close(self) -> None:
        """Kill the process, also while a call waits for it; that call raises PlanningProcessLost."""
        process = self._process
        if process is not None:
            process.kill()
        with self._lock:
            self._kill()

    def _started(self) -> Connection:
        if self._pipe is not None and self._process is not None and self._process.poll() is None:
            return self._pipe
        self._kill()
        ours, theirs = socket.socketpair()
        with theirs:
            root = str(Path(__file__).resolve().parents[2])
            paths = [root, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
            # One thread: the other cores belong to the world model.
            environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}
            words = [sys.executable, "-m", "astra_ros.control.planning_process", str(theirs.fileno())]
            self._process = subprocess.Popen(
                words, pass_fds=[theirs.fileno()], env=environment, stdin=subprocess.DEVNULL
            )
        self._pipe = Connection(ours.detach())
        try:
            ready = self._pipe.poll(self._start_limit_s) and self._pipe.recv() == READY
        except (EOFError, OSError) as error:
            raise self._lost() from error
        if not ready:
            self._kill()
            problem, cure = f"it did not start within {self._start_limit_s:g} s", "look at the load of this machine"
            raise PlanningTimeout(problem, thing="planning process", cure=cure, seconds=self._start_limit_s)
        return self._pipe

    def _lost(self) -> PlanningProcessLost:
        code = None
        if self._process is not None:
            with suppress(subprocess.TimeoutExpired):
                code = self._process.wait(5.0)
        self._kill()
        problem, cure = f"it ended by itself (exit code {code})", "look at its error output, and plan again"
        return PlanningProcessLost(problem, thing="planning process", cure=cure, exit_code=code)

    def _kill(self) -> None:
        if self._pipe is not None:
            self._pipe.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._pipe = self._process = None


def serve(descriptor: int) -> None:
    """Answer requests until the other end closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the caller ends this process
    pipe = Connection(descriptor)
    from astra_ros.control.motion_candidates import model_of, plan_motions
    from astra_ros.control.pushes import plan_pushes, plan_retreat

    functions: dict[str, Any] = {
        "plan": plan_motions,
        "push": plan_pushes,
        "retreat": plan_retreat,
        "prepare": lambda *arguments: model_of(*arguments) and None,
    }
    for package in PACKAGES:  # now, while the caller waits for READY
        with suppress(ImportError):  # the first request says what is missing
            import_module(package)
    pipe.send(READY)
    while True:
        try:
            name, arguments = pipe.recv()
        except EOFError:
            return
        try:
            answer: Any = functions[name](*arguments)
        except UserError as error:
            answer = error
        except Exception as error:  # noqa: BLE001 - the caller raises it; those of other packages may not be pickled
            answer = RuntimeError(repr(error))
        pipe.send(answer)


if __name__ == "__main__":
    serve(int(sys.argv[1]))
