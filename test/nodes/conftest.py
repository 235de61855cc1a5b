"""Real nodes in real processes, on a ROS graph of their own, and a small model that loads fast."""

from __future__ import annotations

import itertools
import os
import time

import pytest

# A domain for each graph, from the one of this test run on (test/conftest.py).
DOMAINS = itertools.count(int(os.environ["ROS_DOMAIN_ID"]) - 1)
# Long, because a busy machine may start a process slowly; nothing waits longer than it must.
PATIENCE_S = float(os.environ.get("ASTRA_PATIENCE_S", 90))


class Graph:
    """A ROS domain with processes of this package, and a node of the test's own.

    Everything waits for events; nothing sleeps and hopes.
    """

    def __init__(self, folder) -> None:
        import rclpy
        from rclpy.executors import SingleThreadedExecutor
        from rclpy.signals import SignalHandlerOptions

        from astra_ros.nodes.client.processes import NodeProcesses, ros_environment

        domain = 1 + next(DOMAINS) % 101
        environment = ros_environment() | {"ROS_DOMAIN_ID": str(domain), "OMP_NUM_THREADS": "1"}
        self.processes = NodeProcesses(folder, environment)
        self.running = {}
        self._context = rclpy.Context()
        rclpy.init(args=[], context=self._context, domain_id=domain, signal_handler_options=SignalHandlerOptions.NO)
        self.node = rclpy.create_node("test", context=self._context, use_global_arguments=False)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        self.status = {}  # newest status on /diagnostics, by name
        self.heard = {}
        self._listen_to_diagnostics()

    def _listen_to_diagnostics(self) -> None:
        from diagnostic_msgs.msg import DiagnosticArray

        def store(msg):
            self.status.update({status.name: status for status in msg.status})

        self.node.create_subscription(DiagnosticArray, "/diagnostics", store, 50)

    def start(self, executable, parameters=None, remappings=None, namespace=""):
        """Start a node with the package's own parameter file."""
        from astra_ros.nodes.client.node_specs import PARAMS_FILE, NodeSpec
        from astra_ros.resources import resource_path

        if executable in self.running and self.running[executable].poll() is None:
            self.stop()  # a test that failed left it behind
        spec = NodeSpec(executable, parameters or {}, remappings or {}, namespace)
        self.running[executable] = self.processes.start(spec, resource_path(PARAMS_FILE))

    def log(self, executable) -> str:
        return self.processes.log(executable).read_text()

    def listen(self, kind, topic, qos, raw=False) -> list:
        """Every message on a topic from now on, in a list that grows."""
        messages = []
        self.node.create_subscription(kind, topic, messages.append, qos, raw=raw)
        return messages

    def publisher(self, kind, topic, qos, listeners=1):
        """A publisher that is connected."""
        made = self.node.create_publisher(kind, topic, qos)
        self.until(lambda: made.get_subscription_count() >= listeners, f"listeners of {topic}")
        return made

    def until(self, done, what, within_s=PATIENCE_S):
        """Spin until ``done()`` gives something true; return it, or fail with the nodes' logs."""
        deadline = time.monotonic() + within_s
        while not (result := done()):
            ended = [name for name, process in self.running.items() if process.poll() is not None]
            if ended or time.monotonic() > deadline:
                logs = "\n".join(f"{n}:\n{self.processes.last_lines(n)}" for n in self.running)
                why = f"{', '.join(ended)} ended" if ended else f"not within {within_s:g} s"
                pytest.fail(f"{why}: {what}\n{logs}\nstatuses: {list(self.status.values())}")
            self._executor.spin_once(timeout_sec=0.05)
        return result

    def call(self, service, kind=None, request=None):
        from std_srvs.srv import Trigger

        kind = kind or Trigger
        client = self.node.create_client(kind, service)
        self.until(client.service_is_ready, f"service {service}")
        future = client.call_async(request or kind.Request())
        self.until(future.done, f"answer of {service}")
        self.node.destroy_client(client)
        return future.result()

    def set_parameter(self, node, name, value):
        """The result of setting one parameter."""
        from rcl_interfaces.srv import SetParameters
        from rclpy.parameter import Parameter

        request = SetParameters.Request(parameters=[Parameter(name, value=value).to_parameter_msg()])
        return self.call(f"/{node}/set_parameters", SetParameters, request).results[0]

    def status_says(self, name, level, words, meanwhile=None):
        """Wait for a status with a level and words in its message.

        Args:
            meanwhile: called again and again: what is sent best effort may be lost.
        """

        def said():
            if meanwhile is not None:
                meanwhile()
            status = self.status.get(name)
            return status and status.level == level and words in status.message and status

        return self.until(said, f"status '{name}' {level} with '{words}'")

    def stop(self) -> dict[str, int]:
        """End the nodes with SIGINT; name -> exit code."""
        self.running.clear()
        return self.processes.stop()

    def close(self) -> None:
        self.stop()
        self._executor.shutdown()
        self.node.destroy_node()
        self._context.try_shutdown()


@pytest.fixture(scope="module")
def graph(tmp_path_factory):
    """A graph for the tests of one module."""
    pytest.importorskip("rclpy")
    made = Graph(tmp_path_factory.mktemp("logs"))
    yield made
    made.close()


@pytest.fixture(scope="session")
def small_model(tmp_path_factory):
    """A small model of the two simulated arms."""
    pytest.importorskip("torch")
    from small_models import write_small_model

    from astra_ros.plans.action_spaces.joints import JointSpace
    from astra_ros.simulation.arm.robots import ROBOTS

    spaces = [
        JointSpace(f"{spec.name}_joints", spec.joint_names, spec.ready, (0.5,) * 7, (0.1,) * 7)
        for spec in (ROBOTS["panda"], ROBOTS["kuka"])
    ]
    return write_small_model(tmp_path_factory.mktemp("model"), spaces)


@pytest.fixture(scope="session")
def small_car_model(tmp_path_factory):
    """A small model of a car."""
    pytest.importorskip("torch")
    from small_models import write_small_model

    from astra_ros.plans.action_spaces.twist import TwistSpace

    space = TwistSpace("car_twist", ("linear.x", "angular.z"), (1.0, 1.0), (0.5, 0.5))
    return write_small_model(tmp_path_factory.mktemp("car"), [space])


@pytest.fixture
def make_plan():
    """Makes a panda plan that swings the first joint and comes back to ready."""
    import numpy as np

    from astra_ros.plans.joint_plan import JointPlan
    from astra_ros.simulation.arm.robots import ROBOTS

    spec = ROBOTS["panda"]

    def make(swing=0.3, joint_names=spec.joint_names):
        ready = np.array(spec.ready)
        there = ready + swing * np.eye(len(ready))[0]
        order = [spec.joint_names.index(name) for name in joint_names]
        positions = np.stack([ready, there, ready])[:, order]
        return JointPlan(tuple(joint_names), np.array([0.0, 2.0, 4.0]), positions)

    return make
