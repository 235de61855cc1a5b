"""Bags that are imported again, in parts or beside others, into the same folder."""

import numpy as np
import pytest
from bag_maker import T0, BagMaker, arm_bag

from astra_ros import cli
from astra_ros.datasets.dataset import list_episodes, load_episode, read_footer
from astra_ros.datasets.rosbag.errors import BagError
from astra_ros.datasets.rosbag.import_bag import import_bag
from astra_ros.datasets.rosbag.import_settings import BagSettings

SETTINGS = BagSettings(robot="mine")


def test_a_bag_is_imported_once_unless_forced(tmp_path, capsys):
    first, second = arm_bag(tmp_path / "a"), arm_bag(tmp_path / "b", seconds=7)
    out = tmp_path / "out"

    def astra(*words):
        return cli.main(["import-bag", *map(str, words), "--out", str(out), "--robot", "mine"])

    assert astra(first, second) == 0
    assert [path.name for path in list_episodes(out)] == ["mine_joints_000000.parquet", "mine_joints_000001.parquet"]
    before = {path: path.read_bytes() for path in out.iterdir()}
    capsys.readouterr()
    first.rename(tmp_path / "renamed")
    assert astra(tmp_path / "renamed") == 0
    assert "--force" in capsys.readouterr().out
    assert {path: path.read_bytes() for path in out.iterdir()} == before
    assert astra(second, "--dt", "0.2") == 1
    text = capsys.readouterr().err
    assert all(word in text for word in (str(second), str(out), "dt_s", "--force"))
    assert {path: path.read_bytes() for path in out.iterdir()} == before
    assert astra(second, "--dt", "0.2", "--force") == 1  # those of the other bag stay as they are
    assert "a folder holds one kind" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in out.iterdir()} == before
    assert astra(second, "--crf", "12", "--force") == 0
    assert read_footer(out / "mine_joints_000001.parquet")["crf"] == 12
    assert len(list_episodes(out)) == 2
    # Fewer episodes than before: the others go.
    assert astra(second, "--force", "--episode-seconds", "4.5") == 0
    assert astra(second, "--force") == 0
    assert len(list_episodes(out)) == 2 and len(list(out.glob("*.import.json"))) == 2
    assert astra(first.parent / "b", "--dry-run", "--robot", "other") == 0
    assert "not written" in capsys.readouterr().out and not list(out.glob("other*"))


@pytest.mark.parametrize("name", ["bag", "other"])
def test_a_bag_that_was_cut_off_before_is_named_and_replaced_where_forced(tmp_path, name):
    out, whole = tmp_path / "out", arm_bag(tmp_path / "from" / "bag", seconds=9)
    cut = arm_bag(tmp_path / "to" / name, seconds=6)
    first = import_bag(cut, out, SETTINGS)
    assert not [note for note in first["notes"] if "same recording" in note]
    report = import_bag(whole, out, SETTINGS)
    note = report["notes"][0]
    assert first["episodes"][0]["file"] in note and f"'{name}'" in note and "import.json" in note
    assert ("`force`" in note) == (name == "bag") and len(list_episodes(out)) == 2
    report = import_bag(whole, out, SETTINGS, force=True)
    assert len(list_episodes(out)) == len(list(out.glob("*.import.json"))) == (1 if name == "bag" else 2)
    assert first["episodes"][0]["file"] in report["notes"][0]
    assert [len(load_episode(path)) for path in list_episodes(out)][-1] > first["episodes"][0]["frames"]
    assert import_bag(whole, out, SETTINGS) is None


def test_other_recordings_under_the_same_name_are_kept_in_silence(tmp_path):
    out = tmp_path / "out"
    for folder, begin in (("a", 0), ("b", 100)):
        with BagMaker(tmp_path / folder / "bag") as bag:
            for t in np.arange(begin, begin + 8, 0.1):
                bag.image(t)
                bag.joints(t, j1=0.1 * t)
        report = import_bag(tmp_path / folder / "bag", out, SETTINGS, force=True)
        assert not [note for note in report["notes"] if "same recording" in note]
    assert len(list_episodes(out)) == 2


def test_recordings_of_a_simulation_may_begin_at_the_same_time(tmp_path):
    out = tmp_path / "out"
    for folder, name in (("a", "one"), ("b", "two"), ("c", "two")):
        with BagMaker(tmp_path / folder / name) as bag:
            for t in np.arange(0, 8, 0.1):
                bag.image(t, stamp=t - T0)
                bag.joints(t, stamp=t - T0, j1=0.1 * t + 0.01 * ord(folder))
        report = import_bag(tmp_path / folder / name, out, SETTINGS, force=True)
        assert len([note for note in report["notes"] if "same recording" in note]) == (folder == "c")
    assert len(list_episodes(out)) == 3


def test_a_folder_holds_one_size_and_one_number_is_enough_for_a_size(tmp_path, capsys):
    for name in ("one", "two"):
        arm_bag(tmp_path / name, seconds=6.0 if name == "one" else 5.0)
    out = tmp_path / "out"
    words = ["import-bag", "--out", str(out), "--robot", "mine", "--size"]
    assert cli.main([*words, "48x32", str(tmp_path / "one")]) == 0
    assert load_episode(list_episodes(out)[0]).frames.shape[1:] == (32, 48, 3)
    for force in (False, True):
        with pytest.raises(BagError) as error:
            import_bag(tmp_path / "two", out, SETTINGS, force)
        assert all(fact in str(error.value) for fact in (str(tmp_path / "two"), str(out), "48 x 32", "64 x 64"))
    # Alone in its folder, a bag may be imported again in another size.
    assert cli.main([*words, "32", str(tmp_path / "one"), "--force"]) == 0
    assert load_episode(list_episodes(out)[0]).frames.shape[1:] == (32, 32, 3)
    with pytest.raises(SystemExit):
        cli.main([*words, "33", str(tmp_path / "one")])
    assert "expected one or two even numbers" in capsys.readouterr().err
