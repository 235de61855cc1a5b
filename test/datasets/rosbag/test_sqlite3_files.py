"""The storage sqlite3: every version of its tables, compressed files, and those of a recorder that was killed."""

import shutil
import sqlite3

import numpy as np
import pytest
from bag_folders import IMAGE, JOINTS, put_metadata, read
from bag_maker import BagMaker, arm_bag

from astra_ros.datasets.rosbag.bag import Bag
from astra_ros.datasets.rosbag.errors import BagError
from astra_ros.datasets.rosbag.import_bag import import_bag
from astra_ros.datasets.rosbag.import_settings import BagSettings

SETTINGS = BagSettings(episode_s=60)


@pytest.mark.parametrize("compression", [None, "file", "message"])
def test_sqlite3_files_are_read_whatever_metadata_lists(tmp_path, compression):
    folder = tmp_path / "bag"
    folder.mkdir()
    for number in range(3):
        with BagMaker(tmp_path / f"part{number}", "sqlite3", compression) as bag:
            for t in np.arange(0, 6, 0.1):
                bag.image(t + 6 * number)
                bag.joints(t + 6 * number, j1=t)
        (file,) = (tmp_path / f"part{number}").glob("*.db3*")
        shutil.copy(file, folder / file.name.replace(f"part{number}", f"bag_{number}"))
    put_metadata(folder, ["bag_0.db3", "bag_7.db3"], {IMAGE: 0})
    times, files, notes = read(folder)
    np.testing.assert_allclose(times[IMAGE], np.arange(0, 18, 0.1), atol=1e-3)
    assert [name.removesuffix(".zstd") for name in files] == ["bag_0.db3", "bag_1.db3", "bag_2.db3"]
    assert import_bag(folder, tmp_path / "out", SETTINGS)["episodes"][0]["frames"] == 73


def old_tables(file, version):
    """The file with its tables as an earlier version of rosbag2 made them."""
    with sqlite3.connect(file) as opened:
        if version < 4:
            opened.execute("DROP TABLE message_definitions")
            opened.execute("UPDATE schema SET schema_version = 3")
            opened.execute("ALTER TABLE topics DROP COLUMN type_description_hash")
        if version < 3:
            opened.execute("DROP TABLE schema")
            opened.execute("DROP TABLE metadata")
        if version < 2:
            opened.execute("ALTER TABLE topics DROP COLUMN offered_qos_profiles")
    opened.close()


@pytest.mark.parametrize("version", [1, 2, 3, 4])
def test_every_version_of_the_sqlite3_tables_is_read(tmp_path, version):
    old_tables(arm_bag(tmp_path / "bag", storage="sqlite3") / "bag.db3", version)
    times, files, notes = read(tmp_path / "bag")
    assert (len(times[IMAGE]), len(times[JOINTS]), files, notes) == (60, 300, ["bag.db3"], [])


def test_a_type_without_definition_is_named(tmp_path):
    with BagMaker(tmp_path / "bag", "sqlite3") as bag:
        for t in np.arange(0, 6, 0.1):
            bag.image(t)
            bag.controller_state(t, j1=0.1 * t)
    assert import_bag(tmp_path / "bag", tmp_path / "out", SETTINGS)["episodes"]
    old_tables(tmp_path / "bag/bag.db3", 3)
    with pytest.raises(BagError) as error:
        import_bag(tmp_path / "bag", tmp_path / "out2", SETTINGS)
    assert "control_msgs/msg/JointTrajectoryControllerState" in error.value.problem and "mcap" in error.value.cure


@pytest.mark.parametrize("metadata", [True, False])
def test_what_lies_in_a_write_ahead_log_is_read_and_nothing_beside_it_is_touched(tmp_path, metadata):
    whole = arm_bag(tmp_path / "whole", storage="sqlite3") / "whole.db3"
    folder = tmp_path / "bag"
    folder.mkdir()
    with sqlite3.connect(whole) as opened:  # a recorder that is killed: never closed
        opened.execute("PRAGMA journal_mode=WAL")
        opened.execute("PRAGMA wal_autocheckpoint=0")
        opened.execute("CREATE TABLE late AS SELECT * FROM messages WHERE rowid > 200")
        opened.execute("DELETE FROM messages WHERE rowid > 200")
        opened.commit()
        opened.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        opened.execute("INSERT INTO messages SELECT * FROM late")
        opened.commit()
        for suffix in ("", "-wal"):
            shutil.copy(f"{whole}{suffix}", folder / f"bag.db3{suffix}")
    opened.close()
    if metadata:
        put_metadata(folder, ["bag.db3"], {IMAGE: 60, JOINTS: 300})
    before = {file: file.read_bytes() for file in folder.iterdir()}
    times, files, notes = read(folder)
    assert (len(times[IMAGE]), len(times[JOINTS])) == (60, 300)
    assert any("160 of its messages were in bag.db3-wal" in note for note in notes)
    assert {file: file.read_bytes() for file in folder.iterdir()} == before


def test_an_empty_database_is_no_reason_to_copy_again(tmp_path):
    (tmp_path / "bag").mkdir()
    with sqlite3.connect(tmp_path / "bag/bag.db3") as opened:
        opened.execute("CREATE TABLE other (id INTEGER)")
    opened.close()
    with pytest.raises(BagError) as error:
        Bag(tmp_path / "bag")
    assert "record the bag again" in str(error.value) and "copy" not in str(error.value)
