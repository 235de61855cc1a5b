"""Stamps of which clock: images must be stored with the joints of their own time, whatever the headers say."""

from dataclasses import replace

import numpy as np
import pytest
from bag_maker import BagMaker

from astra_ros.datasets.dataset import load_episode
from astra_ros.datasets.rosbag.errors import ClockError
from astra_ros.datasets.rosbag.import_bag import import_bag
from astra_ros.datasets.rosbag.import_settings import BagSettings

SETTINGS = BagSettings(robot="mine", world="lab", dt_s=0.25, image_size=(64, 64))


def same(t):
    return t


def jumping(jump_s, begin=8.0, end=16.0):
    return lambda t: t + jump_s * (begin < t < end)


def recorded(
    tmp_path,
    images=same,
    joints=same,
    shown=lambda t: True,
    delay=lambda t: 0.01,
    joints_delay=lambda t: 0.003,
    **changes,
):
    """24 s; the n-th image is as grey as n, so it tells when it was taken, and j1 is 0.1 t. `images` and
    `joints` are their stamps at t, `delay` is that of the images until they are recorded."""
    with BagMaker(tmp_path / "bag") as bag:
        for t in np.arange(0, 24, 0.1):
            if shown(t):
                bag.image(t, stamp=images(t), received=t + delay(t), data=np.full(64 * 64 * 3, round(10 * t), np.uint8))
        for t in np.arange(-0.2, 25, 0.02):
            bag.joints(t, stamp=joints(t), received=t + joints_delay(t), j1=0.1 * t)
    return import_bag(tmp_path / "bag", tmp_path / "out", replace(SETTINGS, **changes))


def worst_s(tmp_path, report):
    """How far images and joints of one row are apart."""
    episodes = [load_episode(tmp_path / "out" / f"{item['file']}.parquet") for item in report["episodes"]]
    return max(np.abs(episode.motion[:, 0] * 10 - episode.frames[:, 0, 0, 0] / 10).max() for episode in episodes)


@pytest.mark.parametrize("jump_s", [5.0, -3.0, -0.8, 0.7])
@pytest.mark.parametrize("who", ["images", "joints"])
def test_stamps_of_one_topic_that_jump_forth_and_back_do_not_count(tmp_path, jump_s, who):
    report = recorded(tmp_path, **{who: jumping(jump_s)})
    assert report["clock"]["name"] == "receive"
    jumps, others = ("/camera/image_raw", "/joint_states")[:: 1 if who == "images" else -1]
    assert f"the stamps of {jumps} jump, and those of {others} do not" in report["clock"]["why"]
    assert worst_s(tmp_path, report) < 0.03
    cuts = [cut["why"] for cut in report["cuts"]]
    assert cuts == [f"the clock of the stamps jumped by {by:+.2f} s" for by in (jump_s, -jump_s)] * (who == "images")


def test_header_stamps_that_jump_alone_are_refused_where_they_are_asked_for(tmp_path):
    with pytest.raises(ClockError) as error:
        recorded(tmp_path, jumping(5.0), clock="header")
    assert error.value.thing == "clock" and "/camera/image_raw" in error.value.problem and "auto" in error.value.cure
    assert "5.00, -5.00 s" in error.value.problem and "/joint_states" in error.value.problem


@pytest.mark.parametrize("jump_s", [5.0, -10.0, 1000.0])
@pytest.mark.parametrize("shown", [lambda t: True, lambda t: not 6 < t < 8.5, lambda t: not 7.95 < t < 11])
def test_stamps_that_jump_together_count(tmp_path, jump_s, shown):
    report = recorded(tmp_path, jumping(jump_s, end=99), jumping(jump_s, end=99), shown)
    assert report["clock"] == {"name": "header", "why": "stamps of the message headers"}
    assert worst_s(tmp_path, report) < 0.001


