"""Import of joints that turn without end, of two publishers on one topic, of slow joints."""

import json

import numpy as np
import pytest
from bag_maker import BagMaker, make
from user_errors import refusal

from astra_ros.datasets.dataset import FOOTER, continuous_joints_of, list_episodes, load_episode, read_footers
from astra_ros.datasets.episode import DatasetError
from astra_ros.datasets.rosbag.errors import BagError, TwoSources, UnknownJoint
from astra_ros.datasets.rosbag.import_bag import import_bag
from astra_ros.datasets.rosbag.import_settings import BagSettings
from astra_ros.training.export import Embodiments
from astra_ros.training.training_data import check_episodes

TURN = 2 * np.pi


def run(bag, out, **changes):
    report = import_bag(bag, out, BagSettings(**{"dt_s": 0.25, **changes}))
    return report, [load_episode(path) for path in list_episodes(out)]


def urdf_of(**types):
    links = "".join(f'<link name="{name}_link"/>' for name in types)
    joints = "".join(
        f'<joint name="{name}" type="{kind}"><parent link="base"/><child link="{name}_link"/>'
        '<axis xyz="0 0 1"/><limit lower="-3.1" upper="3.1" effort="1" velocity="1"/></joint>'
        for name, kind in types.items()
    )
    return f'<robot name="r"><link name="base"/>{links}{joints}</robot>'


def wrapped(angle, low=-np.pi):
    return (angle - low) % TURN + low


def turning_bag(path, speed=0.4, seconds=8, low=-np.pi, start=2.5, rate=25, description=None):
    """j1 turns evenly and is brought into [low, low + 2 pi); j2 does not turn."""
    with BagMaker(path) as bag:
        if description is not None:
            bag.add(0.0, "/robot_description", "std_msgs/msg/String", make("std_msgs/msg/String", data=description))
        for t in np.arange(0, seconds, 0.1):
            bag.image(t)
        for t in np.arange(0, seconds + 0.05, 1 / rate):
            bag.joints(t, j1=wrapped(start + speed * t, low), j2=0.2 * np.sin(t))
    return path


def joint_bag(path, *publishers, seconds=6, topic="/joint_states"):
    """Images at 10 Hz, and messages of (rate, {joint: function of t}, phase)."""
    with BagMaker(path) as bag:
        for t in np.arange(0, seconds, 0.1):
            bag.image(t)
        for rate, joints, phase in publishers:
            for t in np.arange(phase, seconds, 1 / rate):
                bag.joints(t, topic=topic, **{name: value(t) for name, value in joints.items()})
    return path


@pytest.mark.parametrize("low", [-np.pi, 0.0])
@pytest.mark.parametrize("speed", [0.8, -0.9, 5.0])
@pytest.mark.parametrize("known", ["urdf", "topic", "nothing"])
def test_a_joint_that_turns_without_end_is_stored_without_a_jump(tmp_path, low, speed, known):
    urdf = urdf_of(j1="continuous", j2="revolute")
    (tmp_path / "r.urdf").write_text(urdf)
    bag = turning_bag(tmp_path / "bag", speed, low=low, description=urdf if known == "topic" else None)
    report, (episode,) = run(bag, tmp_path / "out", urdf=tmp_path / "r.urdf" if known == "urdf" else None)
    angles = episode.motion[:, 0]
    times = 0.25 * np.arange(len(angles))
    assert episode.continuous_joints == ("j1",)
    # Frames are half a camera's period from the model's steps at most.
    assert np.abs(angles - (angles[0] + speed * times)).max() < abs(speed) * 0.11
    assert -np.pi <= angles[0] < np.pi and wrapped(angles[0] - 2.5) == pytest.approx(0, abs=1e-5)
    assert report["motion"]["columns"]["j1"] == pytest.approx([angles.min(), angles.max()], abs=1e-3)
    (note,) = [note for note in report["notes"] if "'j1'" in note]
    assert {"urdf": "r.urdf", "topic": "robot_description in the bag", "nothing": "is taken as one"}[known] in note
    assert not any("'j2'" in note for note in report["notes"])


