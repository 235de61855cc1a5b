"""MCAP files of all recorders: where channels and indexes stand, what other channels hold, where bytes are missing."""

from dataclasses import replace

import numpy as np
import pytest
from bag_maker import STORE
from bag_reader import read
from mcap_writer import IMAGE, JOINTS, Channel, Layout, arm, as_other, write_mcap

from astra_ros.datasets.rosbag.bag import Bag
from astra_ros.datasets.rosbag.errors import BagError
from astra_ros.datasets.rosbag.import_bag import import_bag
from astra_ros.datasets.rosbag.import_settings import BagSettings
from astra_ros.datasets.rosbag.mcap_file import McapFile

NOTE = Channel("/operator/notes", "Note", "json", "jsonschema", '{"type": "object"}')


def refused(path):
    with pytest.raises(BagError) as error:
        import_bag(path, path.parent / "out", BagSettings())
    return str(error.value)


LAYOUTS = {
    "all": Layout(),
    "channels only inside the chunks": Layout(repeated=False),
    "no statistics": Layout(statistics=False),
    "no chunk index": Layout(chunk_index=False),
    "no message index": Layout(message_index=False),
    "statistics alone": Layout(repeated=False, chunk_index=False, message_index=False),
    "chunk index alone": Layout(repeated=False, statistics=False, message_index=False),
    "no index at all": Layout(summary=False, message_index=False),
    "no summary": Layout(summary=False),
    "no chunks": Layout(per_chunk=0),
    "no chunks, no summary": Layout(per_chunk=0, summary=False),
    "another profile": Layout(profile="my-fleet"),
    "no profile": Layout(profile=""),
    "a wrong profile": Layout(profile="ros1"),
}


@pytest.mark.parametrize("compression", ["", "lz4", "zstd"])
@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_holds_the_same_messages(tmp_path, name, compression):
    messages = arm()
    found, notes = read(write_mcap(tmp_path / "run.mcap", messages, replace(LAYOUTS[name], compression=compression)))
    assert notes == []
    for channel in (IMAGE, JOINTS):
        times, data = found[channel.topic]
        np.testing.assert_allclose(times, [t for kind, t, _ in messages if kind == channel])
        assert data == [raw for kind, _, raw in messages if kind == channel]


@pytest.mark.parametrize("name", ["channels only inside the chunks", "no index at all", "no profile", "no chunks"])
def test_every_layout_is_imported(tmp_path, name):
    report = import_bag(write_mcap(tmp_path / "run.mcap", arm(), LAYOUTS[name]), tmp_path / "out", BagSettings())
    assert report["frames"]["in_bag"] == 60 and report["motion"]["columns"] == {"j1": [0.0, 1.18]}


def test_early_messages_of_a_topic_that_is_not_used_do_not_have_the_whole_file_wait(tmp_path, monkeypatch):
    early = [item for at, each in enumerate(arm()) for item in [(NOTE, 1e-3 * at - 1, b"{}")] * (at % 20 == 0) + [each]]
    opened, whole = [], McapFile._whole_chunk
    monkeypatch.setattr(McapFile, "_whole_chunk", lambda self, *a: opened.append(a) or whole(self, *a))
    with Bag(write_mcap(tmp_path / "run.mcap", early, Layout(per_chunk=20))) as bag:
        messages = bag.messages([IMAGE.topic])
        next(messages)
        assert len(opened) <= 2 and sum(1 for _ in messages) == 59 and len(opened) > 5


@pytest.mark.parametrize("per_chunk", [0, 7, 50])
def test_messages_come_in_order_of_time_however_they_lie(tmp_path, per_chunk):
    messages = arm()
    shuffled = [messages[number] for number in np.random.default_rng(0).permutation(len(messages))]
    found, _ = read(write_mcap(tmp_path / "run.mcap", shuffled, Layout(per_chunk=per_chunk)))
    for channel in (IMAGE, JOINTS):
        np.testing.assert_allclose(found[channel.topic][0], [t for kind, t, _ in messages if kind == channel])


