"""What is looked at again before the winner of a request is handed on, and what is said of it; without a graph."""

from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("rclpy")

from builtin_interfaces.msg import Time

from astra_ros.nodes.imagine.inputs import Refused
from astra_ros.nodes.imagine.node import Imagine
from astra_ros.nodes.imagine.request_server import RequestServer
from astra_ros.nodes.imagine.settings import ImagineSettings
from astra_ros.plans.action_spaces.joints import JointSpace
from astra_ros.plans.joint_plan import JointPlan
from astra_ros.plans.start import RobotNow
from astra_ros.ranking.prepare import NothingToImagine, PlanPreparer, PlanSettings

NOW_S = 1000


class Bench:
    """A request of one plan of the joints a, b and perhaps of a finger, which wins unless ``best`` says otherwise."""

    def __init__(self, finger=None, stamp_s=0, then=None, best=0, would_publish=True, now=None):
        self.said, self.published, self.withheld, self.refused = [], [], [], []
        positions = np.zeros((2, 2 if finger is None else 3))
        positions[:, 2:] = finger or 0.0
        plan = JointPlan(("a", "b", "finger")[: positions.shape[1]], np.array([0.0, 1.0]), positions, "s/0")
        begin = {"a": 0.0, "b": 0.0, "finger": finger or 0.0} if now is None else now
        self.robot_now = begin if then is None else begin | then  # after the request
        request = SimpleNamespace(
            history=None, plans=[plan],
            held={"s/0": SimpleNamespace(stamp=Time(sec=stamp_s), plan=plan, refused=False)},
            sources={"s/0": ("s", b"")}, joints_now=begin, goal_frame=None, goal_position=None, received_s=0.0,
        )  # fmt: skip
        space = JointSpace("arm", ("a", "b"), (0.0, 0.0), (1.0, 1.0), (0.1, 0.1))
        self.prepare = PlanPreparer("m", {"arm": space}, 0.5, PlanSettings(horizon=4))
        self.best = best
        imaginer = SimpleNamespace(
            configure=lambda *rest: None, score=self.score, prepare=self.prepare,
            model=SimpleNamespace(card=SimpleNamespace(name="m")),
        )  # fmt: skip
        own = ImagineSettings()
        parameters = SimpleNamespace(own=own, critics={}, scoring=None)
        inputs = SimpleNamespace(
            request=lambda *ages: request, over=lambda *rest: None, not_ready=lambda age: None,
            too_old=lambda *rest: False,
        )  # fmt: skip
        outputs = SimpleNamespace(
            topic="/scores", would_publish=lambda *rest: best is not None and would_publish, show=lambda *rest: None,
            mark=lambda *rest: None, publish=lambda *rest, **how: self.published.append(how),
        )  # fmt: skip
        health = SimpleNamespace(
            say_once=self.said.append, left_out=lambda *rest: None, done=lambda last: None,
            refused_plans=SimpleNamespace(add=lambda reason, quiet=False: self.refused.append(reason)),
            refused_requests=SimpleNamespace(add=self.withheld.append),
        )  # fmt: skip
        clock = SimpleNamespace(now=lambda: SimpleNamespace(nanoseconds=NOW_S * 10**9))
        node = SimpleNamespace(get_clock=lambda: clock, get_logger=lambda: SimpleNamespace(info=lambda text: None))
        robot = SimpleNamespace(now=lambda age: RobotNow(self.robot_now))
        description = SimpleNamespace(missed=False, text=None)
        self.server = RequestServer(node, parameters, inputs, robot, description, health, outputs)
        self.serve = lambda: self.server(imaginer, False)

    def score(self, history, plans, now, *rest):
        prepared = self.prepare(plans, now)
        scores = [SimpleNamespace(name=plan.name, score=0.9, reasons=["of the bench"]) for plan in prepared.plans]
        return SimpleNamespace(
            prepared=prepared,
            undrawn="",
            scores=scores,
            best=self.best,
            shown=0,
            timings_s={},
            missing={},
            names=tuple(plan.name for plan in prepared.plans),
        )


def test_a_joint_that_the_model_does_not_know_is_compared_again():
    bench = Bench(finger=0.3)
    assert not bench.serve().withheld and bench.published[0]["hand_on"]
    bench = Bench(finger=0.3, then={"finger": 0.9})  # it moved meanwhile
    assert bench.serve().withheld and not bench.published[0]["hand_on"]
    assert "meanwhile, plan 's/0': it holds finger at 0.300, but the robot has it at 0.900" in bench.withheld[0]
    assert Bench(finger=0.3, then={"a": 0.5}).serve().withheld


@pytest.mark.parametrize(
    "how, said", [({}, True), ({"then": {"a": 0.5}}, False), ({"would_publish": False}, False), ({"best": None}, False)]
)
def test_the_stamp_zero_is_spoken_of_only_where_a_plan_goes_out_with_it(how, said):
    bench = Bench(stamp_s=NOW_S - 5, **how)
    bench.serve()
    assert bool(bench.said) == said == bench.published[0]["restamp"]


def test_plans_wait_for_joints_until_a_request_knows_them_whoever_looks():
    bench = Bench(now={"a": 0.0})
    with pytest.raises(Refused):
        bench.serve()
    assert bench.server.wanted_joints == ("b",)
    robot = SimpleNamespace(unknown=lambda joints, age: None)
    node = SimpleNamespace(_parameters=SimpleNamespace(own=ImagineSettings()), _robot=robot, _server=bench.server)
    assert Imagine._robot_unknown(node) is None
    assert bench.server.wanted_joints == ("b",), "to look changes nothing"
    known = Bench()
    known.server.wanted_joints = ("a", "b")
    known.serve()
    assert known.server.wanted_joints == ()


def test_a_winner_that_was_handed_on_before_is_said_to_be():
    assert "already handed on" in Bench(would_publish=False).serve().summary
    for how in ({}, {"then": {"a": 0.5}}, {"best": None}):
        assert "already handed on" not in Bench(**how).serve().summary


def test_a_plan_that_is_held_and_refused_again_is_counted_once():
    bench = Bench(now={"a": 1.0, "b": 0.0})
    for _ in range(3):
        with pytest.raises(NothingToImagine):
            bench.serve()
    assert len(bench.refused) == 1
