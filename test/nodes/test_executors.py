"""A callback that cannot be taken does not end the others of its group."""

import contextlib
import threading
import time

import pytest

pytest.importorskip("rclpy")

import rclpy
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node

from astra_ros.nodes.executors import MultiThreadedExecutor, SingleThreadedExecutor

pytestmark = pytest.mark.ros

PATIENCE_S = 60.0


@pytest.fixture
def node():
    context = rclpy.Context()
    rclpy.init(args=[], context=context)
    made = Node("n", context=context, use_global_arguments=False, start_parameter_services=False)
    yield made
    made.destroy_node()
    context.try_shutdown()


def spin(executor, node, done):
    """Whether `done()` became true; from another thread, since an executor whose groups are occupied waits for good."""
    executor.add_node(node)
    ended = threading.Event()

    def work():
        while not ended.is_set():
            with contextlib.suppress(Exception):  # as astra_ros.nodes.executable does, which logs it
                executor.spin_once(timeout_sec=0.1)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    end_s = time.monotonic() + PATIENCE_S
    while not done() and time.monotonic() < end_s:
        time.sleep(0.01)
    ended.set()
    thread.join(10.0)
    executor.shutdown(1.0)
    return done()


@pytest.mark.filterwarnings("ignore:MultiThreadedExecutor is used with a single thread")
def test_a_timer_that_is_cancelled_while_its_callback_waits_for_a_thread_ends_nothing(node):
    """The one thread is kept busy until both timers are due; then the first cancels the second."""
    fired = []

    def busy():
        blocker.cancel()
        time.sleep(0.5)

    def first():
        fired.append("first")
        one.cancel(), two.cancel()

    blocker = node.create_timer(0.01, busy, callback_group=ReentrantCallbackGroup())
    one = node.create_timer(0.1, first)
    two = node.create_timer(0.1, lambda: fired.append("second"))
    node.create_timer(0.9, lambda: fired.append("later"))
    assert spin(MultiThreadedExecutor(1, context=node.context), node, lambda: "later" in fired)
    assert "second" not in fired and fired[0] == "first"


@pytest.mark.parametrize("kind", [MultiThreadedExecutor, SingleThreadedExecutor])
def test_an_error_while_a_timer_is_taken_ends_nothing(node, kind):
    fired = []
    executor = kind(context=node.context)
    real, failures = executor._take_timer, []

    def fails_once(timer):
        if not failures:
            failures.append(timer)
            raise MemoryError("once")
        return real(timer)

    executor._take_timer = fails_once
    node.create_timer(0.05, lambda: fired.append(True))
    assert spin(executor, node, lambda: fired)
    assert len(failures) == 1