@pytest.mark.parametrize(
    "other",
    [
        NOTE,
        Channel("/operator/notes", None, "json"),
        Channel("/operator/notes", "lab.Note", "protobuf", "protobuf", ""),
        Channel("/camera/image_json", "sensor_msgs/msg/Image", "json", "jsonschema", "{}"),
        Channel("/camera/old", "sensor_msgs/Image", "ros1", "ros1msg", "uint32 height"),
        Channel("/camera/bare", None),
        Channel("/camera/bare", "", text=""),
    ],
)
@pytest.mark.parametrize("repeated", [True, False])
def test_other_channels_are_listed_with_why_they_are_not_used(tmp_path, other, repeated):
    messages = arm() + [(other, t, b'{"t": 1}') for t in (1.01, 2.01, 3.01)]
    file = write_mcap(tmp_path / "run.mcap", sorted(messages, key=lambda item: item[1]), Layout(repeated=repeated))
    report = import_bag(file, tmp_path / "out", BagSettings())
    assert report["frames"]["in_bag"] == 60 and report["notes"] == []
    (listed,) = [topic for topic in report["topics"] if topic["name"] == other.topic]
    assert listed["messages"] == 3 and listed["used_as"] == ""
    why = {"json": "json", "protobuf": "protobuf", "ros1": "ROS 1", "cdr": "without a schema"}[other.encoding]
    assert why in listed["why_not"]


def test_a_topic_that_is_named_and_cannot_be_read(tmp_path):
    file = write_mcap(tmp_path / "run.mcap", arm() + [(NOTE, 7.0, b"{}")])
    with pytest.raises(BagError) as error:
        import_bag(file, tmp_path / "out", BagSettings(image_topic="/operator/notes"))
    assert error.value.thing == "/operator/notes" and "json Note, json encoding" in error.value.problem


@pytest.mark.parametrize("others", [[], [(NOTE, 7.0, b"{}")]])
@pytest.mark.parametrize("profile", ["ros1", ""])
def test_a_ros_1_recording_is_named_with_what_converts_it(tmp_path, profile, others):
    messages = [
        item
        for channel, name in ((IMAGE, "sensor_msgs/Image"), (JOINTS, "sensor_msgs/JointState"))
        for item in as_other(
            [m for m in arm() if m[0] == channel], schema=name, encoding="ros1", kind="ros1msg", text="string a"
        )
    ]
    text = refused(write_mcap(tmp_path / "run.mcap", messages + others, Layout(profile=profile)))
    assert "ROS 1" in text and "rosbags-convert --src FILE.bag" in text and "copy" not in text


@pytest.mark.parametrize(
    ("old", "name", "what"), [(IMAGE, "sensor_msgs/Image", "camera"), (JOINTS, "sensor_msgs/JointState", "motion")]
)
def test_one_channel_of_ros_1_beside_ros_2_is_converted_and_not_recorded_again(tmp_path, old, name, what):
    messages = as_other(
        [m for m in arm() if m[0] == old], schema=name, encoding="ros1", kind="ros1msg", text="string a"
    )
    messages += [m for m in arm() if m[0] != old]
    text = refused(write_mcap(tmp_path / "both/run.mcap", messages))
    assert f"its {what} is of ROS 1" in text and old.topic in text and "rosbags-convert --src FILE.bag" in text
    assert (
        "record the camera too" not in text and "record what moves" not in text and "import a folder that holds" in text
    )
    with pytest.raises(BagError) as error:
        import_bag(
            tmp_path / "both",
            tmp_path / "out",
            BagSettings(**{"image_topic" if old == IMAGE else "motion_topic": old.topic}),
        )
    assert error.value.thing == old.topic and "rosbags-convert" in error.value.cure
    assert what in error.value.problem and "ROS 1" in error.value.problem
    write_mcap(tmp_path / "both/converted.mcap", [m for m in arm() if m[0] == old])  # the cure cures
    report = import_bag(tmp_path / "both", tmp_path / "out", BagSettings())
    assert report["frames"]["in_bag"] == 60 and report["motion"]["messages"] == 120


def test_cdr_without_schemas_is_named_and_read_where_metadata_knows_the_types(tmp_path):
    from test_bag_files import put_metadata

    file = write_mcap(tmp_path / "bag/run.mcap", as_other(arm(), schema=None))
    text = refused(file)
    assert "60 messages (not read: without a schema" in text and "copy" not in text and "no messages" not in text
    put_metadata(tmp_path / "bag", ["run.mcap"], {"/camera/image_raw": 60, "/joint_states": 120})
    assert import_bag(tmp_path / "bag", tmp_path / "out", BagSettings())["frames"]["in_bag"] == 60


