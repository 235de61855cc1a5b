"""Clocks of bags that jump, stop or lack: what belongs together stays together."""

import numpy as np
import pytest
from bag_imports import lengths, refused, run
from bag_maker import BagMaker

from astra_ros.datasets.dataset import load_episode


def test_gaps_and_clock_jumps_cut(tmp_path):
    with BagMaker(tmp_path / "bag") as bag:
        for t in np.arange(0, 24, 0.1):
            bag.joints(t, j1=t) if t < 12 else bag.joints(t - 10, j1=t, received=t)
            if not 5 < t < 7:
                bag.image(t) if t < 12 else bag.image(t - 10, received=t)  # set back by 10 s
        for t in np.arange(24, 30, 0.1):  # and forward by 100 s
            bag.joints(t + 90, j1=t, received=t)
            bag.image(t + 90, received=t)
    # The recorder's clock went on evenly.
    report = run(tmp_path / "bag", tmp_path / "out", clock="header")
    assert [(cut["at_s"], cut["why"]) for cut in report["cuts"]] == [
        (5.0, "no image for 2.00 s"),
        (11.9, "the clock jumped back by 9.90 s"),
        (13.9, "the clock jumped forward by 100.00 s"),
    ]
    assert lengths(report) == [21, 21, 49, 25]
    episodes = [load_episode(tmp_path / "out" / f"{item['file']}.parquet") for item in report["episodes"]]
    for episode in episodes:  # the joints of the same run of the clock
        np.testing.assert_allclose(np.diff(episode.motion[:, 0]), 0.25, atol=0.051)
    assert episodes[2].motion[0, 0] == pytest.approx(12.0)


def driven(tmp_path, stamp_of=lambda t: t, received_of=lambda t: t + 0.01, shown=lambda t: True):
    """24 s at 10 Hz: a base that rests until 3 s and from 20 s on, and drives at 0.02 t m/s between; its
    `/cmd_vel` has no stamps. The n-th image is as grey as n, so it tells when it was taken."""
    with BagMaker(tmp_path / "bag") as bag:
        for t in np.arange(0, 24, 0.1):
            if shown(t):
                bag.image(stamp_of(t), received=received_of(t), data=np.full(64 * 64 * 3, round(10 * t), np.uint8))
            if 3 < t < 20:
                bag.twist(t, vx=round(0.02 * t, 3), wz=0.1)
    report = run(tmp_path / "bag", tmp_path / "out")
    for item in report["episodes"]:
        episode = load_episode(tmp_path / "out" / f"{item['file']}.parquet")
        taken = episode.frames[1:, 0, 0, 0] / 10
        sure = ((taken < 3) | (taken > 3.5)) & ((taken < 20) | (taken > 20.9))  # a command holds for 0.5 s
        drives = (taken > 3.3) & (taken < 20.5)
        true = np.where(drives, 0.02 * (taken - 0.125 - 0.05), 0.0)
        np.testing.assert_allclose(episode.motion[1:, 0][sure], true[sure], atol=0.006)
    return report


@pytest.mark.parametrize("jump_s", [5.0, -3.0, -0.8])
@pytest.mark.parametrize("at", [1.95, 3.95, 13.95, 22.45])
def test_commands_without_stamps_stay_with_their_images_when_the_clock_jumps(tmp_path, jump_s, at):
    """`/cmd_vel` has no header, and the recorder's clock does not jump along."""
    report = driven(tmp_path, lambda t: t if t < at else t + jump_s)
    assert "the stamps of the images jump, and /cmd_vel has no stamps" in report["clock"]["why"]
    (cut,) = report["cuts"]
    assert cut["why"] == f"the clock of the stamps jumped by {jump_s:+.2f} s"
    assert cut["at_s"] == pytest.approx(at - 0.05, abs=0.02)


def test_a_clock_that_is_set_back_in_silence_is_noticed(tmp_path):
    report = driven(tmp_path, lambda t: t if t < 12 else t - 3, shown=lambda t: not 8 < t < 12)
    assert [cut["why"] for cut in report["cuts"]] == ["no image for 4.00 s"]  # once is enough
    assert "the stamps of the images jump" in report["clock"]["why"]


@pytest.mark.parametrize("late", [[0], [70], [70, 71, 72]])
def test_images_that_come_late_are_no_jump(tmp_path, late):
    report = driven(tmp_path, received_of=lambda t: t + (0.9 if round(10 * t) in late else 0.01))
    assert report["clock"]["why"].startswith("stamps of the message headers")


def test_header_stamps_that_jump_alone_are_refused(tmp_path):
    with BagMaker(tmp_path / "bag") as bag:
        for t in np.arange(0, 24, 0.1):
            bag.image(t if t < 14 else t + 5, received=t + 0.01)
            bag.twist(t, vx=0.1)
    text = refused(tmp_path / "bag", tmp_path / "out", thing="clock", cure="auto", clock="header")
    assert "jump by 5.00 s" in text and "/cmd_vel" in text


def test_duplicates_and_overtaken_images_are_dropped(tmp_path):
    with BagMaker(tmp_path / "bag") as bag:
        for t in np.arange(0, 6, 0.1):
            bag.image(t)
            bag.joints(t, j1=t)
        bag.image(2.0, received=2.05)  # again
        bag.image(3.05, received=3.35)  # late
    dropped = run(tmp_path / "bag", tmp_path / "out")["frames"]["dropped"]
    assert dropped["duplicates: the same stamp again"] == 1
    assert dropped["out of order: older than the frame before"] == 1


def test_stamps_that_are_missing_or_of_another_clock(tmp_path):
    with BagMaker(tmp_path / "zero") as bag:
        for t in np.arange(0, 6, 0.1):
            bag.image(t, stamp=None)
            bag.joints(t, j1=t)
    report = run(tmp_path / "zero", tmp_path / "out")
    assert report["clock"] == {
        "name": "receive",
        "why": "times of the recorder: the headers of /camera/image_raw have no stamps",
    }
    text = refused(tmp_path / "zero", tmp_path / "new", thing="clock", cure="receive", clock="header")
    assert "/camera/image_raw" in text
    with BagMaker(tmp_path / "simulated") as bag:
        for t in np.arange(0, 6, 0.1):
            bag.image(t, stamp=t - 1e6)
            bag.twist(t, vx=0.1)
    report = run(tmp_path / "simulated", tmp_path / "out")
    assert report["clock"]["name"] == "receive" and "clocks that are 1e+06 s apart" in (report["clock"]["why"])
