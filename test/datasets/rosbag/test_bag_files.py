"""What lies in a bag's folder is read or named: metadata behind its files, copies, empty files, other recordings."""

import shutil

import numpy as np
import pytest
from bag_folders import IMAGE, JOINTS, put_metadata, read
from bag_maker import STORE, BagMaker
from mcap_writer import arm, write_mcap
from user_errors import refusal

from astra_ros.datasets.dataset import list_episodes
from astra_ros.datasets.rosbag.bag import Bag
from astra_ros.datasets.rosbag.errors import BagError, MotionError
from astra_ros.datasets.rosbag.import_bag import import_bag
from astra_ros.datasets.rosbag.import_settings import BagSettings

SETTINGS = BagSettings(episode_s=60)


def parts(folder, count=3, name="bag_{}.mcap"):
    """A recording in files of 6 s each, and the metadata that fits it."""
    for number in range(count):
        write_mcap(folder / name.format(number), arm(6 * number, 6 * number + 6))
    put_metadata(folder, [name.format(number) for number in range(count)], {IMAGE: 60 * count, JOINTS: 120 * count})
    return folder


def is_whole(path, seconds=18, files=("bag_0.mcap", "bag_1.mcap", "bag_2.mcap")):
    times, found, notes = read(path)
    np.testing.assert_allclose(times[IMAGE], np.arange(0, seconds, 0.1), atol=1e-3)
    np.testing.assert_allclose(times[JOINTS], np.arange(0, seconds, 0.05), atol=1e-3)
    assert found == list(files)
    return notes


def test_metadata_that_fits_its_files_needs_no_word(tmp_path):
    assert is_whole(parts(tmp_path / "bag")) == []


def test_a_file_that_metadata_does_not_list_is_read_and_named(tmp_path):
    folder = parts(tmp_path / "bag")
    put_metadata(folder, ["bag_0.mcap", "bag_1.mcap"], {IMAGE: 120, JOINTS: 240})
    (note,) = is_whole(folder)
    assert "does not list bag_2.mcap" in note
    report = import_bag(folder, tmp_path / "out", SETTINGS)
    assert report["files"] == ["bag_0.mcap", "bag_1.mcap", "bag_2.mcap"] and report["frames"]["in_bag"] == 180


@pytest.mark.parametrize("counts", [{IMAGE: 0, JOINTS: 0}, {IMAGE: 500, JOINTS: 360}, {}])
def test_counts_are_those_of_the_files(tmp_path, counts):
    folder = parts(tmp_path / "bag")
    put_metadata(folder, ["bag_0.mcap", "bag_1.mcap", "bag_2.mcap"], counts)
    (note,) = is_whole(folder)
    assert f"{IMAGE} {counts.get(IMAGE, 0)} instead of 180" in note


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "rosbag2_bagfile_information:\n  version: 5\n",
        "\0" * 400,
        "rosbag2_bagfile_information: {version: 5, relative_file",
        "[]",
        "text",
        "rosbag2_bagfile_information:\n",
    ],
)
def test_metadata_that_is_empty_or_half_written(tmp_path, text):
    folder = parts(tmp_path / "bag")
    (folder / "metadata.yaml").write_text(text)
    (note,) = is_whole(folder)
    assert "metadata.yaml cannot be read" in note and "ros2 bag reindex" in note


def test_files_that_are_listed_and_not_there_are_named(tmp_path):
    folder = parts(tmp_path / "bag")
    (folder / "bag_2.mcap").unlink()
    (note,) = is_whole(folder, 12, ("bag_0.mcap", "bag_1.mcap"))
    assert "lists bag_2.mcap" in note


def test_a_folder_without_its_files_names_those_of_metadata(tmp_path):
    folder = parts(tmp_path / "bag", 1)
    (folder / "bag_0.mcap").unlink()
    with pytest.raises(BagError) as error:
        Bag(folder)
    assert error.value.thing == str(folder) and error.value.cure.endswith("bag_0.mcap")
    parts(tmp_path / "monday")
    with pytest.raises(BagError) as error:
        Bag(tmp_path)
    assert error.value.thing == str(tmp_path) and error.value.cure.endswith(f"import-bag {tmp_path}/monday")


