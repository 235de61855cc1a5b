"""Bags whose files or messages are damaged: what can be read is read, and the rest is named."""

import cv2
import numpy as np
import pytest
from bag_imports import SETTINGS, lengths, refused, run
from bag_maker import BagMaker, arm_bag

from astra_ros.datasets.rosbag.import_bag import import_bag


@pytest.mark.parametrize("name", ["bag.mcap", "bag.db3"])
def test_a_cut_off_file_is_read_as_far_as_it_goes(tmp_path, name):
    arm_bag(tmp_path / "bag", seconds=20, storage={"bag.mcap": "mcap", "bag.db3": "sqlite3"}[name], size=(96, 96))
    file = tmp_path / "bag" / name
    whole = file.read_bytes()
    file.write_bytes(whole[: int(len(whole) * 0.7)])
    report = run(tmp_path / "bag", tmp_path / "out")
    assert report["episodes"] and report["frames"]["in_bag"] < 200
    notes = " ".join(report["notes"])
    assert f"{file}: cut off or damaged" in notes and "lost" in notes
    # No more than a chunk of MCAP (1 MiB here) is lost beside what is not there.
    assert report["frames"]["in_bag"] >= 0.7 * 200 - 2**20 / (96 * 96 * 3) - 2
    file.write_bytes(whole[:300])
    text = refused(tmp_path / "bag", tmp_path / "out2")
    assert (
        "cannot be read" in text
        and "copy the bag again" in text
        or ("no messages in it that can be read" in text and f"{file}: cut off or damaged" in text)
    )


@pytest.mark.parametrize(
    "storage, compression",
    [("mcap", "file"), ("mcap", "message"), ("mcap", "storage"), ("sqlite3", "file"), ("sqlite3", "message")],
)
def test_compressed_bags_are_read_and_what_is_cut_off_of_them_is_said(tmp_path, storage, compression):
    arm_bag(tmp_path / "bag", storage=storage, compression=compression)
    report = run(tmp_path / "bag", tmp_path / "out")
    assert lengths(report) == [25] and not report["notes"]
    file = next(path for path in (tmp_path / "bag").iterdir() if path.suffix != ".yaml")
    data = file.read_bytes()
    file.write_bytes(data[: int(0.8 * len(data))])
    if (storage, compression) in (("mcap", "storage"), ("sqlite3", "message")):
        text = "\n".join(run(tmp_path / "bag", tmp_path / "out2")["notes"])
    else:  # of one chunk nothing is left, of the compressed database too little
        text = refused(tmp_path / "bag", tmp_path / "out2")
        assert ("no messages in it that can be read" if storage == "mcap" else "of 38 images") in text
    assert f"{file}: cut off or damaged" in text
    assert (f"{file}: compressed as a whole, and cut off" in text) == (compression == "file")
    assert ("metadata.yaml counts other messages" in text) == (compression != "storage")


