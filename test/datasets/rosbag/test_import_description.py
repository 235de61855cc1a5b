"""The robot's description of an import: meshes that are not there, broken, or of an absurd size are named at once."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
from bag_maker import BagMaker, make

from astra_ros.commands import train as command
from astra_ros.commands.arguments import OneLineParser
from astra_ros.datasets.dataset import list_episodes, load_episode, read_footers
from astra_ros.datasets.robot_renders import Drawer, undrawn_notes
from astra_ros.datasets.rosbag.errors import BagError
from astra_ros.datasets.rosbag.import_bag import import_bag
from astra_ros.datasets.rosbag.import_settings import BagSettings
from astra_ros.training import train

pytest.importorskip("yourdfpy")

POSE = {"position": [1.0, 0, 1], "quaternion": [0.7071068, 0, 0, 0.7071068]}
SETTINGS = BagSettings(robot="mine", camera_pose=POSE)
BOX = '<box size="0.1 0.1 0.1"/>'


def described(path, *shapes, joints=("j1", "j2"), encoding="utf-8"):
    """A file of a robot: a base with the shapes, and a joint after each other."""
    visuals = "".join(f"<visual><geometry>{shape}</geometry></visual>" for shape in shapes)
    chain = "".join(
        f'<link name="{joint}_link"/><joint name="{joint}" type="revolute"><parent link="base"/>'
        f'<child link="{joint}_link"/><axis xyz="0 0 1"/><limit lower="-3" upper="3" effort="1" velocity="1"/></joint>'
        for joint in joints
    )
    text = (
        f'<?xml version="1.0" encoding="{encoding}"?><robot name="gelenk-über"><link name="base">{visuals}</link>'
        f"{chain}</robot>"
    )
    path.write_bytes(text.encode(encoding))
    return path


def mesh(name):
    return f'<mesh filename="{name}"/>'


@pytest.fixture
def bag(tmp_path):
    with BagMaker(tmp_path / "bag") as bag:
        for t in np.arange(0, 6, 0.1):
            bag.image(t, size=(96, 128))
            bag.camera_info(t, size=(96, 128), focal=100.0)
            bag.joints(t, j1=np.sin(t), j2=0.2 * t)
    return tmp_path / "bag"


def notes_of(bag, urdf, out="data", **changes):
    """What the import says of the description."""
    report = import_bag(bag, bag.parent / out, replace(SETTINGS, urdf=urdf, **changes))
    return [note for note in report["notes"] if note.startswith(urdf.name)]


def test_a_sound_description_is_not_spoken_of(bag, tmp_path):
    assert notes_of(bag, described(tmp_path / "arm.urdf", BOX)) == []
    paths = list_episodes(tmp_path / "data")
    assert undrawn_notes(tmp_path / "data", read_footers(paths).values(), (64, 64)) == []
    assert Drawer(tmp_path / "data", (64, 64)).draw(load_episode(paths[0])).shape[1:] == (3, 64, 64)


def test_meshes_that_are_not_there_are_named_at_import_and_before_training(bag, tmp_path, monkeypatch):
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(tmp_path / "prefix"))
    names = [f"package://my_arm/meshes/l{i}.stl" for i in (1, 2)]
    urdf = described(tmp_path / "arm.urdf", BOX, *map(mesh, names))
    (note,) = notes_of(bag, urdf)
    assert all(name in note for name in (*names, "'base'", f"share/my_arm of AMENT_PREFIX_PATH={tmp_path}", "source"))
    data, paths = tmp_path / "data", list_episodes(tmp_path / "data")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (text,) = undrawn_notes(data, read_footers(paths).values(), (64, 64))
        assert Drawer(data, (64, 64)).draw(load_episode(paths[0])) is None
    assert "'mine'" in text and names[0] in text and "AMENT_PREFIX_PATH" in text
    # Where the package is then installed, nothing has to be imported again.
    import trimesh

    meshes = tmp_path / "prefix" / "share" / "my_arm" / "meshes"
    meshes.mkdir(parents=True)
    for name in ("l1.stl", "l2.stl"):
        trimesh.creation.box([0.1] * 3).export(meshes / name)
    assert undrawn_notes(data, read_footers(paths).values(), (64, 64)) == []
    assert Drawer(data, (64, 64)).draw(load_episode(paths[0])) is not None


@pytest.mark.parametrize(
    "content, found",
    [(b"", ""), (b"solid nothing", "no triangles"), (b"v 0 0 0\nv 1 0 0\nv nan 0 1\nf 1 2 3\n", "NaN")],
)
def test_mesh_files_that_are_broken_are_named(bag, tmp_path, content, found):
    path = tmp_path / ("part.obj" if content[:1] == b"v" else "part.stl")
    path.write_bytes(content)
    (note,) = notes_of(bag, described(tmp_path / "arm.urdf", mesh(path)))
    assert str(path) in note and "'base'" in note and found in note and "replace the file" in note


def test_absurd_sizes_are_named_and_drawn_all_the_same(bag, tmp_path):
    urdf = described(tmp_path / "arm.urdf", BOX, '<box size="100 1 1"/>', '<sphere radius="1e-6"/>')
    notes = notes_of(bag, urdf)
    assert len(notes) == 2 and "100 m" in notes[0] and "sphere" in notes[1] and "'base'" in notes[0]
    footers = read_footers(list_episodes(tmp_path / "data")).values()
    assert undrawn_notes(tmp_path / "data", footers, (64, 64)) == []


def degrees_bag(path, described=""):
    with BagMaker(path) as bag:
        for t in np.arange(0, 6, 0.1):
            bag.image(t, size=(96, 128))
            bag.camera_info(t, size=(96, 128), focal=100.0)
        for t in np.arange(0, 6, 0.02):
            bag.joints(t, j1=170 * np.sin(t), j2=0.2 * t)
        if described:
            bag.add(0.0, "/robot_description", "std_msgs/msg/String", make("std_msgs/msg/String", data=described))
    return path


@pytest.mark.parametrize("where", ["file", "bag"])
def test_positions_far_beyond_the_limits_are_noted_and_degrees_are_asked_about(tmp_path, where):
    """As fast as 170 degrees a second: nor are they taken for two publishers."""
    urdf = described(tmp_path / "arm.urdf", BOX)
    bag = degrees_bag(tmp_path / "degrees", urdf.read_text() if where == "bag" else "")
    settings = replace(SETTINGS, urdf=urdf if where == "file" else None)
    notes = import_bag(bag, tmp_path / "data", settings)["notes"]
    (note,) = [note for note in notes if "the description allows" in note]
    assert note.startswith("arm.urdf: j1" if where == "file" else "robot_description in the bag: j1")
    assert "-3 to 3 rad" in note and "degrees" in note and "radians" in note and "170" in note
    (path,) = list_episodes(tmp_path / "data")
    assert np.abs(load_episode(path).motion[:, 0]).max() > 150  # stored as they are


def test_joints_that_turn_without_end_have_no_limits(bag, tmp_path):
    urdf = described(tmp_path / "arm.urdf", BOX)
    text = urdf.read_text()
    assert notes_of(bag, urdf) == []
    urdf.write_text(text.replace('lower="-3" upper="3"', 'lower="-0.1" upper="0.1"'))
    assert len(notes_of(bag, urdf, out="narrow")) == 2
    urdf.write_text(urdf.read_text().replace("revolute", "continuous"))
    assert notes_of(bag, urdf, out="turning") == []


def test_meshes_with_y_up_are_noted(bag, tmp_path):
    import trimesh

    trimesh.creation.box((0.1, 1.0, 0.1)).export(tmp_path / "mast.glb")
    (note,) = notes_of(bag, described(tmp_path / "arm.urdf", mesh(tmp_path / "mast.glb")))
    assert "mast.glb" in note and "y up" in note


def test_a_missing_joint_hides_no_missing_mesh(bag, tmp_path):
    urdf = described(tmp_path / "arm.urdf", mesh("package://my_arm/a.stl"), joints=("j1",))
    joint, missing = notes_of(bag, urdf)
    assert "no joint j2" in joint and "package://my_arm/a.stl" in missing


def test_a_description_without_shapes_or_in_a_circle_is_named(bag, tmp_path):
    (note,) = notes_of(bag, described(tmp_path / "arm.urdf"))
    assert "no link has a visual shape" in note
    text = described(tmp_path / "arm.urdf", BOX).read_text()
    (tmp_path / "arm.urdf").write_text(text.replace("</joint>", '<mimic joint="j1"/></joint>'))
    (note,) = notes_of(bag, tmp_path / "arm.urdf", out="other")
    assert "circle" in note and "j1" in note


def test_the_encoding_is_what_the_file_says(bag, tmp_path):
    urdf = described(tmp_path / "arm.urdf", BOX, joints=("j1", "j2", "größe"), encoding="iso-8859-1")
    assert notes_of(bag, urdf) == []
    (path,) = list_episodes(tmp_path / "data")
    assert Drawer(tmp_path / "data", (64, 64)).draw(load_episode(path)) is not None


def test_what_is_no_description_is_refused_as_before(bag, tmp_path):
    (tmp_path / "arm.urdf").write_text("<sdf/>")
    with pytest.raises(BagError) as error:
        notes_of(bag, tmp_path / "arm.urdf")
    assert error.value.thing == str(tmp_path / "arm.urdf") and "<sdf>" in error.value.problem and error.value.cure


def test_training_says_it_once_before_the_work(bag, tmp_path, monkeypatch, capsys):
    class Begun(Exception):
        pass

    def work(*_, **__):
        raise Begun

    notes_of(bag, described(tmp_path / "arm.urdf", mesh("package://my_arm/a.stl")))
    monkeypatch.setattr(train, "train_autoencoder", work)
    parser = OneLineParser()
    command.add_arguments(parser)
    capsys.readouterr()
    with pytest.raises(Begun):
        command.run(
            parser.parse_args(["--data", str(tmp_path / "data"), "--out", str(tmp_path / "run"), "--device", "cpu"])
        )
    lines = [line for line in capsys.readouterr().err.splitlines() if "package://my_arm/a.stl" in line]
    assert len(lines) == 1 and lines[0].startswith("note: 'mine' is not drawn")
