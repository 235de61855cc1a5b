"""Import of a base's odometry whose twist is in another frame or unit than the message's definition says, and of frames
with two publishers or two parents."""

from dataclasses import dataclass

import numpy as np
import pytest
from bag_maker import BagMaker
from user_errors import refusal

from astra_ros.datasets.dataset import list_episodes, load_episode
from astra_ros.datasets.rosbag.errors import SeveralOdometries, TwoSources
from astra_ros.datasets.rosbag.import_bag import import_bag
from astra_ros.datasets.rosbag.import_settings import BagSettings


@dataclass
class Drive:
    """Speed v in m/s and turn rate w in rad/s over time, from a heading in rad; integrated finely."""

    v: object = 0.4
    w: object = 0.5
    heading: float = 0.0

    def at(self, t):
        fine = np.linspace(0, t, max(2, int(abs(t) * 400)))
        v, w = (np.array([value(s) if callable(value) else value for s in fine]) for value in (self.v, self.w))
        turned = self.heading + np.concatenate([[0], np.cumsum((w[1:] + w[:-1]) / 2 * np.diff(fine))])
        x, y = (
            float(((v[1:] + v[:-1]) / 2 * part((turned[1:] + turned[:-1]) / 2) * np.diff(fine)).sum())
            for part in (np.cos, np.sin)
        )
        return x, y, float(turned[-1]), float(v[-1]), float(w[-1])


def drive_bag(path, twist, drive=Drive(), seconds=8, rate=20, noise=0.0, orientation=True):
    """`twist`: (v, w, heading) -> what is published as linear.x, linear.y, angular.z."""
    random = np.random.default_rng(0)
    with BagMaker(path) as bag:
        for t in np.arange(0, seconds, 0.1):
            bag.image(t)
        for t in np.arange(-0.4, seconds + 0.2, 1 / rate):
            x, y, heading, v, w = drive.at(t)
            vx, vy, wz = twist(v, w, heading)
            x, y = x + random.normal(0, noise), y + random.normal(0, noise)
            q = (0, 0, np.sin(heading / 2), np.cos(heading / 2)) if orientation else (0, 0, 0, 1)
            bag.odometry(t, vx, wz, (x, y, 0), q, vy=vy)
    return path


def run(bag, out, **changes):
    report = import_bag(bag, out, BagSettings(**{"dt_s": 0.25, **changes}))
    (path,) = list_episodes(out)
    return report, load_episode(path)


def of(episode, name):
    return episode.motion[:, episode.motion_names.index(name)]


def as_defined(v, w, heading):
    return v, 0.0, w


def in_the_header(v, w, heading):
    return v * np.cos(heading), v * np.sin(heading), w


@pytest.mark.parametrize("rate, noise, heading", [(20, 0, 0), (100, 0.002, 2.0), (10, 0, -1.0)])
def test_a_twist_in_the_frame_of_the_header_is_turned(tmp_path, rate, noise, heading):
    bag = drive_bag(tmp_path / "bag", in_the_header, Drive(heading=heading), rate=rate, noise=noise)
    report, episode = run(bag, tmp_path / "out")
    assert of(episode, "linear.x") == pytest.approx(0.4, abs=0.01)
    assert of(episode, "angular.z") == pytest.approx(0.5, abs=0.01)
    note = report["notes"][0]
    assert "in the frame of the header, 'odom'" in note and "'base_link'" in note
    assert " -0." in note and "say linear.x 0." in note or "say linear.y -0." in note or "say linear.y 0." in note
    assert "rotated into the robot's frame" in report["motion"]["how"]


def test_a_robot_that_first_goes_straight(tmp_path):
    bag = drive_bag(tmp_path / "bag", in_the_header, Drive(w=lambda t: 0.0 if t < 5 else 0.9), seconds=9)
    _, episode = run(bag, tmp_path / "out")
    assert of(episode, "linear.x") == pytest.approx(0.4, abs=0.02)


@pytest.mark.parametrize(
    "drive",
    [
        Drive(),
        Drive(w=0.0, heading=2.0),
        Drive(w=0.0),
        Drive(v=0.0),
        Drive(v=0.05, w=0.1),
        Drive(v=lambda t: 0.3 * np.sin(t), w=lambda t: 0.8 * np.cos(0.7 * t)),
    ],
)
@pytest.mark.parametrize("noise", [0, 0.003])
def test_a_twist_as_it_is_defined_is_taken_silently(tmp_path, drive, noise):
    report, episode = run(drive_bag(tmp_path / "bag", as_defined, drive, noise=noise), tmp_path / "out")
    assert not [note for note in report["notes"] if "twist" in note or "poses" in note]
    assert "poses" not in report["motion"]["how"]
    times = np.arange(len(episode.motion)) * 0.25
    wanted = [drive.v(t - 0.125) if callable(drive.v) else drive.v for t in times]
    assert of(episode, "linear.x") == pytest.approx(wanted, abs=0.03)


