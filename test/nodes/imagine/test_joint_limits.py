"""Joint states and plans far beyond the description's limits: named once on /diagnostics, and the plans are taken."""

import numpy as np
import pytest
from imagine_bench import CoreBench

from astra_ros.nodes.imagine.inputs import Topics
from astra_ros.nodes.imagine.message_readers import PlanMessage
from astra_ros.nodes.imagine.settings import ImagineSettings, PlanTopicSettings
from astra_ros.nodes.reports import OK, WARN
from astra_ros.plans.joint_plan import JointPlan
from astra_ros.robot.limits import Limits

LIMITS = {"a": Limits(-1.9, 1.9), "b": Limits(-1.9, 1.9)}


class Bench(CoreBench):
    def __init__(self):
        own, sources = ImagineSettings(auto_imagine=False), {"candidates": PlanTopicSettings("/plans")}
        super().__init__(own, sources, model=False, topics=Topics(joint_states="/states"))
        self.core.description.limits = LIMITS

    def points(self, **joints):
        """A plan by the points of each joint."""
        positions = np.array([*joints.values()], float).T
        plan = JointPlan(tuple(joints), np.arange(float(len(positions))), positions)
        self.inputs.plans.on_plan("candidates", PlanMessage(plan, 0, b""))

    @property
    def levels(self):
        return [self.status(part).level for part in ("joint_states", "plans")]

    def logged(self, words):
        return len([line for line in self.log.warnings + self.log.infos if words in line])


@pytest.fixture
def bench():
    return Bench()


def test_joint_states_in_degrees_are_named_once_as_long_as_they_come(bench):
    bench.joints(a=1.0, b=-1.0)
    assert bench.levels == [OK, OK]
    for degrees in (80.0, 81.0, 82.0):
        bench.joints(a=degrees)
        status = bench.status("joint_states")
        assert bench.levels == [WARN, OK]
        assert all(
            word in status.message for word in ("/states: a", f"{degrees:g}", "-1.9 to 1.9 rad", "degrees", "radians")
        )
    assert bench.logged("the description allows") == 1
    bench.joints(a=0.5)
    assert bench.levels == [OK, OK] and bench.logged("joint limits: all right again") == 1


def test_plans_beyond_the_limits_are_taken_and_named_with_their_topic(bench):
    bench.joints(a=0.0, b=0.0)
    bench.points(a=[0.0, 45.0, 0.0], b=[0.0, 0.1, 0.0])
    status = bench.status("plans")
    assert bench.levels == [OK, WARN] and status.message.startswith("/plans: a reaches 45")
    assert (
        "degrees" in status.message and "planner publish radians" in status.message and "driver" not in status.message
    )
    assert status.values["candidates.held"] == 1 and status.values["plans_refused"] == 0


def test_joints_without_limits_or_a_description_are_not_spoken_of(bench):
    bench.core.description.limits = {"b": LIMITS["b"]}
    bench.joints(a=80.0, b=1.0)
    bench.points(a=[0.0, 80.0], b=[0.0, 1.8])
    assert bench.levels == [OK, OK]
    bench.core.description.limits = {}
    bench.joints(b=80.0)
    assert bench.levels == [OK, OK]


def test_joint_states_that_are_too_old_are_forgotten(bench):
    bench.joints(a=80.0)
    bench.pass_time(3.0)
    assert bench.levels == [OK, OK]
