"""A callback that cannot be taken does not end the others of its group; which thread runs a callback, and when."""

import contextlib
import threading
import time
from concurrent.futures import Future
from functools import partial

import pytest

pytest.importorskip("rclpy")

import numpy as np
import rclpy
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile
from rclpy.timer import Timer
from std_msgs.msg import Int32
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from astra_ros.bridge.trajectories import plan_to_trajectory
from astra_ros.nodes.executors import InPlaceExecutor, MultiThreadedExecutor, SingleThreadedExecutor
from astra_ros.nodes.imagine.node import CALLERS, EXECUTOR, Imagine
from astra_ros.nodes.qos import reliable
from astra_ros.plans.joint_plan import JointPlan

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


@pytest.fixture(params=[SingleThreadedExecutor, partial(MultiThreadedExecutor, 2), partial(InPlaceExecutor, 2)])
def executor(request, node):
    return request.param(context=node.context)


def test_an_error_while_a_timer_is_taken_ends_nothing(node, executor):
    fired = []
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


def test_an_error_in_a_callback_is_raised_where_the_executor_spins_and_ends_nothing(node):
    executor, fired = InPlaceExecutor(2, context=node.context), []

    def fails():
        fired.append(True)
        raise MemoryError("once")

    timer = node.create_timer(0.01, fails)
    executor.add_node(node)
    with pytest.raises(MemoryError):
        executor.spin_once()
    timer.callback = lambda: fired.append(True)
    executor.spin_once()
    executor.shutdown()
    assert len(fired) == 2


def test_an_error_in_a_callback_that_may_block_is_raised_at_a_later_spin_and_ends_nothing(node):
    executor, fired, failed = InPlaceExecutor(2, context=node.context), [], []

    def fails():
        failing.cancel()
        failed.append(True)
        raise MemoryError("once")

    failing = node.create_timer(0.01, fails, callback_group=ReentrantCallbackGroup())
    node.create_timer(0.02, lambda: fired.append(True))
    executor.add_node(node)
    end_s = time.monotonic() + PATIENCE_S
    with pytest.raises(MemoryError):
        while time.monotonic() < end_s:
            executor.spin_once(timeout_sec=0.1)
    before = len(fired)
    while len(fired) == before and time.monotonic() < end_s:
        executor.spin_once(timeout_sec=0.1)
    executor.shutdown()
    assert len(failed) == 1 and len(fired) > before


def test_a_callback_that_may_block_has_its_own_thread_and_others_run_where_the_executor_spins(node):
    threads, go_on = {}, threading.Event()

    def blocks():
        blocker.cancel()
        threads["blocks"] = threading.current_thread()
        threads["in time"] = go_on.wait(PATIENCE_S)

    def goes_on():
        threads["goes on"] = threading.current_thread()
        go_on.set()

    blocker = node.create_timer(0.01, blocks, callback_group=ReentrantCallbackGroup())
    node.create_timer(0.1, goes_on)
    executor = InPlaceExecutor(2, context=node.context)
    executor.add_node(node)
    while "in time" not in threads:
        executor.spin_once(timeout_sec=0.1)
    executor.shutdown()
    assert threads["in time"]
    assert threads["goes on"] is threading.current_thread() is not threads["blocks"]


def test_messages_that_wait_are_taken_in_a_row_as_many_as_the_queue_holds(node):
    """A timer stands for all that must have its turn between them. It is due whenever the executor waits."""
    queue = 3
    publisher = node.create_publisher(Int32, "numbers", QoSProfile(depth=10))
    taken, turns = [], []

    def on_number(msg):
        taken.append(msg.data)
        turns.append("number")
        if msg.data < queue:  # so there is always one more than the queue held at first
            publisher.publish(Int32(data=msg.data + queue))
            time.sleep(0.1)  # until the middleware has it

    node.create_subscription(Int32, "numbers", on_number, QoSProfile(depth=queue))
    while not publisher.get_subscription_count():
        time.sleep(0.01)
    for number in range(queue):
        publisher.publish(Int32(data=number))
    time.sleep(0.5)
    node.create_timer(0.001, lambda: turns.append("timer"))
    assert spin(InPlaceExecutor(2, context=node.context), node, lambda: len(taken) >= 2 * queue)
    assert taken[: 2 * queue] == list(range(2 * queue))
    first = turns.index("number")
    assert turns[first : first + queue] == ["number"] * queue and turns[first + queue] == "timer"


class LateTimers(MultiThreadedExecutor):
    """Callbacks of timers get no thread for 0.3 s, as on busy cores. The executor offers them again and again."""

    def __init__(self, threads, context):
        super().__init__(threads, context=context)
        self._waits, submit = {}, self._executor.submit
        self._executor.submit = lambda task: submit(task) if time.monotonic() > self._waits.get(task, 0.0) else None

    def _make_handler(self, entity, node, take_from_wait_list):
        task = super()._make_handler(entity, node, take_from_wait_list)
        if isinstance(entity, Timer):
            self._waits[task] = time.monotonic() + 0.3
        return task


def test_the_imagine_node_takes_plans_though_its_timer_was_cancelled_in_the_last_moment():
    """The first plan sets the timer. The second comes while the timer's callback waits. As many as
    are kept are new then, so it cancels the timer."""
    context = rclpy.Context()
    rclpy.init(args=[], context=context)
    given = {"model": "/no/model", "settle_s": 0.01, "candidates.keep": 2}
    overrides = [Parameter(name, value=value) for name, value in given.items()]
    node = Node("imagine", context=context, parameter_overrides=overrides, use_global_arguments=False)
    imagine = Imagine(node)
    plans, received = imagine._core.inputs.plans, lambda: plans.fates["candidates"].received
    publisher = node.create_publisher(JointTrajectory, "plans", reliable(8))
    msg = plan_to_trajectory(JointPlan(("a",), np.array([0.0, 1.0]), np.array([[0.0], [1.0]])))
    last_s, sent = 0.0, [0]

    def burst():
        """A plan, another one 0.1 s later, and one when the timer's callback had its turn."""
        nonlocal last_s
        due_s = {0: 0.0, 1: 0.1, 2: 0.5}
        if received() == sent[0] < 3 and time.monotonic() - last_s > due_s[sent[0]]:
            last_s = time.monotonic()
            sent[0] += publisher.get_subscription_count()
            publisher.publish(msg)
        return received() == 3

    assert spin(LateTimers(4, context), node, burst)
    imagine.close()
    node.destroy_node()
    context.try_shutdown()


def test_one_caller_too_many_is_told_so_while_the_others_wait():
    context = rclpy.Context()
    rclpy.init(args=[], context=context)
    model = [Parameter("model", value="/no/model")]
    node = Node("imagine", context=context, parameter_overrides=model, use_global_arguments=False)
    imagine, asked = Imagine(node), []
    imagine._thread.request = lambda: (asked.append(Future()), asked[-1])[1]
    client = node.create_client(Trigger, "imagine/imagine", callback_group=ReentrantCallbackGroup())
    answers = []

    def answered():
        if client.service_is_ready() and not answers:
            answers.extend(client.call_async(Trigger.Request()) for _ in range(CALLERS + 1))
        if len(asked) == CALLERS and any(answer.done() for answer in answers):
            for each in asked:
                if not each.done():
                    each.set_result("served")
        return answers and all(answer.done() for answer in answers)

    assert spin(EXECUTOR(context=context), node, answered)
    texts = [answer.result().message for answer in answers if not answer.result().success]
    assert texts == [f"{CALLERS} callers wait for an answer already; try again"]
    imagine.close()
    node.destroy_node()
    context.try_shutdown()