def test_damage_inside_an_mcap_file(tmp_path):
    file = arm_bag(tmp_path / "bag", seconds=60, size=(96, 96)) / "bag.mcap"
    data = bytearray(file.read_bytes())
    # The message records of the second half lose their lengths.
    middle = data.index(b"\x05", len(data) // 2)
    data[middle : middle + 40_000] = bytes([0xEE]) * 40_000
    file.write_bytes(data)
    report = run(tmp_path / "bag", tmp_path / "out")
    assert any("damaged after" in note and "is lost" in note for note in report["notes"])
    assert sum(lengths(report)) > 50


@pytest.mark.parametrize("metadata", ["whole", "none", "broken"])
@pytest.mark.parametrize("cut", [True, False])
def test_no_new_index_is_asked_of_a_file_that_ros_cannot_open(tmp_path, cut, metadata):
    arm_bag(tmp_path / "bag", seconds=20, storage="sqlite3")
    (file,) = (tmp_path / "bag").glob("*.db3")
    text = {
        "whole": (tmp_path / "bag" / "metadata.yaml").read_text().replace("message_count: ", "message_count: 1"),
        "broken": "",
        "none": None,
    }[metadata]
    (tmp_path / "bag" / "metadata.yaml").unlink()
    if text is not None:
        (tmp_path / "bag" / "metadata.yaml").write_text(text)
    if cut:
        file.write_bytes(file.read_bytes()[: file.stat().st_size * 2 // 3])
    report = run(tmp_path / "bag", tmp_path / "out")
    assert any("metadata.yaml" in note for note in report["notes"])
    assert any("cut off or damaged" in note for note in report["notes"]) == cut
    assert any("reindex" in note for note in report["notes"]) != cut


def test_an_odometry_whose_orientation_is_not_filled_is_used_and_told_so(tmp_path):
    with BagMaker(tmp_path / "bag") as bag:
        for t in np.arange(0, 8, 0.1):
            bag.image(t)
            bag.odometry(t, vx=0.3, q=(0, 0, 0, 0))
    report = run(tmp_path / "bag", tmp_path / "out", modality="twist")
    (note,) = [note for note in report["notes"] if "quaternion" in note]
    assert "the pose of 'base_link'" in note and "of 80 messages a part" in note
    assert report["motion"]["messages"] == 80


def test_a_message_with_one_bad_transform_is_left_out_in_part(tmp_path):
    with BagMaker(tmp_path / "bag") as bag:
        for t in np.arange(0, 8, 0.1):
            bag.image(t)
            bag.frames(
                t, ("odom", "camera_optical", (0.2 * t, 0, 1), (0, 0, 0, 1)), ("odom", "box", (0, 0, 0), (0, 0, 0, 0))
            )
            bag.frames(t, ("odom", "lid", (0, 0, 0), (0, 0, 0, 0)))
    notes = run(tmp_path / "bag", tmp_path / "out", modality="camera")["notes"]
    assert any("of 80 messages a part" in note and "'box'" in note for note in notes)
    assert any("80 messages left out" in note and "'lid'" in note for note in notes)


def test_a_killed_recorder_leaves_no_metadata(tmp_path):
    arm_bag(tmp_path / "bag")
    (tmp_path / "bag" / "metadata.yaml").unlink()
    report = run(tmp_path / "bag", tmp_path / "out")
    assert "metadata.yaml is missing" in report["notes"][0]
    assert "ros2 bag reindex" in report["notes"][0]
    arm_bag(tmp_path / "other", seconds=7)
    (tmp_path / "other" / "metadata.yaml").write_text("rosbag2_bagfile_information: {version: 5}")
    report = run(tmp_path / "other", tmp_path / "out of another")
    assert "metadata.yaml cannot be read" in report["notes"][0]
    # A single file will do, and is the same bag.
    assert import_bag(tmp_path / "bag" / "bag.mcap", tmp_path / "out", SETTINGS) is None


def test_unknown_encodings_and_broken_images(tmp_path):
    with BagMaker(tmp_path / "depth") as bag:
        bag.image(0.0, encoding="16UC1")
        bag.joints(0.0, j1=0.0)
    text = refused(tmp_path / "depth", tmp_path / "out", image_topic="/camera/image_raw")
    assert "/camera/image_raw: encoding '16UC1' is a depth image" in text
    with BagMaker(tmp_path / "bag") as bag:
        for t in np.arange(0, 12, 0.1):
            bag.image(t, **({"step": 7} if 5.85 < t < 6.15 else {}))
            bag.joints(t, j1=t)
    report = run(tmp_path / "bag", tmp_path / "out")
    assert report["frames"]["dropped"]["broken pictures"] == 3
    assert any("broken images: 3; the first: step is 7" in note for note in report["notes"])
    assert report["cuts"][0]["why"] == "no image for 0.40 s"


def test_a_bag_without_one_whole_image_is_refused(tmp_path):
    with BagMaker(tmp_path / "bag") as bag:
        for t in np.arange(0, 6, 0.1):
            bag.image(t, step=7)
            bag.joints(t, j1=t)
    text = refused(tmp_path / "bag", tmp_path / "out")
    assert "/camera/image_raw: none of its 60 images is whole; the first: step is 7" in text


def test_a_jpeg_without_its_end_and_a_png_that_cannot_be_decoded(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    jpeg, png = (cv2.imencode(kind, noise)[1].ravel() for kind in (".jpg", ".png"))
    png = png.copy()
    png[60:400] = 0  # its header and end are there
    with BagMaker(tmp_path / "bag") as bag:
        for t in np.arange(0, 13.01, 0.25):
            bag.compressed(t, data=jpeg[:900] if t == 4.5 else png if t == 9 else jpeg)
            bag.joints(t, j1=t)
    report = run(tmp_path / "bag", tmp_path / "out")
    # 18 frames before 4.5 s, 17 until 9 s, and the 16 behind it are too few.
    assert lengths(report) == [18, 17]
    assert report["frames"]["dropped"] == {
        "broken pictures": 2,
        "in a stretch of less than 17 frames, too short to train on": 16,
    }
    assert any("a JPEG without its end: 900 bytes" in note for note in report["notes"])


def test_joints_that_are_not_finite_or_change_their_names(tmp_path):
    with BagMaker(tmp_path / "nan") as bag:
        for t in np.arange(0, 12, 0.1):
            bag.image(t)
            bag.joints(t, a=np.nan if 5 < t < 7 else t, b=np.inf)
    text = refused(tmp_path / "nan", tmp_path / "out")
    assert "joint 'b' never has a finite position; import only the joints a" in text
    report = run(tmp_path / "nan", tmp_path / "out", joints=("a",))
    assert any("19 positions of joint 'a' are not finite" in note for note in report["notes"])
    assert "19 frames while the motion is silent (joint 'a')" in report["cuts"][0]["why"]
    assert lengths(report) == [21, 21]
    with BagMaker(tmp_path / "renamed") as bag:
        for t in np.arange(0, 12, 0.1):
            bag.image(t)
            bag.joints(t, **({"a": t} if t < 6 else {"c": t}))
    text = refused(tmp_path / "renamed", tmp_path / "out2")
    assert "before the motion starts (joint 'c')" in text
    assert "after the motion ends (joint 'a')" in text
    assert lengths(run(tmp_path / "renamed", tmp_path / "out2", joints=("a",))) == [25]