def test_what_is_missing_because_a_file_was_not_read_is_said_with_it(tmp_path):
    folder = tmp_path / "bag"
    write_mcap(folder / "joints_0.mcap", [item for item in arm() if item[0].topic == JOINTS])
    (folder / "camera_0.mcap").write_bytes(b"")
    with refusal(BagError, folder, "sensor_msgs/msg/Image", "camera_0.mcap", "empty", cure=["IMAGE_TOPIC"]):
        import_bag(folder, tmp_path / "out", SETTINGS)


def test_a_renamed_file_is_read_in_its_place(tmp_path):
    folder = parts(tmp_path / "bag")
    (folder / "bag_0.mcap").rename(folder / "the_start.mcap")
    notes = is_whole(folder, files=("the_start.mcap", "bag_1.mcap", "bag_2.mcap"))
    text = "\n".join(notes)
    assert "does not list the_start.mcap" in text and "lists bag_0.mcap" in text


def test_ten_files_are_read_in_order_of_their_numbers(tmp_path):
    folder = parts(tmp_path / "bag", 11)
    assert is_whole(folder, 66, [f"bag_{number}.mcap" for number in range(11)]) == []


def test_a_topic_without_messages_is_known_from_metadata(tmp_path):
    folder = parts(tmp_path / "bag")
    put_metadata(folder, [f"bag_{number}.mcap" for number in range(3)], {IMAGE: 180, JOINTS: 360, "/imu": 0})
    assert is_whole(folder) == []
    with Bag(folder) as bag:
        assert [(topic.name, topic.count) for topic in bag.topics] == [(IMAGE, 180), ("/imu", 0), (JOINTS, 360)]


@pytest.mark.parametrize("name", ["bag_1 (copy).mcap", "a.mcap", "bag_1.mcap.zstd"])
def test_no_message_is_read_twice_from_a_copy(tmp_path, name):
    from astra_ros.datasets.rosbag.storage import zstd

    folder = parts(tmp_path / "bag")
    data = (folder / "bag_1.mcap").read_bytes()
    (folder / name).write_bytes(zstd.compress(data) if name.endswith("zstd") else data)
    times, files, notes = read(folder)
    assert len(times[IMAGE]) == 180 and len(files) == 3
    assert any("not read, since it is a copy of" in note for note in notes)


def test_another_recording_of_the_same_time_is_left_out_and_named(tmp_path):
    folder = parts(tmp_path / "bag")
    write_mcap(folder / "other_0.mcap", arm(3, 8.5))
    notes = is_whole(folder)
    assert len(notes) == 1 and "other_0.mcap: not read" in notes[0] and "same time as bag_0.mcap" in notes[0]


def test_two_recordings_of_the_same_time_without_metadata_are_refused(tmp_path):
    write_mcap(tmp_path / "bag/one_0.mcap", arm())
    write_mcap(tmp_path / "bag/two_0.mcap", arm(0.05, 6.05))
    with pytest.raises(BagError) as error:
        import_bag(tmp_path / "bag", tmp_path / "out", SETTINGS)
    text = str(error.value)
    assert "one_0.mcap and two_0.mcap both hold" in text and "import each by itself" in text
    for name in ("one_0.mcap", "two_0.mcap"):  # the cure cures
        assert import_bag(tmp_path / "bag" / name, tmp_path / "out", SETTINGS)["frames"]["in_bag"] == 60


def test_two_recordings_that_follow_each_other_are_read_in_order_of_time_and_named(tmp_path):
    write_mcap(tmp_path / "bag/b_0.mcap", arm(0, 6))
    write_mcap(tmp_path / "bag/a_0.mcap", arm(6, 12))
    notes = is_whole(tmp_path / "bag", 12, ("b_0.mcap", "a_0.mcap"))
    assert any("of 2 recordings (b_0.mcap; a_0.mcap)" in note for note in notes)


def test_two_empty_files_are_empty_and_no_copies_of_each_other(tmp_path):
    folder = parts(tmp_path / "bag")
    for name in ("bag_3.mcap", "bag_4.mcap"):
        (folder / name).touch()
    notes = [note for note in is_whole(folder) if "not read" in note]
    assert len(notes) == 2 and all("it is empty" in note for note in notes)


@pytest.mark.parametrize("renamed", [0, 1, 2])
def test_a_renamed_file_is_read_where_it_lies_in_time(tmp_path, renamed):
    folder, names = parts(tmp_path / "bag"), [f"bag_{number}.mcap" for number in range(3)]
    (folder / names[renamed]).rename(folder / "kitchen.mcap")
    names[renamed] = "kitchen.mcap"
    notes = "\n".join(is_whole(folder, files=names))
    assert "does not list kitchen.mcap" in notes and f"lists bag_{renamed}.mcap" in notes


