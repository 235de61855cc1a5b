"""Cameras that take turns on one topic, that hang while the robot moves, or whose images use few of their bits."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from bag_maker import BagMaker

from astra_ros.datasets.dataset import load_episode
from astra_ros.datasets.rosbag.errors import TwoCameras
from astra_ros.datasets.rosbag.import_bag import import_bag
from astra_ros.datasets.rosbag.import_settings import BagSettings

SETTINGS = BagSettings(robot="mine", world="lab", dt_s=0.2, image_size=(48, 64))


def run(path, **changes):
    return import_bag(path / "bag", path / "out", replace(SETTINGS, **changes))


def noise(number, size=(48, 64)):
    return np.random.default_rng(number).integers(0, 256, (*size, 3), np.uint8)


def bag_of(path, images, joints=lambda t: 0.2 * t, seconds=12):
    """`images`: (frame, size, data) of each, 0.1 s apart."""
    with BagMaker(path / "bag") as bag:
        for number, (frame, size, data) in enumerate(images):
            bag.image(0.1 * number, size=size, frame=frame, data=np.ascontiguousarray(data).ravel())
        for t in np.arange(-0.5, seconds + 0.5, 0.02):
            bag.joints(t, j1=joints(t))


@pytest.mark.parametrize(
    ("one", "other", "words"),
    [
        (("left", (48, 64)), ("right", (48, 64)), ("'left'", "'right'")),
        (("right", (48, 64)), ("left", (48, 64)), ("'left'", "'right'")),
        (("cam", (48, 64)), ("cam", (24, 32)), ("64 x 48", "32 x 24")),
    ],
)
@pytest.mark.parametrize("every", [2, 4])
def test_two_cameras_in_turn_are_refused_by_name(tmp_path, one, other, words, every):
    kinds = [other if number % every == 1 else one for number in range(60)]
    bag_of(tmp_path, [(*kind, noise(number, kind[1])) for number, kind in enumerate(kinds)], seconds=6)
    with pytest.raises(TwoCameras) as error:
        run(tmp_path)
    assert error.value.thing == "/camera/image_raw" and error.value.conflict.times > 20
    assert all(word in str(error.value) for word in (*words, "/camera/image_raw", "a topic of its own"))
    assert not list((tmp_path / "out").glob("*")) if (tmp_path / "out").exists() else True


def test_a_camera_that_follows_another_one_is_cut_off_from_it(tmp_path):
    bag_of(tmp_path, [("left" if number < 60 else "right", (48, 64), noise(number)) for number in range(120)])
    report = run(tmp_path)
    assert [cut["why"] for cut in report["cuts"]] == ["the images changed from frame 'left' to frame 'right'"]
    assert [item["frames"] for item in report["episodes"]] == [31, 31]


def test_images_with_numbers_as_frames_are_one_camera(tmp_path):
    bag_of(tmp_path, [(f"image_{number}", (48, 64), noise(number)) for number in range(60)], seconds=6)
    report = run(tmp_path)
    assert report["cuts"] == [] and [item["frames"] for item in report["episodes"]] == [31]


def hung(begin, end, last=120):
    """Images of which those from one number to another are all the same."""
    return [("cam", (48, 64), noise(begin if begin <= number < end else number)) for number in range(last)]


@pytest.mark.parametrize("modality", ["joints", "twist", "camera"])
def test_a_camera_that_hangs_while_the_robot_moves_is_cut_out(tmp_path, modality):
    with BagMaker(tmp_path / "bag") as bag:
        for number, (frame, size, data) in enumerate(hung(40, 70)):
            bag.image(0.1 * number, size=size, frame=frame, data=data.ravel())
        for t in np.arange(-0.5, 12.5, 0.02):
            if modality == "joints":
                bag.joints(t, j1=0.2 * t)
            elif modality == "twist":
                bag.twist(t, wz=0.2)
            else:
                bag.frames(t, ("odom", "cam", (0.2 * t, 0, 1), (0, 0, 0, 1)))
    report = run(tmp_path, modality=modality)
    (why,) = [why for why in report["frames"]["dropped"] if "repeat the picture before" in why]
    assert report["frames"]["dropped"][why] == pytest.approx(27, abs=1)  # those from 0.05 rad or m on
    assert len(report["cuts"]) == 1 and report["cuts"][0]["at_s"] == pytest.approx(4.3, abs=0.11)
    (note,) = [note for note in report["notes"] if "repeat the one before" in note]
    assert note.startswith("/camera/image_raw: 2") and "from 4.3" in note and "driver" in note
    for item in report["episodes"]:
        frames = load_episode(tmp_path / "out" / f"{item['file']}.parquet").frames
        assert np.abs(np.diff(frames.astype(int), axis=0)).mean(axis=(1, 2, 3)).astype(bool).sum() >= len(frames) - 2


@pytest.mark.parametrize(
    ("images", "joints", "changes"),
    [
        (hung(40, 70), lambda t: 0.2 * min(t, 4) + 0.2 * max(0, t - 7), {}),  # a simulation that stands still
        (hung(40, 70), lambda t: 0.2 * t if not 4 < t < 7 else 0.8 + 1e-3 * np.sin(99 * t), {}),  # with noisy encoders
        (
            hung(40, 70),
            lambda t: 0.2 * (t if t < 4 else 4 if t < 7 else t - 3) + (round(t, 2) in (5.0, 5.02)),
            {},
        ),  # a slip
        (hung(40, 70), lambda t: 0.2 * t if not 4 < t < 7 else 3.14 * (-1) ** round(50 * t), {}),  # half a turn
        (hung(40, 43), lambda t: 0.9 * t, {}),  # for shorter than a gap may be
        (hung(40, 70), lambda t: 0.2 * t, {"max_repeat_s": 5.0}),
        ([("cam", (48, 64), noise(number // 2)) for number in range(120)], lambda t: 0.9 * t, {}),  # shown twice each
    ],
    ids=["still", "noise", "slip", "half turn", "short", "allowed", "twice"],
)
def test_images_that_may_repeat_are_kept_in_silence(tmp_path, images, joints, changes):
    bag_of(tmp_path, images, joints)
    report = run(tmp_path, **changes)
    assert report["cuts"] == [] and sum(item["frames"] for item in report["episodes"]) == 61
    assert not [note for note in report["notes"] if "repeat" in note]


@pytest.mark.parametrize("rare", [False, True])
def test_a_longer_gap_for_a_rare_joint_lets_no_camera_hang_in_silence(tmp_path, rare):
    with BagMaker(tmp_path / "bag") as bag:
        for number, (frame, size, data) in enumerate(hung(40, 70)):
            bag.image(0.1 * number, size=size, frame=frame, data=data.ravel())
        for t in np.arange(-0.5, 12.5, 0.02):
            bag.joints(t, j1=0.2 * t)
        for t in np.arange(-0.5, 14, 3) if rare else ():
            bag.joints(t, finger=0.01 * t)
    report = run(tmp_path, modality="joints", max_gap_s=5.0)
    (count,) = [count for why, count in report["frames"]["dropped"].items() if "repeat the picture before" in why]
    assert count == pytest.approx(27, abs=1) and len(report["cuts"]) == 1


def test_a_base_that_stands_and_whose_odometry_has_noise_may_repeat_in_silence(tmp_path):
    with BagMaker(tmp_path / "bag") as bag:
        for number, (frame, size, data) in enumerate(hung(40, 110)):
            bag.image(0.1 * number, size=size, frame=frame, data=data.ravel())
        for t in np.arange(-0.5, 12.5, 0.02):
            bag.odometry(t, vx=0.3 if not 4 < t < 11 else 0.008, p=(0.3 * min(t, 4) + 0.3 * max(0, t - 11), 0, 0))
    report = run(tmp_path, modality="twist")
    assert report["cuts"] == [] and not [note for note in report["notes"] if "repeat" in note]


def test_a_camera_that_never_shows_anything_else_is_kept_and_said(tmp_path):
    bag_of(tmp_path, hung(2, 120))
    report = run(tmp_path)
    assert sum(item["frames"] for item in report["episodes"]) == 61
    (note,) = [note for note in report["notes"] if "repeat" in note]
    assert "117 of 120 images" in note and "though the robot moves" in note
    bag_of(tmp_path / "still", hung(2, 120), lambda t: 0.3)
    assert not [note for note in run(tmp_path / "still")["notes"] if "repeat" in note]


def few_bits(path, encoding, scale, compressed=False):
    with BagMaker(path / "bag") as bag:
        for number in range(60):
            pixels = (noise(number)[..., 0].astype(np.uint16) * scale).clip(0, 65535).astype(np.uint16)
            if compressed:
                bag.compressed(
                    0.1 * number, data=cv2.imencode(".png", pixels)[1].ravel(), format=f"{encoding}; png compressed "
                )
            else:
                bag.image(0.1 * number, size=(48, 64), encoding=encoding, data=pixels.view(np.uint8).ravel(), step=128)
        for t in np.arange(-0.5, 6.5, 0.02):
            bag.joints(t, j1=0.2 * t)


@pytest.mark.parametrize("encoding", ["mono16", "bayer_rggb16"])
@pytest.mark.parametrize("compressed", [False, True])
def test_images_that_use_few_of_their_16_bits_are_said_with_their_brightest_number(tmp_path, encoding, compressed):
    few_bits(tmp_path, encoding, 16, compressed)
    for dry_run in True, False:
        report = import_bag(tmp_path / "bag", tmp_path / "out", SETTINGS, dry_run=dry_run)
        (note,) = [note for note in report["notes"] if "brightest number" in note]
        assert "is 4080 of 65535, as of a camera of 12 bits" in note and "stored as 16 of 255" in note
        assert "publish 8 bits" in note
    episode = load_episode(tmp_path / "out" / f"{report['episodes'][0]['file']}.parquet")
    assert episode.frames.max() <= 16  # what is stored is what the message says


@pytest.mark.parametrize("compressed", [False, True])
def test_images_that_use_all_16_bits_need_no_note(tmp_path, compressed):
    few_bits(tmp_path, "mono16", 257, compressed)
    assert not [note for note in run(tmp_path)["notes"] if "brightest" in note]


@pytest.mark.parametrize("compressed", [False, True])
def test_few_images_of_many_are_decoded_a_second_time_for_their_bits(tmp_path, monkeypatch, compressed):
    from astra_ros.datasets.rosbag import recording

    looked, brightest = [], recording.brightest
    monkeypatch.setattr(recording, "brightest", lambda message: looked.append(message) or brightest(message))
    with BagMaker(tmp_path / "bag") as bag:
        data = [(noise(number, (16, 16))[..., 0].astype(np.uint16) * 16) for number in range(10)]
        for number in range(300):
            pixels = data[number % 10]
            if compressed:
                bag.compressed(
                    0.1 * number, data=cv2.imencode(".png", pixels)[1].ravel(), format="mono16; png compressed "
                )
            else:
                bag.image(0.1 * number, size=(16, 16), encoding="mono16", data=pixels.view(np.uint8).ravel(), step=32)
        for t in np.arange(-0.5, 30.5, 0.1):
            bag.joints(t, j1=0.1 * t)
    report = import_bag(tmp_path / "bag", tmp_path / "out", replace(SETTINGS, image_size=(16, 16)), dry_run=True)
    assert report["frames"]["in_bag"] == 300 and len(looked) < 70
    assert any("as of a camera of 12 bits" in note for note in report["notes"])