@pytest.mark.parametrize(
    "twist, column",
    [
        (lambda v, w, heading: (1000 * v, 0.0, w), "linear.x"),
        (lambda v, w, heading: (-v, 0.0, w), "linear.x"),
        (lambda v, w, heading: (v, 0.0, np.degrees(w)), "angular.z"),
        (lambda v, w, heading: (v, 0.0, -w), "angular.z"),
        (lambda v, w, heading: (v, 0.0, 0.0), "angular.z"),
        (lambda v, w, heading: (0.0, v, w), "linear."),
    ],
)
def test_a_twist_that_fits_in_neither_frame_gives_way_to_the_poses(tmp_path, twist, column):
    report, episode = run(drive_bag(tmp_path / "bag", twist), tmp_path / "out")
    assert of(episode, "linear.x") == pytest.approx(0.4, abs=0.01)
    assert of(episode, "angular.z") == pytest.approx(0.5, abs=0.01)
    note = report["notes"][0]
    assert f"{column}" in note and "the poses were used" in note and "where the poses say" in note
    assert "odometry's poses" in report["motion"]["how"]


@pytest.mark.parametrize("bag", [dict(orientation=False), dict(drive=Drive(w=0.0)), dict(drive=Drive(v=0.0, w=0.0))])
def test_where_the_poses_cannot_tell_the_twist_counts(tmp_path, bag):
    said = in_the_header if "orientation" not in bag else as_defined
    report, episode = run(drive_bag(tmp_path / "bag", said, **bag), tmp_path / "out")
    assert of(episode, "linear.x") == pytest.approx(bag.get("drive", Drive()).v, abs=1e-6)
    assert not [note for note in report["notes"] if "poses" in note]


def test_poses_that_are_not_filled_cannot_tell(tmp_path):
    with BagMaker(tmp_path / "bag") as bag:
        for t in np.arange(0, 8, 0.1):
            bag.image(t)
            bag.odometry(t, 0.4, 0.5)
    report, episode = run(tmp_path / "bag", tmp_path / "out")
    assert of(episode, "linear.x") == pytest.approx(0.4) and "poses" not in str(report["notes"])


@pytest.mark.parametrize("frame, said", [("odom", True), ("robot1/map", True), ("base_link", False), ("", False)])
def test_commands_in_a_frame_that_stands_still_are_named(tmp_path, frame, said):
    with BagMaker(tmp_path / "bag") as bag:
        for t in np.arange(0, 6, 0.1):
            bag.image(t)
            bag.twist_stamped(t, 0.3, 0.1, frame=frame)
    report, _ = run(tmp_path / "bag", tmp_path / "out")
    assert any(f"in '{frame}', which does not move" in note for note in report["notes"][:1]) == said


def test_two_odometries_on_one_topic(tmp_path):
    def bag_of(name, second):
        with BagMaker(tmp_path / name) as bag:
            for t in np.arange(0, 6, 0.1):
                bag.image(t)
            for t in np.arange(-0.4, 6.2, 0.02):
                bag.odometry(t, 0.4, 0.0, (0.4 * t, 0, 0))
            for t in np.arange(-0.39, 6.2, 0.05):
                second(bag, t)
        return tmp_path / name

    with pytest.raises(TwoSources) as error:
        run(bag_of("a", lambda bag, t: bag.odometry(t, 0.4, 0.0, (0.4 * t, 0.2 * t, 0))), tmp_path / "out")
    assert error.value.conflicts[0].key == "base_link" and error.value.thing == "/odom"
    with refusal(SeveralOdometries, "/odom", "'base_link'", "'base2'") as error:
        run(bag_of("b", lambda bag, t: bag.odometry(t, 0.4, 0.0, (0.4 * t, 0, 0), child="base2")), tmp_path / "out")
    assert set(error.value.frames) == {("odom", "base_link"), ("odom", "base2")}
    report, _ = run(bag_of("c", lambda bag, t: bag.odometry(t, 0.4, 0.0, (0.4 * t, 0, 0))), tmp_path / "out")
    assert "the robot never moves" not in str(report["notes"])