def test_a_joint_with_limits_is_stored_as_it_is_and_its_turn_is_named(tmp_path):
    (tmp_path / "r.urdf").write_text(urdf_of(j1="revolute", j2="revolute"))
    report, (episode,) = run(turning_bag(tmp_path / "bag"), tmp_path / "out", urdf=tmp_path / "r.urdf")
    assert episode.continuous_joints == () and np.abs(np.diff(episode.motion[:, 0])).max() > 6
    assert any(
        "'j1' jumps by about 2 pi, a whole turn, 1 times, but r.urdf calls it revolute" in note
        for note in report["notes"]
    )


def test_episodes_and_bags_begin_in_the_same_turn(tmp_path):
    urdf = urdf_of(j1="continuous", j2="revolute")
    bag = turning_bag(tmp_path / "bag", speed=2.0, seconds=24, description=urdf)
    _, episodes = run(bag, tmp_path / "out", episode_s=6)
    with BagMaker(tmp_path / "counted") as other:  # a driver that counts turns
        other.add(0.0, "/robot_description", "std_msgs/msg/String", make("std_msgs/msg/String", data=urdf))
        for t in np.arange(0, 6, 0.1):
            other.image(t)
            other.joints(t, j1=100 + t, j2=0)
    _, more = run(tmp_path / "counted", tmp_path / "out")
    assert len(episodes) > 3 and len(more) == len(episodes) + 1
    for episode in more:
        assert -np.pi <= episode.motion[0, 0] < np.pi
        assert np.abs(np.diff(episode.motion[:, 0])).max() < 1
    assert "j1 turn without end" in (tmp_path / "out" / "README.md").read_text()


def test_the_turn_is_not_carried_across_a_gap(tmp_path):
    with BagMaker(tmp_path / "bag") as bag:
        for t in np.arange(0, 16, 0.1):
            bag.image(t)
            if not 6 < t < 9:
                bag.joints(t, j1=wrapped(3 * t))
    _, episodes = run(tmp_path / "bag", tmp_path / "out")
    assert len(episodes) == 2
    for episode in episodes:
        assert -np.pi <= episode.motion[0, 0] < np.pi and np.abs(np.diff(episode.motion[:, 0])).max() < 1.3


def test_older_episodes_say_nothing_of_turns(tmp_path):
    import pyarrow.parquet as pq

    run(turning_bag(tmp_path / "bag", speed=0.05), tmp_path / "out")
    (path,) = list_episodes(tmp_path / "out")
    assert "continuous_joints" not in json.loads(pq.read_schema(path).metadata[FOOTER])
    assert load_episode(path).continuous_joints == ()


def test_what_episodes_say_together_goes_into_the_card(tmp_path):
    run(turning_bag(tmp_path / "still", speed=0.01), tmp_path / "out", robot="a")
    assert continuous_joints_of(read_footers(list_episodes(tmp_path / "out")).values()) == {}
    report, _ = run(turning_bag(tmp_path / "turns"), tmp_path / "out", robot="a")
    assert any("in some other episodes of this robot j1" in note for note in report["notes"])
    report, _ = run(turning_bag(tmp_path / "again", speed=0.01), tmp_path / "out", robot="a")
    assert any("in other episodes of this robot j1 turns without end; in this bag" in note for note in report["notes"])
    run(turning_bag(tmp_path / "other", speed=0.01), tmp_path / "out", robot="b")
    said = continuous_joints_of(read_footers(list_episodes(tmp_path / "out")).values())
    assert said == {"a_joints": ("j1",)}
    trained_on = Embodiments((), 0.25, {}, continuous_joints=said)
    assert Embodiments.from_dict(json.loads(json.dumps(trained_on.to_dict()))).continuous_joints == said
    older = trained_on.to_dict()
    del older["continuous_joints"]
    assert Embodiments.from_dict(older).continuous_joints == {}


