"""Episodes on disk: what goes in comes out, stock tools read it, damage is named."""

import errno
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from astra_ros.datasets.dataset import (
    episode_path,
    list_episodes,
    load_episode,
    read_footer,
    save_episode,
    videos_without_table,
)
from astra_ros.datasets.dataset_card import write_card
from astra_ros.datasets.episode import DatasetError, Episode
from astra_ros.datasets.video_file import decode_video, encode_video

RNG = np.random.default_rng(0)


def picture(rows=16, columns=24, count=5):
    """Smooth colours that move, as a video's are."""
    y, x = np.mgrid[:rows, :columns]
    return np.stack([np.stack([40 + 8 * y + 3 * k, 60 + 5 * x, 90 + 2 * (x + y)], -1) for k in range(count)]).astype(
        np.uint8
    )


def episode(**changes):
    values = dict(
        frames=picture(),
        motion=RNG.normal(size=(5, 2)).astype(np.float32),
        labels={
            "obstacle_contact": np.array([0, 0, 1, 0, 0], bool),
            "object_position": np.full((5, 3), np.nan, np.float32),
            "camera_pose": RNG.normal(size=(5, 7)).astype(np.float32),
        },
        motion_names=("linear.x", "angular.z"),
        modality="twist",
        world="drive",
        robot="car",
        dt_s=0.25,
        behaviour="lane+brake",
        seed=7,
        scene={"goal_position": [1.0, 2.0, 0.0]},
        camera={"width": 24},
        source={"bag": "a"},
    )
    return Episode(**{**values, **changes})


def test_what_goes_in_comes_out(tmp_path):
    before, path = episode(), episode_path(tmp_path, "car_twist", 7)
    save_episode(path, before)
    after = load_episode(path)
    for name in ("frames", "motion"):
        np.testing.assert_array_equal(getattr(after, name), getattr(before, name))
    assert after.labels.keys() == before.labels.keys()
    for name, values in before.labels.items():
        np.testing.assert_array_equal(after.labels[name], values)
        assert after.labels[name].dtype == values.dtype
    for name in (
        "motion_names",
        "modality",
        "world",
        "robot",
        "dt_s",
        "behaviour",
        "seed",
        "scene",
        "camera",
        "source",
    ):
        assert getattr(after, name) == getattr(before, name)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["car_twist_000007.mp4", "car_twist_000007.parquet"]
    assert load_episode(path, frames=False).motion.tolist() == before.motion.tolist()


def test_stock_tools_read_it(tmp_path):
    path = episode_path(tmp_path, "car_twist", 7)
    save_episode(path, episode())
    table = pq.read_table(path).to_pydict()
    assert table["time_s"] == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert table["label.obstacle_contact"] == [False, False, True, False, False]
    assert {"motion.linear.x", "label.camera_pose.qw", "label.object_position.z"} <= set(table)
    with av.open(str(path.with_suffix(".mp4"))) as video:
        assert video.streams.video[0].average_rate == 4
        assert video.streams.video[0].codec_context.name == "h264"


def test_smaller_video_looks_the_same():
    frames = picture()
    assert np.array_equal(decode_video(encode_video(frames, 0.25), "x"), frames)
    near = decode_video(encode_video(frames, 0.25, crf=10), "x")
    error = np.square(near.astype(float) - frames).mean()
    assert 0 < error < 255**2 / 10**4  # lossy, and better than 40 dB


def damaged(tmp_path, change):
    path = episode_path(tmp_path, "car_twist", 7)
    save_episode(path, episode())
    change(path)
    return path


def cut(path):
    path.write_bytes(path.read_bytes()[:-40])


def flip(path, place):
    data = bytearray(path.read_bytes())
    data[place] ^= 0xFF
    path.write_bytes(data)


def stranger(path):
    pq.write_table(pa.table({"a": [1]}), path)


@pytest.mark.parametrize(
    "change, suffix, fact",
    [
        (cut, ".parquet", "damaged"),
        (lambda path: flip(path, 60), ".parquet", "damaged"),
        (lambda path: cut(path.with_suffix(".mp4")), ".mp4", "sha256"),
        (lambda path: path.with_suffix(".mp4").unlink(), ".mp4", "No such file"),
        (stranger, ".parquet", "footer 'astra_ros'"),
    ],
)
def test_damage_is_named(tmp_path, change, suffix, fact):
    path = damaged(tmp_path, change)
    with pytest.raises(DatasetError) as error:
        load_episode(path)
    assert error.value.thing == str(path.with_suffix(suffix))
    assert fact in error.value.problem and error.value.cure


def test_another_format_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("astra_ros.datasets.dataset.FORMAT", 99)
    path = damaged(tmp_path, lambda _: None)
    monkeypatch.undo()
    with pytest.raises(DatasetError) as error:
        read_footer(path)
    assert error.value.thing == str(path) and "99" in error.value.problem and "reads 1" in error.value.problem


def test_no_video_at_all():
    with pytest.raises(DatasetError) as error:
        decode_video(b"nothing", "x.mp4")
    assert error.value.thing == "x.mp4" and error.value.cure