def camera_bag(path, *edges):
    """`edges`: (rate, parent, child, function of t -> position)."""
    with BagMaker(path) as bag:
        for t in np.arange(0, 6, 0.1):
            bag.image(t)
        for number, (rate, parent, child, position) in enumerate(edges):
            for t in np.arange(-0.4 + 0.003 * number, 6.2, 1 / rate):
                bag.frames(t, (parent, child, position(t), (0, 0, 0, 1)))
    return path


def ahead(t):
    return 0.4 * t, 0, 0


def beside(t):
    return 0.4 * t, 0.3, 0


@pytest.mark.parametrize("rate", [50, 20, 5])
@pytest.mark.parametrize("parent", ["odom", "map"])
def test_a_frame_with_two_publishers_that_contradict_each_other(tmp_path, rate, parent):
    bag = camera_bag(tmp_path / "bag", (50, "odom", "camera_optical", ahead), (rate, parent, "camera_optical", beside))
    with pytest.raises(TwoSources) as error:
        run(bag, tmp_path / "out", modality="camera")
    (conflict,) = error.value.conflicts
    assert conflict.key == "camera_optical" and conflict.times >= 3
    assert set(conflict.names) == {("odom",), (parent,)}
    if parent == "map":  # the user may say which
        assert "fixed_frame: map or odom" in str(error.value)
        report, episode = run(bag, tmp_path / "out", modality="camera", fixed_frame="odom")
        assert "has several parents, 'odom' and 'map'" in report["notes"][0]
        assert of(episode, "linear.x") == pytest.approx(0.4, abs=1e-5)


def test_a_frame_with_two_publishers_that_agree_or_that_is_not_needed(tmp_path):
    bag = camera_bag(
        tmp_path / "a",
        (50, "odom", "camera_optical", ahead),
        (20, "odom", "camera_optical", ahead),
        (20, "odom", "lidar", ahead),
        (20, "odom", "lidar", beside),
    )
    report, episode = run(bag, tmp_path / "out", modality="camera")
    assert of(episode, "linear.x") == pytest.approx(0.4, abs=1e-5)
    assert not [note for note in report["notes"] if "lidar" in note]


def test_a_frame_that_is_fixed_in_two_ways(tmp_path):
    with BagMaker(tmp_path / "bag") as bag:
        for t in np.arange(0, 6, 0.1):
            bag.image(t)
            bag.frames(t, ("odom", "base", ahead(t), (0, 0, 0, 1)))
        for z in (0.5, 0.7):
            bag.frames(0.0, ("base", "camera_optical", (0, 0, z), (0, 0, 0, 1)), topic="/tf_static")
    with pytest.raises(TwoSources) as error:
        run(tmp_path / "bag", tmp_path / "out", modality="camera")
    assert error.value.conflicts[0].key == "camera_optical"


def test_a_frame_that_is_fixed_and_moves(tmp_path):
    with BagMaker(tmp_path / "bag") as bag:
        bag.frames(0.0, ("odom", "camera_optical", (0, 0, 0.5), (0, 0, 0, 1)), topic="/tf_static")
        for t in np.arange(0, 6, 0.1):
            bag.image(t)
            bag.frames(t, ("odom", "camera_optical", ahead(t), (0, 0, 0, 1)))
    report, episode = run(tmp_path / "bag", tmp_path / "out", modality="camera")
    assert "'camera_optical' is fixed in /tf_static and moves here" in report["notes"][0]
    assert of(episode, "linear.x") == pytest.approx(0.4, abs=1e-5)


@pytest.mark.parametrize("again", [0.5, 0.7])
def test_a_fixed_camera_whose_place_is_published_twice(tmp_path, again):
    with BagMaker(tmp_path / "bag") as bag:
        for z in (0.5, again):
            bag.frames(0.0, ("base", "camera_optical", (0, 0, z), (0, 0, 0, 1)), topic="/tf_static")
        for t in np.arange(0, 6, 0.1):
            bag.image(t)
            bag.camera_info(t)
            bag.joints(t, j1=t)
    if again == 0.5:
        _, episode = run(tmp_path / "bag", tmp_path / "out", camera_pose={"from_tf": "base"})
        assert np.array(episode.camera["world_from_optical"])[2, 3] == 0.5
        return
    with pytest.raises(TwoSources) as error:
        run(tmp_path / "bag", tmp_path / "out", camera_pose={"from_tf": "base"})
    assert error.value.thing == "/tf_static" and "camera_pose" in str(error.value)
