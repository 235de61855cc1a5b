"""Import of commands and odometries of two publishers, of odometry that is lost or names no frames, and of a topic with
two types."""

import numpy as np
import pytest
from bag_maker import BagMaker, header, make, twist_of
from mcap_writer import Channel, cdr, grey_image, write_mcap

from astra_ros.datasets.dataset import list_episodes, load_episode
from astra_ros.datasets.rosbag.errors import MotionError, SeveralOdometries, TwoSources
from astra_ros.datasets.rosbag.import_bag import import_bag
from astra_ros.datasets.rosbag.import_settings import BagSettings

RATES = [(20, 20), (10, 50), (50, 5), (5, 10)]


def camera(bag, seconds=8.0):
    for t in np.arange(0, seconds, 0.1):
        bag.image(t)


def imported(bag, out, **changes):
    report = import_bag(bag, out, BagSettings(**{"dt_s": 0.25, **changes}))
    return report, [load_episode(path) for path in list_episodes(out)]


def column(episodes, name):
    return np.concatenate([each.motion[:, each.motion_names.index(name)] for each in episodes])


def times(rate, first=-0.4, last=8.4):
    return np.arange(first, last, 1 / rate)


def two_publishers(report):
    return [note for note in report["notes"] if "two publishers" in note]


@pytest.mark.parametrize("rate, other", RATES)
@pytest.mark.parametrize("joystick_first", [False, True])
def test_commands_of_two_publishers_are_named_with_both_values(tmp_path, rate, other, joystick_first):
    with BagMaker(tmp_path / "bag") as bag:
        camera(bag)
        for t in times(rate):
            bag.twist(t, 0.4, 0.0, 0.2)
        for t in times(other, -0.41 if joystick_first else -0.39):
            bag.twist(t)
    report, _ = imported(tmp_path / "bag", tmp_path / "out")
    (note,) = two_publishers(report)
    assert note == report["notes"][0] and note.startswith("/cmd_vel: ") and "velocity 'linear.x'" in note
    assert "likewise 'angular.z' (" in note and "ros2 topic info -v /cmd_vel" in note
    assert "0.400" in note and "0.000" in note and " times, " in note


def test_commands_whose_headers_tell_their_publishers_apart(tmp_path):
    with BagMaker(tmp_path / "bag") as bag:
        camera(bag)
        for t in times(20):
            bag.twist_stamped(t, 0.4, frame="base_link")
            bag.twist_stamped(t + 0.02, 0.0, frame="joystick")
    report, _ = imported(tmp_path / "bag", tmp_path / "out")
    (note,) = two_publishers(report)
    assert any(
        f"their headers name '{one}' and '{other}'" in note
        for one, other in (("base_link", "joystick"), ("joystick", "base_link"))
    )


@pytest.mark.parametrize(
    "command",
    [
        lambda t: 0.4,
        lambda t: 0.3 * np.sin(2 * t),
        lambda t: 0.4 * (int(t) % 2),
        lambda t: 0.4 * (int(2 * t) % 2),
        lambda t: np.random.default_rng(int(1000 * t)).normal(0.3, 0.1),
        lambda t: np.round(np.sin(t), 1),
    ],
)
@pytest.mark.parametrize("rate", [10, 20])
def test_commands_of_one_publisher_are_taken_silently(tmp_path, command, rate):
    with BagMaker(tmp_path / "bag") as bag:
        camera(bag)
        for t in times(rate, first=0.0):
            bag.twist(t, command(t))
    report, _ = imported(tmp_path / "bag", tmp_path / "out")
    assert not two_publishers(report)


def two_odometries(path, second, rate=20):
    """Beside one of 0.4 m/s; `second`: (bag, second) -> adds a message."""
    with BagMaker(path) as bag:
        camera(bag)
        for t in times(20):
            bag.odometry(t, 0.4, 0.0, (0.4 * t, 0, 0))
        for t in times(rate, -0.39):
            second(bag, t)
    return path


@pytest.mark.parametrize("rate", [5, 20, 50])
@pytest.mark.parametrize("parent, child", [("map", "base_footprint"), ("map", "base_link"), ("odom", "base_footprint")])
def test_two_odometries_of_other_frames_are_never_mixed(tmp_path, rate, parent, child):
    bag = two_odometries(
        tmp_path / "bag", lambda bag, t: bag.odometry(t, 0.1, 0.0, (0.1 * t, 0, 0), parent=parent, child=child), rate
    )
    with pytest.raises(SeveralOdometries) as error:
        imported(bag, tmp_path / "out")
    assert set(error.value.frames) == {("odom", "base_link"), (parent, child)} and error.value.thing == "/odom"
    if parent == "odom":  # the header's frame does not tell them apart
        assert "fixed_frame" not in error.value.cure and "topic of its own" in error.value.cure
        return
    assert "fixed_frame: odom or map" in error.value.cure
    for frame, speed in (("odom", 0.4), ("map", 0.1)):
        report, episodes = imported(bag, tmp_path / frame, fixed_frame=frame)
        assert column(episodes, "linear.x") == pytest.approx(speed, abs=1e-6)
        assert "left out were those of other frames" in report["notes"][0]
    with pytest.raises(SeveralOdometries):
        imported(bag, tmp_path / "none", fixed_frame="world")


