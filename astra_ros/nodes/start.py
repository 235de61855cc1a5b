"""The nodes as executables. Imports take a second; a node that is told to stop before they end just exits."""

from __future__ import annotations

import importlib
import os
import signal

# executable -> the module whose `main` it runs
EXECUTABLES = {
    "imagine": "astra_ros.nodes.imagine.node",
    "simulator": "astra_ros.nodes.simulator.node",
    "plan_source": "astra_ros.nodes.planners.plan_source",
    "arm_planner": "astra_ros.nodes.planners.arm_planner",
    "drive_planner": "astra_ros.nodes.planners.drive_planner",
    "explorer": "astra_ros.nodes.explorer.node",
    "gate": "astra_ros.nodes.gate.node",
}


def imagine() -> int:
    """The imagine node."""
    return _start("imagine")


def simulator() -> int:
    """The simulator node."""
    return _start("simulator")


def plan_source() -> int:
    """The plan source node."""
    return _start("plan_source")


def arm_planner() -> int:
    """The arm planner node."""
    return _start("arm_planner")


def drive_planner() -> int:
    """The drive planner node."""
    return _start("drive_planner")


def explorer() -> int:
    """The explorer node."""
    return _start("explorer")


def gate() -> int:
    """The gate node."""
    return _start("gate")


def _start(name: str) -> int:
    for number in (signal.SIGINT, signal.SIGTERM):  # `run` replaces them
        signal.signal(number, lambda *_: os._exit(0))
    return importlib.import_module(EXECUTABLES[name]).main()
