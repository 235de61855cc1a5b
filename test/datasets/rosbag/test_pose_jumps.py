"""Poses that jump, as where a localisation is corrected, are no motion; fast motion is not cut."""

import numpy as np
import pytest
from bag_maker import BagMaker

from astra_ros.datasets.dataset import list_episodes, load_episode
from astra_ros.datasets.rosbag.import_bag import import_bag
from astra_ros.datasets.rosbag.import_settings import BagSettings
from astra_ros.datasets.rosbag.pose_jumps import Jump, find_jumps, merged


def yaw(angle):
    angle = np.asarray(angle, float)
    return np.stack([0 * angle, 0 * angle, np.sin(angle / 2), np.cos(angle / 2)], axis=-1)


def along(x, angle=0.0, noise=0.0):
    """Poses at x [N] m, turned by `angle` rad."""
    x = np.asarray(x, float)
    random = np.random.default_rng(0)
    p = np.stack([x, 0 * x, 0 * x], axis=1) + random.normal(0, noise, (len(x), 3))
    return p, yaw(np.broadcast_to(angle, x.shape))


@pytest.mark.parametrize("rate", [5, 10, 20, 50, 200])
@pytest.mark.parametrize("speed", [0.0, 0.4, 3.0])
@pytest.mark.parametrize("noise", [0.0, 0.005])
def test_a_correction_is_found_and_measured(rate, speed, noise):
    t = np.arange(0, 10, 1 / rate)
    (jump,) = find_jumps(t, along(speed * t + 1.5 * (t > 5.01), noise=noise))
    assert jump.begin_s <= 5.01 < jump.end_s and jump.end_s - jump.begin_s == pytest.approx(1 / rate)
    assert jump.moved_m == pytest.approx(1.5 + speed / rate, abs=0.05) and jump.turned_rad == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("rate", [10, 50])