def test_a_few_odometry_messages_without_frames_are_left_out(tmp_path):
    with BagMaker(tmp_path / "bag") as bag:
        camera(bag)
        for t in times(20):
            begun = bool(t > -0.3)
            bag.odometry(t, 0.4 * begun, 0.0, (0.4 * t * begun, 0, 0), parent="odom" * begun, child="base_link" * begun)
    report, episodes = imported(tmp_path / "bag", tmp_path / "out")
    assert column(episodes, "linear.x") == pytest.approx(0.4, abs=1e-6)
    assert "'base_link' in 'odom' was taken" in report["notes"][0] and "'' in '' (" in report["notes"][0]


def test_two_odometries_of_the_same_frames_whose_velocities_alone_differ(tmp_path):
    """Where the poses tell, they count; where they are not filled, which one is right cannot be told."""
    bag = two_odometries(tmp_path / "a", lambda bag, t: bag.odometry(t, 0.0, 0.0, (0.4 * t, 0, 0)))
    report, episodes = imported(bag, tmp_path / "out")
    assert column(episodes, "linear.x") == pytest.approx(0.4, abs=1e-3)
    assert "the poses were used" in str(report["notes"])
    with BagMaker(tmp_path / "b") as bag:
        camera(bag)
        for t in times(20):
            bag.odometry(t, 0.4)
            bag.odometry(t + 0.02, 0.0)
    with pytest.raises(TwoSources) as error:
        imported(tmp_path / "b", tmp_path / "new")
    assert [conflict.key for conflict in error.value.conflicts] == ["linear.x"]


NULL = (0, 0, 0, 0)


@pytest.mark.parametrize("q", [NULL, (0, 0, 0, 1)])
@pytest.mark.parametrize("variances", [(9999.0, 9999.0), (1e6, 0.0), (9999.0, float("nan"))])
@pytest.mark.parametrize("filled", [True, False])
def test_odometry_that_says_it_is_lost_is_no_motion(tmp_path, q, variances, filled):
    with BagMaker(tmp_path / "bag") as bag:
        camera(bag, 14.0)
        for t in times(20, last=14.4):
            if 6 < t < 8:
                bag.odometry(t, q=q, variances=variances)
            else:
                bag.odometry(t, 0.4 * filled, p=(0.4 * t, 0, 0), variances=(0.01, 0.01))
    report, episodes = imported(tmp_path / "bag", tmp_path / "out")
    assert len(episodes) == 2 and column(episodes, "linear.x") == pytest.approx(0.4, abs=1e-5)
    (note,) = [note for note in report["notes"] if "lost" in note]
    assert note.startswith(("/odom: 39 messages left out", "/odom: 40 messages left out"))
    (cut,) = report["cuts"]
    assert "while the motion is silent" in cut["why"]


@pytest.mark.parametrize(
    "variances, q",
    [
        ((0.0, 0.0), NULL),
        ((float("nan"), float("nan")), NULL),  # an orientation that is never filled
        ((9999.0, 0.01), NULL),
        ((1e9, 0.01), (0, 0, 0, 1)),  # only velocities are known
    ],
)
@pytest.mark.parametrize("speed", [0.4, 0.0])
def test_a_driver_that_knows_velocities_alone_is_imported(tmp_path, variances, q, speed):
    with BagMaker(tmp_path / "bag") as bag:
        camera(bag)
        for t in times(20):
            bag.odometry(t, 0.4 if t < 4 else speed, q=q, variances=variances)
    report, (episode,) = imported(tmp_path / "bag", tmp_path / "out")
    assert column([episode], "linear.x")[[2, -2]] == pytest.approx([0.4, speed], abs=1e-6)
    assert not report["cuts"] and "lost" not in str(report["notes"])


@pytest.mark.parametrize("parent, child", [("", ""), ("map", ""), ("map", "map"), ("", "base_link")])
@pytest.mark.parametrize("filled", [True, False])
def test_odometry_needs_no_names_of_frames(tmp_path, parent, child, filled):
    def bag_of(name):
        with BagMaker(tmp_path / name) as bag:
            camera(bag)
            for t in times(20):
                bag.odometry(t, 0.4 * filled, p=(0.4 * t, 0, 0), parent=parent, child=child)
        return tmp_path / name

    report, (episode,) = imported(bag_of("base"), tmp_path / "out")
    assert column([episode], "linear.x") == pytest.approx(0.4, abs=1e-5)
    assert ("poses" in report["motion"]["how"]) == (not filled)
    with pytest.raises(MotionError) as error:  # where the camera is on the robot cannot be told without
        imported(bag_of("camera"), tmp_path / "other", modality="camera")
    assert f"'{child}'" in error.value.problem and "twist" in error.value.cure


