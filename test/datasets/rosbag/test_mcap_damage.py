"""MCAP files with damaged chunks, heads and indexes: only what is damaged is lost."""

import zlib

import numpy as np
import pytest
from bag_maker import ns
from bag_reader import read
from mcap_writer import IMAGE, Layout, arm, write_mcap

from astra_ros.datasets.rosbag.bag import Bag


@pytest.mark.parametrize("index, at", [(True, "1.00"), (False, "0.95")])  # of what is before it, without index
def test_a_damaged_chunk_is_lost_and_those_behind_it_are_read(tmp_path, index, at):
    file = write_mcap(tmp_path / "run.mcap", arm(), Layout(compression="zstd", per_chunk=30, message_index=index))
    data = bytearray(file.read_bytes())
    second = data.index(b"zstd", data.index(b"zstd") + 4) + 40
    data[second : second + 60] = bytes([7]) * 60
    file.write_bytes(data)
    with Bag(file) as bag:
        times = [(ns_ - ns(0)) / 1e9 for _, ns_, _ in bag.messages(["/camera/image_raw"])]
        np.testing.assert_allclose(times, [t for t in np.arange(0, 6, 0.1) if not 0.95 < t < 1.95])
        assert any(f"damaged after {at} s" in note and "that chunk is lost" in note for note in bag.notes)
        notes = list(bag.notes)
        assert len(list(bag.messages(["/camera/image_raw"]))) == len(times) and bag.notes == notes
        assert not any("its index counts" in note for note in notes)


@pytest.mark.parametrize("checksum", [False, True])
def test_only_a_checksum_tells_of_a_damaged_pixel_that_is_not_compressed(tmp_path, checksum):
    file = write_mcap(tmp_path / "run.mcap", arm(), Layout(checksum=checksum))
    data = bytearray(file.read_bytes())
    data[data.index(b"rgb8", len(data) // 2) + 40] ^= 1
    file.write_bytes(data)
    with Bag(file) as bag:
        assert (sum(1 for _ in bag.messages([IMAGE.topic])) == 60) != checksum
        assert any("checksum" in note for note in bag.notes) == checksum


def records(data):
    """(code, where it begins, length of its body) of an MCAP file's records."""
    at, found = 8, []
    while at < len(data) - 8:
        length = int.from_bytes(data[at + 1 : at + 9], "little")
        found.append((data[at], at, length))
        at += 9 + length
    return found


@pytest.mark.parametrize(
    "head",
    [
        b"\6" + (1 << 40).to_bytes(8, "little"),
        bytes(9),
        b"\6" + (700).to_bytes(8, "little"),
        b"\5" + (4000).to_bytes(8, "little"),
        b"\3" + (7).to_bytes(8, "little"),
        b"\2" + (20).to_bytes(8, "little"),
    ],
)
@pytest.mark.parametrize("which", [0, 2, -1])
@pytest.mark.parametrize("index", [True, False])
def test_a_damaged_head_of_a_chunk_costs_that_chunk_where_the_index_at_the_end_is_sound(tmp_path, head, which, index):
    file = write_mcap(tmp_path / "run.mcap", arm(), Layout(per_chunk=30, message_index=index))
    data = bytearray(file.read_bytes())
    chunks = [at for code, at, _ in records(data) if code == 6]
    lost = range(6)[which]
    data[chunks[which] : chunks[which] + 9] = head
    file.write_bytes(data)
    with Bag(file) as bag:
        times = [(ns_ - ns(0)) / 1e9 for _, ns_, _ in bag.messages(["/camera/image_raw"])]
        np.testing.assert_allclose(times, [t for t in np.arange(0, 6, 0.1) if not lost - 0.05 < t < lost + 0.95])
        (told,) = [note for note in bag.notes if "are lost" in note]
        end = chunks[which + 1] if lost < 5 else 0
        assert f"from byte {chunks[which]} to {end or ''}" in told and "the last" not in told
        assert any("counts 180 messages, but it holds 150" in note for note in bag.notes)


def test_a_damaged_head_of_an_index_costs_nothing(tmp_path):
    file = write_mcap(tmp_path / "run.mcap", arm(), Layout(per_chunk=30))
    data = bytearray(file.read_bytes())
    at = [at for code, at, _ in records(data) if code == 7][5]  # the second of a chunk
    data[at : at + 9] = bytes([7]) * 9
    file.write_bytes(data)
    found, notes = read(file)
    assert len(found["/camera/image_raw"][0]) == 60 and len(found["/joint_states"][0]) == 120
    assert len(notes) == 1 and f"from byte {at} to" in notes[0]


@pytest.mark.parametrize(
    "layout",
    [Layout(per_chunk=30, chunk_index=False, statistics=False, repeated=False), Layout(per_chunk=30, summary=False)],
)
def test_a_damaged_head_without_an_index_at_the_end(tmp_path, layout):
    file = write_mcap(tmp_path / "run.mcap", arm(), layout)
    data = bytearray(file.read_bytes())
    at = [at for code, at, _ in records(data) if code == 6][3]
    data[at + 1 : at + 9] = (1 << 40).to_bytes(8, "little")
    file.write_bytes(data)
    found, notes = read(file)
    assert len(found["/camera/image_raw"][0]) == 30
    assert any(
        f"at byte {at} of {len(data)}, and no index" in note
        and f"{len(data) - at} bytes" in note
        and "unfinished" not in note
        for note in notes
    )


@pytest.mark.parametrize("right", [True, False])
def test_a_checksum_says_whether_the_index_at_the_end_is_sound(tmp_path, right):
    file = write_mcap(tmp_path / "run.mcap", arm(), Layout(per_chunk=30))
    data = bytearray(file.read_bytes())
    foot = len(data) - 8 - 29
    start = int.from_bytes(data[foot + 9 : foot + 17], "little")
    data[foot + 25 : foot + 29] = ((zlib.crc32(data[start : foot + 25]) + (not right)) % 2**32).to_bytes(4, "little")
    at = [at for code, at, _ in records(data) if code == 6][3]
    data[at + 1 : at + 9] = (1 << 40).to_bytes(8, "little")
    file.write_bytes(data)
    found, _ = read(file)
    assert len(found["/camera/image_raw"][0]) == (50 if right else 30)


def test_an_index_that_is_damaged_itself_is_not_followed(tmp_path):
    file = write_mcap(tmp_path / "run.mcap", arm(), Layout(per_chunk=30))
    data = bytearray(file.read_bytes())
    at = next(at for code, at, _ in records(data) if code == 8)
    data[at + 9 + 16 : at + 9 + 24] = (len(data) // 3).to_bytes(8, "little")
    file.write_bytes(data)
    found, notes = read(file)
    assert len(found["/camera/image_raw"][0]) == 60 and notes == []
