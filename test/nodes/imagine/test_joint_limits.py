"""Joint states and plans far beyond the description's limits: named once on /diagnostics, and the plans are taken."""

from types import SimpleNamespace

import numpy as np
import pytest

rclpy = pytest.importorskip("rclpy")

from rclpy.node import Node  # noqa: E402
from sensor_msgs.msg import JointState  # noqa: E402

from astra_ros.bridge.stamps import stamp_of  # noqa: E402
from astra_ros.bridge.trajectories import plan_to_trajectory  # noqa: E402
from astra_ros.nodes.health import OK, WARN  # noqa: E402
from astra_ros.nodes.imagine.health import ImagineHealth  # noqa: E402
from astra_ros.nodes.imagine.inputs import ImagineInputs  # noqa: E402
from astra_ros.nodes.imagine.robot_state import RobotState  # noqa: E402
from astra_ros.nodes.imagine.settings import ImagineSettings, PlanTopicSettings  # noqa: E402
from astra_ros.plans.joint_plan import JointPlan  # noqa: E402
from astra_ros.robot.limits import Limits  # noqa: E402

LIMITS = {"a": Limits(-1.9, 1.9), "b": Limits(-1.9, 1.9)}


class Bench:
    def __init__(self, node):
        self.health = ImagineHealth(node, ImagineSettings)
        sources = {"candidates": PlanTopicSettings(topic="/plans")}
        self.now_s = 100.0
        self.inputs = ImagineInputs(
            "/camera", sources, self.health.refuse, self.health.note.add, clock=lambda: self.now_s
        )
        self.description = SimpleNamespace(continuous=frozenset(), limits=LIMITS)
        topics = SimpleNamespace(wrong=lambda name: "", publishers=lambda topic: [])
        state = RobotState("/states", self.inputs, self.description, topics)
        self.health.inputs, self.health.beyond_limits = self.inputs, lambda: state.beyond_limits(2.0)

    def say(self, **joints):
        msg = JointState(name=list(joints), position=[float(value) for value in joints.values()])
        msg.header.stamp = stamp_of(self.now_s)
        self.inputs.on_joints(msg, "/states")

    def plan(self, **joints):
        """Points of each joint."""
        positions = np.array([*joints.values()], float).T
        plan = JointPlan(tuple(joints), np.arange(float(len(positions))), positions)
        return self.inputs.on_plan("candidates", plan_to_trajectory(plan), b"")

    def status(self, part):
        return next(each for each in self.health.report() if each.name.endswith(f": {part}"))

    @property
    def levels(self):
        return [self.status(part).level for part in ("joint_states", "plans")]


@pytest.fixture
def bench():
    context = rclpy.Context()
    rclpy.init(args=[], context=context)
    node = Node("imagine", context=context, use_global_arguments=False)
    yield Bench(node)
    node.destroy_node()
    context.try_shutdown()


def test_joint_states_in_degrees_are_named_once_as_long_as_they_come(bench, capfd):
    bench.say(a=1.0, b=-1.0)
    assert bench.levels == [OK, OK]
    for degrees in (80.0, 81.0, 82.0):
        bench.say(a=degrees)
        status = bench.status("joint_states")
        assert bench.levels == [WARN, OK]
        assert all(
            word in status.message for word in ("/states: a", f"{degrees:g}", "-1.9 to 1.9 rad", "degrees", "radians")
        )
    assert capfd.readouterr().err.count("the description allows") == 1
    bench.say(a=0.5)
    assert bench.levels == [OK, OK] and capfd.readouterr().err.count("joint limits: all right again") == 1


def test_plans_beyond_the_limits_are_taken_and_named_with_their_topic(bench):
    bench.say(a=0.0, b=0.0)
    assert bench.plan(a=[0.0, 45.0, 0.0], b=[0.0, 0.1, 0.0])
    status = bench.status("plans")
    assert bench.levels == [OK, WARN] and status.message.startswith("/plans: a reaches 45")
    assert (
        "degrees" in status.message and "planner publish radians" in status.message and "driver" not in status.message
    )
    values = {value.key: value.value for value in status.values}
    assert values["candidates.held"] == "1" and values["plans_refused"] == "0"


def test_joints_without_limits_or_a_description_are_not_spoken_of(bench):
    bench.description.limits = {"b": LIMITS["b"]}
    bench.say(a=80.0, b=1.0)
    bench.plan(a=[0.0, 80.0], b=[0.0, 1.8])
    assert bench.levels == [OK, OK]
    bench.description.limits = {}
    bench.say(b=80.0)
    assert bench.levels == [OK, OK]


def test_joint_states_that_are_too_old_are_forgotten(bench):
    bench.say(a=80.0)
    bench.now_s += 3.0
    assert bench.levels == [OK, OK]