@pytest.mark.parametrize("plain_more", [True, False])
@pytest.mark.parametrize("plain_first", [True, False])
def test_two_types_on_one_topic_are_named_and_the_one_with_more_messages_counts(tmp_path, plain_more, plain_first):
    image, plain, stamped = (
        Channel(*each)
        for each in (
            ("/camera/image_raw", "sensor_msgs/msg/Image"),
            ("/cmd_vel", "geometry_msgs/msg/Twist"),
            ("/cmd_vel", "geometry_msgs/msg/TwistStamped"),
        )
    )

    messages = [(image, t, grey_image(t, 9)) for t in np.arange(0, 6, 0.1)]
    messages += [
        (plain, t, cdr(twist_of(0.4))) for t in np.arange(0.0 if plain_first else 0.01, 6, 0.05 if plain_more else 0.1)
    ]
    messages += [
        (stamped, t, cdr(make("geometry_msgs/msg/TwistStamped", header=header(t, ""), twist=twist_of(0.2))))
        for t in np.arange(0.005, 6, 0.1 if plain_more else 0.05)
    ]
    write_mcap(tmp_path / "bag.mcap", sorted(messages, key=lambda each: each[1]))
    report, episodes = imported(tmp_path / "bag.mcap", tmp_path / "out")
    assert column(episodes, "linear.x")[2:] == pytest.approx(0.4 if plain_more else 0.2, abs=1e-6)
    (note,) = [note for note in report["notes"] if "two types" in note]
    assert note.startswith("/cmd_vel") and "left out" in note
    assert f"120 messages of geometry_msgs/msg/Twist{'' if plain_more else 'Stamped'} were read" in note
    assert f" of geometry_msgs/msg/Twist{'Stamped' if plain_more else ''} left out" in note


@pytest.mark.parametrize("names", [["j1", "j2", "j1"]])
def test_a_joint_that_is_named_twice_in_a_message(tmp_path, names):
    none = np.empty(0)
    with BagMaker(tmp_path / "bag") as bag:
        camera(bag)
        for k, t in enumerate(times(50)):
            bag.joints(t, j1=0.1 * t, j2=0.5)
            bag.joints(t + 0.005, wheel=0.0) if k % 20 == 0 else None
            bag.add(
                t + 0.01,
                "/joint_states",
                "sensor_msgs/msg/JointState",
                make(
                    "sensor_msgs/msg/JointState",
                    header=header(t + 0.01),
                    name=names,
                    position=np.array([7.0, 8.0, 9.0]),
                    velocity=none,
                    effort=none,
                ),
            )
            bag.add(
                t + 0.012,
                "/joint_states",
                "sensor_msgs/msg/JointState",
                make(
                    "sensor_msgs/msg/JointState",
                    header=header(t + 0.012),
                    name=["j3", "j4"],
                    position=none,
                    velocity=np.ones(2),
                    effort=none,
                ),
            )
    report, episodes = imported(tmp_path / "bag", tmp_path / "out", joints=("j1", "j2"))
    assert column(episodes, "j2") == pytest.approx(0.5) and np.abs(column(episodes, "j1")).max() < 1.0
    assert any("a joint is named twice: j1" in note for note in report["notes"])
    assert any("it has no position of any joint" in note for note in report["notes"])


@pytest.mark.parametrize("apart, refused", [(0.3, True), (0.004, False), (0.0, False)])
def test_a_fixed_frame_that_is_published_again_with_another_place(tmp_path, apart, refused):
    with BagMaker(tmp_path / "bag") as bag:
        camera(bag)
        for t in times(20):
            bag.twist(t, 0.4)
        for t in np.arange(0, 8, 0.1):
            bag.camera_info(t)
        for t, x in ((0.0, 0.2), (1.0, 0.2 + apart)):
            bag.frames(t, ("base_link", "camera_optical", (x, 0, 0), (0, 0, 0, 1)), topic="/tf_static")
    settings = dict(camera_pose={"from_tf": "base_link"})
    if refused:
        with pytest.raises(TwoSources) as error:
            imported(tmp_path / "bag", tmp_path / "out", **settings)
        (conflict,) = error.value.conflicts
        assert (conflict.key, conflict.times) == ("camera_optical", 1)
        assert [value[0] for value in conflict.values] == pytest.approx([0.5, 0.2])  # the last one first
        assert "camera_pose" in error.value.cure
        return
    report, _ = imported(tmp_path / "bag", tmp_path / "out", **settings)
    notes = [note for note in report["notes"] if "'camera_optical'" in note and "the last one was taken" in note]
    assert len(notes) == (apart > 0)