def test_two_recorders_of_other_topics_are_read_together(tmp_path):
    messages = arm()
    write_mcap(tmp_path / "bag/camera_0.mcap", [item for item in messages if item[0].topic == IMAGE])
    write_mcap(tmp_path / "bag/joints_0.mcap", [item for item in messages if item[0].topic == JOINTS])
    report = import_bag(tmp_path / "bag", tmp_path / "out", SETTINGS)
    assert report["frames"]["in_bag"] == 60 and report["motion"]["messages"] == 120
    assert report["episodes"][0]["frames"] == 25


@pytest.mark.parametrize("data", [b"", b"\0" * 5000, b"version https://git-lfs"])
def test_one_bad_file_does_not_keep_the_others_from_being_read(tmp_path, data):
    folder = parts(tmp_path / "bag")
    (folder / "bag_3.mcap").write_bytes(data)
    notes = is_whole(folder)
    assert any("bag_3.mcap: not read" in note for note in notes)
    report = import_bag(folder, tmp_path / "out", SETTINGS)
    assert "bag_3.mcap" not in report["files"]


def test_a_file_is_what_its_first_bytes_say(tmp_path):
    file = write_mcap(tmp_path / "run.db3", arm())
    assert is_whole(file, 6, ["run.db3"]) == []
    (tmp_path / "old.mcap").write_bytes(b"#ROSBAG V2.0\n" + bytes(100))
    with pytest.raises(BagError) as error:
        Bag(tmp_path / "old.mcap")
    assert "ROS 1" in error.value.problem and "rosbags-convert" in error.value.cure


def test_a_bag_is_known_again_and_one_that_was_read_in_part_is_named(tmp_path):
    folder, out = parts(tmp_path / "bag"), tmp_path / "out"
    import_bag(folder, out, SETTINGS)
    put_metadata(folder, ["bag_0.mcap"], {})
    assert import_bag(folder, out, SETTINGS) is None  # metadata is no part of what a bag is
    moved = shutil.copytree(folder, tmp_path / "moved")
    assert import_bag(moved, out, SETTINGS) is None
    (report,) = out.glob("*.import.json")
    # As an import wrote it that took metadata at its word:
    report.write_text(report.read_text().replace('"messages": 180', '"messages": 120'))
    with pytest.raises(BagError) as error:
        import_bag(folder, out, SETTINGS)
    assert error.value.thing == IMAGE and error.value.bag == str(folder) and "`force`" in error.value.cure
    assert "120" in error.value.problem and "180" in error.value.problem
    assert import_bag(folder, out, SETTINGS, force=True) and len(list_episodes(out)) == 1
    write_mcap(folder / "bag_3.mcap", arm(18, 24))  # another bag now
    assert import_bag(folder, out, SETTINGS)["frames"]["in_bag"] == 240


@pytest.mark.parametrize("more", [0, 3, 4, 8])
def test_bytes_that_rclpy_leaves_behind_a_message_are_passed_over(tmp_path, more):
    """Nodes that write bags do it with `serialize_message`, which adds up to 8; see findings/."""
    found = joint_states_with(tmp_path, b"\xa5" * more)
    assert not [note for note in found["notes"] if "/joint_states" in note]
    assert found["motion"]["columns"]["j1"] == pytest.approx([0.0, 1.16], abs=0.05)


def test_more_bytes_than_that_are_another_type(tmp_path):
    with refusal(MotionError, "/joint_states", 60, "size mismatch", "sensor_msgs/msg/JointState"):
        joint_states_with(tmp_path, b"\xa5" * 12)


def joint_states_with(tmp_path, behind):
    """The report of a bag whose joint states have these bytes behind them."""
    kind = "sensor_msgs/msg/JointState"
    with BagMaker(tmp_path / "bag") as bag:
        for t in np.arange(0, 6, 0.1):
            bag.image(t)
            bag.joints(t, j1=0.2 * t)
        bag._messages = [
            (ns, topic, type_, bytes(STORE.serialize_cdr(message, kind)) + behind if type_ == kind else message)
            for ns, topic, type_, message in bag._messages
        ]
    return import_bag(tmp_path / "bag", tmp_path / "data", BagSettings())
