"""Paths in the core of the imagine node: they wait for odometry and tf, begin where the base is, and are refused."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from imagine_bench import CoreBench, RuleImaginer, read_image, read_joints, read_position
from user_errors import refusal

from astra_ros.critics.scoring import CriticScore, PlanScore
from astra_ros.errors import UserError
from astra_ros.nodes.imagine.inputs import Refused
from astra_ros.nodes.imagine.message_readers import MessageReaders
from astra_ros.nodes.imagine.settings import ImagineSettings, PlanTopicSettings
from astra_ros.nodes.reports import OK, WARN
from astra_ros.plans.action_spaces.twist import TwistSpace
from astra_ros.plans.base_now import BaseNow
from astra_ros.plans.errors import PlanError, RobotUnknown
from astra_ros.plans.path_plan import PathPlan
from astra_ros.ranking.prepare import NothingToImagine

CAR = TwistSpace("car_twist", ("linear.x", "angular.z"), (1.0, 1.0), (0.5, 0.5))


class FarthestImaginer(RuleImaginer):
    """The plan that goes farthest wins."""

    def __init__(self, settings):
        super().__init__(settings)
        self.card.action_spaces = {"car_twist": CAR}
        self.configure(settings, {}, None)

    def score(self, history, plans, now, *rest):
        prepared = self.prepare(plans, now)
        self.meanwhile()
        self.now, self.motions = now, prepared.motion
        ways = prepared.motion[:, 1:, 0].sum(axis=1)
        order = np.argsort(-ways).tolist()
        names = tuple(plan.name for plan in prepared.plans)
        scores = [
            PlanScore(
                name, order.index(k), 0.1 * ways[k], "accepted", {"far": CriticScore(ways[k], 1.0, 0.0)}, ("far",)
            )
            for k, (name, way) in enumerate(zip(names, ways.tolist()))
        ]
        return SimpleNamespace(
            prepared=prepared, undrawn="", scores=scores, best=order[0], shown=order[0], timings_s={}, missing={},
            names=names, imagination=SimpleNamespace(strides=np.ones(len(names), int)),
        )  # fmt: skip


class PathBench(CoreBench):
    """`frames`: known (target, source) -> position [3] of the source in the target; the rest is not known yet."""

    def __init__(self, **own):
        settings = ImagineSettings(settle_s=0.1, horizon=8, **own)
        self.frames = {}
        readers = MessageReaders(
            read_image, read_joints, read_position, None, self._odometry, self._frame, frozenset({"odom"})
        )
        sources = {"candidates": PlanTopicSettings("/plans", type="nav_msgs/msg/Path", keep=2)}
        super().__init__(settings, sources, readers, model=False)
        self.imaginer = FarthestImaginer(settings)
        self.load()
        self.image(0), self.pass_time(0.5), self.image(1)

    def _odometry(self, msg, topic):
        if msg is None:
            raise UserError("it is empty", thing=topic, cure="fill it in")
        return msg

    def _frame(self, target, source):
        if (target, source) not in self.frames:
            raise RobotUnknown(f"no transform from {source} to {target}", cure="publish it")
        return np.array([self.frames[target, source]]), np.array([[0.0, 0.0, 0.0, 1.0]])

    def odometry(self, x=0.0, y=0.0, speed=2.0, frame="odom"):
        self.core.on_odometry(BaseNow(frame, x, y, 0.0, {"linear.x": speed, "angular.z": 0.0}))

    def path(self, length=8.0, y=0.0, frame="odom", seconds=4.0):
        data = f"path {len(self._plans)}".encode()
        places = np.stack([np.linspace(0.0, length, 9), np.full(9, y), np.zeros(9)], axis=1)
        self._plans[data] = PathPlan(frame, places, np.linspace(0.0, seconds, 9)), 0
        self.core.on_plan("candidates", data)
        self.serve_wanted()
        return data


def test_the_best_path_is_handed_on_as_it_came_and_is_imagined_from_where_the_base_is():
    bench = PathBench()
    bench.odometry(speed=2.0)
    bench.path(6.0), (best := bench.path(8.0))
    assert bench.handed_on == [best]
    assert bench.imaginer.now.values == {"linear.x": 2.0, "angular.z": 0.0}
    # 2 m/s already, and a path of 8 m in 4 s: row 0 is the base's own velocity.
    np.testing.assert_allclose(bench.imaginer.motions[1, :, 0], 2.0, atol=0.05)
    assert bench.decisions[-1].request.base == BaseNow("odom", 0.0, 0.0, 0.0, {"linear.x": 2.0, "angular.z": 0.0})
    assert bench.status("odometry").level == OK and bench.status("odometry").values["frame"] == "odom"
    assert bench.status("joint_states").level == OK


def test_paths_wait_for_odometry_and_the_reason_is_said():
    bench = PathBench()
    bench.path(6.0), bench.path(8.0)
    assert not bench.handed_on
    for part in ("odometry", "plans", "requests"):
        assert bench.status(part).level == WARN and "odom" in bench.status(part).message
    with refusal(Refused, ""):
        bench.ask()
    bench.odometry()
    bench.image(2)
    assert len(bench.handed_on) == 1 and bench.status("plans").level == OK


def test_odometry_that_stopped_or_cannot_be_read_is_no_odometry():
    bench = PathBench(camera_timeout_s=1.0)
    bench.odometry()
    bench.core.on_odometry(None)
    assert bench.status("odometry").message.startswith("odom: it is empty")
    bench.pass_time(1.5)
    bench.image(2), bench.path(), bench.path()
    assert not bench.handed_on and bench.status("odometry").level == WARN


def test_a_path_in_another_frame_waits_for_tf_and_is_moved():
    bench = PathBench()
    bench.odometry(y=5.0)
    bench.path(6.0, frame="map"), (best := bench.path(8.0, frame="map"))
    assert not bench.handed_on and "map" in bench.status("requests").message
    bench.frames["odom", "map"] = (0.0, 5.0, 0.0)
    bench.image(2)
    assert bench.handed_on == [best]


def test_without_tf_another_frame_is_refused_by_name():
    bench = PathBench()

    def none(target, source):
        raise PlanError(f"it is in '{source}'", cure=f"publish it in '{target}'")

    bench.core.inputs.base.frames = none
    bench.odometry()
    bench.path(frame="map"), bench.path(frame="map")
    assert not bench.handed_on and bench.status("plans").level == WARN
    assert "'map'" in bench.status("plans").message and "candidates/" in bench.status("plans").message
    with pytest.raises(NothingToImagine) as error:
        bench.ask()
    assert set(error.value.refused) == {"candidates/0", "candidates/1"}
    # The node lives on.
    bench.path(6.0), (best := bench.path(8.0))
    assert bench.handed_on == [best]


def test_a_path_elsewhere_is_refused_and_the_others_are_judged():
    bench = PathBench()
    bench.odometry()
    bench.path(8.0, y=9.0), (near := bench.path(6.0))
    assert bench.handed_on == [near]
    assert bench.status("plans").level == WARN and "9.00 m" in bench.status("plans").message


def test_nothing_is_handed_on_where_the_base_has_left_the_path_meanwhile():
    bench = PathBench()
    bench.odometry()
    bench.imaginer.meanwhile = lambda: bench.odometry(y=4.0)
    bench.path(6.0), bench.path(8.0)
    assert not bench.handed_on and "4.00 m" in bench.status("requests").message


def test_nothing_is_handed_on_that_breaks_a_limit_which_was_lowered_meanwhile():
    bench = PathBench()
    bench.odometry()

    def lower():
        bench.settings = replace(bench.settings, vehicle=replace(bench.settings.vehicle, max_speed=1.0))

    bench.imaginer.meanwhile = lower
    bench.path(6.0), bench.path(8.0)
    assert bench.decisions and not bench.handed_on
    assert bench.decisions[-1].withheld and "at most 1 m/s" in bench.decisions[-1].withheld


def test_a_path_longer_than_the_horizon_is_refused_or_judged_by_its_beginning():
    bench = PathBench()
    bench.odometry()
    bench.path(40.0, seconds=20.0), bench.path(44.0, seconds=20.0)
    assert not bench.handed_on and "lasts 20.00 s" in bench.status("plans").message
    partial = PathBench(partial_plans=True)
    partial.odometry()
    partial.path(40.0, seconds=20.0), partial.path(44.0, seconds=20.0)
    assert len(partial.handed_on) == 1


def test_a_recording_of_paths_and_odometry_leads_to_the_same_winner(tmp_path):
    for package in ("rclpy", "nav_msgs", "rosbags"):
        pytest.importorskip(package)
    from bag_maker import BagMaker
    from builtin_interfaces.msg import Time
    from rclpy.serialization import serialize_message

    from astra_ros.bridge.paths import plan_to_path
    from astra_ros.bridge.plan_adapters import PATH
    from astra_ros.nodes.imagine.inputs import Topics
    from astra_ros.nodes.imagine.replay import open_bag, replay
    from astra_ros.nodes.imagine.settings import NodeSettings

    def path(length):
        places = np.stack([np.linspace(0.0, length, 9), np.zeros(9), np.zeros(9)], axis=1)
        return serialize_message(plan_to_path(PathPlan("odom", places, np.linspace(0.0, 4.0, 9)), Time(sec=1)))

    sent = [path(6.0), path(8.0)]
    with BagMaker(tmp_path / "bag") as bag:
        for t in np.arange(0.0, 4.0, 0.1):
            bag.image(t)
            bag.odometry(t, vx=2.0)
        for data in sent:
            bag.add(2.0, "/plans", PATH, data)
    own = ImagineSettings(horizon=8)
    settings = NodeSettings(own, sources={"candidates": PlanTopicSettings("/plans", type=PATH, keep=2)})
    with open_bag(tmp_path / "bag") as messages:
        made = replay(messages, FarthestImaginer(own), settings, Topics(image="/camera/image_raw"))
    (only,) = made.decisions
    assert only.decision.handed_on.message.data == sent[1]
    assert only.decision.request.base.velocities["linear.x"] == 2.0
