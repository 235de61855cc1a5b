"""Incomplete or ambiguous bags: what can be saved is saved, and the rest is named."""

import json
from dataclasses import replace

import numpy as np
import pytest
from bag_imports import SETTINGS, lengths, refused, run
from bag_maker import BagMaker, arm_bag, header, make

from astra_ros import cli
from astra_ros.datasets.dataset import list_episodes
from astra_ros.datasets.rosbag import episode_writer
from astra_ros.datasets.rosbag.errors import BagError
from astra_ros.datasets.rosbag.import_bag import import_bag
from astra_ros.files import OutputError


def refused_again(bag, out):
    """The same, of a folder that holds episodes."""
    with pytest.raises(BagError) as error:
        import_bag(bag, out, SETTINGS)
    assert str(error.value).startswith(f"{bag}: ")
    return str(error.value)


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
    assert "no stretch of 4.25 s" in text
    assert "\ndropped of 30 images\n  30 in a stretch of less than 17 frames" in text  # a list stands under its heading
    text = refused(arm_bag(tmp_path / "slow", seconds=9, rate=3), tmp_path / "out", cure="dt_s to 0.334")
    assert "3 images a second, but dt_s 0.25 needs 4" in text
    assert lengths(run(tmp_path / "slow", tmp_path / "out", dt_s=0.334)) == [27]


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