@pytest.mark.parametrize(
    "second",
    [
        (14, {"j1": lambda t: 0.0, "j2": lambda t: 0.0}, 0.004),  # another order
        (2, {"j2": lambda t: 0.0, "j1": lambda t: 0.0}, 0.004),  # the same, slow
        (50, {"j2": lambda t: 0.0, "j1": lambda t: 0.0}, 0.0),  # the same stamps
        (50, {"j1": lambda t: 0.0}, 0.01),  # another set
    ],
)
def test_two_publishers_that_contradict_each_other_are_named_first_and_never_trained_on(tmp_path, second):
    real = {"j2": lambda t: 1.2 + 0.3 * np.sin(t), "j1": lambda t: -0.8 + 0.2 * np.cos(t)}
    bag = joint_bag(tmp_path / "bag", (50, real, 0), second)
    report, episodes = run(bag, tmp_path / "out")
    first = report["notes"][0]
    told_apart = tuple(real) != tuple(second[1])
    said = "two publishers, which contradict each other" if told_apart else "as when two nodes publish it"
    assert first.startswith("/joint_states: joint ") and said in first
    assert all(f"'{joint}'" in first for joint in second[1]) and "record again" in first
    for names in (tuple(real), tuple(second[1])):
        assert " ".join(names) in first
    assert all(episode.source["unfit"] in first for episode in episodes)
    assert said in (tmp_path / "out/README.md").read_text()
    with refusal(DatasetError, "robot_joints_000000.parquet", episodes[0].source["unfit"], cure=["delete", "replace"]):
        check_episodes(tmp_path / "out", read_footers(list_episodes(tmp_path / "out")))


def test_a_joint_with_two_publishers_can_be_left_out(tmp_path):
    bag = joint_bag(
        tmp_path / "bag", (50, {"j1": np.sin, "finger": lambda t: 0.5}, 0), (20, {"finger": lambda t: 0.0}, 0.005)
    )
    report, _ = run(bag, tmp_path / "both")
    assert "`joints` j1" in report["notes"][0]
    _, (episode,) = run(bag, tmp_path / "out", joints=("j1",))
    assert episode.motion_names == ("j1",)
    check_episodes(tmp_path / "out", read_footers(list_episodes(tmp_path / "out")))


def test_two_publishers_that_agree_are_noted_first(tmp_path):
    real = {"j1": np.sin, "j2": np.cos}
    bag = joint_bag(tmp_path / "bag", (50, real, 0), (20, dict(reversed(real.items())), 0.004))
    report, _ = run(bag, tmp_path / "out")
    assert "joint 'j1' seems to have two publishers, which agree" in report["notes"][0]


def test_a_late_relay_with_the_first_stamps_is_no_contradiction(tmp_path):
    """In order of the stamps it says the same."""
    with BagMaker(tmp_path / "bag") as bag:
        for t in np.arange(0, 6, 0.1):
            bag.image(t)
        for t in np.arange(0, 6, 0.02):
            bag.joints(t, j1=2 * np.sin(2 * t))
        for t in np.arange(0, 6, 0.1):
            bag.joints(t, received=t + 0.2, j1=2 * np.sin(2 * t))
    report, (episode,) = run(tmp_path / "bag", tmp_path / "out")
    assert "two publishers, which agree" in report["notes"][0] and "stamps go back and forth" in report["notes"][0]
    assert np.abs(episode.motion[:, 0]).max() <= 2


