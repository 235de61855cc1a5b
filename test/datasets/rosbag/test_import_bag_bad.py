"""Damaged, incomplete or ambiguous bags: what can be saved is saved, and the rest is named."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
from bag_maker import BagMaker, arm_bag, header, make

from astra_ros import cli
from astra_ros.datasets.dataset import list_episodes, load_episode
from astra_ros.datasets.rosbag import episode_writer
from astra_ros.datasets.rosbag.errors import BagError
from astra_ros.datasets.rosbag.import_bag import import_bag
from astra_ros.datasets.rosbag.import_settings import BagSettings
from astra_ros.files import OutputError

SETTINGS = BagSettings(robot="mine")


def run(bag, out, **changes):
    report = import_bag(bag, out, replace(SETTINGS, **changes))
    frames = report["frames"]
    assert frames["used"] + sum(frames["dropped"].values()) == frames["in_bag"]
    return report


def refused(bag, out, thing="", cure="", **changes):
    """The message with which an import is refused, about ``thing`` if given, with ``cure`` in its cure; it names the
    bag, and nothing is written."""
    with pytest.raises(BagError) as error:
        import_bag(bag, out, replace(SETTINGS, **changes))
    assert thing in ("", error.value.thing) and cure in error.value.cure
    assert bag.name in str(error.value)
    assert not out.exists() or not list(out.iterdir())
    return str(error.value)


def refused_again(bag, out):
    """The same, of a folder that holds episodes."""
    with pytest.raises(BagError) as error:
        import_bag(bag, out, SETTINGS)
    assert str(error.value).startswith(f"{bag}: ")
    return str(error.value)


def lengths(report):
    return [episode["frames"] for episode in report["episodes"]]


def test_what_is_no_bag(tmp_path):
    out = tmp_path / "out"
    assert "no such file or folder" in refused(tmp_path / "nowhere", out)
    (tmp_path / "empty").mkdir()
    assert "no .db3 or .mcap file" in refused(tmp_path / "empty", out)
    (tmp_path / "old.bag").write_bytes(b"#ROSBAG V2.0\n")
    assert "rosbags-convert --src" in refused(tmp_path / "old.bag", out)
    (tmp_path / "none.mcap").write_bytes(b"")
    assert "it is empty" in refused(tmp_path / "none.mcap", out)
    (tmp_path / "text.db3").write_text("hello" * 1000)
    assert "cannot be read" in refused(tmp_path / "text.db3", out)


def test_an_empty_bag(tmp_path):
    with BagMaker(tmp_path / "bag"):
        pass
    assert "no messages in it" in refused(tmp_path / "bag", tmp_path / "out")


def test_no_camera_or_no_motion(tmp_path):
    with BagMaker(tmp_path / "blind") as bag:
        bag.joints(0.0, j1=0.0)
        bag.image(0.0, topic="/depth/image", encoding="16UC1")
    text = refused(tmp_path / "blind", tmp_path / "out")
    assert "no camera in it" in text
    assert "/joint_states  sensor_msgs/msg/JointState  1 messages" in text
    assert "/depth/image: encoding '16UC1' is a depth image" in text
    with BagMaker(tmp_path / "still") as bag:
        bag.image(0.0)
    assert "no motion in it" in (text := refused(tmp_path / "still", tmp_path / "out"))
    assert "record what moves the robot too, such as /joint_states" in text
    assert "for modality twist" in refused(arm_bag(tmp_path / "arm"), tmp_path / "out", modality="twist")


def test_several_candidates_are_listed_with_what_to_type(tmp_path, capsys):
    with BagMaker(tmp_path / "bag") as bag:
        for t in np.arange(0, 6, 0.1):
            bag.image(t, topic="/left/image_raw")
            bag.image(t, topic="/right/image_raw")
            bag.compressed(t, topic="/left/image_raw/compressed")
            bag.joints(t, wheel=t)
            bag.twist(t, vx=0.1)
            bag.twist(t, vx=0.1, topic="/cmd_vel_nav")
            bag.frames(t, ("odom", "base_link", (t, 0, 0), (0, 0, 0, 1)))
    text = refused(tmp_path / "bag", tmp_path / "out", thing="image_topic", cure="/left/image_raw")
    assert "/left/image_raw   sensor_msgs/msg/Image  60 messages" in text
    assert "/right/image_raw  sensor_msgs/msg/Image  60 messages" in text
    assert "compressed" not in text
    assert cli.main(["import-bag", str(tmp_path / "bag"), "--out", str(tmp_path / "out")]) == 1
    assert "--image-topic: several topics" in capsys.readouterr().err  # the command names its flag
    camera = {"image_topic": "/left/image_raw"}
    text = refused(tmp_path / "bag", tmp_path / "out", thing="modality", cure="joints or twist", **camera)
    assert "joints:\n  /joint_states" in text and "twist:\n  /cmd_vel " in text
    text = refused(
        tmp_path / "bag", tmp_path / "out", thing="motion_topic", cure="/cmd_vel", modality="twist", **camera
    )
    assert "/cmd_vel_nav" in text
    text = refused(tmp_path / "bag", tmp_path / "out", image_topic="/front", modality="joints")
    assert ": /front: " in text and "/joint_states" in text
    text = refused(tmp_path / "bag", tmp_path / "out", image_topic="/cmd_vel")
    assert ": /cmd_vel: " in text and "geometry_msgs/msg/Twist;" in text and "sensor_msgs/msg/Image or" in text
    report = run(tmp_path / "bag", tmp_path / "out", modality="twist", motion_topic="/cmd_vel", **camera)
    assert report["motion"]["columns"]["linear.x"] == [0.0, 0.1]


def test_too_short_and_too_slow(tmp_path):
    text = refused(arm_bag(tmp_path / "short", seconds=3), tmp_path / "out")
    assert "no stretch of 4.25 s" in text and "30 in a stretch of less than 17 frames" in text
    text = refused(arm_bag(tmp_path / "slow", seconds=9, rate=3), tmp_path / "out", cure="dt_s to 0.334")
    assert "3 images a second, but dt_s 0.25 needs 4" in text
    assert lengths(run(tmp_path / "slow", tmp_path / "out", dt_s=0.334)) == [27]


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


def test_another_image_size_cuts_but_not_with_a_calibrated_camera(tmp_path):
    with BagMaker(tmp_path / "bag") as bag:
        for t in np.arange(0, 12, 0.1):
            bag.image(t, size=(64, 64) if t < 6 else (96, 128))
            bag.camera_info(t)
            bag.joints(t, j1=t)
    report = run(tmp_path / "bag", tmp_path / "out")
    (cut,) = report["cuts"]
    assert cut == {"at_s": 5.9, "why": "the images changed from 64 x 64 to 128 x 96 pixels"}
    assert report["camera"]["sizes"] == [(64, 64), (128, 96)] and lengths(report) == [25, 25]
    pose = {"position": [0, 0, 0], "quaternion": [0, 0, 0, 1]}
    text = refused(tmp_path / "bag", tmp_path / "out2", camera_pose=pose)
    assert "images of 64 x 64, 128 x 96 pixels" in text


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


def test_a_modality_that_the_bag_has_not_is_answered_with_that_it_has(tmp_path):
    with BagMaker(tmp_path / "base") as bag:
        for t in np.arange(0, 8, 0.1):
            bag.image(t)
            bag.odometry(t, vx=0.3, p=(0.3 * t, 0, 0))
    text = refused(tmp_path / "base", tmp_path / "out", modality="joints")
    assert "modality twist, of /odom" in text and "record what moves" not in text
    text = refused(arm_bag(tmp_path / "arm"), tmp_path / "out", modality="twist")
    assert "modality joints, of /joint_states" in text and "record what moves" not in text


def test_a_camera_info_of_the_same_frame_elsewhere_is_named(tmp_path):
    with BagMaker(tmp_path / "bag") as bag:
        for t in np.arange(0, 8, 0.1):
            bag.image(t, frame="eye")
            bag.frames(t, ("odom", "eye", (0.2 * t, 0, 1), (0, 0, 0, 1)))
        for topic in ("/left/info", "/right/info"):
            bag.camera_info(0, topic=topic, frame="eye" if topic == "/right/info" else "other")
    note = next(
        note for note in run(tmp_path / "bag", tmp_path / "out", modality="camera")["notes"] if "no camera_info" in note
    )
    assert "camera_info_topic" in note and "/right/info" in note and "/left/info" not in note
    report = run(tmp_path / "bag", tmp_path / "out2", modality="camera", camera_info_topic="/right/info")
    assert not [note for note in report["notes"] if "camera_info" in note]


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


def test_velocities_of_joints_alone_are_answered_with_what_helps(tmp_path):
    with BagMaker(tmp_path / "bag") as bag:
        for t in np.arange(0, 8, 0.1):
            bag.image(t)
            bag.add(
                t,
                "/joint_states",
                "sensor_msgs/msg/JointState",
                make(
                    "sensor_msgs/msg/JointState",
                    header=header(t),
                    name=["left", "right"],
                    position=np.empty(0),
                    velocity=np.ones(2),
                    effort=np.empty(0),
                ),
            )
            bag.odometry(t, vx=0.3, p=(0.3 * t, 0, 0))
    text = refused(tmp_path / "bag", tmp_path / "out", modality="joints")
    assert "only velocities" in text and "publish positions" in text and "modality twist, of /odom" in text


def test_a_camera_info_that_cannot_be_used_is_noted_where_nothing_needs_it(tmp_path):
    for name, fields in (
        ("odd", {"size": (66, 66), "roi": (10, 10, 64, 64)}),
        ("other", {"size": (48, 48)}),
        ("right", {}),
    ):
        with BagMaker(tmp_path / name) as bag:
            for t in np.arange(0, 8, 0.1):
                bag.image(t)
                bag.joints(t, j1=0.1 * t)
            bag.camera_info(0, **fields)
        notes = [note for note in run(tmp_path / name, tmp_path / f"{name}_out")["notes"] if "camera_pose" in note]
        assert len(notes) == (name != "right") and all(note.startswith("/camera/camera_info") for note in notes)


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
    assert any("broken pictures: 3; the first: step is 7" in note for note in report["notes"])
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


def test_frames_that_do_not_fit(tmp_path):
    def camera_bag(name, *edges, frame="camera_optical"):
        with BagMaker(tmp_path / name) as bag:
            for t in np.arange(0, 6, 0.1):
                bag.image(t, frame=frame)
                bag.frames(t, *((*edge, (t, 0, 0), (0, 0, 0, 1)) for edge in edges))
        return tmp_path / name

    out = tmp_path / "out"
    text = refused(camera_bag("a", ("odom", "base_link")), out)
    assert "'camera_optical'" in text and "in no transform; there are base_link" in text
    text = refused(camera_bag("b", ("odom", "camera_optical")), out, fixed_frame="map")
    assert "'map': not above 'camera_optical'; above it are odom" in text
    assert "name no frame" in refused(camera_bag("c", ("odom", "camera"), frame=""), out)
    report = run(camera_bag("d", ("odom", "eye"), ("map", "eye"), frame="eye"), out)
    assert any("frame 'eye' has several parents, 'odom' and 'map'" in note for note in report["notes"])
    assert any("'eye' is taken as the camera's optical frame" in note for note in report["notes"])


def test_a_robot_that_never_moves_is_said(tmp_path):
    with BagMaker(tmp_path / "bag") as bag:
        for t in np.arange(0, 6, 0.1):
            bag.image(t)
            bag.joints(t, j1=0.5)
    notes = run(tmp_path / "bag", tmp_path / "out")["notes"]
    assert any("the robot never moves" in note for note in notes)


@pytest.mark.parametrize("stop", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_stopped_import_goes_on(tmp_path, monkeypatch, stop):
    bag, out = arm_bag(tmp_path / "bag", seconds=24), tmp_path / "out"
    settings, save, left = replace(SETTINGS, episode_s=6), episode_writer.save_episode, [1]

    def save_once(*args):
        if not left:
            raise stop
        left.pop()
        save(*args)

    monkeypatch.setattr(episode_writer, "save_episode", save_once)
    with pytest.raises((OutputError, KeyboardInterrupt)) as error:
        import_bag(bag, out, settings)
    if isinstance(stop, OSError):
        assert error.value.thing == str(out) and "space" in error.value.cure
        assert "No space left" in error.value.problem and "whole" in error.value.problem
    (first,) = list_episodes(out)
    before = first.read_bytes()
    monkeypatch.setattr(episode_writer, "save_episode", save)
    report = import_bag(bag, out, settings)
    assert len(report["episodes"]) == 5 and len(list_episodes(out)) == 5
    assert first.read_bytes() == before
    assert import_bag(bag, out, settings) is None
    (path,) = out.glob("*.import.json")
    assert json.loads(path.read_text())["episodes"] == report["episodes"]
    path.write_text("")  # as a power cut may leave it
    assert import_bag(bag, out, settings)["episodes"] == report["episodes"] and first.read_bytes() == before
    assert json.loads(path.read_text())["episodes"] == report["episodes"]


def test_one_robot_has_the_same_joints_in_all_bags(tmp_path):
    import_bag(arm_bag(tmp_path / "one"), tmp_path / "out", SETTINGS)
    with BagMaker(tmp_path / "two") as bag:
        for t in np.arange(0, 6, 0.1):
            bag.image(t)
            bag.joints(t, wrist=0.1 * t)
    text = refused_again(tmp_path / "two", tmp_path / "out")
    assert all(fact in text for fact in (str(tmp_path / "out"), "mine", "j1", "wrist", "another name"))
    assert import_bag(tmp_path / "two", tmp_path / "out", SETTINGS, dry_run=True)  # which shows the joints
    with BagMaker(tmp_path / "more") as bag:
        for t in np.arange(0, 6, 0.1):
            bag.image(t)
            bag.joints(t, gripper=0.0, j1=0.1 * t)
    text = refused_again(tmp_path / "more", tmp_path / "out")
    assert "gripper, j1" in text and "only the joints j1, or " in text
    assert len(list_episodes(tmp_path / "out")) == 1
    assert import_bag(tmp_path / "two", tmp_path / "out", replace(SETTINGS, robot="another"))


def test_one_bad_bag_does_not_stop_the_others(tmp_path, capsys):
    (tmp_path / "bad").mkdir()
    words = ["import-bag", str(tmp_path / "bad"), str(arm_bag(tmp_path / "good")), "--out", str(tmp_path / "out")]
    assert cli.main(words) == 1
    text = capsys.readouterr()
    assert "1 of 2 bags could not be imported: " in text.err and "no .db3 or .mcap file" in text.err
    assert "robot_joints_000000  25 frames" in text.out
    assert len(list_episodes(tmp_path / "out")) == 1
