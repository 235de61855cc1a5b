"""Shapes of meshes are cut once and kept on disk; what is kept is made anew where it does not fit or is damaged."""

import os
import subprocess
import sys

import numpy as np
import pytest
from meshes import parts_of

from astra_ros.robot import shape_cache
from astra_ros.robot import shapes as robot_shapes

trimesh = pytest.importorskip("trimesh")
pytest.importorskip("yourdfpy")
pytest.importorskip("collada")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """The folder of kept shapes, empty, with nothing remembered in this process."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    robot_shapes._mesh_pieces.cache_clear()
    yield tmp_path / "cache" / "astra_ros" / "shapes"
    robot_shapes._mesh_pieces.cache_clear()


def angle(path, size: float = 1.0) -> str:
    """An L of two bars, which is cut."""
    boxes = [trimesh.creation.box([1, 0.2, 0.2]), trimesh.creation.box([0.2, 1, 0.2])]
    boxes[1].apply_translation([-0.4, 0.4, 0])
    trimesh.util.concatenate(boxes).apply_scale(size).export(path)
    return str(path)


def again(*names: str, **options):
    """The parts as a new process gets them: the vertices of each."""
    robot_shapes._mesh_pieces.cache_clear()
    return [part.vertices for part in parts_of(*names, **options)]


def same(one, other) -> bool:
    return len(one) == len(other) and all(np.array_equal(a, b) for a, b in zip(one, other))


def test_a_mesh_is_cut_once(cache, tmp_path, monkeypatch):
    name = angle(tmp_path / "angle.stl")
    first = again(name)
    (entry,) = cache.iterdir()
    assert len(first) > 1 and entry.stat().st_size < 20_000
    monkeypatch.setattr(robot_shapes, "_cut", None)  # would fail
    monkeypatch.setattr(robot_shapes, "read_mesh", None)
    assert same(again(name), first)
    monkeypatch.undo()


@pytest.mark.parametrize("change", ["contents", "pieces", "vertices", "algorithm", "format"])
def test_what_the_pieces_depend_on_is_asked_for_again(cache, tmp_path, monkeypatch, change):
    name = angle(tmp_path / "angle.stl")
    first = again(name)
    options = {"pieces": {"max_pieces": 1}, "vertices": {"max_vertices": 8}}.get(change, {})
    if change == "contents":
        before = os.stat(name)
        angle(name, 2.0)
        os.utime(name, ns=(before.st_atime_ns, before.st_mtime_ns))  # of the same age and length
    if change == "algorithm":
        monkeypatch.setattr(robot_shapes, "ALGORITHM", robot_shapes.ALGORITHM + 1)
    if change == "format":
        name = angle(tmp_path / "angle.ply")
    second = again(name, **options)
    assert len(list(cache.iterdir())) == 2
    assert same(first, second) == (change in ("vertices", "algorithm")) or change == "format"
    if change == "contents":
        np.testing.assert_allclose(np.ptp(np.concatenate(second), axis=0), 2 * np.ptp(np.concatenate(first), axis=0))


@pytest.mark.parametrize("damage", ["empty", "cut", "text", "bits", "other", "nan", "folder"])
def test_damaged_entries_are_made_again(cache, tmp_path, damage):
    name = angle(tmp_path / "angle.stl")
    first = again(name)
    (entry,) = cache.iterdir()
    whole = entry.read_bytes()
    if damage == "bits":
        middle = len(whole) // 2
        entry.write_bytes(whole[:middle] + bytes(255 - b for b in whole[middle : middle + 8]) + whole[middle + 8 :])
    elif damage == "other":
        np.savez(entry, piece0=np.zeros((3, 2), np.float32))
    elif damage == "nan":
        np.savez(entry, piece0=np.full((3, 3), np.nan))
    elif damage == "folder":
        entry.unlink()
        entry.mkdir()
    else:
        entry.write_bytes({"empty": b"", "cut": whole[:-40], "text": b"no archive"}[damage])
    assert same(again(name), first)
    if damage != "folder":
        assert same(shape_cache.load(entry.stem), first)


@pytest.mark.parametrize("where", ["a file", "below a file", "no home", "locked"])
def test_without_a_folder_that_can_be_written_shapes_are_made_all_the_same(tmp_path, where):
    name = angle(tmp_path / "angle.stl")
    home = tmp_path / "home"
    if where == "locked":
        home.mkdir()
        home.chmod(0o500)  # root may write there all the same
    elif where != "no home":
        home.write_text("")
    env = {**os.environ, "XDG_CACHE_HOME": "", "HOME": str(home)}
    if where == "below a file":
        env["XDG_CACHE_HOME"] = str(home / "cache")
    if where == "no home":
        env["HOME"] = "relative"
    code = (
        "from astra_ros.robot.kinematics import parse_urdf\n"
        "from astra_ros.robot.shapes import convex_parts\n"
        f'mesh = \'<link name="l"><visual><geometry><mesh filename="{name}"/></geometry></visual></link>\'\n'
        "print(len(convex_parts(parse_urdf('<robot name=\"r\">' + mesh + '</robot>'))))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0 and int(done.stdout) > 1 and done.stderr == ""
    assert not (tmp_path / "relative").exists()


def test_the_folder_is_bounded_and_what_was_used_last_stays(cache, tmp_path, monkeypatch):
    pieces = [np.random.default_rng(0).normal(size=(1000, 3))]  # 24 kB
    monkeypatch.setattr(shape_cache, "MOST_BYTES", 100_000)
    for index in range(4):
        shape_cache.store(str(index) * 64, pieces)
        os.utime(cache / f"{str(index) * 64}.npz", (1000 + index, 1000 + index))
    assert len(list(cache.iterdir())) == 4 and same(shape_cache.load("0" * 64), pieces)  # used now
    shape_cache.store("5" * 64, pieces)
    assert sorted(path.name[0] for path in cache.iterdir()) == ["0", "2", "3", "5"]


def test_a_format_that_may_name_other_files_is_not_kept(cache, tmp_path):
    scene = trimesh.Scene(trimesh.creation.box([1, 1, 1]))
    for name, data in trimesh.exchange.gltf.export_gltf(scene).items():
        (tmp_path / name).write_bytes(data)
    scene.export(tmp_path / "whole.glb")
    assert again(str(tmp_path / "model.gltf")) and not cache.exists()
    assert again(str(tmp_path / "whole.glb")) and len(list(cache.iterdir())) == 1


def test_processes_that_cut_the_same_mesh_at_once_leave_one_sound_entry(cache, tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    name = angle(tmp_path / "angle.stl")
    first = again(name)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: shape_cache.store("a" * 64, first), range(40)))
    assert same(shape_cache.load("a" * 64), first)
    assert sorted(path.suffix for path in cache.iterdir()) == [".npz", ".npz"]