def test_jumps_of_the_heading_there_and_back_and_beside_each_other(rate):
    t = np.arange(0, 10, 1 / rate)
    (jump,) = find_jumps(t, along(0.4 * t, 0.3 * t + 0.8 * (t > 5.01)))
    assert jump.turned_rad == pytest.approx(0.8 + 0.3 / rate, abs=1e-3)
    glitch = np.where(np.arange(len(t)) == len(t) // 2, 4.0, 0.0)
    assert len(find_jumps(t, along(0.4 * t + glitch))) == 2
    assert len(find_jumps(t[:4], along(np.array([0, 3.0, 3.0, 3.0])))) == 1
    assert find_jumps(t[:1], along([0.0])) == [] and find_jumps(t[:2], along([0.0, 5.0])) == []


def dash(t, top, took, at=5.0):
    """Way of a robot that rests, and is `top` m/s fast for a moment: a bell of `took` s."""
    fine = np.linspace(0, 10, 20001)
    speed = top * np.exp(-(((fine - at) / (took / 2)) ** 2))
    return np.interp(t, fine, np.concatenate([[0], np.cumsum((speed[1:] + speed[:-1]) / 2 * np.diff(fine))]))


@pytest.mark.parametrize("rate", [4, 10, 20, 50, 200])
@pytest.mark.parametrize(
    "way",
    [
        lambda t: 20 * t,  # a car
        lambda t: np.where(t < 5, 0.0, np.where(t < 6, 5 * (t - 5) ** 2, 5 + 10 * (t - 6))),  # it starts with 1 g
        lambda t: 30 * t - np.where(t < 5, 0.0, np.where(t < 8, 4.5 * (t - 5) ** 2, 40.5 + 27 * (t - 8))),  # and brakes
        lambda t: dash(t, 3.0, 0.4),
        lambda t: dash(t, 1.0, 0.2),  # a hand
        lambda t: 0.5 * np.sin(6 * t),
        lambda t: 0 * t,
        lambda t: np.round(0.5 * t, 1),  # known coarsely
    ],
)
def test_fast_motion_is_no_jump(rate, way):
    t = np.arange(0, 10, 1 / rate)
    assert find_jumps(t, along(way(t))) == []
    assert find_jumps(t, along(way(t), noise=0.005)) == []
    assert find_jumps(t, along(0 * t, way(t) / 3)) == []


def test_noise_bursts_and_lost_messages_are_no_jumps():
    random = np.random.default_rng(1)
    t = np.arange(0, 20, 0.05)
    assert find_jumps(t, along(10 * t, noise=0.05)) == []
    assert find_jumps(t, along(0 * t, noise=0.1)) == []
    late = np.maximum.accumulate(t + random.exponential(0.03, len(t))) + 1e-6 * np.arange(len(t))
    assert find_jumps(late, along(10 * t)) == []  # stamped when they came, in bursts
    kept = random.uniform(size=len(t)) > 0.3
    assert find_jumps(t[kept], along(10 * t[kept])) == []


def imported(bag, out, **changes):
    report = import_bag(bag, out, BagSettings(**{"dt_s": 0.25, **changes}))
    return report, [load_episode(path) for path in list_episodes(out)]


def column(episodes, name):
    return np.concatenate([each.motion[:, each.motion_names.index(name)] for each in episodes])


def cuts(report):
    return [cut["why"] for cut in report["cuts"]]


@pytest.mark.parametrize("rate", [10, 50])
@pytest.mark.parametrize("step, turn", [((2.0, 0.0), 0.0), ((0.0, -1.0), 0.0), ((0.0, 0.0), 0.6)])
def test_odometry_of_poses_is_cut_where_they_jump(tmp_path, rate, step, turn):
    with BagMaker(tmp_path / "bag") as bag:
        for t in np.arange(0, 12, 0.1):
            bag.image(t)
        for t in np.arange(-0.5, 12.5, 1 / rate):
            x, y = np.array(step) * (t > 6)
            heading = turn * (t > 6)
            along_it = 0.4 * (t - 6)
            bag.odometry(t, p=(x + along_it * np.cos(heading), y + along_it * np.sin(heading), 0), q=yaw(heading))
    report, episodes = imported(tmp_path / "bag", tmp_path / "out")
    assert len(episodes) == 2 and len(cuts(report)) == 1 and "pose jumps" in cuts(report)[0]
    assert column(episodes, "linear.x") == pytest.approx(0.4, abs=1e-5)
    assert column(episodes, "angular.z") == pytest.approx(0.0, abs=1e-5)
    assert "linear.y" not in episodes[0].motion_names
    (note,) = [note for note in report["notes"] if "jumps once" in note]
    assert "'base_link' in 'odom'" in note


def test_a_twist_beside_poses_that_jump_is_not_cut(tmp_path):
    with BagMaker(tmp_path / "bag") as bag:
        for t in np.arange(0, 8, 0.1):
            bag.image(t)
        for t in np.arange(-0.5, 8.5, 0.05):
            bag.odometry(t, 0.4, p=(0.4 * t + 0.8 * np.floor(t), 0, 0))
    report, (episode,) = imported(tmp_path / "bag", tmp_path / "out")
    assert column([episode], "linear.x") == pytest.approx(0.4, abs=1e-6)
    assert not report["cuts"] and not [note for note in report["notes"] if "poses" in note]


@pytest.mark.parametrize("map_rate", [10, 40])
def test_a_camera_in_the_map_is_cut_where_the_map_is_corrected(tmp_path, map_rate):
    with BagMaker(tmp_path / "bag") as bag:
        for t in np.arange(0, 12, 0.1):
            bag.image(t)
        for t in np.arange(-0.5, 12.5, 0.02):
            bag.frames(t, ("odom", "camera_optical", (0.4 * t, 0, 1), (0, 0, 0, 1)))
        for t in np.arange(-0.51, 12.5, 1 / map_rate):
            bag.frames(t, ("map", "odom", (1.0 * (t > 6), 0, 0), (0, 0, 0, 1)))
    report, episodes = imported(tmp_path / "bag", tmp_path / "out", modality="camera", fixed_frame="map")
    assert len(episodes) == 2 and "pose jumps" in cuts(report)[0]
    assert column(episodes, "linear.x") == pytest.approx(0.4, abs=1e-4)
    assert any("'camera_optical' in 'map' jumps once" in note for note in report["notes"])


def test_a_map_that_turns_about_the_robot_moves_nothing(tmp_path):
    """40 m from where odometry began, correcting the heading moves the frame odom by 1.2 m, the robot not at all."""
    with BagMaker(tmp_path / "bag") as bag:
        for t in np.arange(0, 8, 0.1):
            bag.image(t)
        for t in np.arange(-0.5, 8.5, 0.05):
            angle, here = 0.03 * (t > 4), 40.0
            bag.frames(t, ("odom", "camera_optical", (here, 0, 0), (0, 0, 0, 1)))
            bag.frames(t, ("map", "odom", (here - here * np.cos(angle), -here * np.sin(angle), 0), yaw(angle)))
    report, (episode,) = imported(tmp_path / "bag", tmp_path / "out", modality="camera", fixed_frame="map")
    assert not report["cuts"] and np.abs(column([episode], "linear.x")).max() < 0.05


def test_a_jump_behind_a_clock_that_was_set_back(tmp_path):
    with BagMaker(tmp_path / "bag") as bag:
        for begin in (0, 10):
            for t in np.arange(0, 8, 0.1):
                bag.image(t, received=begin + t + 0.01)
            for t in np.arange(-0.5, 8.5, 0.05):
                bag.odometry(t, p=(0.4 * t + 3.0 * (begin > 0) * (t > 4), 0, 0), received=begin + t + 0.01)
    report, episodes = imported(tmp_path / "bag", tmp_path / "out", episode_s=30.0)
    assert column(episodes, "linear.x") == pytest.approx(0.4, abs=1e-4)
    assert sorted(why.split(" by")[0] for why in cuts(report))[-1] == "the clock jumped back"
    assert len([why for why in cuts(report) if "pose jumps" in why]) == 1


def test_a_jump_that_is_seen_at_the_times_of_two_edges_is_one():
    jumps = [Jump(5.0, 5.1, 2.0, 0.1), Jump(1.0, 1.1, 0.5, 0.0), Jump(5.02, 5.04, 1.9, 0.2), Jump(5.1, 5.2, 3.0, 0.0)]
    assert merged(jumps) == [Jump(1.0, 1.1, 0.5, 0.0), Jump(5.0, 5.1, 2.0, 0.2), Jump(5.1, 5.2, 3.0, 0.0)]