def test_a_slow_simulation_that_is_reset_jumps_together(tmp_path):
    def simulated(t):
        return 0.5 * t if t < 12 else 0.5 * (t - 12) + 100

    report = recorded(tmp_path, simulated, simulated, shown=lambda t: t > 3, dt_s=0.1)
    assert report["clock"]["name"] == "header" and worst_s(tmp_path, report) < 0.001


def test_images_that_were_stamped_after_they_were_recorded_are_of_another_clock(tmp_path):
    report = recorded(tmp_path, lambda t: t + 0.6)
    assert report["clock"]["name"] == "receive"
    assert "/camera/image_raw is stamped 0.59 s later than it was recorded" in report["clock"]["why"]
    assert worst_s(tmp_path, report) < 0.03


def test_joints_that_were_stamped_after_they_were_recorded_are_of_another_clock(tmp_path):
    report = recorded(tmp_path, joints=lambda t: t + 0.4)
    assert "/joint_states is stamped 0.40 s later" in report["clock"]["why"] and worst_s(tmp_path, report) < 0.03


@pytest.mark.parametrize(
    "clock",
    [
        {"images": lambda t: t + 0.6, "joints": lambda t: t + 0.6},  # the recorder's is behind
        {"images": lambda t: t - 0.3, "joints": lambda t: t + 0.05},  # a slow camera
        {"images": lambda t: t + 0.05},  # what clocks of one robot differ by
    ],
    ids=["both", "late", "little"],
)
def test_stamps_that_one_clock_can_have_made_count(tmp_path, clock):
    assert recorded(tmp_path, **clock)["clock"] == {"name": "header", "why": "stamps of the message headers"}


@pytest.mark.parametrize("ahead_s", [0.15, 0.3, 5.0, 1000.0])
@pytest.mark.parametrize("both_s", [0.0, 0.6, -0.3])
def test_single_images_that_were_stamped_after_they_were_recorded_are_left_out(tmp_path, ahead_s, both_s):
    """`both_s`: of all stamps, as the recorder's clock may be behind or messages may come late."""
    report = recorded(tmp_path, lambda t: t + both_s + ahead_s * (round(10 * t) % 30 == 7), lambda t: t + both_s)
    assert report["clock"]["name"] == "header" and report["cuts"] == []
    assert report["frames"]["dropped"]["stamped later than they were recorded"] == 8
    assert worst_s(tmp_path, report) < 0.001 and [item["frames"] for item in report["episodes"]] == [97]


def test_single_images_of_the_future_beside_commands_without_stamps_are_left_out(tmp_path):
    with BagMaker(tmp_path / "bag") as bag:
        for t in np.arange(0, 24, 0.1):
            bag.image(t, stamp=t + 0.3 * (round(10 * t) % 30 == 7), received=t + 0.01)
            bag.twist(t, vx=0.01 * t)
    report = import_bag(tmp_path / "bag", tmp_path / "out", SETTINGS)
    assert report["frames"]["dropped"]["stamped later than they were recorded"] == 8 and report["cuts"] == []


@pytest.mark.parametrize(
    ("late_s", "both_s"), [(0.12, 0.0), (0.2, 0.0), (0.5, 0.0), (0.9, 0.0), (0.2, 0.6), (0.5, 0.6)]
)
@pytest.mark.parametrize("few", [False, True], ids=["all", "few of the future"])
def test_motion_that_is_late_on_its_way_makes_no_image_one_of_the_future(tmp_path, late_s, both_s, few):
    """Visual odometry is of the time of its image, and comes when it is computed: the stamps are right. `both_s`: by
    how much the recorder's clock is behind."""
    report = recorded(
        tmp_path,
        lambda t: t + both_s + 0.3 * (few and round(10 * t) % 30 == 7),
        lambda t: t + both_s,
        joints_delay=lambda t: late_s,
    )
    assert report["clock"]["name"] == "header" and report["cuts"] == []
    assert report["frames"]["dropped"].get("stamped later than they were recorded", 0) == 8 * few
    assert worst_s(tmp_path, report) < 0.001 and [item["frames"] for item in report["episodes"]] == [97]