@pytest.mark.parametrize(
    "changes, fact",
    [
        (dict(frames=picture().astype(float)), "float64"),
        (dict(motion=np.zeros((4, 2))), "(4, 2)"),
        (dict(motion=np.full((5, 2), np.nan)), "frame 0"),
        (dict(labels={"off_road": np.zeros(3)}), "'off_road'"),
    ],
)
def test_a_wrong_episode_cannot_be_made(changes, fact):
    with pytest.raises(DatasetError) as error:
        episode(**changes)
    assert error.value.thing == "episode car_twist 7" and fact in error.value.problem


def test_an_empty_folder_says_how_to_fill_it(tmp_path):
    with pytest.raises(DatasetError) as error:
        list_episodes(tmp_path)
    assert error.value.thing == str(tmp_path) and "record" in error.value.cure
    save_episode(episode_path(tmp_path, "car_twist", 7), episode())
    with pytest.raises(DatasetError) as error:
        list_episodes(tmp_path, "panda_joints")
    assert "panda_joints" in error.value.problem
    (tmp_path / "old").mkdir()
    np.savez(tmp_path / "old/episode_kuka_000001.npz", frames=1)
    with pytest.raises(DatasetError) as error:
        list_episodes(tmp_path / "old")
    assert error.value.thing == str(tmp_path / "old") and "NPZ" in error.value.problem and error.value.cure


def card(folder):
    """The page; what is damaged is on it, and returned."""
    damaged = write_card(folder)
    text = (folder / "README.md").read_text()
    assert all(f"- {each}" in text for each in damaged) and bool(damaged) == ("## Damaged" in text)
    return text


def test_the_card_counts_what_is_there_and_names_what_is_damaged(tmp_path):
    save_episode(episode_path(tmp_path, "car_twist", 7), episode())
    twice = episode(seed=9, behaviour="lane")
    save_episode(episode_path(tmp_path, "car_twist", 9), replace(twice, restyled=255 - twice.frames))
    bad = episode_path(tmp_path, "car_twist", 8)
    save_episode(bad, replace(episode(), seed=8))
    cut(bad)
    text = card(tmp_path)
    assert "2 episodes, 10 frames" in text
    # One of five frames of each episode is a contact.
    assert "| car_twist | drive | 2 | 1 | 10 | 24 x 16 | 0.25 | linear.x, angular.z | 20.0% | 7 to 9 |" in text
    assert "- car_twist: lane 2, brake 1" in text
    assert "car_twist_000008.parquet: damaged" in text


def test_the_card_survives_a_damaged_page_and_a_full_disk(tmp_path, monkeypatch):
    paths = [episode_path(tmp_path, "car_twist", seed) for seed in (7, 8)]
    for path in paths:
        save_episode(path, episode(seed=int(path.stem[-1])))
    before = card(tmp_path)
    group = pq.ParquetFile(paths[1]).metadata.row_group(0)
    page = next(
        group.column(index).data_page_offset
        for index in range(group.num_columns)
        if group.column(index).path_in_schema == "label.obstacle_contact"
    )
    for at in range(page, page + 8):  # the footer stays whole
        flip(paths[1], at)
    real = Path.write_text

    def full(path, text):
        real(path, text[:10])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", full)
        with pytest.raises(OSError) as error:
            write_card(tmp_path)
    assert error.value.errno == errno.ENOSPC
    assert (tmp_path / "README.md").read_text() == before
    text = card(tmp_path)
    assert "1 episodes, 5 frames" in text and "## Damaged" in text and "car_twist_000008.parquet: " in text


def test_a_page_of_the_users_own_stays_also_in_another_encoding(tmp_path):
    save_episode(episode_path(tmp_path, "car_twist", 7), episode(seed=7))
    (tmp_path / "README.md").write_bytes("Gerät".encode("latin-1"))
    write_card(tmp_path)
    assert (tmp_path / "README.md").read_bytes() == "Gerät".encode("latin-1")
    assert "1 episodes" in (tmp_path / "DATASET.md").read_text()


def test_a_video_that_has_lost_its_table_is_no_episode_and_is_named(tmp_path):
    paths = [episode_path(tmp_path, "car_twist", seed) for seed in (7, 8)]
    for path in paths:
        save_episode(path, episode(seed=int(path.stem[-1])))
    (tmp_path / "holiday.mp4").write_bytes(b"")  # not of an episode
    assert videos_without_table(tmp_path) == []
    paths[0].unlink()
    assert videos_without_table(tmp_path) == [paths[0].with_suffix(".mp4")]
    assert list_episodes(tmp_path) == paths[1:]
    text = card(tmp_path)
    assert "1 episodes, 5 frames" in text and "car_twist_000007.mp4: its table is missing" in text


def test_a_file_object_is_never_left_half_written(tmp_path, monkeypatch):
    """The disk is full when the second file is written: neither is there afterwards."""
    real = Path.write_bytes

    def full(path, data):
        if ".parquet." in path.name:
            real(path, data[:10])
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(path, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError) as error:
        save_episode(episode_path(tmp_path, "car_twist", 7), episode())
    assert error.value.errno == errno.ENOSPC
    assert not list(tmp_path.iterdir())
