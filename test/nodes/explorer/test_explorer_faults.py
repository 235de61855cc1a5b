"""Faults of the explorer's code are told on /diagnostics by class and place, and the node lives on; over DDS."""

import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("nav_msgs")

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node

from astra_ros.control.occupancy_grid import OccupancyGrid
from astra_ros.nodes.explorer import node as explorer
from astra_ros.nodes.explorer import pilot
from astra_ros.nodes.explorer.core import NextMotion
from astra_ros.nodes.reports import ERROR, WARN

pytestmark = pytest.mark.ros

PATIENCE_S = 60.0


class FaultyCore:
    """A core that is ready, and whose decisions fail until `mended` is set."""

    grid, frame = None, "odom"

    def __init__(self):
        self.mended = threading.Event()

    def not_ready(self, _):
        return ""

    lost = not_ready

    def observation(self):
        return None

    def decide(self, _):
        if not self.mended.is_set():
            return {}["a fault"]
        return NextMotion(None, OccupancyGrid(np.zeros((2, 2)), 0.1, (0.0, 0.0, 0.0), "odom"), [])


@pytest.fixture
def statuses(monkeypatch):
    """Starts the node; (level, message) of its newest status, after (done(status))."""
    monkeypatch.setattr(pilot, "RETRY_S", 0.05)
    context = rclpy.Context()
    rclpy.init(args=[], context=context)
    node, other = (Node(name, context=context, use_global_arguments=False) for name in ("explorer", "other"))
    executor, heard = SingleThreadedExecutor(context=context), []
    other.create_subscription(DiagnosticArray, "/diagnostics", lambda msg: heard.append(msg.status[0]), 10)
    made = explorer.ExplorerNode(node)
    for each in (node, other):
        executor.add_node(each)

    def wait(done):
        end_s = time.monotonic() + PATIENCE_S
        while not (heard and done(heard[-1])):
            assert time.monotonic() < end_s, heard[-1:]
            executor.spin_once(timeout_sec=0.05)
        return heard[-1]

    yield wait
    made.close()
    executor.shutdown()
    node.destroy_node(), other.destroy_node()
    context.try_shutdown()


@pytest.fixture
def faulty_core(monkeypatch):
    core = FaultyCore()
    model = SimpleNamespace(card=SimpleNamespace(name="m"), runs_on="cpu")
    monkeypatch.setattr(explorer, "load_world_model", lambda *_: model)
    for name in ("Imaginer", "WorldExploration"):
        monkeypatch.setattr(explorer, name, lambda *_, **__: None)
    monkeypatch.setattr(explorer, "ExplorerCore", lambda *_: core)
    return core


@pytest.fixture
def faulty_model(monkeypatch):
    monkeypatch.setattr(explorer, "load_world_model", lambda *_: {}["a fault"])


def test_a_decision_that_fails_is_told_and_the_next_one_is_made(faulty_core, statuses):
    said = statuses(lambda status: "KeyError: 'a fault'" in status.message)
    assert said.level == WARN and "test_explorer_faults.py, line " in said.message
    assert values(said)["last_refusal"] == said.message
    faulty_core.mended.set()
    statuses(lambda status: values(status)["complete"] == "true")


def test_a_model_that_cannot_be_loaded_is_told(faulty_model, statuses):
    said = statuses(lambda status: status.level == ERROR)
    assert "KeyError: 'a fault'" in said.message and "test_explorer_faults.py, line " in said.message


def values(status):
    return {pair.key: pair.value for pair in status.values}