@pytest.mark.parametrize(
    "joints_delay",
    [lambda t: 0.01 + 0.4 * (t > 12), lambda t: 0.3 + 0.25 * np.sin(4 * t), lambda t: 0.15 + 0.1 * (round(50 * t) % 3)],
)
@pytest.mark.parametrize("delay", [lambda t: 0.01, lambda t: 0.3 + 0.25 * np.sin(t)])
def test_motion_that_is_late_by_more_or_less_loses_no_image(tmp_path, joints_delay, delay):
    report = recorded(tmp_path, joints_delay=joints_delay, delay=delay)
    assert report["clock"]["name"] == "header" and worst_s(tmp_path, report) < 0.001
    assert not report["frames"]["dropped"].get("stamped later than they were recorded")


@pytest.mark.parametrize(("late_s", "left_out"), [(0.003, 60), (0.2, 60)])
def test_each_fourth_image_of_the_future_is_left_out(tmp_path, late_s, left_out):
    """More than is usual for outliers, but motion that is late by less does not explain them."""
    report = recorded(tmp_path, lambda t: t + 0.4 * (round(10 * t) % 4 == 1), joints_delay=lambda t: late_s)
    assert report["frames"]["dropped"]["stamped later than they were recorded"] == left_out


@pytest.mark.parametrize("drift", [-0.8, 0.8, 0.3])
@pytest.mark.parametrize("who", ["images", "joints"])
def test_clocks_that_drift_apart_do_not_count(tmp_path, drift, who):
    report = recorded(tmp_path, **{who: lambda t: t - 0.5 + drift * (t / 24 - 0.5)})
    assert report["clock"]["name"] == "receive" and "drift apart, by" in report["clock"]["why"]
    assert worst_s(tmp_path, report) < 0.03


def test_a_drift_is_said_where_header_stamps_are_asked_for(tmp_path):
    report = recorded(tmp_path, lambda t: t - 0.8 * t / 24, clock="header")
    assert report["clock"]["name"] == "header"
    assert "as asked for, though the clocks of /camera/image_raw and /joint_states drift" in report["clock"]["why"]


@pytest.mark.parametrize(
    "clock",
    [
        {"images": lambda t: 0.5 * t, "joints": lambda t: 0.5 * t, "dt_s": 0.1},  # a slow simulation
        {"delay": lambda t: 0.3 + 0.25 * np.sin(t)},  # a busy network
        {"delay": lambda t: 0.01 + 0.8 * (10 < t < 14) * (14 - t) / 4},  # that catches up
        {"delay": lambda t: 0.01 + (0.9 if round(10 * t) in (70, 71, 72, 150) else 0)},
        {"joints_delay": lambda t: 0.003 + 0.5 * (10 < t < 13) * (13 - t) / 3},  # so do joints
    ],
    ids=["simulation", "network", "behind", "few", "joints"],
)
def test_images_that_come_late_are_no_drift(tmp_path, clock):
    report = recorded(tmp_path, **clock)
    assert report["clock"] == {"name": "header", "why": "stamps of the message headers"}
    assert worst_s(tmp_path, report) < 0.001


@pytest.mark.parametrize(
    ("stamp", "words"),
    [
        (lambda t: t - 0.8 * t / 24, "the clock of /camera/image_raw drifts against that of the recorder"),
        (lambda t: t + 0.4, "/camera/image_raw is stamped 0.39 s later than it was recorded, and the recording is not"),
    ],
)
def test_commands_without_stamps_are_compared_with_the_recorder(tmp_path, stamp, words):
    with BagMaker(tmp_path / "bag") as bag:
        for t in np.arange(0, 24, 0.1):
            bag.image(t, stamp=stamp(t), received=t + 0.01)
            bag.twist(t, vx=0.01 * t)
    report = import_bag(tmp_path / "bag", tmp_path / "out", SETTINGS)
    assert report["clock"] == {"name": "receive", "why": f"times of the recorder: {report['clock']['why'][23:]}"}
    assert words in report["clock"]["why"]