def test_stamps_of_two_clocks_on_one_topic_are_refused(tmp_path):
    with BagMaker(tmp_path / "bag") as bag:
        for t in np.arange(0, 6, 0.1):
            bag.image(t)
        for t in np.arange(0, 6, 0.02):
            bag.joints(t, j1=np.sin(t))
        for t in np.arange(0, 6, 0.05):
            bag.joints(t, stamp=t - 3, received=t + 0.006, j1=np.sin(t))
    with pytest.raises(TwoSources) as error:
        run(tmp_path / "bag", tmp_path / "out")
    assert error.value.conflicts[0].back_s > 2


def test_of_two_publishers_nothing_is_said_that_only_their_jumps_say(tmp_path):
    """One rests at 3.1, the other at -3.1: beside each other they look like a joint that turns, and does not move."""
    bag = joint_bag(
        tmp_path / "bag",
        (50, {"j1": lambda t: 3.1, "j2": lambda t: 0.0}, 0),
        (50, {"j2": lambda t: 0.0, "j1": lambda t: -3.1}, 0.009),
        (30, {"j3": np.sin}, 0.004),
    )
    report, (episode,) = run(bag, tmp_path / "out")
    assert "'j1' has two publishers" in report["notes"][0] and "`joints` j2 j3 `force`" in report["notes"][0]
    assert not [note for note in report["notes"] if "without end" in note or "never moves" in note]
    assert episode.source["unfit"].endswith("`force`")
    _, (episode,) = run(bag, tmp_path / "out2", joints=("j2", "j3"))
    assert "unfit" not in episode.source


def test_one_publisher_is_imported_without_a_word(tmp_path):
    noise = np.random.default_rng(0)
    bag = joint_bag(
        tmp_path / "bag",
        (
            50,
            {
                "j1": lambda t: np.sin(6 * t) + noise.normal(0, 0.01),
                "j2": lambda t: 0.0 if t < 3 else 1.5,
                "j3": lambda t: 0.4 * (t == 2),
            },
            0,
        ),
        (30, {"finger": lambda t: 0.02}, 0.005),
    )
    report, _ = run(bag, tmp_path / "out")
    assert not [note for note in report["notes"] if "publish" in note]


@pytest.mark.parametrize("rate", [2, 1.2])
def test_a_slow_joint_is_named_with_what_works(tmp_path, rate):
    bag = joint_bag(tmp_path / "bag", (50, {"j1": np.sin, "j2": np.cos}, 0), (rate, {"finger": lambda t: 0.02}, 0))
    with pytest.raises(BagError) as error:
        run(bag, tmp_path / "out")
    text = str(error.value)
    assert "only the joints j1 j2" in text and "finger" in text and "record longer" not in text
    _, (episode,) = run(bag, tmp_path / "out", joints=("j1", "j2"))
    assert episode.motion_names == ("j1", "j2")
    # The other way out that the text names.
    gap_s = float(text.partition("max_gap_s: ")[2].split()[0])
    _, (episode,) = run(bag, tmp_path / "out2", max_gap_s=gap_s)
    assert "finger" in episode.motion_names


def test_a_joint_that_is_published_only_when_it_moves_is_named_too(tmp_path):
    with BagMaker(tmp_path / "bag") as bag:
        for t in np.arange(0, 12, 0.1):
            bag.image(t)
        for t in np.arange(0, 12, 0.02):
            bag.joints(t, j1=np.sin(t))
            if t % 3 < 0.4:
                bag.joints(t, finger=0.1 * t)
    with refusal(BagError, tmp_path / "bag", "'finger'", cure=["'finger'", "joints j1", "max_gap_s"]):
        run(tmp_path / "bag", tmp_path / "out")


def test_a_joint_that_is_not_there_is_answered_with_those_that_are(tmp_path):
    bag = joint_bag(tmp_path / "bag", (50, {"j1": np.sin, "j2": np.cos}, 0))
    with pytest.raises(UnknownJoint) as error:
        run(bag, tmp_path / "out", joints=("j1", "elbow", "wrist"))
    assert error.value.joints == ("elbow", "wrist") and error.value.known == ("j1", "j2")