@pytest.mark.parametrize(
    "changes", [{"text": ""}, {"encoding": ""}, {"kind": "ros2idl", "text": "module x {};"}, {"kind": "", "text": ""}]
)
def test_known_types_need_no_definition(tmp_path, changes):
    file = write_mcap(tmp_path / "run.mcap", as_other(arm(), **changes))
    assert import_bag(file, tmp_path / "out", BagSettings())["frames"]["in_bag"] == 60


def test_type_names_of_two_words_are_those_of_three(tmp_path):
    messages = [
        item
        for channel in (IMAGE, JOINTS)
        for item in as_other(
            [m for m in arm() if m[0] == channel],
            schema=channel.schema.replace("/msg/", "/"),
            text=STORE.generate_msgdef(channel.schema)[0],
        )
    ]
    file = write_mcap(tmp_path / "run.mcap", sorted(messages, key=lambda item: item[1]))
    assert import_bag(file, tmp_path / "out", BagSettings())["frames"]["in_bag"] == 60


def test_a_topic_of_two_types_is_read_as_that_of_most_messages(tmp_path):
    other = Channel("/joint_states", "std_msgs/msg/String")
    file = write_mcap(tmp_path / "run.mcap", [(other, -1.0, b"\0\1\0\0\1\0\0\0\0"), *arm()])
    report = import_bag(file, tmp_path / "out", BagSettings())
    assert report["motion"]["messages"] == 120
    (listed,) = [topic for topic in report["topics"] if topic["type"] == "std_msgs/msg/String"]
    assert "sensor_msgs/msg/JointState" in listed["why_not"]


def test_what_is_missing_is_said_only_where_bytes_are_missing(tmp_path):
    whole = write_mcap(tmp_path / "run.mcap", arm(), Layout(summary=False)).read_bytes()
    cut = tmp_path / "cut.mcap"
    for end, told in (
        (len(whole) - 8, "nothing else is lost"),
        (len(whole) - 60, "unfinished record, are lost"),
        (len(whole) // 2, "unfinished record, are lost"),
    ):
        cut.write_bytes(whole[:end])
        found, notes = read(cut)
        assert len(notes) == 1 and "cut off or damaged" in notes[0] and told in notes[0]
    assert 15 < len(found["/camera/image_raw"][0]) < 35
    cut.write_bytes(whole + whole)
    found, notes = read(cut)
    assert len(found["/camera/image_raw"][0]) == 60 and f"{len(whole)} bytes after its end" in notes[0]
    cut.write_bytes(whole[: len(whole) // 2] + bytes(len(whole) // 2))  # room that was reserved, never filled
    found, notes = read(cut)
    assert len(found["/camera/image_raw"][0]) > 15 and "are lost" in notes[0]


def test_an_index_that_counts_otherwise_is_named(tmp_path):
    found, notes = read(write_mcap(tmp_path / "run.mcap", arm(), Layout(stated=500)))
    assert len(found["/camera/image_raw"][0]) == 60 and "counts 500 messages, but it holds 180" in notes[0]


def test_chunks_that_cannot_be_read_are_not_taken_for_an_idle_robot(tmp_path):
    file = write_mcap(tmp_path / "run.mcap", arm(), Layout(repeated=False, compression="zstd"))
    file.write_bytes(file.read_bytes().replace(b"zstd", b"brot"))
    text = refused(file)
    assert "4 of its chunks cannot be read: a chunk is compressed with 'brot'" in text
    assert "while the robot runs" not in text


def test_two_channels_of_one_topic_are_one_topic(tmp_path):
    messages = arm()
    later = [item for item in arm() if item[1] >= 3]
    messages = [item for item in messages if item[1] < 3] + [
        (replace(channel, text=STORE.generate_msgdef(channel.schema)[0] + "\n"), t, data) for channel, t, data in later
    ]
    found, notes = read(write_mcap(tmp_path / "run.mcap", messages))
    assert len(found["/camera/image_raw"][0]) == 60 and len(found["/joint_states"][0]) == 120 and not notes


def test_a_file_of_other_channels_only(tmp_path):
    text = refused(write_mcap(tmp_path / "run.mcap", [(NOTE, t, b"{}") for t in (0.0, 1.0)]))
    assert "/operator/notes  json Note  2 messages" in text and "copy" not in text
    assert "while the robot runs" not in text


def test_a_file_without_a_message(tmp_path):
    text = refused(write_mcap(tmp_path / "run.mcap", []))
    assert "no messages in it; record while the robot runs" in text and "copy" not in text
