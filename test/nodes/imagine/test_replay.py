"""A recording goes through the same core as live messages, and leads to the same decisions."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("rosbags")

from bag_maker import BagMaker, ns
from geometry_msgs.msg import PoseStamped
from imagine_bench import CoreBench, RuleImaginer
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import String

from astra_ros.bridge.plan_adapters import JOINT_TRAJECTORY, plan_adapter
from astra_ros.bridge.trajectories import plan_to_trajectory
from astra_ros.nodes.imagine.bridge_readers import bridge_readers
from astra_ros.nodes.imagine.inputs import Topics
from astra_ros.nodes.imagine.replay import open_bag, replay
from astra_ros.nodes.imagine.settings import ImagineSettings, NodeSettings, PlanTopicSettings
from astra_ros.nodes.reports import OK
from astra_ros.plans.joint_plan import JointPlan
from astra_ros.ranking.choice import ChoiceSettings
from astra_ros.ranking.prepare import NothingToImagine

ROOT = Path(__file__).resolve().parents[3]
TOPICS = Topics(image="/camera/image_raw", joint_states="/joint_states", goal_pose="/goal_pose")
SETTINGS = NodeSettings(ImagineSettings(), sources={"candidates": PlanTopicSettings("/plans", keep=3)})


def trajectory(end, joints=("a", "b"), start=0.0):
    positions = np.zeros((2, len(joints)))
    positions[:, 0] = start, end
    return serialize_message(plan_to_trajectory(JointPlan(tuple(joints), np.array([0.0, 1.0]), positions)))


def record(path, plans, seconds=6.0, arm=("a", "b"), **more):
    """A bag of an arm at rest. `plans`: (seconds, bytes) each."""
    with BagMaker(path, **more) as bag:
        for t in np.arange(0.0, seconds, 0.1):
            bag.image(t)
            bag.joints(t, **dict.fromkeys(arm, 0.0))
        for t, data in plans:
            bag.add(t, "/plans", JOINT_TRAJECTORY, data)
        bag.add(0.5, "/other", "std_msgs/msg/String", serialize_message(String(data="of no use here")))
    return path


def replayed(path, imaginer=None, settings=SETTINGS):
    with open_bag(path) as messages:
        return replay(messages, imaginer or RuleImaginer(settings.own), settings, TOPICS)


def live(path, imaginer, settings):
    """The same messages, deserialized one by one as the executor does, in a bench that stands for the node."""
    readers = bridge_readers(dict.fromkeys(settings.sources, plan_adapter(JOINT_TRAJECTORY)))
    bench = CoreBench(settings.own, settings.sources, readers, model=False, topics=TOPICS)
    bench.imaginer = imaginer
    bench.load()
    with open_bag(path) as messages:
        for topic, received_ns, data in messages:
            if bench.ros_ns < ns(0):
                bench.ros_ns = received_ns
            bench.pass_time((received_ns - bench.ros_ns) / 1e9)
            if topic == "/camera/image_raw":
                bench.core.on_image(deserialize_message(data, Image))
            elif topic == "/joint_states":
                bench.core.on_joint_state(deserialize_message(data, JointState))
            elif topic == "/plans":
                bench.core.on_plan("candidates", data)
            bench.serve_wanted()
        bench.pass_time(1.0)
    return bench


@pytest.mark.parametrize("storage, compression", [("mcap", None), ("sqlite3", None), ("mcap", "message")])
def test_the_winner_of_a_recording_is_handed_on_byte_for_byte(tmp_path, storage, compression):
    plans = [trajectory(end) for end in (0.3, 0.8, 0.5)]
    path = record(tmp_path / "bag", [(3.0 + 0.001 * k, each) for k, each in enumerate(plans)],
                  storage=storage, compression=compression)  # fmt: skip
    made = replayed(path)
    (only,) = made.decisions
    assert only.decision.handed_on.message.data == plans[1] and made.refusals == []
    assert [score.rank for score in only.decision.result.scores] == [2, 0, 1]
    assert only.at_ns == ns(3.007), "at once: as many as are kept have come"
    assert only.decision.request.stamp_ns == ns(3.0) and "best is candidates/1" in only.summary
    assert {each.part: each.level for each in made.statuses}["plans"] == OK


def test_a_replay_has_the_records_and_shows_what_another_margin_would_choose(tmp_path):
    bursts = [[trajectory(end) for end in ends] for ends in ((0.5, 0.3, 0.1), (0.5, 0.55, 0.1))]
    sent = [(2.0 + cycle + 0.001 * k, each) for cycle, burst in enumerate(bursts) for k, each in enumerate(burst)]
    path = record(tmp_path / "bag", sent)
    free = replayed(path)
    firm = replayed(path, settings=replace(SETTINGS, own=replace(SETTINGS.own, choice=ChoiceSettings(margin=0.1))))
    assert [each["choice"]["plan"] for each in free.records] == ["candidates/0", "candidates/1"]
    assert [(each["choice"]["plan"], each["choice"]["why"]) for each in firm.records] == [
        ("candidates/0", "best"), ("candidates/0", "kept"),
    ]  # fmt: skip
    assert [each["at_ns"] for each in firm.records] == [each.at_ns for each in firm.decisions]
    assert firm.decisions[1].decision.handed_on.message.data == bursts[1][0]


def test_the_bag_s_clock_decides_when_plans_have_settled_and_are_too_old(tmp_path):
    settings = replace(SETTINGS, sources={"candidates": PlanTopicSettings("/plans", keep=3, max_age_s=1.5)})
    first, second = trajectory(0.9), trajectory(0.2)
    made = replayed(record(tmp_path / "bag", [(2.0, first), (4.0, second)]), settings=settings)
    assert [each.at_ns for each in made.decisions] == [ns(2.105), ns(4.105)]
    assert [each.decision.handed_on.message.data for each in made.decisions] == [first, second]
    assert [each.decision.result.names for each in made.decisions] == [("candidates/0",), ("candidates/1",)]


def test_plans_from_before_the_first_images_wait_for_them(tmp_path):
    plan = trajectory(0.5)
    (only,) = replayed(record(tmp_path / "bag", [(-1.0, plan)])).decisions
    assert only.decision.handed_on.message.data == plan and ns(0.1) < only.at_ns < ns(0.6)


def test_a_plan_in_the_last_moments_is_still_imagined(tmp_path):
    (only,) = replayed(record(tmp_path / "bag", [(5.95, trajectory(0.5))])).decisions
    assert only.at_ns == ns(5.955 + 0.1)


def test_goals_count_and_refused_plans_are_told(tmp_path):
    pose = PoseStamped()
    pose.header.frame_id, pose.pose.position.x = "world", 0.4
    with BagMaker(tmp_path / "bag") as bag:
        for t in np.arange(0.0, 5.0, 0.1):
            bag.image(t)
            bag.joints(t, a=0.0, b=0.0)
        bag.add(1.0, "/goal_pose", "geometry_msgs/msg/PoseStamped", serialize_message(pose))
        bag.add(2.0, "/plans", JOINT_TRAJECTORY, trajectory(0.5, start=2.0))
        bag.add(3.0, "/plans", JOINT_TRAJECTORY, b"\0\1\0\0\xff\xff\xff\xff")
        bag.add(4.0, "/plans", JOINT_TRAJECTORY, trajectory(0.6))
    imaginer = RuleImaginer()
    made = replayed(tmp_path / "bag", imaginer)
    (refusal,) = made.refusals
    assert isinstance(refusal.error, NothingToImagine) and refusal.at_ns == ns(2.105)
    (only,) = made.decisions
    assert only.decision.request.goal["goal_kind"] == "pose" and imaginer.requests[-1][5].tolist() == [0.4, 0.0, 0.0]
    plans = next(each for each in made.statuses if each.part == "plans")
    assert plans.values["plans_refused"] == 2


def test_a_replay_ranks_and_hands_on_what_live_messages_do(tmp_path, small_model, make_plan):
    """With a real model: same history, same noise, same scores."""
    from astra_ros.inference import load_world_model
    from astra_ros.ranking.imaginer import Imaginer

    own = ImagineSettings(horizon=4, partial_plans=True)
    settings = NodeSettings(own, sources=SETTINGS.sources)
    plans = [serialize_message(plan_to_trajectory(make_plan(swing))) for swing in (-0.3, 0.1, 0.4)]
    joints = make_plan()
    with BagMaker(tmp_path / "bag") as bag:
        for t in np.arange(0.0, 3.0, 0.1):
            bag.image(t)
            bag.joints(t, **dict(zip(joints.joint_names, joints.positions[0])))
        for k, data in enumerate(plans):
            bag.add(2.0 + 0.01 * k, "/plans", JOINT_TRAJECTORY, data)
    imaginer = Imaginer(load_world_model("torch", str(small_model), "cpu"), own)
    made = replayed(tmp_path / "bag", imaginer, settings)
    bench = live(tmp_path / "bag", imaginer, settings)
    assert len(made.decisions) == len(bench.decisions) == 1
    here, there = made.decisions[0].decision, bench.decisions[0]
    np.testing.assert_array_equal(here.request.history, there.request.history)
    assert here.result.scores == there.result.scores and len(here.result.scores) == 3
    assert here.result.best == there.result.best
    handed = [None if each.handed_on is None else each.handed_on.message.data for each in (here, there)]
    assert handed[0] == handed[1] == (None if here.result.best is None else plans[here.result.best])


def test_the_example_of_the_docs_runs(tmp_path, monkeypatch, capsys, make_plan):
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "architecture.md").read_text(), re.DOTALL)
    arm = make_plan()
    with BagMaker(tmp_path / "my_bag") as bag:
        for t in np.arange(0.0, 3.0, 0.1):
            bag.image(t)
            bag.joints(t, **dict(zip(arm.joint_names, arm.positions[0])))
        bag.add(2.0, "/plans", JOINT_TRAJECTORY, serialize_message(plan_to_trajectory(arm)))
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "architecture.md", "exec"), {})
    assert re.fullmatch(rf"{ns(2.105)} 1 plan imagined in \d+ ms, .*candidates/0.*\n", capsys.readouterr().out)
